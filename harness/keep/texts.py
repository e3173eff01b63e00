r"""Texts from outside (ids, names of files, messages of libraries and plugins) in a form that every store can keep.

A text may be anything: a name that is no UTF-8 holds surrogates, which neither SQLite nor PostgreSQL takes; NUL ends a
text in many programs; and the message of an error may be megabytes long.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from harness.errors import plain_text

__all__ = ["ID", "MESSAGE", "storable", "storable_message", "storable_values", "without_passwords"]

ID = 500
"""The most characters of a name or an id that are kept."""
MESSAGE = 4000
"""The most characters of a message that are kept."""

_CREDENTIALS = re.compile(r"""(\b[a-z][a-z0-9+.-]*://[^\s:/@'"]*):[^\s'"]*@""", re.IGNORECASE)
_PARAMETER = re.compile(r"""([?&][a-z_]*(?:password|passwd|secret|token)=)[^&\s'"]*""", re.IGNORECASE)


def storable(text: object, most: int = ID) -> str:
    """Return a text that every store can keep (`harness.errors.plain_text`), cut to the length of an id.

    Args:
        text: the text; of another object, its text.
        most: the most characters before the text is cut.
    """
    return plain_text(text, most)


def storable_message(text: object, most: int = MESSAGE) -> str:
    """Return a message or a command line as `storable` gives it, with the passwords of URLs hidden."""
    return storable(without_passwords(plain_text(text, 10 * most)), most)


def without_passwords(text: str) -> str:
    """Return a text with the passwords of its URLs hidden: before the host, and as a parameter.

    >>> without_passwords("--db postgresql://me:p@ss/word@host/results?sslpassword=x&connect_timeout=3")
    '--db postgresql://me:***@host/results?sslpassword=***&connect_timeout=3'
    """
    return _PARAMETER.sub(r"\1***", _CREDENTIALS.sub(r"\1:***@", text))


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
