"""Your own results in the layout of the study's Tables I-V: (A) pretrained and (B) retrained models, side by side.

Every value has its interval, the number of its samples, and a mark if these are too few for the interval to be sure, so
that a value from eight images does not look like one of the study's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.pages import Table
from harness.results.naming import codec_names
from harness.results.seeds import average_over_seeds
from harness.results.tables.numbers import interval_text
from harness.results.trained import is_matched, kind_of
from harness.results.trainings import differences, newest_trainings
from harness.statistics.estimate import GROUPS_FROM, HOLDS_FROM, Estimate, fixed_point
from harness_plugins.study.published import PublishedTable, published_tables

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["Against", "study_tables"]

Against = Literal["top", "none"]
"""The reference of drops: "top", the mildest level of (A), as in the study; or "none", uncompressed data."""

_SIDES = ("(A)", "(B)")


def study_tables(
    cells: Sequence[ResultCell], beside: bool = False, drops: Against | None = None, long: bool = False
) -> list[Table]:
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
        long: whether the values are for programs: numbers, with the ends of their intervals in columns of their own.
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
        tables.append(_table(sides, clean.get(group[0].subject), beside, drops, long))
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


@dataclass(frozen=True)
class _Shown:
    """A value of an experiment in a table.

    Args:
        estimate: the value with its interval: a metric, or a drop in percent.
        margin: half the width of the interval over seeds; None for a single seed.
        is_drop: whether it is a drop in percent.
    """

    estimate: Estimate
    margin: float | None
    is_drop: bool

    @property
    def text(self) -> str:
        """The value with its interval and the mark `(few)`."""
        found = self.estimate
        if self.is_drop:
            ends = (fixed_point(end, 1) for end in (found.low, found.high) if end is not None)
            interval = "" if found.low is None or found.high is None else f" [{', '.join(ends)}]"
            margin = "" if self.margin is None else f" ±{self.margin:.1f}"
            text = f"{fixed_point(found.value or 0.0, 1)}{interval}{margin}"
        else:
            text = interval_text(found, self.margin)
        return f"{text} (few)" if found.few else text


_ENDS = ("ci_low", "ci_high", "seeds_margin")


def _table(sides: _Sides, clean: ResultCell | None, beside: bool, drops: Against | None, long: bool) -> Table:
    study, facts = sides.study, sides.facts
    metrics = list(study.pretrained)
    reference = sides.pretrained.get(sides.levels[0]) if drops == "top" else clean if drops == "none" else None
    printed = beside and study.codec == facts["codec"]
    unit = " drop, %" if drops else ""
    columns = [str(facts["level_name"] or "level")]
    for side in _SIDES:
        for metric in metrics:
            columns += [f"{side} {metric}{unit}", *(f"{side} {metric} {end}" for end in _ENDS if long)]
        columns += [f"{side} n", *([f"{side} few"] if long else [])]
    columns += [f"study {side} {metric}{unit}" for side in _SIDES for metric in metrics] if printed else []
    rows = []
    for level in sides.levels:
        row: list[Any] = [f"{level:g}"]
        for cell in (sides.pretrained.get(level), sides.retrained.get(level)):
            for metric in metrics:
                row += _values(_own(cell, metric, reference, drops), long)
            row += [cell.facts.get("samples") if cell else None, *([_has_few(cell) if cell else None] if long else [])]
        if printed:
            row += [_printed(sides, level, side, metric, drops) for side in (0, 1) for metric in metrics]
        rows.append(tuple(row))
    return Table(tuple(columns), tuple(rows), _title(sides), _notes(sides, beside, drops))


def _values(shown: _Shown | None, long: bool) -> list[Any]:
    """Return the values of the columns of one metric."""
    if not long:
        return [shown.text if shown else ""]
    found = shown.estimate if shown else Estimate(None)
    return [found.value, found.low, found.high, shown.margin if shown else None]


def _has_few(cell: ResultCell) -> bool:
    """Return whether an experiment has too few samples, or groups of them, for its intervals to be sure."""
    samples, groups = cell.facts.get("samples"), cell.facts.get("groups")
    return (samples is not None and samples < HOLDS_FROM) or (groups is not None and groups < GROUPS_FROM)


def _own(cell: ResultCell | None, metric: str, reference: ResultCell | None, drops: Against | None) -> _Shown | None:
    """Return an experiment's metric, or its drop from the reference experiment; None if it is missing.

    The drop from uncompressed data is the paired one, with its interval. The drop from the mildest level is the
    difference of the two values, whose interval is not known.
    """
    measured = cell.metrics.get(metric) if cell else None
    if cell is None or measured is None or measured.value is None:
        return None
    few = _has_few(cell)
    if drops is None:
        found = measured.metric
        return _Shown(Estimate(found.value, found.low, found.high, few=few), measured.margin, False)
    base = reference.metrics[metric].value if reference and metric in reference.metrics else None
    if not base:
        return None
    scale = 100 / abs(base)
    margin = None if measured.margin is None else scale * measured.margin
    sign = 1 if measured.higher_is_better else -1
    drop = (
        measured.drop
        if drops == "none" and measured.drop.value is not None
        else Estimate(sign * (base - measured.value))
    )
    value, low, high = (None if end is None else scale * end for end in (drop.value, drop.low, drop.high))
    return _Shown(Estimate(value, low, high, few=few), margin, True)


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
    cells = [*sides.pretrained.values(), *sides.retrained.values()]
    if drops == "top":
        notes.append("n: the number of samples. The drops from the mildest level have no intervals here.")
    else:
        notes.append("n: the number of samples. [ ]: 95% interval over the samples.")
    if any(map(_has_few, cells)):
        notes.append(
            f"(few): with fewer than {HOLDS_FROM} samples, or {GROUPS_FROM} groups of them, nobody can be sure that an "
            "interval holds."
        )
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
