"""Finds the NAL units in packets of H.264 and HEVC."""

from __future__ import annotations

__all__ = ["length_bytes", "nal_units"]

_START = b"\x00\x00\x01"


def length_bytes(codec: str, extradata: bytes) -> int:
    """Return the number of bytes of a unit's length by a stream's global header; 0 if units have start codes.

    ISO/IEC 14496-15: a header with lengths begins with its version, 1.
    """
    place = {"h264": 4, "hevc": 21}.get(codec)
    if place is None or len(extradata) <= place or extradata[0] != 1:
        return 0
    return (extradata[place] & 3) + 1


def nal_units(packet: bytes, lengths: int) -> list[bytes]:
    """Return the units of a packet, as far as they are whole.

    Args:
        packet: the packet.
        lengths: the number of bytes of a unit's length; 0 if units have start codes.
    """
    if not lengths:
        return [unit for unit in packet.split(_START)[1:] if unit]
    units, place = [], 0
    while place + lengths < len(packet):
        end = place + lengths + int.from_bytes(packet[place : place + lengths], "big")
        units.append(packet[place + lengths : end])
        place = end
    return [unit for unit in units if unit]
