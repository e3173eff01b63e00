"""Figures of a metric against rate, PSNR or level, drawn with matplotlib (the extra `plot`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.results.cells import ResultCell
from harness.results.figures.lines import can_draw, group_by_line, is_baseline_row, line_family
from harness.results.naming import codec_names, conditions, training_words
from harness.results.tables.notes import sample_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "curve_figure"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours that colour-blind people can distinguish: Okabe and Ito, "Color Universal Design" (2008)."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("--", ":", "-.")
STYLES = ("-", "--", "-.", ":")

_LEGEND_INSIDE = 5
"""The largest number of legend entries that are drawn inside the axes; longer legends are drawn beside them."""
_NUMBERS = frozenset({"samples", "seed", "batch"})
"""Conditions whose values are bare numbers. In the name of a line, they are written with the condition's name."""


def curve_figure(records: Sequence[dict[str, Any]], against: str = "bpp") -> Figure:
    """Draw a metric against rate, PSNR or level. Each combination of codec, model, training and data has its own line.

    Each codec of a model has one colour. Bands show the 95% intervals; a line with a single interval has a vertical bar
    instead. Retrained models have hollow markers, and bars with caps show the intervals over their seeds. Horizontal
    lines show the pretrained model on uncompressed frames.

    Args:
        records: rows of the view `results`, all of the same metric. At least one of them can be drawn (`can_draw`).
        against: the column of the horizontal axis: "bpp" (logarithmic), "psnr" or "level".

    Returns:
        the figure. It is not shown in a window; `savefig` writes it to a file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    baselines = group_by_line([r for r in records if is_baseline_row(r) and r["value"] is not None])
    lines = group_by_line([r for r in records if can_draw(r, against)])
    title, names = _line_names(lines)
    looks = _looks(lines)
    for points, name, look in zip(lines, names, looks, strict=True):
        _draw_line(axes, points, name, against, look)
    for number, (points, name) in enumerate(zip(baselines, _line_names(baselines)[1], strict=True)):
        label = name.replace("none", "uncompressed", 1)
        axes.axhline(points[0]["value"], color="#555555", linestyle=DASHES[number % 3], linewidth=1, label=label)
    _label_axes(axes, lines, against)
    if len(lines) + len(baselines) > _LEGEND_INSIDE:
        figure.set_size_inches(9.0, 4.0)
        figure.legend(loc="outside right upper", frameon=False)
    else:
        axes.legend(frameon=False)
    axes.set_title(_title(records, [p for points in (*lines, *baselines) for p in points], title), size=10)
    if against != "level":
        _write_levels(figure, axes, lines, looks, against)
    return figure


def _title(records: Sequence[dict[str, Any]], drawn: Sequence[dict[str, Any]], common: str) -> str:
    """Return the title: the task, what all lines have in common, what they are judged by, and on how many samples."""
    parts = [f"{records[0]['task']}: {common}".removesuffix(": ")]
    if {row["reference"] for row in drawn} == {"predictions"}:
        parts.append("reference: its own predictions")
    return ", ".join([*parts, sample_counts(drawn)])


@dataclass(frozen=True)
class _Look:
    """The appearance of a line."""

    colour: str
    marker: str
    style: str
    hollow: bool


def _looks(lines: Sequence[list[dict[str, Any]]]) -> list[_Look]:
    """Return the appearance of each line.

    Lines with the same codec, model, data and conditions (a family) have the same colour. Their trainings differ in
    line style and marker; retrained models have hollow markers. If there are more families than colours, the colours
    repeat with the next line style.
    """
    families: dict[tuple[str, ...], int] = {}
    members: dict[int, int] = {}
    looks = []
    for points in lines:
        family = families.setdefault(line_family(points[0]), len(families))
        member = members[family] = members.get(family, -1) + 1
        style = STYLES[(family // len(COLOURS) + member) % len(STYLES)]
        marker = MARKERS[(family + member) % len(MARKERS)]
        looks.append(_Look(COLOURS[family % len(COLOURS)], marker, style, points[0]["training"] == "retrained"))
    return looks


def _draw_line(axes: Axes, points: list[dict[str, Any]], name: str, against: str, look: _Look) -> None:
    points = sorted(points, key=lambda p: p[against])
    x = [p[against] for p in points]
    colour, face = look.colour, "white" if look.hollow else look.colour
    y = [p["value"] for p in points]
    axes.plot(x, y, color=colour, marker=look.marker, markerfacecolor=face, linestyle=look.style, label=name)
    if averaged := [p for p in points if p.get("margin") is not None]:
        places, values, margins = ([p[key] for p in averaged] for key in (against, "value", "margin"))
        axes.errorbar(places, values, margins, fmt="none", ecolor=colour, capsize=3, linewidth=1)
    known = [p for p in points if p["ci_low"] is not None and p["ci_high"] is not None]
    places, low, high = ([p[key] for p in known] for key in (against, "ci_low", "ci_high"))
    if len(known) == 1:  # a band through a single point would have no width
        axes.vlines(places, low, high, color=colour, linewidth=1.2)
    else:
        axes.fill_between(places, low, high, color=colour, alpha=0.18, linewidth=0)


def _write_levels(
    figure: Figure, axes: Axes, lines: Sequence[list[dict[str, Any]]], looks: Sequence[_Look], against: str
) -> None:
    """Write the level of each point below or above it, in the colour of the line, if there is room.

    If several lines have a point with the same level and the same horizontal position (a pretrained model and its
    retrained versions), the level is written only once, at the lowest of them. The ends of the lines are labelled
    first.
    """
    from matplotlib.colors import to_rgb

    figure.draw_without_rendering()  # computes the layout, and thereby the positions of the points
    lowest: dict[tuple[float, float], tuple[float, int]] = {}
    ends: list[tuple[float, float]] = []
    for number, points in enumerate(lines):
        known = sorted((p for p in points if p["level"] is not None), key=lambda p: p[against])
        for p in known:
            place = (p["level"], p[against])
            lowest[place] = min((p["value"], number), lowest.get(place, (p["value"], number)))
        ends += [(p["level"], p[against]) for p in (known[:1] + known[-1:])]
    scale = 72 / figure.dpi  # converts pixels to points, because the size of a label in points is known
    marks = [axes.transData.transform((x, value)) * scale for (_, x), (value, _) in lowest.items()]
    occupied: list[tuple[float, float, float, float]] = [(x - 3, y - 3, x + 3, y + 3) for x, y in marks]
    for level, x in dict.fromkeys([*ends, *lowest]):
        value, number = lowest[level, x]
        text = f"{level:g}"
        across, up = axes.transData.transform((x, value)) * scale
        half = 2.2 * len(text)
        for offset in (-12, 6):
            box = (across - half, up + offset, across + half, up + offset + 6)
            if not any(_overlap(box, other) for other in occupied):
                occupied.append(box)
                colour = [0.75 * part for part in to_rgb(looks[number].colour)]
                axes.annotate(
                    text,
                    (x, value),
                    (0, offset),
                    textcoords="offset points",
                    ha="center",
                    va="bottom",
                    size=7,
                    color=colour,
                )
                break


def _overlap(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> bool:
    """Return whether two boxes (left, bottom, right, top) overlap."""
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _label_axes(axes: Axes, lines: Sequence[list[dict[str, Any]]], against: str) -> None:
    level = " or ".join(sorted({p["level_name"] for points in lines for p in points if p["level_name"]})) or "level"
    if against == "bpp":
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(f"bits per pixel (numbers at the points: {level})")
    elif against == "psnr":
        axes.set_xlabel(f"PSNR in dB (numbers at the points: {level})")
    else:
        axes.set_xlabel(level)
    axes.set_ylabel(lines[0][0]["metric"])
    axes.grid(alpha=0.3)


def _line_names(lines: Sequence[list[dict[str, Any]]]) -> tuple[str, list[str]]:
    """Return what all lines have in common, and the name of each line.

    The name consists of the codec and the conditions in which the lines differ.
    """
    if not lines:
        return "", []
    # A line is of many levels, so its name does not say that its training matches that of its first point.
    cells = [ResultCell({**points[0], "level": None}, {}) for points in lines]
    same, differing = conditions(cells)
    names = codec_names(cells)
    for title, values in differing:
        for number, value in enumerate(values):
            names[number] += f", {title} {value}" if title in _NUMBERS else f", {value}"
    if not any(title == "training" for title, _ in differing) and cells[0].facts["training"] != "pretrained":
        names = [f"{name}, {training_words(cell)}" for name, cell in zip(names, cells, strict=True)]
    return " ".join(same), names
