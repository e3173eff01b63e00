"""The report's table of codecs: whom they are compared with, and how sure the differences are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.page.rates import rates_table
from harness.results.cells import ResultCell
from harness.results.ladders import cases_of
from harness.results.resampled import RATE, ResampledMetric
from harness.results.tables.text import Table
from kit.ladders import cell
from kit.resamples import drawn


class Drawn:
    """Resamples of made-up experiments: the scores of 200 samples, and a rate without spread."""

    def __init__(self, count: int = 200) -> None:
        self.scores = np.random.default_rng(0).normal(0.7, 0.1, count)

    def together(self, measures: Sequence[Any]) -> list[ResampledMetric]:
        return [self._one(cells[0], metric) for cells, metric in measures]

    def _one(self, one: ResultCell, metric: str) -> ResampledMetric:
        bpp = one.facts["bpp"]
        noise = np.random.default_rng(round(1000 * bpp)).normal(0, 0.02, len(self.scores))
        ideal = bpp * (1.25 if one.facts["codec"] == "avif" else 1.0)
        found = drawn(self.scores - 0.1 / ideal + noise, 200)
        if metric == RATE:
            found = replace(found, values={RATE: bpp}, resampled={RATE: np.full(200, bpp)})
        else:
            found = replace(found, values={metric: found.values["value"]}, resampled={metric: found.resampled["value"]})
        return ResampledMetric(metric, found, len(self.scores))


def codecs_table(*codecs: tuple[str, str, int], count: int = 200) -> Table:
    """The table of codecs: their names, options, and numbers of levels."""
    made = []
    for codec, options, levels in codecs:
        for place in range(levels):
            bpp = (5 - 0.75 * place) * (0.8 if codec == "avif" else 1.0)
            one = cell(100.0 - place, codec=codec, codec_options=options, bpp=bpp)
            made.append(replace(one, ladder=f"{codec}{options}"))
    (case,) = cases_of([cell(None, bpp=24.0), *made])
    resampler: Any = Drawn(count)
    table = rates_table(case, resampler)
    assert table is not None
    return table


def test_codecs_are_compared_with_the_one_that_people_use_most() -> None:
    small, large = '{"subsampling": "4:2:0"}', '{"subsampling": "4:4:4"}'
    table = codecs_table(("avif", "{}", 5), ("jpeg", small, 5), ("jpeg", large, 5))
    assert table.title == "Codecs against jpeg:subsampling=4:2:0"
    assert [row[0] for row in table.rows] == ["avif", "jpeg:subsampling=4:4:4"]
    assert codecs_table(("jpeg", small, 4), ("jpeg", large, 6)).title == "Codecs against jpeg:subsampling=4:4:4"
    assert codecs_table(("av1", "{}", 5), ("h264", "{}", 4)).title == "Codecs against h264"
    assert codecs_table(("av1", "{}", 4), ("vp9", "{}", 5)).title == "Codecs against vp9"


@pytest.mark.parametrize(("count", "mark"), [(200, ""), (60, " (few)")])
def test_differences_between_codecs_have_intervals_and_a_number_of_samples(count: int, mark: str) -> None:
    table = codecs_table(("avif", "{}", 6), ("jpeg", "{}", 6), count=count)
    assert table.columns[:4] == ("codec", "BD-rate", "BD-AP", "n")
    (row,) = table.rows
    found = re.fullmatch(r"(-?\d+(?:\.\d)?) \[(-?\d+(?:\.\d)?), (-?\d+(?:\.\d)?)\] %" + re.escape(mark), row[1])
    assert found
    value, low, high = map(float, found.groups())
    assert low < value < high
    assert value < 0
    assert len({part.partition(".")[2] == "" for part in found.groups()}) == 1
    assert re.fullmatch(r"0\.\d+ \[-?0\.\d+, 0\.\d+\]" + re.escape(mark), row[2])
    assert row[3] == str(count)
    assert any("(few)" in note for note in table.notes) == bool(mark)
