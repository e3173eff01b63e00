"""Read what people and tools write: text lists line by line, and numbers in texts and in JSON.

All dataset formats read their lists and numbers here, so that the same text has the same meaning in each of them.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from reprlib import Repr
from typing import NamedTuple

from harness.errors import DatasetError

__all__ = ["LARGEST", "Line", "columns", "flag", "number", "number_in", "read_lines", "repeated", "shown", "splits_of"]

LARGEST = 2**53
"""The largest number that is read. Up to it a float64 holds every whole number, and areas do not overflow."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LINE_END = re.compile(r"\r\n|\n|\r")
_SPACES = re.compile(r"[ \t]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_LONGEST_PAIR = 2 * 4096
"""Characters of a line with two paths: a path has 4096 at most on Linux."""
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


class Line(NamedTuple):
    """A line of a text file that is not empty.

    Args:
        number: the line's number in the file, counted from 1.
        text: the line, without spaces and tabs at its ends.
    """

    number: int
    text: str


def read_lines(path: Path, comment: str = "") -> list[Line]:
    """Read the lines of a text list that are not empty.

    The file is UTF-8, or UTF-16 or UTF-32 with a byte order mark. Lines end in LF, CR LF or CR alone; other characters
    that Unicode calls line ends are part of a line, because names may have them.

    Args:
        path: the file.
        comment: lines that begin with this text are left out; "" if the format has no comments.

    Raises:
        DatasetError: the file cannot be opened, or has bytes that are no text in its encoding; the message has the
            line.
    """
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from error
    lines = [Line(n, text.strip(" \t")) for n, text in enumerate(_LINE_END.split(_decoded(path, data)), 1)]
    return [line for line in lines if line.text and not (comment and line.text.startswith(comment))]


def _decoded(path: Path, data: bytes) -> str:
    """Return the file's text, without a byte order mark."""
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    body = data[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        line = len(_LINE_END.split(body[: error.start].decode(encoding, "replace")))
        raise DatasetError(
            f"{path}, line {line}: the bytes {body[error.start : error.end][:8].hex(' ')} are not {encoding.upper()}. "
            "Save the file as UTF-8, or as UTF-16 with a byte order mark."
        ) from error
    if "\0" in text:
        line = len(_LINE_END.split(text[: text.index("\0")]))
        raise DatasetError(
            f"{path}, line {line}: a byte 0 was found, so it is no text, or UTF-16 without a byte order mark. Save the "
            "file as UTF-8."
        )
    return text


def columns(text: str) -> list[str]:
    """Return the parts of a line between spaces and tabs.

    >>> columns("rgb/1.png  depth/1.png")
    ['rgb/1.png', 'depth/1.png']
    """
    return [part for part in _SPACES.split(text) if part]


def splits_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to cut a line into two columns: names may have spaces, so there may be several.

    >>> list(splits_of("a 1.png  b 1.png"))
    [('a', '1.png  b 1.png'), ('a 1.png', 'b 1.png'), ('a 1.png  b', '1.png')]
    """
    for gap in _SPACES.finditer(text) if len(text) <= _LONGEST_PAIR else ():
        if gap.start() and gap.end() < len(text):
            yield text[: gap.start()], text[gap.end() :]


def number_in(text: str | None) -> float | None:
    """Return the number that a text states: ASCII digits, with a point or an exponent; spaces around it do not count.

    Returns:
        None if the text states no number, or one beyond `LARGEST`.

    >>> [number_in(text) for text in (" 1 ", "1.0", "-2.5e1")]
    [1.0, 1.0, -25.0]
    >>> [number_in(text) for text in ("", "yes", "nan", "1_0", "0x1", "1,5", "9" * 400, None)]
    [None, None, None, None, None, None, None, None]
    """
    stripped = (text or "").strip()
    return number(float(stripped)) if _NUMBER.fullmatch(stripped) else None


def number(value: object) -> float | None:
    """Return a number of a JSON file as a float.

    Returns:
        None if the value is no number (also true, false and texts), not finite, or beyond `LARGEST`.

    >>> [number(value) for value in (3, 2.5, True, "3", float("nan"), 10**400, None)]
    [3.0, 2.5, None, None, None, None, None]
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
        return None
    return float(value)


def flag(value: float | None) -> bool | None:
    """Return whether a number that is 0 or 1 is 1; None for all else.

    >>> [flag(number_in(text)) for text in ("0", "1.0", "2", "yes")]
    [False, True, None, None]
    """
    return bool(value) if value in (0, 1) else None


def repeated(items: Iterable[Hashable]) -> tuple[int, int] | None:
    """Return the positions of the first item that comes twice, counted from 0; None if all differ.

    >>> repeated(["a", "b", "c", "b"])
    (1, 3)
    """
    positions: dict[Hashable, int] = {}
    for position, item in enumerate(items):
        if item in positions:
            return positions[item], position
        positions[item] = position
    return None


def shown(value: object) -> str:
    """Return a value as text for an error message, cut in its middle if it is long.

    >>> shown("yes")
    "'yes'"
    >>> len(shown("9" * 400))
    60
    """
    return _SHORT.repr(value)
