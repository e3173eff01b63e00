"""The matrix of train and test levels: what its rows are called, and what may stand in one row and one column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.discovery.plugins import installed
from harness.experiment import Experiment, Training, key_of
from harness.keep.processes import this_process
from harness.records import Claim, Totals
from harness.results.cells import ResultCell, read_cells
from harness.results.tables.matrix import Matrix, matrices
from harness.store import Filters
from harness_plugins.sql_store import SqlStore
from harness_plugins.study.tables import study_tables
from kit.store_rows import INFO, cell, metric

LEVELS = (None, 95.0, 50.0, 5.0)
BPP = {None: 24.0, 95.0: 4.0, 50.0: 2.0, 5.0: 0.3}
OPTIONS = {option.name: option.default for option in installed().get("codec", "jpeg").options}


PRETRAINED = Training()


def coded(level: float | None, training: Training = PRETRAINED, draw: int | None = None, **tested: Any) -> Experiment:
    """Detection at a level of JPEG with some options, or on uncompressed data; on the samples that a seed drew."""
    name, options = ("none", {}) if level is None else ("jpeg", {**OPTIONS, **tested})
    identity = {
        "codec": {"name": name, "options": options, "level": level},
        "limit": None if draw is None else {"samples": 4, "seed": draw},
        "training": {"kind": training.kind, "job": training.checkpoint},
    }
    seed = (draw or 0) if training.seed is None else training.seed
    changes = {"key": key_of(identity), "identity": identity, "codec_options": options}
    return replace(cell(name, level), **changes, training=training, seed=seed, baseline=None)


def taught(level: float | None, recipe: str = "r", codec: str = "jpeg", seed: int = 0) -> Training:
    """A training at a level, or at mixed levels, by a recipe."""
    mode = "mixed" if level is None else "level"
    series = f"{recipe} {level}"
    return Training("retrained", codec, level, mode, seed=seed, checkpoint=f"{series} {seed}", series=series)


def cells_of(tmp_path: Path, found: Sequence[tuple[Experiment, float]], name: str = "AP") -> list[ResultCell]:
    """Some experiments as they are read, each finished by a run of its own, in this order."""
    store = SqlStore(str(tmp_path / f"{name}.db"))
    store.open()
    for one, value in found:
        claim = Claim(this_process(), store.begin_run(INFO))
        store.register([one], claim.run)
        store.claim([one.key], claim)
        store.finish(one.key, claim, Totals(4, 0, bpp=BPP[one.level]), [metric(name, value)])
        store.end_run(claim.run, "finished")
    cells = read_cells(store, Filters())
    store.close()
    return cells


def values(matrix: Matrix) -> dict[str, list[float | None]]:
    """The values by row, in the order of the columns."""
    found = {row: [matrix.measured(row, column) for column in matrix.columns] for row in matrix.rows}
    return {row: [None if one is None else one.value for one in those] for row, those in found.items()}


@pytest.mark.parametrize(
    ("tested", "named"), [({"subsampling": "4:4:4"}, "jpeg:subsampling=4:4:4"), ({"scale": 0.5}, "jpeg:scale=0.5")]
)
def test_levels_of_a_codec_with_options_are_mildest_first(tmp_path: Path, tested: dict[str, Any], named: str) -> None:
    codecs = (*((level, named) for level in (5.0, 50.0, 95.0, None)), (5.0, "jpeg"))
    rows = [PRETRAINED, *(taught(level, codec, codec) for level, codec in codecs)]
    found = [(coded(level, row, **tested), 0.1 * number) for number, row in enumerate(rows) for level in LEVELS]
    (matrix,) = matrices(cells_of(tmp_path, found))
    assert matrix.rows == ("pretrained", "mixed", "95", "50", "5", "jpeg@5")
    assert {place for place, entry in matrix.entries.items() if entry.matched} == {
        *(("95", "95"), ("50", "50"), ("5", "5")),
    }


def test_other_samples_make_another_matrix(tmp_path: Path) -> None:
    """As --limit 4 --seed 0 and --seed 1 leave them, with the same training in both."""
    found = []
    for draw, base in ((0, 0.1), (1, 0.6)):
        found += [(coded(level, PRETRAINED, draw), base) for level in LEVELS]
        found += [(coded(level, taught(5.0), draw), base + 0.1) for level in LEVELS]
    first, second = matrices(cells_of(tmp_path, found))
    assert values(first) == {"pretrained": [0.1] * 4, "5": [0.2] * 4}
    assert values(second) == {"pretrained": [0.6] * 4, "5": [pytest.approx(0.7)] * 4}
    assert first.title == "detection: rcnn on streets/test, jpeg (seed 0)"
    assert second.title == "detection: rcnn on streets/test, jpeg (seed 1)"


def test_other_samples_make_another_table_of_the_study(tmp_path: Path) -> None:
    found = []
    for draw, base in ((0, 0.1), (1, 0.6)):
        found += [(coded(level, PRETRAINED, draw), base) for level in LEVELS]
        found.append((coded(5.0, taught(5.0), draw), base + 0.1))
    first, second = study_tables(cells_of(tmp_path, found, "AP50"))
    assert [(row[1], row[3]) for row in first.rows] == [
        ("0.100 (few)", "0.100 (few)"),
        ("0.100 (few)", ""),
        ("0.100 (few)", "0.200 (few)"),
    ]
    assert "jpeg (seed 0)" in first.title
    assert [(row[1], row[3]) for row in second.rows] == [
        ("0.600 (few)", "0.600 (few)"),
        ("0.600 (few)", ""),
        ("0.600 (few)", "0.700 (few)"),
    ]


def test_a_row_is_of_one_recipe(tmp_path: Path) -> None:
    """The one that finished last, with gaps where it was not tested, not filled up from another."""
    found = [(coded(level), 0.1) for level in LEVELS]
    found += [(coded(level, taught(5.0, "before")), 0.2) for level in LEVELS]
    found += [
        (coded(level, taught(5.0, "after", seed=seed)), 0.3 + 0.2 * seed) for level in (5.0, 50.0) for seed in (0, 1)
    ]
    found.append((coded(None, taught(5.0, "never tested at a level")), 0.9))
    (matrix,) = matrices(cells_of(tmp_path, found))
    assert values(matrix) == {"pretrained": [0.1] * 4, "5": [None, None, pytest.approx(0.4), pytest.approx(0.4)]}
