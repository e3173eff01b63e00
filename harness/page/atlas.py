"""The failure atlas: the metrics of classes and object sizes at each level of a codec, the earliest drop first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.page.heat import HeatCell, HeatTable, level_words, number
from harness.results.tables.numbers import interval_text
from harness.task import class_metrics

if TYPE_CHECKING:
    from harness.results.cells import ResultCell
    from harness.results.ladders import Case, Ladder
    from harness.task import Task

__all__ = ["drop_tables"]

_NOTE = (
    "Shaded by the share of the uncompressed value that is lost. ▼: the paired 95% interval of the drop lies above 0. "
    "First come those that have one at the mildest level, then those that lose most."
)
_MOST = 40
"""The maximum number of rows of a table."""


def drop_tables(case: Case, task: Task | None) -> list[HeatTable]:
    """Return a shaded table for each codec of the pretrained model and each group of metrics (classes, sizes).

    Args:
        case: the experiments; without a baseline there are no drops, and the list is empty.
        task: the task of the experiments, which groups its metrics; None if no plugin has it. Without it, the only
            group is the classes, found from the metrics' names.
    """
    if case.baseline is None:
        return []
    groups = task.breakdowns() if task else {"classes": class_metrics(case.baseline.metrics)}
    shown = {title: names for title, names in groups.items() if _is_quality_group(case.baseline, names)}
    ladders = [ladder for ladder in case.ladders if ladder.training == "pretrained"]
    found = [_drop_table(case.baseline, ladder, title, names) for ladder in ladders for title, names in shown.items()]
    return [heat for heat in found if heat.rows]


def _is_quality_group(baseline: ResultCell, names: Sequence[str]) -> bool:
    """Whether a group has several metrics, all of them better when higher. A relative loss of others says nothing."""
    known = [baseline.metrics[name] for name in names if name in baseline.metrics]
    return bool(known) and len(names) > 1 and all(measured.higher_is_better for measured in known)


def _drop_table(baseline: ResultCell, ladder: Ladder, title: str, names: Sequence[str]) -> HeatTable:
    """Return the table of one codec and one group of metrics, sorted by where the drop begins, then by its size."""
    rows = []
    for name in names:
        base = baseline.metrics.get(name)
        if base is None or base.value is None:
            continue
        cells = [_cell(ladder, cell, name, base.value) for cell in ladder.cells]
        first = next((place for place, shaded in enumerate(cells) if shaded and shaded.text.endswith("▼")), len(cells))
        lost = [_lost(cell, name, base.value) for cell in ladder.cells]
        most = max((value for value in lost if not math.isnan(value)), default=0.0)
        own = HeatCell(number(base.value), 0.0, f"{name}, uncompressed: {number(base.value)}")
        rows.append(((first, -most, name), (_short(name), (own, *cells))))
    rows.sort(key=lambda row: row[0])
    columns = ("none", *(level_words(ladder, cell) for cell in ladder.cells))
    left = len(rows) - _MOST
    note = _NOTE + (f" {left} more that fall later are not shown." if left > 0 else "")
    return HeatTable(f"{title}, {ladder.codec}", title, columns, tuple(row for _, row in rows[:_MOST]), note)


def _short(name: str) -> str:
    """Return the class of a metric named NAME[class]; the whole name of other metrics.

    >>> _short("AP[car]"), _short("AP_small")
    ('car', 'AP_small')
    """
    return name.partition("[")[2].removesuffix("]") or name


def _cell(ladder: Ladder, cell: ResultCell, name: str, base: float) -> HeatCell | None:
    """Return the table cell of a metric at one level, marked "▼" for a significant drop; None without a value."""
    measured = cell.metrics.get(name)
    if measured is None or measured.value is None:
        return None
    significant = measured.drop.low is not None and measured.drop.low > 0
    drop = "" if measured.drop.value is None else f", drop {interval_text(measured.drop)}"
    words = f"{name}, {level_words(ladder, cell)}: {interval_text(measured.metric)}{drop}"
    lost = _lost(cell, name, base)
    return HeatCell(
        number(measured.value) + (" ▼" if significant else ""),
        0.0 if math.isnan(lost) else min(1.0, max(0.0, lost)),
        words,
    )


def _lost(cell: ResultCell, name: str, base: float) -> float:
    """Return a metric's drop as a share of its uncompressed value `base`; NaN if it is not known."""
    measured = cell.metrics.get(name)
    return (
        measured.drop.value / abs(base)
        if measured is not None and measured.drop.value is not None and base
        else math.nan
    )
