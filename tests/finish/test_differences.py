"""What two records of one experiment have otherwise: metrics in as many digits as needed, and samples without times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.finish.differences import Differences, differences
from harness.keep.processes import this_process
from harness.records import Claim, MetricValue, SampleRow, Totals
from harness_plugins.sql_store import SqlStore
from kit.store_rows import INFO, cell, failed, metric, row

Found = Callable[[Sequence[SampleRow], Sequence[MetricValue]], Differences]
KEY = cell().key
ROWS = [row(KEY, index) for index in range(3)]
METRICS = [metric("AP", 0.5, 0.4, 0.6), metric("AP50", None)]


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """What is found of an experiment that is computed again with other rows and metrics."""

    def computed(rows: Sequence[SampleRow], metrics: Sequence[MetricValue]) -> Differences:
        store = SqlStore(str(tmp_path / "harness.db"))
        store.open()
        try:
            claim = Claim(this_process(), store.begin_run(INFO))
            store.register([cell()], claim.run)
            store.claim([KEY], claim)
            store.write(ROWS, claim)
            store.finish(KEY, claim, Totals(3, 0), METRICS)
            (again,) = store.begin_again([KEY]).values()
            store.claim([again], claim)
            store.write([SampleRow(**{**vars(one), "key": again}) for one in rows], claim)
            store.finish(again, claim, Totals(3, 0), metrics)
            return differences(store, KEY, store.supersede([KEY])[KEY])
        finally:
            store.close()

    return computed


def test_times_do_not_count(found: Found) -> None:
    rows = [row(KEY, index, encode_ms=9.0, decode_ms=9.0, seconds=9.0) for index in range(3)]
    assert found(rows, METRICS) == Differences({}, (), 3, 0, {})


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"bits": 1}, "bits"),
        ({"squared_error": 301}, "squared_error"),
        ({"score": 0.5000000001}, "score"),
        ({"id": "another"}, "id"),
        ({"statistics": [{"hits": np.array([1, 2]), "scores": np.array([[0.2500000001]])}]}, "statistics"),
    ],
)
def test_each_thing_of_a_sample_counts(found: Found, changes: dict[str, object], column: str) -> None:
    assert found([ROWS[0], row(KEY, 1, **changes), ROWS[2]], METRICS) == Differences({}, (), 3, 1, {column: 1})


def test_a_sample_that_failed_or_is_not_there(found: Found) -> None:
    less = found([ROWS[0], failed(KEY, 1)], METRICS)
    assert (less.samples, less.differing) == (3, 2)
    assert less.columns["missing"] == 1
    assert less.columns["status"] == less.columns["statistics"] == 1


def test_metrics_and_intervals(found: Found) -> None:
    other = [metric("AP", 0.5, 0.4, 0.61), metric("AP50", 0.25), metric("AP75", 0.1)]
    told = found(ROWS, other)
    assert told == Differences({"AP50": (None, 0.25), "AP75": (None, 0.1)}, ("AP",), 3, 0, {})
    assert told.words == (
        "AP50 undefined -> 0.25; AP75 undefined -> 0.1; intervals of AP differ; all 3 samples are equal"
    )


def test_the_last_digit_is_shown(found: Found) -> None:
    told = found(ROWS, [metric("AP", float(np.nextafter(0.5, 1)), 0.4, 0.6), METRICS[1]])
    assert told.words == "AP 0.5 -> 0.5000000000000001; all 3 samples are equal"
