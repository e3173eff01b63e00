"""Checks the checksums of FFV1, which libavcodec reports but passes over.

RFC 9043: a frame is a sequence of slices. From version 3 on, each slice ends with a footer: the size of the slice
before it in 24 bits, and if the stream has error correction, 8 bits of status and a CRC of 32 bits. The CRC has the
polynomial 0x04C11DB7 and no inversion; it is such that the CRC of the slice with its footer is 0.
"""

from __future__ import annotations

import zlib

__all__ = ["Checker"]

_SIZE, _CHECKED = 3, 8
"""Bytes of a footer without and with error correction."""
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_ALL = 0xFFFF_FFFF


class Checker:
    """Checks the frames of one stream of FFV1, version 3.

    Whether a stream has error correction is coded in its header by arithmetic coding. It is taken from the frames: a
    stream has it if one frame's checksums are right.
    """

    def __init__(self) -> None:
        self._checked: list[bool] = []
        self._sized: list[bool] = []

    def add(self, packet: bytes) -> None:
        """Check a frame."""
        slices = _cut(packet, _CHECKED)
        self._checked.append(slices is not None and all(_crc(part) == 0 for part in slices))
        self._sized.append(self._checked[-1] or _cut(packet, _SIZE) is not None)

    def damaged(self) -> list[bool]:
        """Return for each frame whether it is damaged. Without error correction the slices' sizes are checked only."""
        return [not whole for whole in (self._checked if any(self._checked) else self._sized)]


def _cut(packet: bytes, footer: int) -> list[bytes] | None:
    """Return the slices with their footers, from the last to the first; None if the sizes do not fit the frame."""
    slices, end = [], len(packet)
    while end:
        if end < footer:
            return None
        start = end - footer - int.from_bytes(packet[end - footer : end - footer + _SIZE], "big")
        if start < 0:
            return None
        slices.append(packet[start:end])
        end = start
    return slices


def _crc(data: bytes) -> int:
    """Return the CRC, its bits in reverse order: zlib's is the same on bytes that are reversed, but for inversions."""
    return zlib.crc32(data.translate(_REVERSED), _ALL) ^ _ALL
