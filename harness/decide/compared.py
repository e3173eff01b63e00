"""Formats the comparison of two ladders: as tables for people, and as plain data for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.decide.rows import levels_text
from harness.results.tables.numbers import interval_text, supported_text
from harness.results.tables.text import Table
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import GROUPS_FROM, HOLDS_FROM

if TYPE_CHECKING:
    from harness.decide.comparison import LadderComparison
    from harness.decide.means import MeanPerformance
    from harness.decide.paired import Side

__all__ = ["comparison_data", "comparison_tables"]

_INTERPOLATION = {"akima": "Akima's interpolation", "pchip": "PCHIP interpolation"}


def comparison_tables(found: LadderComparison) -> list[Table]:
    """Return the tables of a comparison.

    The tables compare the ladders at equal quality and equal rate, at equal levels (only if they have common levels),
    and over all levels.
    """
    return [_bjontegaard(found), *([_levels(found)] if found.levels else []), _means(found)]


def _bjontegaard(found: LadderComparison) -> Table:
    rows = []
    for title, unit, estimate, delta, along in (
        ("BD-rate", "%", found.rate, found.rate_delta, found.metric),
        (f"BD-{found.metric}", "", found.quality, found.quality_delta, "bpp"),
    ):
        ends = found.range_of(delta)
        over = f"{along} {ends[0]:.3g} to {ends[1]:.3g}" if ends else ""
        share = "" if delta.overlap is None else f"{delta.overlap:.0%}"
        rows.append(
            (
                title,
                ("-" if estimate.value is None else supported_text(estimate))
                + (f" {unit}" if unit and estimate.value is not None else ""),
                over,
                share,
                estimate.reason or "",
            )
        )
    first, second, metric = found.first.name, found.second.name, found.metric
    notes = (
        f"{second} against {first}. "
        f"BD-rate: the difference in rate at equal {metric}, negative where {second} needs less; "
        f"BD-{metric}: the difference in {metric} at equal rate, positive where {second} is better. "
        f"{_INTERPOLATION[found.method]}, by the library bjontegaard. overlap: of the range that both curves cover "
        "together. [ ]: 95% interval, paired by sample.",
        f"Points used: {_points(found.first, found.used[0], found.unused[0])}; "
        f"{_points(found.second, found.used[1], found.unused[1])}.",
        f"{found.samples} samples, {found.groups} groups of them.{_few_samples_note(found)}",
    )
    columns = ("", "difference", "over", "overlap", "why not")
    return _without_empty_columns(columns, rows, "At equal quality, and at equal rate", notes)


def _few_samples_note(found: LadderComparison) -> str:
    if found.samples >= HOLDS_FROM and found.groups >= GROUPS_FROM:
        return ""
    return (
        f" Below {HOLDS_FROM} samples, or {GROUPS_FROM} groups, there are too few to be sure that the intervals hold."
    )


def _points(side: Side, used: Sequence[float | None], unused: Sequence[float | None]) -> str:
    left = f" (not {_levels_text(unused)}: cheaper points are as good, or it is undefined)" if unused else ""
    return f"{side.name} {_levels_text(used)}{left}"


def _levels(found: LadderComparison) -> Table:
    name = found.first.ladder.level_name
    rows = []
    for at in found.levels:
        texts = [*(interval_text(Estimate(value)) for value in (at.first, at.second)), _text(at.difference)]
        rows.append((f"{at.level:g}", *texts, _p(at.p), _p(at.p_holm)))
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
            _levels_text(means.levels),
            means.rpc.reason or means.mpc.reason or "",
        )
        for side, means in zip((found.first, found.second), found.means, strict=True)
    ]
    if found.mean_difference:
        shared = _levels_text([at.level for at in found.levels])
        rows.append(("difference", _text(found.mean_difference), "", shared, found.mean_difference.reason or ""))
    notes = [
        f"mPC: mean {found.metric} over the levels; rPC: mPC over the pretrained model's {found.metric} on "
        "uncompressed frames (Michaelis et al. 2019). Both depend on which levels were tested."
    ]
    if not found.mean_difference:
        notes.append("The two have no level in common, so that their mPC cannot be compared; BD-rate can.")
    return _without_empty_columns(("", "mPC", "rPC", "levels", "why not"), rows, "Over all levels", (" ".join(notes),))


def _without_empty_columns(
    columns: Sequence[str], rows: Sequence[tuple[str, ...]], title: str, notes: tuple[str, ...]
) -> Table:
    """Return a table without the columns that are empty in all rows."""
    keep = [n for n in range(len(columns)) if any(row[n] for row in rows)]
    shown = tuple(tuple(row[n] for n in keep) for row in rows)
    return Table(tuple(columns[n] for n in keep), shown, title, notes)


def _text(estimate: Estimate) -> str:
    return "-" if estimate.value is None else interval_text(estimate)


def _p(value: float | None) -> str:
    return "" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def _levels_text(levels: Sequence[float | None]) -> str:
    return levels_text(levels) or "none"


def comparison_data(found: LadderComparison) -> dict[str, Any]:
    """Return a comparison as plain values, for JSON."""
    data: dict[str, Any] = {
        "metric": found.metric,
        "higher_is_better": found.higher_is_better,
        "method": found.method,
        "samples": found.samples,
        "groups": found.groups,
        "bd_rate": {**found.rate.record(), "unit": "%", **_delta(found, rate=True)},
        "bd_quality": {**found.quality.record(), **_delta(found, rate=False)},
        "levels": [{**asdict(at), "difference": at.difference.record()} for at in found.levels],
        "mean_difference": found.mean_difference.record() if found.mean_difference else None,
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
            **_means_data(found.means[place]),
        }
    return data


def _means_data(means: MeanPerformance) -> dict[str, Any]:
    return {"levels": means.levels, "mpc": means.mpc.record(), "rpc": means.rpc.record()}


def _delta(found: LadderComparison, rate: bool) -> dict[str, Any]:
    delta = found.rate_delta if rate else found.quality_delta
    ends = found.range_of(delta)
    return {"overlap": delta.overlap, "range": list(ends) if ends else None}
