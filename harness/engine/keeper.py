"""What a worker keeps for later: streams of codecs that encode slowly, and what models derive from decoded frames."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.keep.kept import Kept, digest_of
from harness.keep.streams import encode, stream_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.codec import Encoded
    from harness.engine.source import ReadSample
    from harness.unit import Cell

__all__ = ["Keeper"]

WORTH = 20e6
"""Bytes a CPU-second: what was computed more slowly than this is kept, what was faster is made anew each time."""


class Keeper:
    """The cache of one worker process.

    A stream is known by the digest of the frames it codes and by all that decides its bytes (codec, options, level,
    fingerprint), so that every model, training and run that codes the same frames in the same way shares it.
    """

    def __init__(self) -> None:
        self._streams = Kept("encoded")
        self._derived = Kept("derived")

    def problems(self) -> list[str]:
        """Why something could not be kept."""
        return [kept.problem for kept in (self._streams, self._derived) if kept.problem]

    def encode(self, cell: Cell, source: ReadSample) -> tuple[Encoded, float]:
        """A source's stream, and the milliseconds that encoding took, now or when it was first made."""
        frames, fps = source.sample.frames, source.sample.fps
        return encode(cell.codec, frames, cell.level, fps, self._streams, lambda: _stream_key(cell, source))

    def memo(self, cell: Cell, source: ReadSample) -> Memory:
        """Where a model keeps what it derives from the frames of a source, coded and decoded."""
        return Memory(self._derived, cell, source)


class Memory:
    """A memo (`harness.model.Memo`) on disk. What is cheaper to compute than to keep is not kept."""

    def __init__(self, kept: Kept, cell: Cell, source: ReadSample) -> None:
        self._kept = kept
        self._cell = cell
        self._source = source

    def __call__(self, name: str, compute: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        import numpy as np

        key = digest_of("derived 1", _stream_key(self._cell, self._source), name)
        if (payload := self._kept.get(key)) is not None:
            array: NDArray[Any] = np.load(io.BytesIO(payload), allow_pickle=False)
            return array
        started = time.process_time()  # of this process: a busy machine makes nothing worth keeping
        array = compute()
        if array.nbytes < WORTH * (time.process_time() - started):
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            self._kept.put(key, buffer.getvalue())
        return array


def _stream_key(cell: Cell, source: ReadSample) -> str:
    return stream_key(cell.experiment.identity["codec"], source.digest)
