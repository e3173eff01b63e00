"""Bjontegaard differences between the codecs of a case, from the stored values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.decide.bjontegaard import Delta, RateCurve, bd_quality, bd_rate, pareto_front
from harness.results.tables.text import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.results.ladders import Case, Ladder

__all__ = ["rates_table"]


def rates_table(case: Case) -> Table | None:
    """Return a table of Bjontegaard differences between one codec and every other codec, for the pretrained model.

    The reference codec is JPEG if it was tested, else the first codec. Returns None if there are fewer than two codecs,
    if no metric is primary, or if the library `bjontegaard` is not installed.
    """
    ladders = [ladder for ladder in case.ladders if ladder.training == "pretrained" and len(ladder.cells) > 1]
    metric = next(
        (name for ladder in ladders for cell in ladder.cells for name, m in cell.metrics.items() if m.is_primary), None
    )
    if len(ladders) < 2 or metric is None or not _installed():
        return None
    anchor = next((ladder for ladder in ladders if ladder.cells[0].facts["codec"] == "jpeg"), ladders[0])
    first = _curve(anchor, metric)
    rows = []
    for ladder in ladders:
        if ladder is not anchor:
            rate, quality = (compute(first, _curve(ladder, metric)) for compute in (bd_rate, bd_quality))
            why = _reasons({"BD-rate": rate, f"BD-{metric}": quality})
            rows.append((ladder.codec, _text(rate, "{:+.1f} %"), _text(quality, "{:+.4g}"), why))
    columns = ("codec", "BD-rate", f"BD-{metric}", "why not")
    keep = [n for n in range(len(columns)) if n < 3 or any(row[n] for row in rows)]
    note = (
        f"Against {anchor.codec}. BD-rate: the mean difference in rate at equal {metric}, negative where less is "
        f"needed; BD-{metric}: that in {metric} at equal rate, positive where it is better. Akima's interpolation, of "
        "the points that no cheaper one matches or beats. `harness compare` has overlaps, intervals and the points."
    )
    shown = tuple(tuple(row[n] for n in keep) for row in rows)
    return Table(tuple(columns[n] for n in keep), shown, f"Codecs against {anchor.codec}", (note,))


def _installed() -> bool:
    from importlib.util import find_spec

    return find_spec("bjontegaard") is not None


def _curve(ladder: Ladder, metric: str) -> RateCurve:
    """Return a metric against the rate (bpp) as a curve; a metric that is better when lower is negated."""
    pairs = [
        (cell.facts["bpp"], measured.value if measured.higher_is_better else -measured.value)
        for cell in ladder.cells
        if (measured := cell.metrics.get(metric)) and measured.value is not None and cell.facts["bpp"]
    ]
    points = np.array(pairs, np.float64).reshape(-1, 2)
    curve = RateCurve(points[:, 0], points[:, 1])
    return curve.only(pareto_front(curve))


def _reasons(deltas: Mapping[str, Delta]) -> str:
    """Return why differences are missing: one reason if all have the same, else each reason with the name before it."""
    reasons = {name: delta.reason for name, delta in deltas.items() if delta.reason}
    if len(reasons) == len(deltas) and len(set(reasons.values())) == 1:
        return next(iter(reasons.values()))
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())


def _text(delta: Delta, form: str) -> str:
    return "" if delta.value is None else form.format(delta.value)
