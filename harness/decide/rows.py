"""Recommendations and comparisons as one table each, with columns that never change and plain values, for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.results.ladders import CASE_FACTS
from harness.results.tables.text import Table

if TYPE_CHECKING:
    from harness.decide.comparison import LadderComparison
    from harness.decide.rates import Delta
    from harness.decide.walk import Recommendation, Step
    from harness.results.ladders import Case
    from harness.statistics.estimate import Estimate

__all__ = ["comparison_rows", "levels_text", "recommendation_rows"]

_ASKED = ("codec", "training", "level_name", "levels", "metric", "max_drop", "relative", "confidence")
_STEP = (
    *("level", "verdict", "drop", "drop_ci_low", "drop_ci_high", "bound", "samples", "groups", "samples_needed"),
    *("bpp", "compression_ratio", "of_source", "of_mildest", "kbps", "gb_per_day", "experiment"),
)
_COMPARED = (
    *("task", "metric", "higher_is_better", "first", "second", "quantity", "of", "level"),
    *("value", "ci_low", "ci_high", "unit", "p", "p_holm", "reason"),
    *("method", "overlap", "over_low", "over_high", "levels", "samples", "groups"),
)


def recommendation_rows(found: Sequence[tuple[Case, Sequence[Recommendation]]]) -> Table:
    """One row a ladder: what was asked, the level that was chosen, and as `next_...` the next cheaper one."""
    columns = (*CASE_FACTS, *_ASKED, *_STEP, *(f"next_{name}" for name in _STEP), "why_not", "notes")
    return Table(columns, tuple(_recommended(case, one) for case, some in found for one in some))


def _recommended(case: Case, one: Recommendation) -> tuple[Any, ...]:
    levels = levels_text([cell.facts["level"] for cell in one.ladder.cells])
    asked = (one.ladder.codec, one.ladder.training, one.ladder.level_name, levels, one.metric)
    limit = (one.limit.value, one.limit.relative, one.confidence)
    why = one.why if one.next else None
    facts = (case.facts[name] for name in CASE_FACTS)
    return (*facts, *asked, *limit, *_step(one.chosen), *_step(one.next), why, " ".join(one.notes))


def _step(step: Step | None) -> tuple[Any, ...]:
    if step is None:
        return (None,) * len(_STEP)
    bound, cost = step.bound, step.cost
    judged = (step.level, bound.verdict, bound.drop.value, bound.drop.low, bound.drop.high, bound.value)
    stands = (step.samples, step.groups, step.samples_needed)
    costs = (cost.bpp, cost.ratio, cost.of_source, cost.of_mildest, cost.kbps, cost.gb_per_day)
    return (*judged, *stands, *costs, step.experiment)


def comparison_rows(task: str, found: LadderComparison) -> Table:
    """One row a quantity: bd_rate, bd_quality, at each level metric and difference, mpc, rpc, mpc_difference.

    Differences are positive where the second is better, whatever the metric's direction; bd_rate where it needs more.
    """
    common = {
        **{"task": task, "metric": found.metric, "higher_is_better": found.higher_is_better},
        **{"first": found.first.name, "second": found.second.name},
        **{"samples": found.samples, "groups": found.groups},
    }
    return Table(_COMPARED, tuple(tuple({**common, **row}.get(name) for name in _COMPARED) for row in _compared(found)))


def _compared(found: LadderComparison) -> Iterator[dict[str, Any]]:
    between, sides = "second against first", ("first", "second")
    used = "; ".join(levels_text(levels) for levels in found.used)
    for name, unit, told, delta in (
        ("bd_rate", "%", found.rate, found.rate_delta),
        ("bd_quality", None, found.quality, found.quality_delta),
    ):
        yield {
            **_estimate(name, between, told),
            **_delta(found, delta),
            "unit": unit,
            "method": found.method,
            "levels": used,
        }
    for at in found.levels:
        for side, value in zip(sides, (at.first, at.second), strict=True):
            yield {"quantity": "metric", "of": side, "level": at.level, "value": value}
        yield {
            **_estimate("difference", between, at.difference),
            **{"level": at.level, "p": at.p, "p_holm": at.p_holm},
        }
    for side, means in zip(sides, found.means, strict=True):
        for name, told in (("mpc", means.mpc), ("rpc", means.rpc)):
            yield {**_estimate(name, side, told), "levels": levels_text(means.levels)}
    if found.mean_difference:
        shared = levels_text([at.level for at in found.levels])
        yield {**_estimate("mpc_difference", between, found.mean_difference), "levels": shared}


def _estimate(quantity: str, of: str, told: Estimate) -> dict[str, Any]:
    interval = {"value": told.value, "ci_low": told.low, "ci_high": told.high, "reason": told.reason}
    return {"quantity": quantity, "of": of, **interval}


def _delta(found: LadderComparison, delta: Delta) -> dict[str, Any]:
    low, high = found.range_of(delta) or (None, None)
    return {"overlap": delta.overlap, "over_low": low, "over_high": high}


def levels_text(levels: Sequence[float | None]) -> str:
    """Levels behind one another; "-" for that of a codec without any.

    >>> levels_text([95.0, 27.5, None])
    '95 27.5 -'
    """
    return " ".join("-" if level is None else f"{level:g}" for level in levels)
