"""The standard streams of a command, also where they are closed, or nobody reads them any more."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

__all__ = ["lead_nowhere", "read_or_not", "sound_streams"]


class _Watched:
    """A text stream that remembers whether its reader has left, or why it could not be written.

    Args:
        stream: the stream.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.left = False
        self.failed: OSError | None = None

    def write(self, text: str) -> int:
        """Write to the stream."""
        with self._watching():
            return self._stream.write(text)

    def flush(self) -> None:
        """Flush the stream."""
        with self._watching():
            self._stream.flush()

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            self.left = True
            raise
        except OSError as error:
            self.failed = error
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Forgiving:
    """A text stream to which writing may fail without consequences: messages that nobody can read stop no work.

    Args:
        stream: the stream.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def sound_streams() -> Iterator[_Watched]:
    """A context in which every standard stream can be written to.

    A closed stream (`harness run >&-`) is replaced by one that leads nowhere: otherwise the next file that is opened
    takes its number, and what a library writes to standard error ends in that file. Standard error never fails.

    Yields:
        Standard output, which knows whether its reader has left.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    before = sys.stdin, sys.stdout, sys.stderr
    with open(os.devnull, "r+", encoding="utf-8") as nowhere:  # noqa: PTH123 - not a file
        sys.stdin = sys.stdin or nowhere
        out = _Watched(sys.stdout or nowhere)
        sys.stdout = cast("TextIO", out)
        sys.stderr = cast("TextIO", _Forgiving(sys.stderr or nowhere))
        try:
            yield out
        finally:
            sys.stdin, sys.stdout, sys.stderr = before


@contextlib.contextmanager
def read_or_not() -> Iterator[None]:
    """A context that ends quietly if the reader of standard output leaves (`| head`). Nothing more is written then."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        lead_nowhere()


def lead_nowhere() -> None:
    """Let standard output lead nowhere, so that Python's own exit writes nothing to a closed pipe either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
