"""Resamples of metric and rate on the same samples: paired group by group, and equal to what the database has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.discovery.plugins import installed
from harness.discovery.stores import open_store
from harness.results.cells import read_cells
from harness.results.ladders import cases_of
from harness.results.resampled import RATE, ResampledMetric, Resampler
from harness.store import Filters
from kit.command import Session
from kit.report import made_results
from kit.resamples import Mean, a_cell, drawn

GROUPS = 40
SCORES = np.random.default_rng(0).normal(1.0, 0.3, GROUPS)


class Store:
    """One sample a group, whose score is its rate; some have no scored frame."""

    def __init__(self, unscored: tuple[int, ...]) -> None:
        self.unscored = unscored

    def rows(self, _: str) -> Iterator[Any]:
        for n in range(GROUPS):
            yield SimpleNamespace(index=n, group=f"g{n}", status="ok", bits=int(1e6 * SCORES[n]), pixels=1_000_000)

    def statistics(self, _: str) -> Iterator[Any]:
        for n in range(GROUPS):
            scored = [] if n in self.unscored else [{"value": np.array(SCORES[n])}]
            yield SimpleNamespace(index=n, group=f"g{n}", statistics=scored)

    def resamples(self, _: str) -> None:
        return None

    def classes(self, keys: list[str]) -> dict[str, tuple[str, ...]]:
        return dict.fromkeys(keys, ("any",))


@pytest.mark.parametrize("unscored", [(), (0,), (20,), (39,), (0, 7, 39)])
def test_rates_are_resampled_by_the_groups_that_metrics_are(
    unscored: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.results.resampled.task_of", lambda *_: Mean())
    store: Any = Store(unscored)
    plugins: Any = None
    draws = Resampler({"k": store}, {"k": {"dataset": "d", "limit": None}}, plugins, 300, 0)
    cell = a_cell(50.0, 1.0, experiment="k")
    for measures in ([([cell], "value"), ([cell], RATE)], [([cell], RATE), ([cell], "value")]):
        found = {one.metric: one for one in draws.together(measures)}
        metric, rate = found["value"], found[RATE]
        assert metric.groups == rate.groups == GROUPS - len(unscored)
        assert metric.replicates.source == rate.replicates.source
        assert np.allclose(metric.replicates.resampled["value"], rate.replicates.resampled[RATE], rtol=1e-5)
        assert rate.value == pytest.approx(SCORES.mean(), rel=1e-5)  # of all samples, those without a score too


def test_rates_and_metrics_are_those_of_the_database(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> None:
    session: Session = made_results(tmp_path_factory.getbasetemp(), cache)
    with closing(open_store(str(session.database), installed(), write=False)) as store:
        cells = [cell for case in cases_of(read_cells(store, Filters())) for cell in case.cells]
        identities = store.identities([cell.facts["experiment"] for cell in cells])
        draws = Resampler(dict.fromkeys(identities, store), identities, installed(), 100, 0)
        assert len(cells) > 8
        for cell in cells:
            for name, measured in cell.metrics.items():
                if measured.is_primary:
                    metric, rate = draws.together([([cell], name), ([cell], RATE)])
                    assert rate.value == pytest.approx(cell.facts["bpp"])
                    assert metric.value == pytest.approx(measured.value)


def test_a_metric_that_few_resamples_lack_keeps_its_spread() -> None:
    known = drawn(SCORES, 1000)
    whole = ResampledMetric("value", known, GROUPS)
    known.resampled["value"][:30] = np.nan
    some = ResampledMetric("value", known, GROUPS).around
    assert np.isnan(some).sum() == 30
    assert np.nanstd(some, ddof=1) == pytest.approx(np.std(SCORES, ddof=1) / np.sqrt(GROUPS), rel=0.1)
    assert np.nanmean(some) == pytest.approx(whole.value)
    known.resampled["value"][:60] = np.nan
    assert np.isnan(ResampledMetric("value", known, GROUPS).around).all()
