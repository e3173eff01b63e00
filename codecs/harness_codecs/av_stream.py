"""Elementary streams: join packets into one byte string, and remove the encoders' banners.

x264 and x265 write their name, copyright and options into an SEI message of 600 to 2,300 bytes before the first frame
("user data unregistered", ITU-T H.264 D.1.7 and H.265 D.2.7). This banner does not affect the decoded frames, would be
most of the rate of a small image, and is not sent by real cameras. Therefore it is removed from the stream.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator

from harness.errors import CodecError

__all__ = ["join", "split", "without_banner"]

_LENGTH = struct.Struct("<I")
_START_CODE = re.compile(rb"\x00?\x00\x00\x01")
_USER_DATA = 5
# The identifiers (UUIDs) at the start of the banners of x264 and x265.
_BANNERS = (
    bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef"),
    bytes.fromhex("2ca2de09b51747dbbb55a4fe7fc2fc4e"),
)


def join(packets: Iterable[bytes]) -> bytes:
    """Return the packets as one byte string, each after its length in four bytes (framing that is not counted as
    rate)."""
    return b"".join(_LENGTH.pack(len(packet)) + packet for packet in packets)


def split(data: bytes) -> Iterator[bytes]:
    """Yield the packets that `join` joined.

    Raises:
        CodecError: the data end in the middle of a packet.
    """
    position = 0
    while position < len(data):
        begin = position + _LENGTH.size
        end = begin + (_LENGTH.unpack_from(data, position)[0] if begin <= len(data) else 1)
        if end > len(data):
            raise CodecError(f"the stream of {len(data)} bytes ends within a packet.")
        yield data[begin:end]
        position = end


def without_banner(packet: bytes, header: int) -> bytes:
    """Return an H.264 or H.265 packet in byte stream format (Annex B) without the encoder's banner.

    Args:
        packet: NAL units, each after a start code.
        header: size of a NAL unit's header in bytes: 1 in H.264, 2 in H.265.
    """
    if not any(banner in packet for banner in _BANNERS):
        return packet
    starts = [match.span() for match in _START_CODE.finditer(packet)]
    ends = [begin for begin, _ in starts[1:]] + [len(packet)]
    units = [
        packet[begin:end]
        for (begin, payload), end in zip(starts, ends, strict=True)
        if not _is_banner(packet[payload:end], header)
    ]
    return b"".join(units)


def _is_banner(unit: bytes, header: int) -> bool:
    """Return whether a NAL unit is a user-data SEI message that begins with an encoder's identifier."""
    sei = (unit[0] & 0x1F == 6) if header == 1 else (unit[0] >> 1 & 0x3F in (39, 40))
    if not sei or unit[header] != _USER_DATA:
        return False
    position = header + 1
    while unit[position] == 0xFF:  # the size continues in the next byte when this byte is 255
        position += 1
    return unit[position + 1 : position + 17] in _BANNERS
