"""Watches what a plugin does to the process it is in: what it writes, and what it leaves open."""

from __future__ import annotations

import gc
import io
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Opened", "left_open", "written"]


@contextmanager
def written() -> Iterator[list[str]]:
    """Catch what is written to the standard streams, by Python or below it; the list has it afterwards."""
    texts: list[str] = []
    before = sys.stdout, sys.stderr
    for stream in before:
        stream.flush()
    kept = [os.dup(number) for number in (1, 2)]
    above = io.StringIO()
    with tempfile.TemporaryFile() as below:
        for number in (1, 2):
            os.dup2(below.fileno(), number)
        sys.stdout = sys.stderr = above
        try:
            yield texts
        finally:
            sys.stdout, sys.stderr = before
            for number, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, number)
                os.close(copy)
            below.seek(0)
            texts += [text for text in (above.getvalue(), below.read().decode(errors="replace")) if text.strip()]


@dataclass(frozen=True)
class Opened:
    """What a process has open: file descriptors, threads, child processes, files in the folder for temporary files."""

    files: frozenset[str]
    threads: frozenset[str]
    children: frozenset[int]
    temporary: frozenset[str]

    @classmethod
    def now(cls) -> Opened:
        """Return what this process has open now."""
        gc.collect()
        threads = frozenset(f"{thread.name} ({thread.ident})" for thread in threading.enumerate())
        return cls(frozenset(_descriptors()), threads, frozenset(_children()), frozenset(_temporary()))


def left_open(before: Opened, patience: float = 1.0) -> str:
    """Return in words what is open now and was not before; "" if there is nothing.

    Args:
        before: what was open before.
        patience: for how many seconds to wait for what is ending by itself.
    """
    until = time.monotonic() + patience
    while words := _more(before, Opened.now()):
        if time.monotonic() > until:
            return words
        time.sleep(0.05)
    return ""


def _more(before: Opened, now: Opened) -> str:
    found = []
    for what in ("files", "threads", "children", "temporary"):
        if more := getattr(now, what) - getattr(before, what):
            found.append(f"{what}: {', '.join(sorted(map(str, more))[:3])}")
    return "; ".join(found)


def _descriptors() -> Iterator[str]:
    """The open file descriptors with what they lead to, where the system tells."""
    folder = Path("/proc/self/fd")
    if folder.is_dir():
        for entry in list(folder.iterdir()):
            with suppress(OSError):
                target = os.readlink(entry)
                if not target.startswith("/proc/"):
                    yield f"{entry.name} -> {target}"


def _children() -> Iterator[int]:
    """The processes that this one has started and that have not been waited for."""
    yield from (child.pid for child in multiprocessing.active_children() if child.pid)
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            yield from map(int, task.read_text().split())


def _temporary() -> Iterator[str]:
    """Files of this user in the folder for temporary files whose names Python's `tempfile` has made."""
    prefix = tempfile.gettempprefix()
    with suppress(OSError):
        yield from (entry.name for entry in os.scandir(tempfile.gettempdir()) if entry.name.startswith(prefix))
