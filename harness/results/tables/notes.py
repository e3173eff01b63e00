"""The notes below a table: the number of samples, and the meaning of the signs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.statistics.estimate import GROUPS_FROM, HOLDS_FROM

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["few_samples_notes", "range_of", "sample_count_notes", "sample_counts", "seeds_note", "unjudged_frames_note"]


def unjudged_frames_note(cells: Sequence[ResultCell]) -> list[str]:
    """Return the note that says which frames are not judged with `fps=`; no note if no experiment has it.

    Experiments of an earlier revision judged them.
    """
    if all(cell.options.get("fps") is None or cell.superseded for cell in cells):
        return []
    return ["fps=: the frames of a clip's first period are not judged; a drop is of the frames that both judged."]


def seeds_note(counts: Sequence[int]) -> list[str]:
    """Return the note that explains the margins after "±"; no note if every training has a single seed.

    Args:
        counts: for each row, the number of seeds that the row is averaged over.
    """
    averaged = sorted({count for count in counts if count > 1})
    if not averaged:
        return []
    return [
        f"Means over {range_of(averaged)} seeds of each training; ±: half their 95% interval (Student's), which covers "
        "training's randomness alone."
    ]


def sample_count_notes(cells: Sequence[ResultCell]) -> list[str]:
    """Return the note that says how many samples the metrics were computed from, and how many samples failed."""
    rows = [cell.facts for cell in cells if cell.facts["samples"] is not None]
    counts = sorted({row["samples"] for row in rows})
    failed = sorted({row["failed_samples"] or 0 for row in rows})
    if not any(failed):
        return [f"{counts[0]} samples."] if len(counts) == 1 else []
    if len(counts) == len(failed) == 1:
        return [f"Metrics stand on {counts[0]} samples; {failed[0]} more failed."]
    return [f"Metrics stand on {range_of(counts)} samples: those that did not fail ({range_of(failed)} did)."]


def sample_counts(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return on how many samples some experiments stand, for a title; "" if none has finished a sample.

    Args:
        rows: rows of the view `results`.

    >>> sample_counts([{"samples": 9, "groups": 4, "dataset_options": '{"every": 5}'}, {"samples": 8, "groups": 4}])
    'n = 8 to 9 in 4 groups (few), every=5'
    >>> sample_counts([{"samples": 8, "groups": 8}])
    'n = 8 (few)'
    """
    counts = sorted({row["samples"] for row in rows if row["samples"]})
    if not counts:
        return ""
    groups = sorted({row["groups"] for row in rows if row.get("groups") is not None})
    text = f"n = {range_of(counts)}"
    if groups and groups != counts:
        text += f" in {range_of(groups)} group{'' if groups == [1] else 's'}"
    if counts[0] < HOLDS_FROM or (groups and groups[0] < GROUPS_FROM):
        text += " (few)"
    steps = {_step(row.get("dataset_options")) for row in rows} - {None, 1}
    return text + (f", every={'/'.join(str(step) for step in sorted(steps, key=str))}" if steps else "")


def _step(options: str | None) -> Any:
    """Return which frames of videos are judged (the dataset's option `every`); None if the dataset has no such option.

    A store may not have the options of its datasets.
    """
    return json.loads(options).get("every") if options else None


def few_samples_notes(cells: Sequence[ResultCell]) -> list[str]:
    """Return the note that warns if the intervals come from too few samples or groups to be known to be reliable."""
    rows = [cell.facts for cell in cells if any(m.metric.low is not None for m in cell.metrics.values())]
    counts = []
    for name, least, words in (("samples", HOLDS_FROM, "samples"), ("groups", GROUPS_FROM, "groups of samples")):
        few = sorted({row[name] for row in rows if row[name] is not None and row[name] < least})
        if few:
            counts.append(f"{range_of(few)} {words} (below {least})")
    return [f"They stand on {' and '.join(counts)}: too few to be sure that they hold."] if counts else []


def range_of(numbers: Sequence[int]) -> str:
    """Return sorted numbers as text: the only one, or the first and the last."""
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
