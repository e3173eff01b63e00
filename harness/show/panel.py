"""Pictures side by side under their titles, in rows that wrap."""

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
"""Pixels that a panel is wide at most, unless a single picture is wider."""
_SMALL, _LARGE = 440, 1040
"""Pictures narrower than this are enlarged, wider ones reduced."""
_HEADING, _TITLE, _NOTE = 22, 19, 16
Colour = tuple[int, int, int]
_INK, _GREY = (20, 20, 20), (95, 95, 95)


@dataclass(frozen=True)
class Tile:
    """A picture and what it is.

    Args:
        image: uint8[H, W, 3], RGB; the pictures of a panel may differ in size.
        title: what it shows.
        note: a line below the title: what it cost and how it went.
    """

    image: NDArray[np.uint8]
    title: str
    note: str = ""


@dataclass(frozen=True)
class Row:
    """Pictures that begin on a new line.

    Args:
        tiles: from left to right; what does not fit goes to the next line.
        heading: above them; "" for none.
    """

    tiles: tuple[Tile, ...]
    heading: str = ""


@dataclass(frozen=True)
class Zoom:
    """How large pictures are shown.

    Args:
        times: a whole number enlarges, each pixel a square of so many (nearest neighbour: no pixel is made up);
            below 1 reduces (Lanczos).
    """

    times: float

    @property
    def words(self) -> str:
        """For the panel's last line; "" when nothing is changed."""
        if self.times > 1:
            return f"Enlarged {self.times:g} times, nearest neighbour."
        return "" if self.times == 1 else f"Reduced to {self.times:.0%}, Lanczos."

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture, larger or smaller."""
        import numpy as np
        from PIL import Image

        if self.times >= 1:
            return image.repeat(int(self.times), axis=0).repeat(int(self.times), axis=1)
        height, width = (max(1, round(side * self.times)) for side in image.shape[:2])
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def zoom_for(width: int) -> Zoom:
    """Small pictures are enlarged until they can be looked at, large ones reduced.

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
    """The panel.

    Args:
        rows: the pictures, already as large as they are to be shown.
        title: above all of them.
        note: below all of them.
        legend: names with their colours (RGB), below all of them.
        columns: pictures side by side; None takes as many as a screen can show, in lines of equal length.
    """
    from PIL import Image, ImageDraw

    widest = max(tile.image.shape[1] for row in rows for tile in row.tiles)
    count = columns or _columns(max(len(row.tiles) for row in rows), widest)
    lines = [line for row in rows for line in _lines(row, count)]
    across = max(len(line.tiles) for line in lines)
    width = 2 * _MARGIN + across * widest + (across - 1) * _GAP
    text = _wrapped(title, width - 2 * _MARGIN, _HEADING)
    small = _wrapped(note, width - 2 * _MARGIN, _NOTE)
    keys = _keys(legend, width - 2 * _MARGIN)
    below = (len(small) + len(keys)) * _step(_NOTE)
    height = 2 * _MARGIN + len(text) * _step(_HEADING) + sum(map(_height, lines)) + below
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
        y += _height(line) - (_step(_TITLE) if line.heading else 0)
    for row in keys:
        for x, name, colour in row:
            pen.rectangle((_MARGIN + x, y + 2, _MARGIN + x + _NOTE, y + 2 + _NOTE), fill=colour)
            _write(pen, _MARGIN + x + _NOTE + 6, y, name, _NOTE, _GREY)
        y += _step(_NOTE)
    for words in small:
        y = _write(pen, _MARGIN, y, words, _NOTE, _GREY)
    return canvas


def _keys(legend: Sequence[tuple[str, Colour]], width: int) -> list[list[tuple[int, str, Colour]]]:
    """Where each name of the legend stands, in lines."""
    from PIL import ImageFont

    font = ImageFont.load_default(_NOTE)
    lines: list[list[tuple[int, str, Colour]]] = []
    x = 0
    for name, colour in legend:
        wide = round(font.getlength(name)) + _NOTE + 26
        if not lines or x + wide > width:
            lines.append([])
            x = 0
        lines[-1].append((x, name, colour))
        x += wide
    return lines


def _columns(tiles: int, width: int) -> int:
    """Pictures on a line: as many as fit, but no line much shorter than the others.

    >>> _columns(8, 512), _columns(7, 512), _columns(5, 640), _columns(2, 3000)
    (4, 4, 3, 1)
    """
    most = max(1, (_WIDE - 2 * _MARGIN + _GAP) // (width + _GAP))
    return math.ceil(tiles / math.ceil(tiles / most))


def _lines(row: Row, columns: int) -> list[Row]:
    parts = [row.tiles[begin : begin + columns] for begin in range(0, len(row.tiles), columns)]
    return [Row(tiles, "" if place else row.heading) for place, tiles in enumerate(parts)]


def _height(line: Row) -> int:
    heading = _step(_TITLE) if line.heading else 0
    tallest: int = max(tile.image.shape[0] for tile in line.tiles)
    return heading + _step(_TITLE) + _step(_NOTE) + tallest + _GAP


def _step(size: int) -> int:
    """From one line of text to the next."""
    return round(1.4 * size)


def _write(pen: ImageDraw, x: int, y: int, words: str, size: int, colour: Colour) -> int:
    """Write a line; gives where the next one begins."""
    from PIL import ImageFont

    pen.text((x, y), words, fill=colour, font=ImageFont.load_default(size))
    return y + _step(size)


def _wrapped(words: str, width: int, size: int) -> list[str]:
    """Words in lines that are no wider."""
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
