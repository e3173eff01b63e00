"""The decoder's buffer (VBV): whether the packets of a stream arrive before they are decoded.

The model is the leaky bucket of MPEG-2's video buffering verifier (ISO/IEC 13818-2, annex C, variable rate) and of
H.264's hypothetical reference decoder (ITU-T H.264, annex C). Bits arrive at the channel's rate until the buffer is
full; then the channel waits. Every `1 / fps` seconds the decoder takes one packet out. If the packet has not arrived in
full by then, the buffer underflows: a player stalls.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["BufferRun", "decoder_buffer"]

INITIAL = 0.9
"""The part of the buffer that is full when decoding starts: the default of x264 and x265 (`vbv-init`)."""


@dataclass(frozen=True)
class BufferRun:
    """What became of a buffer while a stream was decoded.

    Args:
        size: the buffer's size in bits.
        lowest: the smallest number of bits that were left after a packet was taken out; negative by the bits that had
            not arrived.
        fullness: the bits in the buffer right before each packet was taken out.
        underflows: the indices of the packets that had not arrived in full when they were to be decoded.
    """

    size: float
    lowest: float
    fullness: tuple[float, ...]
    underflows: tuple[int, ...]


def decoder_buffer(
    packets: Iterable[int], bits_per_second: float, fps: float, seconds: float, initial: float = INITIAL
) -> BufferRun:
    """Run a decoder's buffer over the packets of a stream.

    After an underflow the model goes on with a negative level: the decoder keeps its clock, and what is late stays
    late until the channel has caught up.

    Args:
        packets: the size of each packet in bits, in decoding order; one packet for each displayed frame.
        bits_per_second: the rate of the channel.
        fps: packets that the decoder takes out each second.
        seconds: the buffer's size, in seconds of the channel.
        initial: the part of the buffer that is full when the first packet is taken out, 0 to 1.

    >>> decoder_buffer([900, 100, 100], bits_per_second=1000, fps=10, seconds=1)
    BufferRun(size=1000, lowest=0.0, fullness=(900.0, 100.0, 100.0), underflows=())
    >>> decoder_buffer([500, 700, 100, 0], bits_per_second=1000, fps=10, seconds=1)
    BufferRun(size=1000, lowest=-200.0, fullness=(900.0, 500.0, -100.0, -100.0), underflows=(1, 2, 3))
    """
    size = bits_per_second * seconds
    level = size * initial
    fullness, left = [], []
    for bits in packets:
        fullness.append(level)
        left.append(level - bits)
        level = min(size, level - bits + bits_per_second / fps)
    late = tuple(number for number, bits in enumerate(left) if bits < 0)
    return BufferRun(size, min(left, default=level), tuple(fullness), late)
