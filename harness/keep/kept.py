"""What was costly to make and can be made again: kept in the cache folder under the digest of what it was made from.

An entry is a file of its own, whole or not there. Its first 32 bytes are the SHA-256 of the rest: a file that was cut
short or altered is as good as none, and is made anew. Anybody may delete any of it at any time.
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
from harness.files.cache import cache_dir

if TYPE_CHECKING:
    from pathlib import Path

    from harness.codec import Frames

__all__ = ["Kept", "digest_of", "frames_digest", "pack", "size_of", "unpack"]

_DIGEST = 32
_LIMIT = 20.0
"""Gigabytes of each kind, where the environment's `HARNESS_CACHE_LIMIT` says nothing else."""
_RECOUNT = 1e9
"""After so many bytes of its own, a process counts again what all have kept."""


class Kept:
    """Entries of one kind, in a folder of that name under the cache folder.

    Args:
        kind: the folder's name.

    Attributes:
        limit: bytes of this kind; what would exceed it is not kept (other processes may go a little beyond it). From
            the environment's `HARNESS_CACHE_LIMIT`, in gigabytes.
        problem: why nothing more can be kept (the limit, a full disk, a folder that cannot be written); None while all
            is well. After the first failure nothing more is tried.
    """

    def __init__(self, kind: str) -> None:
        self.folder = cache_dir() / kind
        self.limit = _limit()
        self.problem: str | None = None
        self._known = -1.0
        self._own = 0.0

    def get(self, key: str) -> bytes | None:
        """The entry; None where there is none, or none that is whole."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        payload = content[_DIGEST:]
        return payload if hashlib.sha256(payload).digest() == content[:_DIGEST] else None

    def put(self, key: str, payload: bytes) -> None:
        """Keep an entry; what prevents it is told by `problem`."""
        if self.problem or self._full(len(payload)):
            return
        path = self._path(key)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(hashlib.sha256(payload).digest() + payload)
            part.replace(path)
        except OSError as error:
            self.problem = f"nothing can be kept in {self.folder}, and is made anew each time: {error}"
            with suppress(OSError):
                part.unlink()

    def _full(self, more: int) -> bool:
        """Whether so many bytes more would exceed the limit; then `problem` says so."""
        if self._known < 0 or self._own > _RECOUNT:
            self._known, self._own = float(size_of(self.folder)), 0.0
        self._own += more
        if self._known + self._own <= self.limit:
            return False
        self.problem = (
            f"{self.folder} has reached {self.limit / 1e9:g} GB: nothing more is kept there. Delete it, or allow more "
            "with HARNESS_CACHE_LIMIT (gigabytes)."
        )
        return True

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder; 0 where there is none. Files that vanish meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _limit() -> float:
    """Bytes of each kind that may be kept.

    Raises:
        UsageError: HARNESS_CACHE_LIMIT is no number.
    """
    asked = os.environ.get("HARNESS_CACHE_LIMIT", "")
    try:
        gigabytes = float(asked) if asked else _LIMIT
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < float("inf"):
        raise UsageError(f"HARNESS_CACHE_LIMIT is {asked!r}: gigabytes are expected, such as 20, or 0 to keep nothing.")
    return gigabytes * 1e9


def digest_of(*facts: Any) -> str:
    """SHA-256 (hex) of plain JSON values."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def frames_digest(frames: Frames, fps: float | None) -> str:
    """SHA-256 (hex) of frames uint8[T, H, W, 3] and their rate: what an encoder is given."""
    import numpy as np

    found = hashlib.sha256(np.ascontiguousarray(frames).data)
    found.update(json.dumps([list(frames.shape), fps]).encode())
    return found.hexdigest()


def pack(encoded: Encoded, facts: Mapping[str, Any]) -> bytes:
    """What an encoder made, with further facts (plain JSON values), as bytes.

    >>> unpack(pack(Encoded(b"stream", 48, 1, 2, 3, None), {"encode_ms": 0.5}))
    (Encoded(data=b'stream', bits=48, frames=1, height=2, width=3, fps=None), {'encode_ms': 0.5})
    """
    header = {**asdict(encoded), "facts": dict(facts)}
    data: bytes = header.pop("data")
    return json.dumps(header).encode() + b"\n" + data


def unpack(payload: bytes) -> tuple[Encoded, dict[str, Any]] | None:
    """What `pack` was given; None for what another version packed in another way."""
    header, _, data = payload.partition(b"\n")
    try:
        values = json.loads(header)
        facts: dict[str, Any] = values.pop("facts")
        return Encoded(data=data, **values), facts
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
