"""Disks that are full or read-only, and files with one bit changed: all of them the real thing."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["fill", "flipped", "read_only", "small_disk"]


def flipped(content: bytes, draw: random.Random, first: int = 0) -> bytes:
    """The content with one bit changed, at or after a byte."""
    changed = bytearray(content)
    changed[draw.randrange(first, len(content))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _mount(*arguments: str) -> None:
    mount = shutil.which("mount")
    if mount is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    done = subprocess.run([mount, *arguments], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a disk cannot be mounted here: {done.stderr.strip()}")


@contextmanager
def small_disk(kilobytes: int = 1024) -> Iterator[Path]:
    """A disk in memory of so many kilobytes; the test is skipped where none can be mounted."""
    with tempfile.TemporaryDirectory(prefix="harness-disk-") as folder:
        _mount("-t", "tmpfs", "-o", f"size={kilobytes}k,mode=777", "tmpfs", folder)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path, left: int = 0) -> Path:
    """Fill a disk up to so many bytes, and return the file that does it."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        while (free := shutil.disk_usage(disk).free - left) > 0:
            file.write(bytes(min(free, 1 << 16)))
    return filler


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """Within the context, nothing can be written to a small disk, by nobody: root neither."""
    _mount("-o", "remount,ro", str(disk))
    try:
        yield
    finally:
        _mount("-o", "remount,rw", str(disk))
