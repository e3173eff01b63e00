"""The points of a case's charts, as plain data for the page's script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.results.cells import MeasuredMetric, ResultCell
    from harness.results.ladders import Case, Ladder
    from harness.task import Task

__all__ = ["case_data"]


def case_data(
    case: Case, task: Task | None, fidelity: Mapping[str, Mapping[str, float]] | None = None
) -> dict[str, Any]:
    """Return the data of a case for the page's script.

    Args:
        case: the experiments.
        task: the task of the experiments, which has the units and groups of its metrics; None if no plugin has it.
        fidelity: measures of picture quality, by the digest of an experiment's cell.

    Returns:
        `title`; `metrics` (name, unit, up: whether higher is better, primary); `baseline` (for each metric its value or
        None); `lines` (codec, training, name, level_name, points); and `breakdowns` (title, and the positions of its
        metrics in `metrics`). A point has level, bpp, kbps, psnr, ratio, m and the measures of picture quality. `m`
        has, for each metric, [value, low, high, drop, low, high], or None if the experiment lacks the metric. Missing
        numbers are None. Numbers have six significant digits.
    """
    names = list(dict.fromkeys(name for cell in case.cells for name in cell.metrics))
    known = {name: measured for cell in case.cells for name, measured in cell.metrics.items()}
    units = {metric.name: metric.unit for metric in task.all_metrics()} if task else {}
    metrics = [
        {
            "name": name,
            "unit": units.get(name, ""),
            "up": known[name].higher_is_better,
            "primary": known[name].is_primary,
        }
        for name in names
    ]
    groups = task.breakdowns() if task else {}
    places = {name: place for place, name in enumerate(names)}
    return {
        "title": case.title,
        "metrics": metrics,
        "baseline": [_value(case.baseline, name) for name in names],
        "lines": [_line(ladder, names, fidelity or {}) for ladder in case.ladders],
        "breakdowns": [
            {"title": title, "metrics": [places[name] for name in group if name in places]}
            for title, group in groups.items()
            if title != "classes" and any(name in places for name in group)
        ],
    }


def _line(ladder: Ladder, names: list[str], fidelity: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    points = [{**_point(cell, names), **_fidelity(fidelity.get(cell.facts["cell"], {}))} for cell in ladder.cells]
    line = {"codec": ladder.codec, "training": ladder.training, "name": ladder.name, "level_name": ladder.level_name}
    return {**line, "points": points}


def _point(cell: ResultCell, names: list[str]) -> dict[str, Any]:
    facts = {name: _short(cell.facts[name]) for name in ("level", "bpp", "kbps", "psnr")}
    measured = [list(_estimates(cell.metrics[name])) if name in cell.metrics else None for name in names]
    return {**facts, "ratio": _short(cell.compression_ratio), "m": measured}


def _fidelity(measures: Mapping[str, float]) -> dict[str, float | None]:
    return {name.replace("-", "_"): _short(value) for name, value in measures.items()}


def _estimates(measured: MeasuredMetric) -> Iterator[float | None]:
    """Yield a metric's value with the ends of its interval, then its drop with the ends of its interval."""
    for value in (
        measured.metric.value,
        measured.metric.low,
        measured.metric.high,
        measured.drop.value,
        measured.drop.low,
        measured.drop.high,
    ):
        yield _short(value)


def _value(cell: ResultCell | None, name: str) -> float | None:
    return _short(cell.metrics[name].value) if cell and name in cell.metrics else None


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
