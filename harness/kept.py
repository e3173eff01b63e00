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

from harness.cache import cache_dir
from harness.codec import Encoded

if TYPE_CHECKING:
    from pathlib import Path

    from harness.codec import Frames

__all__ = ["Kept", "digest_of", "frames_digest", "pack", "unpack"]

_DIGEST = 32


class Kept:
    """Entries of one kind, in a folder of that name under the cache folder.

    Args:
        kind: the folder's name.

    Attributes:
        problem: why nothing can be kept (a full disk, a folder that cannot be written); None while all is well. After
            the first failure nothing more is tried.
    """

    def __init__(self, kind: str) -> None:
        self.folder = cache_dir() / kind
        self.problem: str | None = None

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
        if self.problem:
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

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key


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


def unpack(payload: bytes) -> tuple[Encoded, dict[str, Any]]:
    """What `pack` was given."""
    header, _, data = payload.partition(b"\n")
    values = json.loads(header)
    facts: dict[str, Any] = values.pop("facts")
    return Encoded(data=data, **values), facts
