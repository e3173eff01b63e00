"""A cache on disk for results that are expensive to compute. The key is the digest of everything they depend on.

Each entry is one sealed file (`harness.files.sealed`), which is written completely or not at all. An entry that was
truncated or changed counts as missing, and is computed again. Users may delete any entry at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.codec import Encoded
from harness.errors import UsageError
from harness.files import cache_dir, note_damage, read_sealed, write_sealed

if TYPE_CHECKING:
    from pathlib import Path

    from harness.codec import Frames

__all__ = ["Kept", "digest_of", "frames_digest", "pack_stream", "size_of", "unpack_stream"]

_LIMIT = 20.0
"""The default limit for each kind of entry, in gigabytes. `HARNESS_CACHE_LIMIT` in the environment overrides it."""
_RECOUNT = 1e9
"""After writing this many bytes, a process measures again how much all processes together have stored."""


class Kept:
    """The cached entries of one kind, in a folder under the cache folder.

    Args:
        kind: the kind of the entries, which is also the folder's name.

    Attributes:
        limit: the maximum size of all entries of this kind, in bytes, from the environment variable
            `HARNESS_CACHE_LIMIT` (in gigabytes). An entry that would exceed it is not stored. Several processes
            together may exceed it a little.
        problem: why no more entries can be stored (the limit, a full disk, a folder that cannot be written); None if
            there is no problem. After the first problem nothing more is stored.
    """

    def __init__(self, kind: str) -> None:
        self.folder = cache_dir() / kind
        self.limit = _limit()
        self.problem: str | None = None
        self._measured = -1.0
        self._written = 0.0

    def get(self, key: str) -> bytes | None:
        """Return the entry with this key; None if there is none, or if its file is damaged."""
        try:
            content = read_sealed(self._path(key))
        except OSError:
            return None
        if content is None:
            note_damage(self._path(key), f"{self.folder.name} data", self.folder)
            return None
        return bytes(content)

    def put(self, key: str, payload: bytes) -> None:
        """Store an entry. If it cannot be stored, set `problem` instead of raising an error."""
        if self.problem or self._full(len(payload)):
            return
        try:
            write_sealed(self._path(key), payload)
        except OSError as error:
            self.problem = f"nothing can be kept in {self.folder}, and is made anew each time: {error}"

    def _full(self, more: int) -> bool:
        """Return whether `more` additional bytes would exceed the limit; if so, set `problem`."""
        if self._measured < 0 or self._written > _RECOUNT:
            self._measured, self._written = float(size_of(self.folder)), 0.0
        self._written += more
        if self._measured + self._written <= self.limit:
            return False
        self.problem = (
            f"{self.folder} has reached {self.limit / 1e9:g} GB: nothing more is kept there. Delete it, or allow more "
            "with HARNESS_CACHE_LIMIT (gigabytes)."
        )
        return True

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key


def size_of(folder: Path) -> int:
    """Return the total size, in bytes, of all files in a folder; 0 if the folder does not exist.

    Files that are deleted during the count are not counted.
    """
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _limit() -> float:
    """Return the limit for each kind of entry, in bytes.

    Raises:
        UsageError: HARNESS_CACHE_LIMIT is not a number of gigabytes.
    """
    value = os.environ.get("HARNESS_CACHE_LIMIT", "")
    try:
        gigabytes = float(value) if value else _LIMIT
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < float("inf"):
        raise UsageError(f"HARNESS_CACHE_LIMIT is {value!r}: gigabytes are expected, such as 20, or 0 to keep nothing.")
    return gigabytes * 1e9


def digest_of(*facts: Any) -> str:
    """Return the SHA-256 (hex) of plain JSON values."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def frames_digest(frames: Frames, fps: float | None) -> str:
    """Return the SHA-256 (hex) of an encoder's input: frames uint8[T, H, W, 3] and their frame rate."""
    import numpy as np

    digest = hashlib.sha256(np.ascontiguousarray(frames).data)
    digest.update(json.dumps([list(frames.shape), fps]).encode())
    return digest.hexdigest()


def pack_stream(encoded: Encoded, facts: Mapping[str, Any]) -> bytes:
    """Convert an encoded stream and further facts (plain JSON values) to bytes; `unpack_stream` does the reverse.

    >>> unpack_stream(pack_stream(Encoded(b"stream", 48, 1, 2, 3, None), {"encode_ms": 0.5}))
    (Encoded(data=b'stream', bits=48, frames=1, height=2, width=3, fps=None), {'encode_ms': 0.5})
    """
    header = {**asdict(encoded), "facts": dict(facts)}
    data: bytes = header.pop("data")
    return json.dumps(header).encode() + b"\n" + data


def unpack_stream(payload: bytes) -> tuple[Encoded, dict[str, Any]] | None:
    """Return the stream and the facts that `pack_stream` converted; None if another version wrote other fields."""
    header, _, data = payload.partition(b"\n")
    try:
        values = json.loads(header)
        facts: dict[str, Any] = values.pop("facts")
        return Encoded(data=data, **values), facts
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
