"""The heat map of a matrix: trained at one level, tested at another (matplotlib, the extra `plot`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.results.tables.matrix import UNCOMPRESSED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.results.tables.matrix import Matrix

__all__ = ["heat_map"]

COLOURS = "cividis"
"""Read alike with and without colour vision: Nunez, Anderton, Renslow, PLoS ONE 13(7) (2018)."""

_DARK, _LIGHT = "#111111", "#ffffff"


def heat_map(matrix: Matrix) -> Figure:
    """The matrix in colours, bright where the model is good, with the values written in.

    What was trained on data coded as they are tested is framed. Below a value stands its margin over seeds.

    Args:
        matrix: at least one of its values is defined.

    Returns:
        a figure that belongs to no window; `savefig` writes it.
    """
    import numpy as np
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    found = {place: matrix.measured(*place) for place in matrix.entries}
    values = {place: one.value for place, one in found.items() if one is not None and one.value is not None}
    rising = next(one.higher_is_better for one in found.values() if one is not None)
    colours = colormaps[COLOURS if rising else f"{COLOURS}_r"].with_extremes(bad="#dddddd")
    width, height = len(matrix.columns), len(matrix.rows)
    figure = Figure(figsize=(2.4 + 0.85 * width, 1.6 + 0.5 * height), layout="constrained")
    axes = figure.subplots()
    grid = np.array([[values.get((row, column), math.nan) for column in matrix.columns] for row in matrix.rows])
    image = axes.imshow(grid, cmap=colours, aspect="auto")
    inside = image.to_rgba(grid)
    for y, row in enumerate(matrix.rows):
        for x, column in enumerate(matrix.columns):
            if (row, column) in values:
                _entry(axes, matrix, row, column, (x, y), inside[y, x])
    axes.set_xticks(range(width), matrix.columns)
    axes.set_yticks(range(height), matrix.rows)
    axes.set_xlabel(f"tested on: {UNCOMPRESSED}, or {matrix.level_name}")
    axes.set_ylabel(f"trained on ({matrix.level_name})")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label=matrix.metric)
    axes.set_title(matrix.title, size=9)
    return figure


def _entry(axes: Axes, matrix: Matrix, row: str, column: str, place: tuple[int, int], colour: Any) -> None:
    """The value, in what can be read on its colour, and the frame."""
    from matplotlib.patches import Rectangle

    measured = matrix.measured(row, column)
    assert measured is not None
    assert measured.value is not None
    red, green, blue, _ = colour
    ink = _DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else _LIGHT
    text = f"{measured.value:.3g}" if abs(measured.value) >= 10 else f"{measured.value:.3f}"
    if measured.margin is not None:
        text += f"\n±{measured.margin:.3f}"
    axes.text(*place, text, ha="center", va="center", color=ink, size=8)
    if matrix.entries[row, column].matched:
        x, y = place
        axes.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, fill=False, edgecolor=_LIGHT, linewidth=3))
        axes.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, fill=False, edgecolor="#D55E00", linewidth=1.8))
