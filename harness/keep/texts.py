r"""Texts from outside (ids, names of files, messages of libraries and plugins) in a form that every store can keep.

A text may be anything: a name that is no UTF-8 holds surrogates, which neither SQLite nor PostgreSQL takes; NUL ends a
text in many programs; and the message of an error may be megabytes long.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["ID", "MESSAGE", "storable", "storable_values"]

ID = 500
"""The most characters of a name or an id that are kept."""
MESSAGE = 4000
"""The most characters of a message that are kept."""


def storable(text: object, most: int = ID) -> str:
    r"""Return a text with what cannot be kept as escapes, and cut to a length.

    Different texts stay different: of a text that is cut, the end is a part of its SHA-256. An ordinary text is
    returned as it is.

    Args:
        text: the text; of another object, its text.
        most: the most characters before the text is cut.

    >>> storable("drive\udcff\0")
    'drive\\udcff\\x00'
    >>> storable("a" * 70, 60)
    'aaaaaaaaaaaaaaaaaaa... (70 characters, SHA-256 6bd5e5034855)'
    """
    if not isinstance(text, str):
        try:
            text = str(text)
        except Exception as error:  # noqa: BLE001 - a plugin's object may raise anything, and this is said in its place
            text = f"(a {type(text).__name__} whose text cannot be had: {type(error).__name__})"
    raw = text.encode("utf-8", "backslashreplace")
    kept = raw.decode().replace("\0", "\\x00")
    if len(kept) <= most:
        return kept
    end = f"... ({len(text)} characters, SHA-256 {hashlib.sha256(raw).hexdigest()[:12]})"
    return kept[: max(0, most - len(end))] + end


def storable_values(row: Mapping[str, Any], whole: Collection[str] = (), most: int = ID) -> dict[str, Any]:
    """Return the columns of a row with its texts as `storable` gives them; other values, and the columns `whole`, stay.

    Args:
        row: column -> value.
        whole: columns with texts that are ASCII and must not be cut, such as JSON.
        most: the most characters of a text.
    """
    return {
        name: storable(value, most) if isinstance(value, str) and name not in whole else value
        for name, value in row.items()
    }
