"""Which results a figure shows: rows as points, and points as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.results.cells import Measured, ResultCell
from harness.results.naming import training_words
from harness.results.seeds import average_over_seeds
from harness.results.trainings import TRAINING_WORDS, is_matched, kind_of, newest_trainings, training_filter
from harness.statistics.estimate import Estimate

__all__ = ["can_draw", "group_by_line", "is_baseline_row", "line_family", "trainings_drawn"]

_SUBJECT = (
    *("task", "model", "weights", "dataset", "split"),
    *("planned_samples", "reference", "seed", "precision", "batch"),
)
_CODEC = ("codec", "codec_options", "level_name")
_TRAINING = ("training", "train_codec", "train_level", "train_mode", "parts")
_LINE = (*_CODEC, *_SUBJECT, *_TRAINING)
"""The columns in which the points of one line are the same."""

_FEW = 2
"""Trainings at a single level each that are drawn without being asked for, at most."""


def is_baseline_row(record: dict[str, Any]) -> bool:
    """Whether a row is the pretrained model on uncompressed frames."""
    return ResultCell(record, {}).is_baseline


def can_draw(record: dict[str, Any], against: str) -> bool:
    """Whether a row is a point of a curve: it has a value, and a place on the axis."""
    return not is_baseline_row(record) and record["value"] is not None and record[against] is not None


def trainings_drawn(records: Sequence[dict[str, Any]], words: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The rows of the trainings to draw, of several seeds as one, of several recipes those that finished last.

    Models that were each tested at the level they were retrained at become one line: their mode is `matched`. Retrained
    models on uncompressed data are points of no curve, and left out.

    Args:
        records: rows of the view `results`, all of one metric.
        words: what `harness.results.trainings.training_filter` takes. Without any word, all are drawn; but trainings
            at one level that were tested at all levels only where there are at most two.

    Raises:
        UsageError: a word that means nothing.
    """
    cells = [ResultCell(row, {row["metric"]: _measured(row)}) for row in records]
    seeds = {cell.facts["cell"]: cell.facts["seed"] for cell in cells if kind_of(cell) == "pretrained"}
    drawn = [cell.facts for cell in cells if kind_of(cell) == "pretrained" and ("pretrained" in words or not words)]
    drawn += [] if "pretrained" in words or not words else [cell.facts for cell in cells if cell.is_baseline]
    coded = [
        cell for cell in cells if kind_of(cell) != "pretrained" and (cell.facts["codec"] != "none" or cell.options)
    ]
    for word in words or (*TRAINING_WORDS, *_levels(coded)):
        if word == "pretrained":
            continue
        fits = training_filter(word)
        for cell in _of_kind([cell for cell in coded if fits(cell)], word):
            measured = cell.metrics[cell.facts["metric"]]
            told = {"value": measured.value, "ci_low": measured.metric.low, "ci_high": measured.metric.high}
            mode = {"train_mode": "matched", "train_level": None} if word == "matched" else {}
            seed = seeds.get(cell.facts["cell"], cell.facts["seed"])  # of the subset, which all share
            drawn.append({**cell.facts, **told, **mode, "margin": measured.margin, "seed": seed})
    return [dict(row) for row in drawn]


def _levels(cells: Sequence[ResultCell]) -> list[str]:
    """Trainings at one level that were tested at others too, as words; none if there are many."""
    single = [cell.facts for cell in cells if kind_of(cell) == "level" and not is_matched(cell)]
    words = dict.fromkeys(f"{row['train_codec']}@{row['train_level']:g}" for row in single)
    return list(words) if len(words) <= _FEW else []


def _of_kind(cells: Sequence[ResultCell], word: str) -> list[ResultCell]:
    kinds: dict[str, list[ResultCell]] = {}
    for cell in cells:
        kinds.setdefault("" if word == "matched" else training_words(cell), []).append(cell)
    return [cell for group in kinds.values() for cell in average_over_seeds(newest_trainings(group))]


def _measured(row: dict[str, Any]) -> Measured:
    metric = Estimate(row["value"], row["ci_low"], row["ci_high"])
    return Measured(metric, bool(row["is_primary"]), bool(row["higher_is_better"]))


def group_by_line(records: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The points of each line, in an order that depends on nothing but them."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for record in records:
        if record["train_mode"] == "matched":  # trained at each point's own level
            record = {**record, "train_level": None}
        key = tuple(str(record[name]) for name in _LINE)
        groups.setdefault(key, []).append(record)
    return [points for _, points in sorted(groups.items())]


def line_family(record: dict[str, Any]) -> tuple[str, ...]:
    """What lines of one colour share: codec, model, data and conditions, whatever the training."""
    return tuple(str(record[name]) for name in (*_CODEC, *_SUBJECT))
