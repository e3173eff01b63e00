"""The sentences below a table: on how many samples it stands, and what its signs mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["few_samples_notes", "sample_count_notes", "seeds_note"]


def seeds_note(counts: Sequence[int]) -> list[str]:
    """What the margins mean, where trainings from several seeds are shown as one; from so many each."""
    several = sorted({count for count in counts if count > 1})
    if not several:
        return []
    return [
        f"Means over {_range(several)} seeds of each training; ±: half their 95% interval (Student's), which covers "
        "training's randomness alone."
    ]


def sample_count_notes(cells: Sequence[ResultCell]) -> list[str]:
    """On how many samples the metrics stand, and how many failed."""
    rows = [cell.facts for cell in cells if cell.facts["samples"] is not None]
    stand = sorted({row["samples"] for row in rows})
    failed = sorted({row["failed_samples"] or 0 for row in rows})
    if not any(failed):
        return [f"{stand[0]} samples."] if len(stand) == 1 else []
    if len(stand) == len(failed) == 1:
        return [f"Metrics stand on {stand[0]} samples; {failed[0]} more failed."]
    return [f"Metrics stand on {_range(stand)} samples: those that did not fail ({_range(failed)} did)."]


def few_samples_notes(cells: Sequence[ResultCell]) -> list[str]:
    """Whether intervals stand on so few samples, or groups of them, that nobody has seen them hold."""
    from harness.statistics.intervals import GROUPS_FROM, HOLDS_FROM  # which imports NumPy

    rows = [cell.facts for cell in cells if any(m.metric.low is not None for m in cell.metrics.values())]
    found = []
    for name, least, words in (("samples", HOLDS_FROM, "samples"), ("groups", GROUPS_FROM, "groups of samples")):
        few = sorted({row[name] for row in rows if row[name] is not None and row[name] < least})
        if few:
            found.append(f"{_range(few)} {words} (below {least})")
    return [f"They stand on {' and '.join(found)}: too few to be sure that they hold."] if found else []


def _range(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
