"""Formats recommendations: as a table for people, and as plain data for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.decide.cost import is_rate
from harness.decide.limit import percent
from harness.decide.within_limit import POWER
from harness.results.ladders import CASE_FACTS
from harness.results.tables.numbers import interval_text
from harness.results.tables.text import Table
from harness.results.tables.wide import ShownDrop, wide_note

if TYPE_CHECKING:
    from harness.decide.walk import Recommendation, Step
    from harness.results.ladders import Case

__all__ = ["go_to", "recommendation_data", "recommendation_table"]


def recommendation_table(case: Case, found: Sequence[Recommendation]) -> Table:
    """Return a table of recommendations, with one row for each ladder. Empty columns are left out.

    Args:
        case: the case that the ladders belong to.
        found: the recommendations; at least one.
    """
    first = found[0]
    criterion = f"{first.metric}, at most {first.limit.words} lost, {100 * first.confidence:.10g}% sure"
    columns: list[tuple[str, list[str]]] = [
        ("codec", [one.ladder.codec for one in found]),
        ("training", [one.ladder.training for one in found]),
        ("go to", [go_to(one) for one in found]),
    ]
    columns += [(title, [_cost_text(one.chosen, name, form) for one in found]) for title, name, form in _COSTS]
    columns.append((f"{first.metric} drop", [_drop(one.chosen) for one in found]))
    columns.append(("bound", [_bound(one, one.chosen) for one in found]))
    columns.append(("next cheaper", [_level(one, one.next) if one.next else "" for one in found]))
    columns.append(("why not", [one.why if one.next else "" for one in found]))
    columns = [(title, texts) for title, texts in columns if any(texts)]
    rows = tuple(zip(*(texts for _, texts in columns), strict=True))
    return Table(tuple(title for title, _ in columns), rows, f"{case.title}: {criterion}", tuple(_notes(found)))


_COSTS = (
    ("bpp", "bpp", "{:.3g}"),
    ("comp. ratio", "ratio", "{:.1f}"),
    ("of source", "of_source", "{:.1%}"),
    ("of mildest", "of_mildest", "{:.1%}"),
    ("kbit/s", "kbps", "{:,.0f}"),
    ("GB a day", "gb_per_day", "{:.3g}"),
)


def _cost_text(step: Step | None, name: str, form: str) -> str:
    value = getattr(step.cost, name) if step else None
    return "" if value is None else form.format(value)


def go_to(recommendation: Recommendation) -> str:
    """Return the recommended level as text, or why there is none: `none holds`, `undecided` or `not known`.

    The ladders of retrained models often do not begin at the codec's mildest level. A text without a level then names
    the ladder's first level.
    """
    if recommendation.chosen:
        return _level(recommendation, recommendation.chosen, True)
    outcome, step = recommendation.outcome, recommendation.next
    if outcome != "not known" and step and step.cost.of_mildest is not None and step.cost.of_mildest < 1:
        return f"{outcome} (from {_level(recommendation, step)} on)"
    return outcome


def _level(recommendation: Recommendation, step: Step | None, of_camera: bool = False) -> str:
    """Return a level as text; a level in kbit/s with the camera's, or with a word that it is not the camera's."""
    if step is None or step.level is None:
        return "" if step is None else recommendation.ladder.codec
    text = f"{recommendation.ladder.level_name} {step.level:g}"
    if of_camera and step.cost.camera_level is not None:
        return f"{text} (camera: {step.cost.camera_level:,.0f})"
    return f"{text} (as tested)" if of_camera and step.cost.assumed and _is_rate(recommendation) else text


def _is_rate(recommendation: Recommendation) -> bool:
    return is_rate(recommendation.ladder.cells[0])


def _drop(step: Step | None) -> str:
    return "" if step is None else interval_text(step.bound.drop)


def _bound(recommendation: Recommendation, step: Step | None) -> str:
    if step is None or step.bound.value is None:
        return ""
    return percent(step.bound.value) if recommendation.limit.relative else f"{step.bound.value:.3g}"


def _notes(found: Sequence[Recommendation]) -> list[str]:
    first = found[0]
    confidence = f"{100 * first.confidence:.10g}%"
    notes = [
        f"go to: the cheapest level, walking from mild to strong, whose one-sided {confidence} bound on the paired "
        f"drop stays within {first.limit.words}; the walk ends at the first that does not. Sure for one row, not for "
        "all rows together. [ ]: two-sided 95% interval. comp. ratio: 24 bits per pixel over bpp. of mildest: size "
        "over that of the codec's mildest level."
    ]
    assumed: dict[str, list[str]] = {}
    for one in found:
        if one.chosen and one.chosen.cost.assumed:
            assumed.setdefault(one.chosen.cost.assumed, []).append(one.ladder.name)
    for text, names in assumed.items():
        notes.append(f"kbit/s and GB a day{' of ' + '; '.join(names) if len(assumed) > 1 else ''}: {text}.")
    rates = [one.chosen.cost for one in found if one.chosen and one.chosen.cost.assumed and _is_rate(one)]
    if any(cost.camera_level is not None for cost in rates):
        notes.append("(camera: ...): the level in kbit/s that is as many bits per pixel on the camera's frames.")
    if any(cost.camera_level is None for cost in rates):
        notes.append("(as tested): a level in kbit/s for frames as they were tested; the camera's is not known.")
    if any(one.chosen and one.chosen.cost.of_source is None for one in found):
        notes.append("of source: not known, the frames were rendered or their files' sizes are not recorded.")
    if any(one.outcome == "undecided" for one in found):
        notes.append("undecided: no level is sure to hold, and not every level is beyond the limit for sure.")
    if any(one.next and one.next.samples_needed for one in found):
        notes.append(f"would do: with a chance of {POWER:.0%}, if the drop is what it was measured to be.")
    failed = sum(cell.facts["failed_samples"] or 0 for one in found for cell in one.ladder.cells)
    if failed:
        notes.append(f"{failed} predictions at these levels failed, and are left out: `harness results` has them.")
    steps = [step for one in found for step in (one.chosen, one.next) if step and step.bound.drop.low is not None]
    notes += wide_note([ShownDrop(step.bound.drop, step.samples, step.groups) for step in steps])
    return notes + _of_ladders(found)


def _of_ladders(found: Sequence[Recommendation]) -> list[str]:
    """Return the notes of all ladders. What is said of several is said once, with their names."""
    named: dict[str, list[str]] = {}
    for one in found:
        for note in one.notes:
            text = note.removeprefix(f"{one.ladder.name}: ")
            named.setdefault(text, []).extend([one.ladder.name] if text != note else [])
    return [f"{'; '.join(names)}: {text}" if names else text for text, names in named.items()]


def recommendation_data(case: Case, found: Sequence[Recommendation]) -> dict[str, Any]:
    """Return recommendations as plain values, for JSON."""
    facts = case.facts
    return {
        **{name: facts[name] for name in CASE_FACTS},
        "recommendations": [
            {
                "codec": one.ladder.codec,
                "training": one.ladder.training,
                "level_name": one.ladder.level_name,
                "levels": [cell.facts["level"] for cell in one.ladder.cells],
                "metric": one.metric,
                "max_drop": one.limit.value,
                "relative": one.limit.relative,
                "confidence": one.confidence,
                "go_to": go_to(one),
                "chosen": _step(one.chosen),
                "next": _step(one.next),
                "why_not": one.why if one.next else None,
                "notes": list(one.notes),
            }
            for one in found
        ],
    }


def _step(step: Step | None) -> dict[str, Any] | None:
    if step is None:
        return None
    return {**asdict(step), "bound": step.bound.record(), "samples_needed": step.samples_needed}
