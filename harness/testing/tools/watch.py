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
from pathlib import Path

__all__ = ["watched", "written"]


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


@contextmanager
def watched(patience: float = 1.0) -> Iterator[list[str]]:
    """List what is open at the end and was not at the beginning: files, threads, processes, temporary files.

    Args:
        patience: for how many seconds to wait for what is ending by itself.
    """
    left: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        kept = os.environ.get("TMPDIR"), tempfile.tempdir
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        try:
            before = _open_now()
            yield left
            until = time.monotonic() + patience
            while (more := _more(before, folder)) and time.monotonic() < until:
                time.sleep(0.05)
            left += more
        finally:
            os.environ.pop("TMPDIR")
            if kept[0] is not None:
                os.environ["TMPDIR"] = kept[0]
            tempfile.tempdir = kept[1]


def _open_now() -> dict[str, set[str]]:
    gc.collect()
    threads = {f"{thread.name} ({thread.ident})" for thread in threading.enumerate()}
    return {"file": set(_descriptors()), "thread": threads, "process": set(map(str, _children()))}


def _more(before: dict[str, set[str]], folder: str) -> list[str]:
    now = _open_now()
    found = [f"{what} {one}" for what in now for one in sorted(now[what] - before[what])]
    return found + [f"temporary file {path.name}" for path in sorted(Path(folder).iterdir())]


def _descriptors() -> Iterator[str]:
    """The open file descriptors with what they lead to, where the system tells."""
    folder = Path("/proc/self/fd")
    if folder.is_dir():
        for entry in list(folder.iterdir()):
            with suppress(OSError):
                target = str(entry.readlink())
                if not target.startswith("/proc/"):
                    yield f"{entry.name} -> {target}"


def _children() -> Iterator[int]:
    """The processes that this one has started and that have not been waited for."""
    yield from (child.pid for child in multiprocessing.active_children() if child.pid)
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            yield from map(int, task.read_text().split())
