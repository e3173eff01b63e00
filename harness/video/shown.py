"""Says of coded packets whether they hold a picture that is shown, without decoding them.

Most packets hold one picture. The exceptions: placeholders of MPEG-4 Part 2 that repeat a picture (N-VOPs) and AVI
chunks without content, hidden reference pictures of VP8 and VP9, and packets of H.264 and HEVC without a slice.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.video.bits import Bits
from harness.video.nal import length_bytes, nal_units

__all__ = ["shows_picture"]

_VOP, _EMPTY = b"\x00\x00\x01\xb6", 1
_PLACEHOLDER = 19
"""The largest N-VOP in bytes; libavcodec's limit (MAX_NVOP_SIZE)."""
_SMALL = 64
"""Packets of H.264 and HEVC of more bytes than this hold a slice."""
_EXTENDED_SHAPE = 15


def shows_picture(codec: str, container: str, extradata: bytes) -> Callable[[bytes], bool]:
    """Return a function that is called with each packet of a stream in order, and says whether it shows a picture.

    Args:
        codec: libav's name of the codec.
        container: libav's names of the container format, with commas.
        extradata: the stream's global header; empty if there is none.
    """
    if codec == "mpeg4":
        inner: Callable[[bytes], bool] = _Mpeg4(extradata)
    elif codec in ("h264", "hevc"):
        inner = _slices(codec, extradata)
    else:
        inner = {"vp8": _vp8, "vp9": _vp9}.get(codec, lambda _: True)
    if container == "avi":
        return lambda packet: len(packet) > _EMPTY and inner(packet)
    return inner


def _vp8(packet: bytes) -> bool:
    """RFC 6386, 9.1: bit 4 of the first byte is show_frame."""
    return bool(packet) and bool(packet[0] & 0x10)


def _vp9(packet: bytes) -> bool:
    """VP9 bitstream specification, 6.2 and annex B: a superframe ends with a shown frame; else show_frame counts."""
    if not packet or packet[-1] >> 5 == 0b110:  # the marker of a superframe's index
        return bool(packet)
    bits = Bits(packet)
    bits.read(2)  # frame_marker
    profile = bits.read(1) + 2 * bits.read(1)
    bits.read(profile == 3)
    if bits.read(1):  # show_existing_frame
        return True
    bits.read(1)  # frame_type
    return bool(bits.read(1))


def _slices(codec: str, extradata: bytes) -> Callable[[bytes], bool]:
    """Return whether a packet holds a slice: a NAL unit of type 1 to 5 (H.264), or below 32 (HEVC)."""
    lengths = length_bytes(codec, extradata)

    def coded(packet: bytes) -> bool:
        if len(packet) > _SMALL:
            return True
        heads = [unit[0] for unit in nal_units(packet, lengths)]
        if codec == "h264":
            return any(1 <= head & 31 <= 5 for head in heads)
        return any(head >> 1 & 63 < 32 for head in heads)

    return coded


class _Mpeg4:
    """MPEG-4 Part 2 (ISO/IEC 14496-2), with the packets of two pictures that DivX and Xvid write into AVI files.

    A placeholder stands for the second picture of an earlier packet. Another placeholder shows no picture.
    """

    def __init__(self, extradata: bytes) -> None:
        self._time_bits = _time_bits(extradata)
        self._owed = 0

    def __call__(self, packet: bytes) -> bool:
        if self._time_bits is None:
            self._time_bits = _time_bits(packet)
        if len(packet) <= _PLACEHOLDER and not self._coded(packet):
            owed, self._owed = self._owed, max(0, self._owed - 1)
            return owed > 0
        self._owed += max(0, packet.count(_VOP) - 1)
        return True

    def _coded(self, packet: bytes) -> bool:
        """Return the bit vop_coded; true if the header cannot be read."""
        place = packet.find(_VOP)
        if place < 0 or self._time_bits is None:
            return True
        bits = Bits(packet[place + 4 :])
        bits.read(2)  # vop_coding_type
        while bits.read(1):  # modulo_time_base
            pass
        bits.read(1 + self._time_bits + 1)  # between marker bits
        return bool(bits.read(1))


def _time_bits(data: bytes) -> int | None:
    """Return the number of bits of vop_time_increment from a VOL header; None if there is none in the data."""
    for kind in range(0x20, 0x30):
        place = data.find(b"\x00\x00\x01" + bytes([kind]))
        if place >= 0:
            break
    else:
        return None
    bits = Bits(data[place + 4 :])
    bits.read(1 + 8)  # random_accessible_vol, video_object_type_indication
    version = 1
    if bits.read(1):  # is_object_layer_identifier
        version = bits.read(4)
        bits.read(3)
    if bits.read(4) == _EXTENDED_SHAPE:  # aspect_ratio_info
        bits.read(16)
    if bits.read(1):  # vol_control_parameters
        bits.read(2 + 1)
        if bits.read(1):
            bits.read(79)
    if bits.read(2) == 3 and version != 1:  # video_object_layer_shape: grey
        bits.read(4)
    bits.read(1)
    return max(1, (bits.read(16) - 1).bit_length())
