"""Says of coded packets whether they hold a B picture: one that needs a later picture, stored before it.

Containers with times show by them which pictures are shown before the first key picture. Others (AVI, raw streams) do
not, so the packets are asked.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.video.bits import Bits
from harness.video.nal import length_bytes, nal_units

__all__ = ["between_pictures"]

_START = b"\x00\x00\x01"
_RASL = (8, 9)


def between_pictures(codec: str, extradata: bytes) -> Callable[[bytes], bool]:
    """Return a function that says of a packet of a stream whether it holds a B picture.

    Args:
        codec: libav's name of the codec. Of codecs without B pictures the answer is always no.
        extradata: the stream's global header; empty if there is none.
    """
    if codec in ("h264", "hevc"):
        lengths, answer = length_bytes(codec, extradata), _h264 if codec == "h264" else _hevc
        return lambda packet: answer(nal_units(packet, lengths))
    return {"mpeg1video": _mpeg2, "mpeg2video": _mpeg2, "mpeg4": _mpeg4}.get(codec, lambda _: False)


def _mpeg2(packet: bytes) -> bool:
    """ISO/IEC 13818-2, 6.2.3: the picture header has temporal_reference (10 bits), picture_coding_type (3 bits)."""
    place = packet.find(_START + b"\x00")
    bits = Bits(packet[place + 4 :])
    bits.read(10)
    return place >= 0 and bits.read(3) == 3


def _mpeg4(packet: bytes) -> bool:
    """ISO/IEC 14496-2, 6.2.5: the VOP header begins with vop_coding_type (2 bits)."""
    place = packet.find(_START + b"\xb6")
    return 0 <= place < len(packet) - 4 and packet[place + 4] >> 6 == 2


def _h264(units: list[bytes]) -> bool:
    """ITU-T H.264, 7.3.3: the slice header begins with first_mb_in_slice and slice_type, both as ue(v)."""
    for unit in units:
        if 1 <= unit[0] & 31 <= 5:
            bits = Bits(unit[1:])
            _golomb(bits)
            return _golomb(bits) % 5 == 1
    return False


def _hevc(units: list[bytes]) -> bool:
    """ITU-T H.265, 7.4.2.2: leading pictures that need pictures from before the key picture are RASL pictures."""
    types = [unit[0] >> 1 & 63 for unit in units]
    return next((kind for kind in types if kind < 32), None) in _RASL


def _golomb(bits: Bits) -> int:
    """Read a number coded as ue(v) (H.264, 9.1)."""
    zeros = 0
    while not bits.read(1):
        zeros += 1
        if zeros > 32:
            return 0
    return (1 << zeros) - 1 + bits.read(zeros)
