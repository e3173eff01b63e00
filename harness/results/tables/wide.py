"""The note below a table that says in words why its intervals are wide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.results.tables.notes import range_of
from harness.statistics.estimate import GROUPS_FROM, HOLDS_FROM

if TYPE_CHECKING:
    from harness.results.cells import ResultCell
    from harness.statistics.estimate import Estimate

__all__ = ["ShownDrop", "drops_shown", "wide_note"]

_LOPSIDED = 1.5
"""How many times further an interval reaches to one side than to the other where few groups decide it."""


@dataclass(frozen=True)
class ShownDrop:
    """A drop in a table, and what its interval comes from.

    Args:
        drop: the drop with its interval.
        samples: the number of samples.
        groups: the number of groups that they lie in; None if it is unknown.
    """

    drop: Estimate
    samples: int
    groups: int | None

    @property
    def is_decided_by_few(self) -> bool:
        """Whether few groups lose anything, or none: the interval reaches further to one side, or stands around 0."""
        value, low, high = self.drop.value, self.drop.low, self.drop.high
        if value is None or low is None or high is None or not low < high:
            return False
        below, above = value - low, high - value
        return value == 0 or max(below, above) > _LOPSIDED * min(below, above)


def drops_shown(cells: Sequence[ResultCell], metrics: Iterable[str]) -> list[ShownDrop]:
    """Return the drops of a table's experiments that have an interval.

    Args:
        cells: the experiments.
        metrics: the names of the metrics that the table shows.
    """
    names = list(metrics)
    return [
        ShownDrop(cell.metrics[name].drop, cell.facts["samples"], cell.facts["groups"])
        for cell in cells
        for name in names
        if name in cell.metrics and cell.facts["samples"] and cell.metrics[name].drop.low is not None
        if not cell.is_baseline
    ]


def wide_note(shown: Sequence[ShownDrop]) -> list[str]:
    """Return the note that says why the intervals of some drops are wide; no note if there is no reason but chance.

    Args:
        shown: the drops that a table shows.
    """
    reasons = []
    samples, groups = ({getattr(one, name) for one in shown} - {None} for name in ("samples", "groups"))
    few = [f"few samples ({range_of(sorted(samples))})"] if samples and min(samples) < HOLDS_FROM else []
    if groups and min(groups) < GROUPS_FROM and groups != samples:
        few.append(f"few groups of samples ({range_of(sorted(groups))})")
    if few:
        reasons.append(f"there are {' and '.join(few)}")
    if any(one.groups is not None and 1 < one.groups < one.samples for one in shown):
        reasons.append(
            "samples of one group are alike, so they count as fewer; more groups help, more samples a group not"
        )
    if any(one.is_decided_by_few for one in shown):
        reasons.append("few groups lose anything, or none, and groups that were not drawn may lose too")
    return [f"Why intervals are wide: {'; '.join(reasons)}."] if reasons else []
