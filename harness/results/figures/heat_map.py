"""The heat map of a matrix of training and test levels, drawn with matplotlib (the extra `plot`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.results.tables.matrix import UNCOMPRESSED
from harness.results.tables.notes import sample_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.results.tables.matrix import Matrix

__all__ = ["heat_map"]

COLOURS = "cividis"
"""A colour map that looks alike to people with and without colour blindness.

Source: Nunez, Anderton, Renslow, PLoS ONE 13(7) (2018)."""

_DARK, _LIGHT = "#111111", "#ffffff"


def heat_map(matrix: Matrix) -> Figure:
    """Draw a matrix as a heat map with the values in its cells. Cells with good values are bright.

    A frame marks the cells whose model was trained on data with the same codec, options and level as in the test. The
    margin over the seeds of a training is written below the value.

    Args:
        matrix: the matrix; at least one of its values is defined.

    Returns:
        the figure. It is not shown in a window; `savefig` writes it to a file.
    """
    import numpy as np
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    measured = {place: matrix.measured(*place) for place in matrix.entries}
    values = {place: m.value for place, m in measured.items() if m is not None and m.value is not None}
    higher_is_better = next(m.higher_is_better for m in measured.values() if m is not None)
    colours = colormaps[COLOURS if higher_is_better else f"{COLOURS}_r"].with_extremes(bad="#dddddd")
    width, height = len(matrix.columns), len(matrix.rows)
    figure = Figure(figsize=(2.4 + 0.85 * width, 1.6 + 0.5 * height), layout="constrained")
    axes = figure.subplots()
    grid = np.array([[values.get((row, column), math.nan) for column in matrix.columns] for row in matrix.rows])
    image = axes.imshow(grid, cmap=colours, aspect="auto")
    cell_colours = image.to_rgba(grid)
    for y, row in enumerate(matrix.rows):
        for x, column in enumerate(matrix.columns):
            if (row, column) in values:
                _draw_entry(axes, matrix, row, column, (x, y), cell_colours[y, x])
    axes.set_xticks(range(width), matrix.columns)
    axes.set_yticks(range(height), matrix.rows)
    axes.set_xlabel(f"tested on: {UNCOMPRESSED}, or {matrix.level_name}")
    axes.set_ylabel(f"trained on ({matrix.level_name})")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label=matrix.metric)
    counts = sample_counts([entry.cell.facts for entry in matrix.entries.values()])
    axes.set_title(", ".join(part for part in (matrix.title, counts) if part), size=9)
    return figure


def _draw_entry(axes: Axes, matrix: Matrix, row: str, column: str, place: tuple[int, int], colour: Any) -> None:
    """Write the value, dark or light depending on the cell's colour, and draw the frame if the entry is matched."""
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
