"""A comparison as tables for people, and as plain data for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.decide.rows import levels_text
from harness.results.tables.numbers import interval_text
from harness.results.tables.text import Table
from harness.statistics.intervals import GROUPS_FROM, HOLDS_FROM

if TYPE_CHECKING:
    from harness.decide.comparison import LadderComparison
    from harness.decide.estimate import Side
    from harness.statistics.estimate import Estimate

__all__ = ["comparison_data", "comparison_tables"]

_INTERPOLATION = {"akima": "Akima's interpolation", "pchip": "PCHIP interpolation"}


def comparison_tables(found: LadderComparison) -> list[Table]:
    """At equal quality and rate; at equal levels, where there are any; over all levels."""
    return [_bjontegaard(found), *([_levels(found)] if found.levels else []), _means(found)]


def _bjontegaard(found: LadderComparison) -> Table:
    rows = []
    for title, unit, told, delta, along in (
        ("BD-rate", "%", found.rate, found.rate_delta, found.metric),
        (f"BD-{found.metric}", "", found.quality, found.quality_delta, "bpp"),
    ):
        ends = found.range_of(delta)
        over = f"{along} {ends[0]:.3g} to {ends[1]:.3g}" if ends else ""
        share = "" if delta.overlap is None else f"{delta.overlap:.0%}"
        rows.append(
            (
                title,
                _text(told) + (f" {unit}" if unit and told.value is not None else ""),
                over,
                share,
                told.reason or "",
            )
        )
    one, other, metric = found.first.name, found.second.name, found.metric
    notes = (
        f"{other} against {one}. BD-rate: the difference in rate at equal {metric}, negative where {other} needs less; "
        f"BD-{metric}: the difference in {metric} at equal rate, positive where {other} is better. "
        f"{_INTERPOLATION[found.method]}, by the library bjontegaard. overlap: of the range that both curves cover "
        "together. [ ]: 95% interval, paired by sample.",
        f"Points used: {_points(found.first, found.used[0], found.unused[0])}; "
        f"{_points(found.second, found.used[1], found.unused[1])}.",
        f"{found.samples} samples, {found.groups} groups of them.{_few(found)}",
    )
    columns = ("", "difference", "over", "overlap", "why not")
    return _told(columns, rows, "At equal quality, and at equal rate", notes)


def _few(found: LadderComparison) -> str:
    if found.samples >= HOLDS_FROM and found.groups >= GROUPS_FROM:
        return ""
    return (
        f" Below {HOLDS_FROM} samples, or {GROUPS_FROM} groups, there are too few to be sure that the intervals hold."
    )


def _points(side: Side, used: Sequence[float | None], unused: Sequence[float | None]) -> str:
    left = f" (not {_listed(unused)}: cheaper points are as good, or it is undefined)" if unused else ""
    return f"{side.name} {_listed(used)}{left}"


def _levels(found: LadderComparison) -> Table:
    name = found.first.ladder.level_name
    rows = []
    for one in found.levels:
        texts = [*(interval_text(Estimate(value)) for value in (one.first, one.second)), _text(one.difference)]
        rows.append((f"{one.level:g}", *texts, _p(one.p), _p(one.p_holm)))
    notes = (
        "difference: positive where the second is better, whatever the metric's direction, with its paired 95% "
        "interval. p: two-sided, of no difference; p, Holm: adjusted for all the levels together.",
    )
    columns = (name, found.first.name, found.second.name, "difference", "p", "p, Holm")
    return Table(columns, tuple(rows), f"At equal level: {found.metric}", notes)


def _means(found: LadderComparison) -> Table:
    rows = [
        (
            side.name,
            _text(means.mpc),
            _text(means.rpc),
            _listed(means.levels),
            means.rpc.reason or means.mpc.reason or "",
        )
        for side, means in zip((found.first, found.second), found.means, strict=True)
    ]
    if found.mean_difference:
        shared = _listed([one.level for one in found.levels])
        rows.append(("difference", _text(found.mean_difference), "", shared, found.mean_difference.reason or ""))
    notes = [
        f"mPC: mean {found.metric} over the levels; rPC: mPC over the pretrained model's {found.metric} on "
        "uncompressed frames (Michaelis et al. 2019). Both depend on which levels were tested."
    ]
    if not found.mean_difference:
        notes.append("The two have no level in common, so that their mPC cannot be compared; BD-rate can.")
    return _told(("", "mPC", "rPC", "levels", "why not"), rows, "Over all levels", (" ".join(notes),))


def _told(columns: Sequence[str], rows: Sequence[tuple[str, ...]], title: str, notes: tuple[str, ...]) -> Table:
    """A table without columns in which nothing is told."""
    keep = [n for n in range(len(columns)) if any(row[n] for row in rows)]
    shown = tuple(tuple(row[n] for n in keep) for row in rows)
    return Table(tuple(columns[n] for n in keep), shown, title, notes)


def _text(one: Estimate) -> str:
    return "-" if one.value is None else interval_text(one)


def _p(value: float | None) -> str:
    return "" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def _listed(levels: Sequence[float | None]) -> str:
    return levels_text(levels) or "none"


def comparison_data(found: LadderComparison) -> dict[str, Any]:
    """Plain values, for JSON."""
    data: dict[str, Any] = {
        "metric": found.metric,
        "higher_is_better": found.higher_is_better,
        "method": found.method,
        "samples": found.samples,
        "groups": found.groups,
        "bd_rate": {**asdict(found.rate), "unit": "%", **_delta(found, rate=True)},
        "bd_quality": {**asdict(found.quality), **_delta(found, rate=False)},
        "levels": [asdict(one) for one in found.levels],
        "mean_difference": asdict(found.mean_difference) if found.mean_difference else None,
    }
    for place, (name, side) in enumerate((("first", found.first), ("second", found.second))):
        facts = side.ladder.cells[0].facts
        data[name] = {
            "name": side.name,
            "codec": side.ladder.codec,
            "training": side.ladder.training,
            "model": facts["model"],
            "weights": facts["weights"],
            "used": list(found.used[place]),
            "unused": list(found.unused[place]),
            **asdict(found.means[place]),
        }
    return data


def _delta(found: LadderComparison, rate: bool) -> dict[str, Any]:
    delta = found.rate_delta if rate else found.quality_delta
    ends = found.range_of(delta)
    return {"overlap": delta.overlap, "range": list(ends) if ends else None}
