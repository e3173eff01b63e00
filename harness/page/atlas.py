"""Which classes and sizes fall first: a metric of each at the levels of a codec, in the order in which they fall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.page.heat import Heat, Shaded, level_words, number
from harness.results.tables.numbers import interval_text
from harness.task import class_metrics

if TYPE_CHECKING:
    from harness.results.cells import ResultCell
    from harness.results.ladders import Case, Ladder
    from harness.task import Task

__all__ = ["falls"]

_NOTE = (
    "Shaded by the share of the uncompressed value that is lost. ▼: the paired 95% interval of the drop lies above 0. "
    "First come those that have one at the mildest level, then those that lose most."
)
_MOST = 40
"""Rows of one table, at most."""


def falls(case: Case, task: Task | None) -> list[Heat]:
    """A table for each codec of the pretrained model and each group of classes or sizes that the task names.

    Args:
        case: the experiments; without a baseline there is nothing to lose.
        task: theirs; None where no plugin has it: then classes are found in the metrics' names.
    """
    if case.baseline is None:
        return []
    groups = task.breakdowns() if task else {"classes": class_metrics(case.baseline.metrics)}
    shown = {title: names for title, names in groups.items() if _judged(case.baseline, names)}
    ladders = [ladder for ladder in case.ladders if ladder.training == "pretrained"]
    found = [_fall(case.baseline, ladder, title, names) for ladder in ladders for title, names in shown.items()]
    return [heat for heat in found if heat.rows]


def _judged(baseline: ResultCell, names: Sequence[str]) -> bool:
    """Whether a group breaks the quality down: not counts, whose share of loss would say nothing."""
    known = [baseline.metrics[name] for name in names if name in baseline.metrics]
    return bool(known) and len(names) > 1 and all(one.higher_is_better for one in known)


def _fall(baseline: ResultCell, ladder: Ladder, title: str, names: Sequence[str]) -> Heat:
    rows = []
    for name in names:
        base = baseline.metrics.get(name)
        if base is None or base.value is None:
            continue
        cells = [_cell(ladder, cell, name, base.value) for cell in ladder.cells]
        first = next((place for place, one in enumerate(cells) if one and one.text.endswith("▼")), len(cells))
        lost = [_lost(cell, name, base.value) for cell in ladder.cells]
        most = max((value for value in lost if not math.isnan(value)), default=0.0)
        own = Shaded(number(base.value), 0.0, f"{name}, uncompressed: {number(base.value)}")
        rows.append(((first, -most, name), (_short(name), (own, *cells))))
    rows.sort(key=lambda row: row[0])
    columns = ("none", *(level_words(ladder, cell) for cell in ladder.cells))
    left = len(rows) - _MOST
    note = _NOTE + (f" {left} more that fall later are not shown." if left > 0 else "")
    return Heat(f"{title}, {ladder.codec}", title, columns, tuple(row for _, row in rows[:_MOST]), note)


def _short(name: str) -> str:
    """The class of NAME[class].

    >>> _short("AP[car]"), _short("AP_small")
    ('car', 'AP_small')
    """
    return name.partition("[")[2].removesuffix("]") or name


def _cell(ladder: Ladder, cell: ResultCell, name: str, base: float) -> Shaded | None:
    one = cell.metrics.get(name)
    if one is None or one.value is None:
        return None
    sure = one.drop.low is not None and one.drop.low > 0
    drop = "" if one.drop.value is None else f", drop {interval_text(one.drop)}"
    words = f"{name}, {level_words(ladder, cell)}: {interval_text(one.metric)}{drop}"
    lost = _lost(cell, name, base)
    return Shaded(
        number(one.value) + (" ▼" if sure else ""), 0.0 if math.isnan(lost) else min(1.0, max(0.0, lost)), words
    )


def _lost(cell: ResultCell, name: str, base: float) -> float:
    """The share of the uncompressed value that is lost; NaN where it is not known."""
    one = cell.metrics.get(name)
    return one.drop.value / abs(base) if one is not None and one.drop.value is not None and base else math.nan
