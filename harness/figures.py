"""Figures of results (matplotlib, the extra `plot`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curve_figure"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Distinguishable with colour-blind eyes: Okabe and Ito, "Color Universal Design" (2008)."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def curve_figure(records: Sequence[dict[str, Any]], against: str = "bpp") -> Figure:
    """A metric against rate or level: a line a codec (and model, and dataset), its interval as a band.

    Args:
        records: rows of the view `results`, all of one metric.
        against: "bpp" (logarithmic) or "level".

    Returns:
        a figure that belongs to no window; `savefig` writes it.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    lines: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    baselines: dict[tuple[Any, ...], dict[str, Any]] = {}
    for record in records:
        if record["value"] is None:
            continue
        subject = (record["model"], record["dataset"], record["split"])
        if record["codec"] == "none" and record["codec_options"] in (None, "", "{}"):
            baselines[subject] = record
        else:
            key = (record["codec"], record["codec_options"], record["training"], *subject)
            lines.setdefault(key, []).append(record)
    names = _names(list(lines))
    for number, (key, points) in enumerate(sorted(lines.items())):
        _line(axes, points, names[key], against, number)
    for subject, record in sorted(baselines.items()):
        label = "uncompressed" + (f", {' on '.join(subject[:2])}" if len(baselines) > 1 else "")
        axes.axhline(record["value"], color="#555555", linestyle="--", linewidth=1, label=label)
    _label(axes, records, lines, against)
    return figure


def _line(axes: Axes, points: list[dict[str, Any]], name: str, against: str, number: int) -> None:
    points = sorted(points, key=lambda p: p[against])
    x = [p[against] for p in points]
    colour = COLOURS[number % len(COLOURS)]
    axes.plot(x, [p["value"] for p in points], color=colour, marker=MARKERS[number % len(MARKERS)], label=name)
    known = [p for p in points if p["ci_low"] is not None and p["ci_high"] is not None]
    axes.fill_between(
        [p[against] for p in known],
        [p["ci_low"] for p in known],
        [p["ci_high"] for p in known],
        color=colour,
        alpha=0.18,
        linewidth=0,
    )
    if against == "bpp":
        for p in points:
            if p["level"] is not None:
                axes.annotate(
                    f"{p['level']:g}", (p["bpp"], p["value"]), (0, -12), textcoords="offset points", ha="center", size=7
                )


def _label(axes: Axes, records: Sequence[dict[str, Any]], lines: dict[tuple[str, ...], Any], against: str) -> None:
    names = {p["level_name"] for points in lines.values() for p in points if p["level_name"]}
    level = " or ".join(sorted(names)) or "level"
    if against == "bpp":
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(f"bits per pixel (numbers at the points: {level})")
    else:
        axes.set_xlabel(level)
    axes.set_ylabel(records[0]["metric"])
    subjects = sorted({(key[3], key[4], key[5]) for key in lines})
    model, dataset, split = subjects[0]
    more = f" and {len(subjects) - 1} more" if len(subjects) > 1 else ""
    axes.set_title(f"{records[0]['task']}: {model} on {dataset}/{split}{more}", size=10)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)


def _names(keys: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """What each line is called: its codec, and as much more as tells it from the others."""
    options = {key: json.loads(key[1]) if key[1] else {} for key in keys}
    several = len({key[3:] for key in keys}) > 1
    names = {}
    for key in keys:
        codec, _, training, model, dataset, _ = key
        alike = [options[other] for other in keys if other[0] == codec]
        told = [
            f"{name}={value}"
            for name, value in options[key].items()
            if name in ("scale", "fps") or any(other.get(name) != value for other in alike)
        ]
        told += [training] if training != "pretrained" else []
        told += [f"{model} on {dataset}"] if several else []
        names[key] = ", ".join([codec, *told])
    return names
