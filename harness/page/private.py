"""Hides what a page tells of its author's machine: the paths of files, and the names of hosts."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["without_paths"]

_HIDDEN = "\N{HORIZONTAL ELLIPSIS}"
_ABSOLUTE = re.compile(
    r"""
    (?<![\w/.:~\\-])                    # not in the middle of a word, a relative path or an address
    (?:~[\w.-]*|[A-Za-z]:(?=[\\/])|(?=/))  # a home folder, a drive, or the root
    (?:[\\/][^\\/\s'",;:=()\[\]<>|]+)*  # the folders
    [\\/]([^\\/\s'",;:=()\[\]<>|]+)     # the last part is kept
    [\\/]?
    """,
    re.VERBOSE,
)


def without_paths(text: str) -> str:
    """Return a text in which only the last part of each absolute path is left.

    The folder of the user and the current folder are recognised with spaces in their names too. Relative paths and
    addresses on the internet are kept.

    >>> without_paths("harness run --data-root /home/ann/data/coco --weights ~/w/best.pt -d clips/street.mp4")
    'harness run --data-root …/coco --weights …/best.pt -d clips/street.mp4'
    >>> without_paths("weights from https://example.org/a/b.pt at 3/4 of /tmp")
    'weights from https://example.org/a/b.pt at 3/4 of …/tmp'
    """
    for folder in (str(Path.cwd()), str(Path.home())):
        if len(folder) > 1:
            text = text.replace(folder, "~")
    return _ABSOLUTE.sub(rf"{_HIDDEN}/\1", text)
