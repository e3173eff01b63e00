"""Figures of results (matplotlib, the extra `plot`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.result_cells import Cell
from harness.task_table import codec_names, conditions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["can_draw", "curve_figure", "is_baseline"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Distinguishable with colour-blind eyes: Okabe and Ito, "Color Universal Design" (2008)."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("--", ":", "-.")
STYLES = ("-", "--", "-.", ":")
"""Of the lines: each time the colours are used up, the next."""

_SUBJECT = (
    *("task", "model", "weights", "dataset", "split", "planned_samples", "reference", "seed", "precision", "batch"),
    *("training", "train_codec", "train_level", "train_mode", "parts"),
)
"""The columns in which the points of one line are the same, beside those of its codec."""
_INSIDE = 5
"""Entries of a legend that has room among the lines, at most."""
_NUMBERS = frozenset({"samples", "seed", "batch"})
"""Conditions that say nothing without their names."""


def is_baseline(record: dict[str, Any]) -> bool:
    """Whether a row is the pretrained model on uncompressed frames."""
    return Cell(record, {}).is_baseline


def can_draw(record: dict[str, Any], against: str) -> bool:
    """Whether a row is a point of a curve: it has a value, and a place on the axis."""
    return not is_baseline(record) and record["value"] is not None and record[against] is not None


def curve_figure(records: Sequence[dict[str, Any]], against: str = "bpp") -> Figure:
    """A metric against rate or level: a line for all that differs in codec, model, data or conditions.

    Intervals are bands; a line of a single point has a bar.

    Args:
        records: rows of the view `results`, all of one metric; one of them at least can be drawn.
        against: "bpp" (logarithmic) or "level".

    Returns:
        a figure that belongs to no window; `savefig` writes it.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    baselines = _grouped([r for r in records if is_baseline(r) and r["value"] is not None])
    lines = _grouped([r for r in records if can_draw(r, against)])
    title, names = _names(lines)
    for number, (points, name) in enumerate(zip(lines, names, strict=True)):
        _line(axes, points, name, against, number)
    for number, (points, name) in enumerate(zip(baselines, _names(baselines)[1], strict=True)):
        label = name.replace("none", "uncompressed", 1)
        axes.axhline(points[0]["value"], color="#555555", linestyle=DASHES[number % 3], linewidth=1, label=label)
    _label(axes, lines, against)
    if len(lines) + len(baselines) > _INSIDE:
        figure.set_size_inches(9.0, 4.0)
        figure.legend(loc="outside right upper", frameon=False)
    else:
        axes.legend(frameon=False)
    axes.set_title(f"{records[0]['task']}: {title}".removesuffix(": "), size=10)
    return figure


def _grouped(records: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The points of each line, in an order that depends on nothing but them."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for record in records:
        if record["train_mode"] == "matched":  # trained at each point's own level
            record = {**record, "train_level": None}
        key = tuple(str(record[name]) for name in ("codec", "codec_options", "level_name", *_SUBJECT))
        groups.setdefault(key, []).append(record)
    return [points for _, points in sorted(groups.items())]


def _line(axes: Axes, points: list[dict[str, Any]], name: str, against: str, number: int) -> None:
    points = sorted(points, key=lambda p: p[against])
    x = [p[against] for p in points]
    colour = COLOURS[number % len(COLOURS)]
    marker = MARKERS[(number + number // len(COLOURS)) % len(MARKERS)]
    style = STYLES[number // len(COLOURS) % len(STYLES)]
    axes.plot(x, [p["value"] for p in points], color=colour, marker=marker, linestyle=style, label=name)
    known = [p for p in points if p["ci_low"] is not None and p["ci_high"] is not None]
    places, low, high = ([p[key] for p in known] for key in (against, "ci_low", "ci_high"))
    if len(known) == 1:  # a band has no width there
        axes.vlines(places, low, high, color=colour, linewidth=1.2)
    else:
        axes.fill_between(places, low, high, color=colour, alpha=0.18, linewidth=0)
    if against == "bpp":
        for p in points:
            if p["level"] is not None:
                axes.annotate(
                    f"{p['level']:g}", (p["bpp"], p["value"]), (0, -12), textcoords="offset points", ha="center", size=7
                )


def _label(axes: Axes, lines: Sequence[list[dict[str, Any]]], against: str) -> None:
    level = " or ".join(sorted({p["level_name"] for points in lines for p in points if p["level_name"]})) or "level"
    if against == "bpp":
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(f"bits per pixel (numbers at the points: {level})")
    else:
        axes.set_xlabel(level)
    axes.set_ylabel(lines[0][0]["metric"])
    axes.grid(alpha=0.3)


def _names(lines: Sequence[list[dict[str, Any]]]) -> tuple[str, list[str]]:
    """What is the same for all lines, and what each is called: its codec, and all that tells it from the others."""
    if not lines:
        return "", []
    cells = [Cell(points[0], {}) for points in lines]
    same, differing = conditions(cells)
    names = codec_names(cells)
    for title, values in differing:
        for number, value in enumerate(values):
            names[number] += f", {title} {value}" if title in _NUMBERS else f", {value}"
    if not any(title == "training" for title, _ in differing) and cells[0].facts["training"] != "pretrained":
        names = [f"{name}, {cell.facts['training']}" for name, cell in zip(names, cells, strict=True)]
    return " ".join(same), names
