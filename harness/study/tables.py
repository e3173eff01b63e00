"""One's own results in the layout of the study's Tables I-V: (A) pretrained and (B) retrained, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from harness.experiment import variant
from harness.study.published import Published, published
from harness.text_tables import Table

if TYPE_CHECKING:
    from harness.result_cells import Cell

__all__ = ["study_tables"]

_SIDES = ("(A)", "(B)")


def study_tables(cells: Sequence[Cell], beside: bool) -> list[Table]:
    """A table for each task, model, dataset and codec among some results that has a column of the study's.

    (A) is the pretrained model at each level. (B) is the model retrained at a level and tested at it; at the mildest
    level of (A) it is (A) itself, as in the study. Of trainings from several seeds, (B) gives the mean.

    Args:
        cells: finished experiments.
        beside: whether the study's published figures stand beside.
    """
    subjects: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        facts = cell.facts
        if facts["status"] == "finished" and facts["level"] is not None and facts["task"] in published():
            names = ("task", "model", "weights", "dataset", "split", "codec", "codec_options", "planned_samples")
            subjects.setdefault(tuple(str(facts[name]) for name in names), []).append(cell)
    return [_table(group, published()[key[0]], beside) for key, group in subjects.items()]


def _table(cells: Sequence[Cell], study: Published, beside: bool) -> Table:
    facts = cells[0].facts
    metrics = list(study.pretrained)
    pretrained = {c.facts["level"]: c for c in cells if c.facts["training"] == "pretrained"}
    retrained: dict[float, list[Cell]] = {}
    for cell in cells:
        if _matched(cell):
            retrained.setdefault(cell.facts["level"], []).append(cell)
    levels = [level for level in study.levels if level in pretrained or level in retrained]
    levels += sorted(({*pretrained, *retrained} - {*levels}), reverse=study.levels[0] > study.levels[-1])
    if levels and levels[0] in pretrained:
        retrained.setdefault(levels[0], [pretrained[levels[0]]])
    columns = [facts["level_name"] or "level", *(f"{side} {metric}" for side in _SIDES for metric in metrics)]
    rows = []
    for level in levels:
        own = ([pretrained[level]] if level in pretrained else [], retrained.get(level, []))
        row = [f"{level:g}", *(_mean(group, metric) for group in own for metric in metrics)]
        if beside and study.codec == facts["codec"]:
            row += _printed(study, level, metrics)
        rows.append(tuple(row))
    if beside and study.codec == facts["codec"]:
        columns += [f"study {side} {metric}" for side in _SIDES for metric in metrics]
    return Table(tuple(columns), tuple(rows), _title(facts, study), _notes(retrained, study, beside))


def _matched(cell: Cell) -> bool:
    """Whether it was retrained, all of it, on data coded as it is tested."""
    row = cell.facts
    same = row["train_level"] == row["level"] and str(row["train_codec"]).partition(":")[0] == row["codec"]
    return bool(row["train_mode"] == "level" and same and not row["parts"])


def _mean(cells: Sequence[Cell], metric: str) -> str:
    values = [cell.metrics[metric].value for cell in cells if metric in cell.metrics]
    known = [value for value in values if value is not None]
    return f"{fmean(known):.3f}" if known else ""


def _printed(study: Published, level: float, metrics: Sequence[str]) -> list[str]:
    if level not in study.levels:
        return [""] * (len(_SIDES) * len(metrics))
    place = study.levels.index(level)
    sides: tuple[Mapping[str, tuple[float, ...]], ...] = (study.pretrained, study.retrained)
    return [f"{side[metric][place]:.4g}" for side in sides for metric in metrics]


def _title(facts: Mapping[str, object], study: Published) -> str:
    options = "" if facts["codec_options"] in ("{}", None) else f", {facts['codec_options']}"
    where = f"{facts['model']} on {facts['dataset']}/{facts['split']}, {variant(str(facts['codec']), {})}{options}"
    return f"Table {study.table} ({facts['task']}): {where}"


def _notes(retrained: Mapping[float, Sequence[Cell]], study: Published, beside: bool) -> tuple[str, ...]:
    notes = ["(A) pretrained; (B) retrained at the level it is tested at; the mildest level of (B) is that of (A)."]
    most = max((len(cells) for cells in retrained.values()), default=1)
    if most > 1:
        notes.append(f"(B): the mean of up to {most} trainings.")
    if beside:
        notes.append(
            f"study: Poyser, Atapour-Abarghouei, Breckon, Table {study.table}: {study.model} on {study.dataset}."
        )
    return tuple(notes)
