"""Whether a video file is as long as its container says: AVI (RIFF), MP4/MOV (ISO base media), Matroska/WebM (EBML).

A file whose copying or download was broken off still decodes up to where it ends, and nothing tells a decoder that
more should have come. All three containers state their own length, in their first bytes or chunk by chunk.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

__all__ = ["stated_bytes"]

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_ENDLESS = 0xFFFF_FF00
"""From this size on a RIFF chunk is one that was written without knowing where it ends."""
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"moof", b"styp", b"sidx", b"uuid")


def stated_bytes(path: Path) -> int | None:
    """How many bytes a file should at least have, by what its container says; None where it does not say.

    RIFF: the first RIFF chunk (that of the frames up to 1 GB in AVI). MP4: the last box that begins within the file.
    Matroska: the segment, unless it was written as a live stream.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] == b"RIFF" and len(start) == 12:
            size = int(struct.unpack("<I", start[4:8])[0])
            return None if size >= _ENDLESS else 8 + size
        if start[4:8] in _BOXES:
            return _end_of_boxes(file)
        if start[:4] == _EBML:
            return _end_of_segment(file)
    return None


def _end_of_boxes(file: BinaryIO) -> int:
    """ISO/IEC 14496-12, 4.2: a box's size is 32 bits; 1 says that 64 bits follow its name, 0 that the file ends it."""
    length, place = os.fstat(file.fileno()).st_size, 0
    while place < length:
        file.seek(place)
        head = file.read(16)
        if len(head) < 8:
            return place + 8
        size = int(struct.unpack(">I", head[:4])[0])
        if size == 1 and len(head) == 16:
            size = int(struct.unpack(">Q", head[8:])[0])
        if size == 0:
            return length
        if size < 8:  # no box: what stands behind the last one is not the container's
            return place
        place += size
    return place


def _end_of_segment(file: BinaryIO) -> int | None:
    """RFC 8794, 4 and 5: an element is its number, its size as a variable-length integer, and its content."""
    file.seek(4)
    header = _variable_length(file)
    if header is None:
        return None
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return None
    size = _variable_length(file)
    return None if size is None else file.tell() + size


def _variable_length(file: BinaryIO) -> int | None:
    """The next variable-length integer; None where all its bits are set ("unknown"), or at the file's end."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    rest = file.read(more)
    value = int.from_bytes(bytes([first[0] & (0x7F >> more)]) + rest, "big")
    return None if len(rest) < more or value == (1 << 7 * (more + 1)) - 1 else value
