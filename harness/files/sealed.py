"""Files that are written whole or not at all, and files that are held against a digest before they are believed.

A sealed file is 32 bytes, the SHA-256 of the rest, and the rest. Whoever reads it gets what was written, or is told
that the file is damaged: a changed bit, a cut, and a file that something else wrote are all found. On processors that
have instructions for it, SHA-256 is faster than the other digests of Python's library: 1.8 GB/s of one core, where
BLAKE2b does 0.7.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

__all__ = ["Content", "read_sealed", "whole_file", "write_sealed", "write_whole"]

Content: TypeAlias = bytes | bytearray | memoryview
DIGEST = 32
"""The length of the digest at the beginning of a sealed file, in bytes."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file beside `path`, which takes its place at the end of the context.

    Missing folders are made. After an error neither the temporary file nor a folder that was made remains, and an older
    file at `path` is as it was.

    Raises:
        OSError: a folder or the file cannot be written.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")  # libraries see the format by the suffix
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        for folder in made:
            with suppress(OSError):  # another process may have put something into it
                folder.rmdir()
        raise


def write_whole(path: Path, *contents: Content, durable: bool = False) -> None:
    """Write a file. Another process, and one that looks after a crash, sees the old file or the whole new one.

    Args:
        path: the file; missing folders are made.
        contents: what is written, one after the other.
        durable: whether to wait until the content is on the disk, so that a power cut cannot leave an empty file.

    Raises:
        OSError: the file cannot be written; then nothing of it remains.
    """
    with whole_file(path) as part, part.open("wb") as file:
        for content in contents:
            file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def write_sealed(path: Path, *contents: Content, durable: bool = False) -> None:
    """Write a sealed file, as `write_whole` does.

    Raises:
        OSError: the file cannot be written; then nothing of it remains.
    """
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    write_whole(path, digest.digest(), *contents, durable=durable)


def read_sealed(path: Path) -> memoryview | None:
    """Return the content of a sealed file; None if the file is damaged, or was never sealed.

    The memory belongs to the caller, and may be written.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        content = memoryview(bytearray(os.fstat(file.fileno()).st_size))
        position = 0
        while position < len(content) and (count := file.readinto(content[position:])):
            position += count
    if position < max(DIGEST, len(content)):
        return None
    rest = content[DIGEST:]
    return rest if hashlib.sha256(rest).digest() == content[:DIGEST] else None
