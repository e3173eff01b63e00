"""Bitrates that are kept: a stream with `rate=abr` or `rate=cbr` is checked, and encoded again with less if it fails.

The encoders' rate control works in one pass and may spend more than it was told: by a factor of 1.1 to 4 on clips of a
few seconds, when the rate is low for the picture. So the harness measures each stream. A stream that spends too much is
replaced by one for which the encoder was told a smaller rate. If none fits, the clip is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.errors import CodecError
from harness_codecs.decoder_buffer import INITIAL, decoder_buffer

__all__ = ["SURPLUS", "Promise", "keep_rate"]

SURPLUS = 1.05
"""With `rate=abr`, a clip has at most this many times the bits that were asked for."""

_TRIES = 8
_SMALLEST = 1.0
"""The encoders take whole kbit/s; less than one cannot be asked for."""


@dataclass(frozen=True)
class Promise:
    """What `rate=abr` or `rate=cbr` promises of a clip.

    Args:
        kbps: the asked bitrate in kbit/s (1000 bits per second).
        fps: frames of the clip per second.
        buffer: with `rate=cbr`, the size of the decoder's buffer in seconds of the bitrate; None with `rate=abr`.
    """

    kbps: float
    fps: float
    buffer: float | None

    def excess(self, packets: Sequence[bytes]) -> tuple[float, str]:
        """Return by which factor a stream should be smaller, and what is wrong with it in words.

        The factor is 1 and the text is empty if the stream keeps the promise; otherwise the factor is below 1.
        """
        sizes = [8 * len(packet) for packet in packets]
        if self.buffer is None:
            spent, asked = sum(sizes), 1000 * self.kbps * len(sizes) / self.fps
            if spent <= SURPLUS * asked:
                return 1.0, ""
            return asked / spent, f"{self._rate(sizes):.4g} kbit/s"
        run = decoder_buffer(sizes, 1000 * self.kbps, self.fps, self.buffer)
        if not run.underflows:
            return 1.0, ""
        missing = -run.lowest / (run.size * INITIAL + 1000 * self.kbps * len(sizes) / self.fps)
        text = (
            f"{self._rate(sizes):.4g} kbit/s, and a decoder's buffer of {self.buffer:g} s runs empty at "
            f"{len(run.underflows)} of {len(sizes)} frames"
        )
        return min(0.95, 1 / (1 + missing)), text

    def _rate(self, sizes: Sequence[int]) -> float:
        return sum(sizes) * self.fps / len(sizes) / 1000


def keep_rate(encode: Callable[[float], list[bytes]], promise: Promise, codec: str) -> list[bytes]:
    """Return the packets of the first stream that keeps its promise.

    Args:
        encode: encodes the clip for a bitrate in kbit/s; returns one packet for each displayed frame.
        promise: what the stream has to keep.
        codec: the codec's name, for the error message.

    Raises:
        CodecError: no stream keeps the promise. The message has the stream that came nearest.
    """
    told, frames = promise.kbps, 0
    found: dict[int, str] = {}
    for attempt in range(_TRIES):
        try:
            packets = encode(told)
        except CodecError:
            if not found:
                raise
            break  # the encoder does not take so small a rate; the message below says what was reached before
        frames = len(packets)
        factor, problem = promise.excess(packets)
        if not problem:
            return packets
        size = sum(map(len, packets))
        # Near their strongest compression, encoders follow by less than they are told.
        told *= 0.5 if size in found else factor ** (1 + attempt // 2)
        found[size] = problem
        if told < _SMALLEST:
            break
    rate = "abr" if promise.buffer is None else "cbr"
    raise CodecError(
        f"{codec} with rate={rate} cannot code this clip of {frames} frames at {promise.fps:g} a second in "
        f"{promise.kbps:g} kbit/s: the least that {codec} gave is {found[min(found)]}. Ask for more kbit/s"
        f"{'' if promise.buffer is None else ' or a larger buffer='}, for smaller pictures (scale=), or for fewer "
        "frames (fps=)."
    )
