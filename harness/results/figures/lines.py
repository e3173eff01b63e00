"""Selects the results that a figure shows: each row is a point, and the points are grouped into lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.results.cells import MeasuredMetric, ResultCell
from harness.results.naming import training_words
from harness.results.seeds import average_over_seeds
from harness.results.trained import is_matched, kind_of
from harness.results.trainings import TRAINING_KINDS, newest_trainings, training_filter
from harness.statistics.estimate import Estimate

__all__ = ["can_draw", "group_by_line", "is_baseline_row", "line_family", "trainings_drawn"]

_SUBJECT = (
    *("task", "model", "weights", "dataset", "split"),
    *("planned_samples", "reference", "seed", "precision", "compiled", "batch"),
)
_CODEC = ("codec", "codec_options", "level_name")
_TRAINING = ("training", "train_codec", "train_level", "train_mode", "parts")
_LINE = (*_CODEC, *_SUBJECT, *_TRAINING)
"""The columns that are equal for all points of one line."""

_FEW = 2
"""Trainings at a single level are drawn by default only if there are at most this many."""


def is_baseline_row(record: dict[str, Any]) -> bool:
    """Return whether a row is the result of the pretrained model on uncompressed frames."""
    return ResultCell(record, {}).is_baseline


def can_draw(record: dict[str, Any], against: str) -> bool:
    """Return whether a row is a point of a curve: it is no baseline, and has a value and a position on the axis."""
    return not is_baseline_row(record) and record["value"] is not None and record[against] is not None


def trainings_drawn(records: Sequence[dict[str, Any]], words: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the rows of the trainings to draw.

    Several seeds of a training are averaged. Of several recipes for one kind of training, the training that finished
    last is drawn. Models that were each tested at the level they were retrained at become one line, with the mode
    `matched`. Retrained models on uncompressed data are left out, because they are not on any curve.

    Args:
        records: rows of the view `results`, all of the same metric.
        words: the trainings to draw, in words of `harness.results.trainings.training_filter`. If empty, all trainings
            are drawn, but trainings at one level that were also tested at other levels only if there are at most two.

    Raises:
        UsageError: a word names no training.
    """
    cells = [ResultCell(row, {row["metric"]: _measured(row)}) for row in records]
    seeds = {cell.facts["cell"]: cell.facts["seed"] for cell in cells if kind_of(cell) == "pretrained"}
    drawn = [cell.facts for cell in cells if kind_of(cell) == "pretrained" and ("pretrained" in words or not words)]
    drawn += [] if "pretrained" in words or not words else [cell.facts for cell in cells if cell.is_baseline]
    coded = [
        cell for cell in cells if kind_of(cell) != "pretrained" and (cell.facts["codec"] != "none" or cell.options)
    ]
    for word in words or (*TRAINING_KINDS, *_levels(coded)):
        if word == "pretrained":
            continue
        fits = training_filter(word)
        for cell in _newest_averages([cell for cell in coded if fits(cell)], word):
            measured = cell.metrics[cell.facts["metric"]]
            values = {"value": measured.value, "ci_low": measured.metric.low, "ci_high": measured.metric.high}
            mode = {"train_mode": "matched", "train_level": None} if word == "matched" else {}
            # The seed of the subset is the same for the pretrained and the retrained experiments of a cell.
            seed = seeds.get(cell.facts["cell"], cell.facts["seed"])
            drawn.append({**cell.facts, **values, **mode, "margin": measured.margin, "seed": seed})
    return [dict(row) for row in drawn]


def _levels(cells: Sequence[ResultCell]) -> list[str]:
    """Return words (codec@level) for the trainings at one level that were tested at other levels; none if too many."""
    single = [cell.facts for cell in cells if kind_of(cell) == "level" and not is_matched(cell)]
    words = dict.fromkeys(f"{row['train_codec']}@{row['train_level']:g}" for row in single)
    return list(words) if len(words) <= _FEW else []


def _newest_averages(cells: Sequence[ResultCell], word: str) -> list[ResultCell]:
    """Return the experiments of the newest training of each kind, averaged over the seeds."""
    kinds: dict[str, list[ResultCell]] = {}
    for cell in cells:
        kinds.setdefault("" if word == "matched" else training_words(cell), []).append(cell)
    return [cell for group in kinds.values() for cell in average_over_seeds(newest_trainings(group))]


def _measured(row: dict[str, Any]) -> MeasuredMetric:
    metric = Estimate(row["value"], row["ci_low"], row["ci_high"])
    return MeasuredMetric(metric, bool(row["is_primary"]), bool(row["higher_is_better"]))


def group_by_line(records: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Group rows into lines. The order of the lines depends only on the content of the rows."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for record in records:
        if record["train_mode"] == "matched":  # the points of the line have different training levels
            record = {**record, "train_level": None}
        key = tuple(str(record[name]) for name in _LINE)
        groups.setdefault(key, []).append(record)
    return [points for _, points in sorted(groups.items())]


def line_family(record: dict[str, Any]) -> tuple[str, ...]:
    """Return what lines of the same colour have in common: codec, model, data and conditions, but not the training."""
    return tuple(str(record[name]) for name in (*_CODEC, *_SUBJECT))
