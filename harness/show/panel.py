"""Layout of a panel: pictures side by side, each under its title, in rows that wrap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

__all__ = ["Row", "Tile", "Zoom", "lay_out", "zoom_for"]

_MARGIN, _GAP = 16, 12
_WIDE = 2200
"""The maximum width of a panel in pixels, unless a single picture is wider."""
_SMALL, _LARGE = 440, 1040
"""Widths in pixels. Pictures narrower than `_SMALL` are enlarged; pictures wider than `_LARGE` are reduced."""
_HEADING, _TITLE, _NOTE = 22, 19, 16
Colour = tuple[int, int, int]
_INK, _GREY = (20, 20, 20), (95, 95, 95)


@dataclass(frozen=True)
class Tile:
    """A picture of a panel, with its title and note.

    Args:
        image: uint8[H, W, 3], RGB; the pictures of a panel may differ in size.
        title: what the picture shows.
        note: a line below the title: the rate and the score.
    """

    image: NDArray[np.uint8]
    title: str
    note: str = ""


@dataclass(frozen=True)
class Row:
    """Pictures that begin on a new line of the panel.

    Args:
        tiles: the pictures, from left to right; pictures that do not fit go to the next line.
        heading: the text above the pictures; "" for no heading.
    """

    tiles: tuple[Tile, ...]
    heading: str = ""


@dataclass(frozen=True)
class Zoom:
    """The scale at which pictures are shown.

    Args:
        times: the scale factor. A whole number enlarges by nearest neighbour: each pixel becomes a square of
            `times` x `times` equal pixels, and no value is interpolated. A number below 1 reduces (Lanczos).
    """

    times: float

    @property
    def words(self) -> str:
        """A sentence about the scale, for the panel's last line; "" if pictures keep their size."""
        if self.times > 1:
            return f"Enlarged {self.times:g} times, nearest neighbour."
        return "" if self.times == 1 else f"Reduced to {self.times:.0%}, Lanczos."

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture, enlarged or reduced."""
        import numpy as np
        from PIL import Image

        if self.times >= 1:
            return image.repeat(int(self.times), axis=0).repeat(int(self.times), axis=1)
        height, width = (max(1, round(side * self.times)) for side in image.shape[:2])
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def zoom_for(width: int) -> Zoom:
    """Return the scale for pictures of a width in pixels: small pictures are enlarged, large ones are reduced.

    >>> zoom_for(256), zoom_for(640), zoom_for(2080)
    (Zoom(times=2), Zoom(times=1), Zoom(times=0.5))
    """
    if width > _LARGE:
        return Zoom(_LARGE / width)
    return Zoom(max(1, math.ceil(_SMALL / width)))


def lay_out(
    rows: Sequence[Row],
    title: str,
    note: str = "",
    columns: int | None = None,
    legend: Sequence[tuple[str, Colour]] = (),
) -> Image:
    """Draw the panel as one RGB image.

    Args:
        rows: the pictures, already in the size in which they are shown.
        title: the text above all pictures.
        note: the text below all pictures.
        legend: names with their colours (RGB), shown below all pictures.
        columns: the number of pictures side by side; None chooses as many as fit on a screen, in lines of about equal
            length.
    """
    from PIL import Image, ImageDraw

    widest = max(tile.image.shape[1] for row in rows for tile in row.tiles)
    count = columns or _columns(max(len(row.tiles) for row in rows), widest)
    lines = [line for row in rows for line in _lines(row, count)]
    across = max(len(line.tiles) for line in lines)
    width = 2 * _MARGIN + across * widest + (across - 1) * _GAP
    text = _wrapped(title, width - 2 * _MARGIN, _HEADING)
    small = _wrapped(note, width - 2 * _MARGIN, _NOTE)
    legend_lines = _legend_lines(legend, width - 2 * _MARGIN)
    below = (len(small) + len(legend_lines)) * _line_height(_NOTE)
    height = 2 * _MARGIN + len(text) * _line_height(_HEADING) + sum(map(_height, lines)) + below
    canvas = Image.new("RGB", (width, height), (255, 255, 255))
    pen, y = ImageDraw.Draw(canvas), _MARGIN
    for words in text:
        y = _write(pen, _MARGIN, y, words, _HEADING, _INK)
    for line in lines:
        if line.heading:
            y = _write(pen, _MARGIN, y, line.heading, _TITLE, _INK)
        for place, tile in enumerate(line.tiles):
            x = _MARGIN + place * (widest + _GAP)
            beneath = _write(pen, x, y, tile.title, _TITLE, _INK)
            beneath = _write(pen, x, beneath, tile.note, _NOTE, _GREY)
            canvas.paste(Image.fromarray(tile.image), (x, beneath))
        y += _height(line) - (_line_height(_TITLE) if line.heading else 0)
    for row in legend_lines:
        for x, name, colour in row:
            pen.rectangle((_MARGIN + x, y + 2, _MARGIN + x + _NOTE, y + 2 + _NOTE), fill=colour)
            _write(pen, _MARGIN + x + _NOTE + 6, y, name, _NOTE, _GREY)
        y += _line_height(_NOTE)
    for words in small:
        y = _write(pen, _MARGIN, y, words, _NOTE, _GREY)
    return canvas


def _legend_lines(legend: Sequence[tuple[str, Colour]], width: int) -> list[list[tuple[int, str, Colour]]]:
    """Return the lines of the legend; each entry has its x position in pixels, name and colour."""
    from PIL import ImageFont

    font = ImageFont.load_default(_NOTE)
    lines: list[list[tuple[int, str, Colour]]] = []
    x = 0
    for name, colour in legend:
        entry_width = round(font.getlength(name)) + _NOTE + 26
        if not lines or x + entry_width > width:
            lines.append([])
            x = 0
        lines[-1].append((x, name, colour))
        x += entry_width
    return lines


def _columns(tiles: int, width: int) -> int:
    """Return the number of pictures on a line: as many as fit, with lines of about equal length.

    >>> _columns(8, 512), _columns(7, 512), _columns(5, 640), _columns(2, 3000)
    (4, 4, 3, 1)
    """
    most = max(1, (_WIDE - 2 * _MARGIN + _GAP) // (width + _GAP))
    return math.ceil(tiles / math.ceil(tiles / most))


def _lines(row: Row, columns: int) -> list[Row]:
    parts = [row.tiles[begin : begin + columns] for begin in range(0, len(row.tiles), columns)]
    return [Row(tiles, "" if place else row.heading) for place, tiles in enumerate(parts)]


def _height(line: Row) -> int:
    heading = _line_height(_TITLE) if line.heading else 0
    tallest: int = max(tile.image.shape[0] for tile in line.tiles)
    return heading + _line_height(_TITLE) + _line_height(_NOTE) + tallest + _GAP


def _line_height(size: int) -> int:
    """Return the distance in pixels from one line of text to the next, for a font size."""
    return round(1.4 * size)


def _write(pen: ImageDraw, x: int, y: int, words: str, size: int, colour: Colour) -> int:
    """Write a line of text. Return the y position of the next line."""
    from PIL import ImageFont

    pen.text((x, y), words, fill=colour, font=ImageFont.load_default(size))
    return y + _line_height(size)


def _wrapped(words: str, width: int, size: int) -> list[str]:
    """Break a text into lines that are at most `width` pixels entry_width; a single long word may be wider."""
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
