"""Tables of recommendations and comparisons for programs, with plain values and always the same columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.decide.recommended import go_to
from harness.results.ladders import CASE_FACTS
from harness.results.tables.text import Table

if TYPE_CHECKING:
    from harness.decide.bjontegaard import Delta
    from harness.decide.comparison import LadderComparison
    from harness.decide.walk import Recommendation, Step
    from harness.results.ladders import Case
    from harness.statistics.estimate import Estimate

__all__ = ["comparison_rows", "levels_text", "recommendation_rows"]

_SETTINGS = ("codec", "training", "level_name", "levels", "metric", "max_drop", "relative", "confidence", "go_to")
_STEP = (
    *("level", "verdict", "drop", "drop_ci_low", "drop_ci_high", "bound", "samples", "groups", "samples_needed"),
    *("bpp", "compression_ratio", "of_source", "of_mildest", "kbps", "gb_per_day", "camera_level", "experiment"),
)
_COMPARED = (
    *("task", "metric", "higher_is_better", "first", "second", "quantity", "of", "level"),
    *("value", "ci_low", "ci_high", "unit", "p", "p_holm", "reason"),
    *("method", "overlap", "over_low", "over_high", "levels", "samples", "groups"),
)


def recommendation_rows(found: Sequence[tuple[Case, Sequence[Recommendation]]]) -> Table:
    """Return a table with one row for each ladder.

    A row has the settings of the recommendation, the chosen level, and in the columns `next_...` the next cheaper
    level.

    Args:
        found: the cases, each with the recommendations for its ladders.
    """
    columns = (*CASE_FACTS, *_SETTINGS, *_STEP, *(f"next_{name}" for name in _STEP), "why_not", "notes")
    return Table(columns, tuple(_recommended(case, one) for case, of_case in found for one in of_case))


def _recommended(case: Case, found: Recommendation) -> tuple[Any, ...]:
    ladder, limit = found.ladder, found.limit
    levels = levels_text([cell.facts["level"] for cell in ladder.cells])
    settings = (ladder.codec, ladder.training, ladder.level_name, levels, found.metric)
    criterion = (limit.value, limit.relative, found.confidence, go_to(found))
    why = found.why if found.next else None
    facts = (case.facts[name] for name in CASE_FACTS)
    return (*facts, *settings, *criterion, *_step(found.chosen), *_step(found.next), why, " ".join(found.notes))


def _step(step: Step | None) -> tuple[Any, ...]:
    if step is None:
        return (None,) * len(_STEP)
    bound, cost = step.bound, step.cost
    result = (step.level, bound.verdict, bound.drop.value, bound.drop.low, bound.drop.high, bound.value)
    counts = (step.samples, step.groups, step.samples_needed)
    costs = (cost.bpp, cost.ratio, cost.of_source, cost.of_mildest, cost.kbps, cost.gb_per_day, cost.camera_level)
    return (*result, *counts, *costs, step.experiment)


def comparison_rows(task: str, found: LadderComparison) -> Table:
    """Return a table with one row for each quantity of a comparison.

    The quantities are bd_rate and bd_quality; for each level the metric of both ladders and their difference; and mpc,
    rpc and mpc_difference. A difference is positive if the second ladder is better, also for metrics of which a lower
    value is better. bd_rate is positive if the second ladder needs more rate.

    Args:
        task: the name of the task.
        found: the comparison.
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
    for name, unit, estimate, delta in (
        ("bd_rate", "%", found.rate, found.rate_delta),
        ("bd_quality", None, found.quality, found.quality_delta),
    ):
        yield {
            **_estimate(name, between, estimate),
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
        for name, estimate in (("mpc", means.mpc), ("rpc", means.rpc)):
            yield {**_estimate(name, side, estimate), "levels": levels_text(means.levels)}
    if found.mean_difference:
        shared = levels_text([at.level for at in found.levels])
        yield {**_estimate("mpc_difference", between, found.mean_difference), "levels": shared}


def _estimate(quantity: str, of: str, estimate: Estimate) -> dict[str, Any]:
    ends = {"ci_low": estimate.low, "ci_high": estimate.high}
    return {"quantity": quantity, "of": of, "value": estimate.value, **ends, "reason": estimate.reason}


def _delta(found: LadderComparison, delta: Delta) -> dict[str, Any]:
    low, high = found.range_of(delta) or (None, None)
    return {"overlap": delta.overlap, "over_low": low, "over_high": high}


def levels_text(levels: Sequence[float | None]) -> str:
    """Return levels as text, separated by spaces; None (a codec without levels) becomes "-".

    >>> levels_text([95.0, 27.5, None])
    '95 27.5 -'
    """
    return " ".join("-" if level is None else f"{level:g}" for level in levels)
