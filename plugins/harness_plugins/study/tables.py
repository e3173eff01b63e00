"""Your own results in the layout of the study's Tables I-V: (A) pretrained and (B) retrained models, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.pages import Table
from harness.results.naming import codec_names
from harness.results.seeds import average_over_seeds
from harness.results.tables.numbers import interval_text
from harness.results.trained import is_matched, kind_of
from harness.results.trainings import differences, newest_trainings
from harness.statistics.estimate import Estimate
from harness_plugins.study.published import PublishedTable, published_tables

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["Against", "study_tables"]

Against = Literal["top", "none"]
"""The reference of drops: "top", the mildest level of (A), as in the study; or "none", uncompressed data."""

_SIDES = ("(A)", "(B)")


def study_tables(cells: Sequence[ResultCell], beside: bool = False, drops: Against | None = None) -> list[Table]:
    """Return a table in the study's layout for each task, model, dataset and codec of some results.

    (A) is the pretrained model at each level. (B) is the model retrained at a level and tested at the same level. At
    the mildest level of (A), (B) is (A) itself if there is no such training, as in the study. For trainings from
    several seeds, (B) is the mean. For several recipes, (B) is the training that finished last.

    Args:
        cells: the experiments; for drops from "none" also those on uncompressed data. Unfinished experiments, and
            tasks that the study does not have, are left out.
        beside: whether to add columns with the study's published figures.
        drops: if given, the table has drops in percent instead of metrics, from the mildest level of (A) ("top") or
            from uncompressed data ("none").
    """
    ladders: dict[str, list[ResultCell]] = {}
    clean: dict[str, ResultCell] = {}
    for cell in cells:
        facts = cell.facts
        if facts["status"] != "finished" or facts["task"] not in published_tables():
            continue
        if facts["level"] is not None:
            ladders.setdefault(cell.ladder, []).append(cell)
        elif cell.is_baseline:
            clean[cell.subject] = cell
    tables = []
    groups = list(ladders.values())
    codecs = codec_names([group[0] for group in groups])
    for group, codec, conditions in zip(groups, codecs, differences(groups), strict=True):
        sides = _Sides.of(group, published_tables()[group[0].facts["task"]], f"{codec}{conditions}")
        tables.append(_table(sides, clean.get(group[0].subject), beside, drops))
    return tables


@dataclass(frozen=True)
class _Sides:
    """Sides (A) and (B) of a table: the pretrained and the retrained experiment at each level.

    The study's levels come first, in its order; other levels follow, also from mild to strong.
    """

    study: PublishedTable
    codec: str
    facts: Mapping[str, object]
    levels: Sequence[float]
    pretrained: Mapping[float, ResultCell]
    retrained: Mapping[float, ResultCell]

    @classmethod
    def of(cls, cells: Sequence[ResultCell], study: PublishedTable, codec: str) -> _Sides:
        pretrained = {cell.facts["level"]: cell for cell in cells if kind_of(cell) == "pretrained"}
        matched = average_over_seeds(newest_trainings([cell for cell in cells if is_matched(cell)]))
        retrained = {cell.facts["level"]: cell for cell in matched}
        known = {*pretrained, *retrained}
        levels = [level for level in study.levels if level in known]
        levels += sorted(known - {*levels}, reverse=study.levels[0] > study.levels[-1])
        if retrained and levels[0] in pretrained:
            retrained.setdefault(levels[0], pretrained[levels[0]])
        return cls(study, codec, cells[0].facts, levels, pretrained, retrained)


def _table(sides: _Sides, clean: ResultCell | None, beside: bool, drops: Against | None) -> Table:
    study, facts = sides.study, sides.facts
    metrics = list(study.pretrained)
    reference = sides.pretrained.get(sides.levels[0]) if drops == "top" else clean if drops == "none" else None
    printed = beside and study.codec == facts["codec"]
    unit = " drop, %" if drops else ""
    columns = [str(facts["level_name"] or "level")]
    columns += [f"{side} {metric}{unit}" for side in _SIDES for metric in metrics]
    columns += [f"study {side} {metric}{unit}" for side in _SIDES for metric in metrics] if printed else []
    rows = []
    for level in sides.levels:
        row = [f"{level:g}"]
        for cell in (sides.pretrained.get(level), sides.retrained.get(level)):
            row += [_own(cell, metric, reference, drops) for metric in metrics]
        if printed:
            row += [_printed(sides, level, side, metric, drops) for side in (0, 1) for metric in metrics]
        rows.append(tuple(row))
    return Table(tuple(columns), tuple(rows), _title(sides), _notes(sides, beside, drops))


def _own(cell: ResultCell | None, metric: str, reference: ResultCell | None, drops: Against | None) -> str:
    """Return an experiment's metric, or its drop from the reference experiment, as text; "" if it is missing."""
    measured = cell.metrics.get(metric) if cell else None
    if measured is None or measured.value is None:
        return ""
    if drops is None:
        return interval_text(Estimate(measured.value), measured.margin)
    base = reference.metrics[metric].value if reference and metric in reference.metrics else None
    if not base:
        return ""
    margin = "" if measured.margin is None else f" ±{100 * measured.margin / abs(base):.1f}"
    return f"{_percent(measured.value, base, measured.higher_is_better)}{margin}"


def _percent(value: float, base: float, higher_is_better: bool) -> str:
    """Return as text by how many percent of `base` a value is worse than `base`."""
    sign = 1 if higher_is_better else -1
    return f"{round(100 * sign * (base - value) / abs(base), 1) + 0.0:.1f}"


def _printed(sides: _Sides, level: float, side: int, metric: str, drops: Against | None) -> str:
    """Return the study's own figure as text; "" if it has none.

    The study did not test uncompressed data, so its drops are all relative to its mildest level.
    """
    study = sides.study
    if level not in study.levels:
        return ""
    values = (study.pretrained, study.retrained)[side][metric]
    value = values[study.levels.index(level)]
    if drops is None:
        return f"{value:.4g}"
    own = next((c.metrics[metric] for c in (*sides.pretrained.values(), *sides.retrained.values())), None)
    return _percent(value, values[0], own.higher_is_better) if own and drops == "top" else ""


def _title(sides: _Sides) -> str:
    facts = sides.facts
    where = f"{facts['model']} on {facts['dataset']}/{facts['split']}, {sides.codec}"
    return f"Table {sides.study.table} ({facts['task']}): {where}"


def _notes(sides: _Sides, beside: bool, drops: Against | None) -> tuple[str, ...]:
    study = sides.study
    notes = [
        "(A) pretrained; (B) retrained at the level it is tested at; without a training at the mildest level, (A)."
    ]
    if drops:
        base = "uncompressed data" if drops == "none" else f"the mildest level of (A), {sides.levels[0]:g}"
        notes.append(f"drop: in percent of the pretrained model's value on {base}; positive is worse.")
    most = max((cell.seeds for cell in sides.retrained.values()), default=1)
    if most > 1:
        notes.append(
            f"(B): the mean of up to {most} trainings from other seeds; ±: half of its 95% interval (Student's), "
            "which covers training's randomness alone."
        )
    if beside:
        notes.append(
            f"study: Poyser, Atapour-Abarghouei, Breckon, Table {study.table}: {study.model} on {study.dataset}."
        )
    return tuple(notes)
