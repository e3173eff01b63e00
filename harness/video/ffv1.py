"""Checks the checksums of FFV1, which libavcodec reports but passes over.

RFC 9043: a frame is a sequence of slices. From version 3 on, each slice ends with a footer: the size of the slice
before it in 24 bits, and if the stream has error correction, 8 bits of status and a CRC of 32 bits. The CRC has the
polynomial 0x04C11DB7 and no inversion; it is such that the CRC of the slice with its footer is 0.
"""

from __future__ import annotations

import zlib

__all__ = ["slices_are_whole"]

_SIZE, _CHECKED = 3, 8
"""Bytes of a footer without and with error correction."""
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_ALL = 0xFFFF_FFFF


def slices_are_whole(packet: bytes) -> bool:
    """Return whether the sizes of an FFV1 frame's slices fit the frame, and their checksums are right.

    A stream without error correction has no checksums; its slices' sizes are checked only.

    Args:
        packet: a frame of FFV1, version 3.
    """
    slices = _cut(packet, _CHECKED)
    if slices is None:
        return _cut(packet, _SIZE) is not None
    return all(_crc(part) == 0 for part in slices)


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
