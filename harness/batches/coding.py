"""Codes the samples of one batch: one after the other, or several at once where the codec can."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.batches.desk import Step, enter
from harness.batches.start import plugin_errors
from harness.codec import Codec, ImageCodec
from harness.images.framing import as_many
from harness.media.contract import check_decoded, check_encoded
from harness.media.levers import ReducedCodec, at_phase
from harness.media.quality import squared_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from harness.batches.keeper import Keeper
    from harness.batches.read_sample import ReadSample
    from harness.codec import Encoded
    from harness.unit import Cell

__all__ = ["Coded", "code_at_once", "codes_batches", "encode_decode"]

_BATCHES = ("encode_batch", "decode_batch", "encode_images", "decode_images")


@dataclass(frozen=True)
class Coded:
    """A sample that was coded.

    Args:
        encoded: the stream.
        decoded: uint8[T, H, W, 3], the decoded frames.
        encode_ms: the time of encoding in milliseconds; the sample's share if several were coded at once.
        decode_ms: the same of decoding.
    """

    encoded: Encoded
    decoded: NDArray[np.uint8]
    encode_ms: float
    decode_ms: float


def codes_batches(codec: Codec) -> bool:
    """Return whether a codec codes several samples at once: one that wants the device and has a method for it.

    Codecs in workers code one sample after the other, so that what kills or hangs costs its sample alone.
    """
    own = type(codec.codec if isinstance(codec, ReducedCodec) else codec)
    plain = [getattr(base, name) for base in (Codec, ImageCodec) for name in _BATCHES if hasattr(base, name)]
    return codec.wants_device and any(getattr(own, name) not in plain for name in _BATCHES if hasattr(own, name))


def code_at_once(
    number: int,
    cell: Cell,
    sources: Sequence[ReadSample],
    phases: Mapping[int, float],
    seconds: dict[str, float],
    tell: Callable[[int, BaseException], None],
) -> dict[int, Coded]:
    """Code those samples of a batch at once whose frames have one shape, one rate and one phase of `fps=`.

    Args:
        number: the cell, as its position in the unit's cells.
        cell: the cell.
        sources: the samples.
        phases: the phase of `fps=` of each sample, by its index; empty if no cell has it.
        seconds: the times for encoding and decoding are added to it.
        tell: receives how many samples could not be coded at once, and the error. Each of them may do alone.

    Returns:
        place in `sources` -> the coded sample. Samples that are missing there are to be coded alone.
    """
    found: dict[int, Coded] = {}
    if not codes_batches(cell.codec):
        return found
    groups: dict[Any, tuple[Codec, list[int]]] = {}
    for place, source in enumerate(sources):
        if not source.lost:
            codec = at_phase(cell.codec, phases.get(source.row.index, 0.0)) if phases else cell.codec
            alike = codec, source.sample.frames.shape, source.sample.fps
            groups.setdefault(alike, (codec, []))[1].append(place)
    for codec, places in groups.values():
        if len(places) > 1:
            try:
                coded = _coded(number, codec, cell, [sources[place] for place in places], seconds)
            except plugin_errors() as error:  # an error of a codec fails no sample that can be coded alone
                tell(len(places), error)
            else:
                found |= zip(places, coded, strict=True)
    return found


def _coded(
    number: int, codec: Codec, cell: Cell, sources: Sequence[ReadSample], seconds: dict[str, float]
) -> list[Coded]:
    """Code samples at once."""
    batch, fps, count = [source.sample.frames for source in sources], sources[0].sample.fps, len(sources)
    enter(Step.ENCODE, number, sources[0].row.index)
    begun = time.perf_counter()
    try:
        given = as_many(codec.encode_batch(batch, cell.level, fps), count, f"{codec.name}: encode_batch")
        encoded = [check_encoded(one, frames, fps, codec.name) for one, frames in zip(given, batch, strict=True)]
    finally:
        started = time.perf_counter()
        seconds["encode"] += started - begun
    enter(Step.DECODE, number, sources[0].row.index)
    try:
        back = as_many(codec.decode_batch(encoded), count, f"{codec.name}: decode_batch")
        decoded = [check_decoded(one, frames, codec.name) for one, frames in zip(back, batch, strict=True)]
    finally:
        ended = time.perf_counter()
        seconds["decode"] += ended - started
    times = 1000 * (started - begun) / count, 1000 * (ended - started) / count
    return [Coded(*one, *times) for one in zip(encoded, decoded, strict=True)]


def encode_decode(
    number: int,
    cell: Cell,
    source: ReadSample,
    facts: dict[str, Any],
    keeper: Keeper,
    seconds: dict[str, float],
    coded: Coded | None = None,
) -> NDArray[np.uint8]:
    """Encode and decode a sample, unless it was coded with others; return the decoded frames.

    Bits, squared error and times are put into `facts`, the fields of the sample's row. The times are added to `seconds`
    too. There a stream that was kept costs only its reading.
    """
    frames = source.sample.frames
    if coded is None:
        coded = _coded_alone(number, cell, source, keeper, seconds)
    started = time.perf_counter()
    facts["squared_error"] = None if cell.exact else squared_error(frames, coded.decoded)[0]
    facts |= {"bits": coded.encoded.bits, "encode_ms": coded.encode_ms, "decode_ms": coded.decode_ms}
    seconds["score"] += time.perf_counter() - started
    return coded.decoded


def _coded_alone(number: int, cell: Cell, source: ReadSample, keeper: Keeper, seconds: dict[str, float]) -> Coded:
    enter(Step.ENCODE, number, source.row.index)
    begun = time.perf_counter()
    encoded, encode_ms = keeper.encode(cell, source)
    started = time.perf_counter()
    enter(Step.DECODE, number, source.row.index)
    decoded = check_decoded(cell.codec.decode(encoded), source.sample.frames, cell.codec.name)
    ended = time.perf_counter()
    seconds["encode"] += started - begun
    seconds["decode"] += ended - started
    return Coded(encoded, decoded, encode_ms, 1000 * (ended - started))
