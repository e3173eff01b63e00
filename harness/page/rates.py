"""Bjontegaard differences between the codecs of a case, with the intervals of `harness compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.decide.comparison import compare
from harness.decide.paired import Side
from harness.results.tables.numbers import supported_text
from harness.results.tables.text import Table
from harness.statistics.estimate import GROUPS_FROM, HOLDS_FROM, Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.results.ladders import Case, Ladder
    from harness.results.resampled import Resampler

__all__ = ["rates_table"]

_FIRST = ("jpeg", "h264")
"""The codecs that others are compared with, where they were tested: the most used ones, of images and of video."""


def rates_table(case: Case, resampler: Resampler) -> Table | None:
    """Return a table of Bjontegaard differences between one codec and every other codec, for the pretrained model.

    The reference is JPEG or else H.264 if it was tested, otherwise the codec that was tested at the most levels.
    Returns None if there are fewer than two codecs, if no metric is primary, or if the library `bjontegaard` is not
    installed.

    Args:
        case: the experiments.
        resampler: resamples their metrics and rates.
    """
    ladders = [ladder for ladder in case.ladders if ladder.training == "pretrained" and len(ladder.cells) > 1]
    metric = next(
        (name for ladder in ladders for cell in ladder.cells for name, m in cell.metrics.items() if m.is_primary), None
    )
    if len(ladders) < 2 or metric is None or not _installed():
        return None
    anchor = _anchor(ladders)
    rows, few = [], False
    for ladder in ladders:
        if ladder is anchor:
            continue
        if not all(metric in cell.metrics for cell in (*anchor.cells, *ladder.cells)):
            rows.append((ladder.codec, "", "", "", f"not every level has the metric {metric}"))
            continue
        first, second = (Side(one.codec, one, case.baseline) for one in (anchor, ladder))
        found = compare(first, second, metric, resampler)
        has_few = found.samples < HOLDS_FROM or found.groups < GROUPS_FROM
        few |= has_few
        why = _reasons({"BD-rate": found.rate, f"BD-{metric}": found.quality})
        texts = (_text(found.rate, has_few, " %"), _text(found.quality, has_few))
        rows.append((ladder.codec, *texts, str(found.samples), why))
    columns = ("codec", "BD-rate", f"BD-{metric}", "n", "why not")
    keep = [n for n in range(len(columns)) if n < 3 or any(row[n] for row in rows)]
    notes = [
        f"Against {anchor.codec}. BD-rate: the mean difference in rate at equal {metric}, negative where less is "
        f"needed; BD-{metric}: that in {metric} at equal rate, positive where it is better. Akima's interpolation, of "
        "the points that no cheaper one matches or beats. [ ]: 95% interval, paired by sample; n: the number of "
        "samples. `harness compare` has overlaps and the points."
    ]
    if few:
        notes.append(f"(few): below {HOLDS_FROM} samples, or {GROUPS_FROM} groups, nobody knows if intervals hold.")
    shown = tuple(tuple(row[n] for n in keep) for row in rows)
    return Table(tuple(columns[n] for n in keep), shown, f"Codecs against {anchor.codec}", tuple(notes))


def _anchor(ladders: Sequence[Ladder]) -> Ladder:
    """Return the ladder that the others are compared with."""
    names = [ladder.cells[0].facts["codec"] for ladder in ladders]
    name = next((name for name in _FIRST if name in names), None)
    fitting = [ladder for ladder in ladders if name in (None, ladder.cells[0].facts["codec"])]
    return max(fitting, key=lambda ladder: len(ladder.cells))


def _installed() -> bool:
    from importlib.util import find_spec

    return find_spec("bjontegaard") is not None


def _reasons(found: Mapping[str, Estimate]) -> str:
    """Return why differences are missing: one reason if all have the same, else each reason with the name before it."""
    reasons = {name: estimate.reason for name, estimate in found.items() if estimate.reason}
    if len(reasons) == len(found) and len(set(reasons.values())) == 1:
        return next(iter(reasons.values()))
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())


def _text(estimate: Estimate, few: bool, unit: str = "") -> str:
    if estimate.value is None:
        return ""
    return f"{supported_text(estimate)}{unit}{' (few)' if few else ''}"
