"""The cache of a worker process: streams of slow codecs, and data that models derive from decoded frames."""

from __future__ import annotations

import io
import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.keep.kept import Kept, digest_of
from harness.keep.streams import encode, stream_key
from harness.media.levers import frames_sent
from harness.model import NoMemo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.batches.read_sample import ReadSample
    from harness.codec import Encoded
    from harness.model import Memo
    from harness.unit import Cell

__all__ = ["Keeper"]

WORTH = 50e6
"""Bytes per CPU second. Data computed more slowly than this are cached; other data are computed each time.

Compressing and storing an array of optical flow takes some 300 MB a CPU second, and reading it 400 MB.
"""


class Keeper:
    """The cache of one worker process. The entries are on disk, so that all processes and later runs share them.

    The key of a stream is the digest of its frames and of everything that determines its bytes (codec, options, level,
    fingerprint). So every model, training and run that codes the same frames in the same way uses the same stream.
    """

    def __init__(self) -> None:
        self._streams = Kept("encoded")
        self._derived = Kept("derived")
        self._coding: dict[str, None] = {}

    def problems(self) -> list[str]:
        """Return why streams or derived data could not be stored, and what codecs have to say; usually nothing."""
        return [*(kept.problem for kept in (self._streams, self._derived) if kept.problem), *self._coding]

    def tell(self, note: str) -> None:
        """Add what a codec's user should know to `problems`."""
        self._coding[note] = None

    def encode(self, cell: Cell, source: ReadSample) -> tuple[Encoded, float]:
        """Encode a sample for a cell, or read its stream from the cache.

        Returns:
            The stream, and its encoding time in milliseconds. For a cached stream this is the time of its first
            encoding.
        """
        frames, fps = source.sample.frames, source.sample.fps
        coded = encode(
            cell.codec, frames, cell.level, fps, self._streams, lambda: _stream_key(cell, source), cell.fresh
        )
        self._coding |= dict.fromkeys(cell.codec.problems())
        return coded

    def memo(self, cell: Cell, source: ReadSample) -> Memo:
        """Return the memo in which a model stores data derived from the decoded frames of a sample in a cell.

        Frames that were decoded on the device may have other last bits on another one, so of these nothing is kept.
        """
        if cell.codec.wants_device:
            return NoMemo()
        return Memory(self._derived, cell, source)


class Memory:
    """A memo (`harness.model.Memo`) on disk, compressed.

    Arrays that are cheaper to compute than to store are not stored.
    """

    def __init__(self, kept: Kept, cell: Cell, source: ReadSample) -> None:
        self._kept = kept
        self._cell = cell
        self._source = source

    def __call__(self, name: str, compute: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        import numpy as np

        # What a third-party model derives depends on its source too; other models share what has the same name.
        edited = self._cell.experiment.identity.get("model", {}).get("source")
        key = digest_of("derived 2", _stream_key(self._cell, self._source), name, *([edited] if edited else []))
        payload = None if self._cell.fresh else self._kept.get(key)
        if payload is not None:
            array: NDArray[Any] = np.load(io.BytesIO(zlib.decompress(payload)), allow_pickle=False)
            return array
        started = time.process_time()  # CPU time, which does not depend on the load of the machine
        array = compute()
        if array.nbytes < WORTH * (time.process_time() - started):
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            self._kept.put(key, zlib.compress(buffer.getbuffer(), 1))
        return array


def _stream_key(cell: Cell, source: ReadSample) -> str:
    sent = frames_sent(cell.codec, len(source.sample.frames), source.sample.fps)
    return stream_key(cell.experiment.identity["codec"], source.digest, sent)
