"""Reads the length that a video container states: AVI (RIFF), MP4/MOV (ISO base media), Matroska/WebM (EBML).

The stated length reveals truncated files. A file from an incomplete copy or download decodes without an error up to its
end, and the decoder does not know that data are missing. All three containers state their length, in the first bytes or
chunk by chunk.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

__all__ = ["stated_bytes"]

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_ENDLESS = 0xFFFF_FF00
"""A RIFF chunk of this size or more was written before its end was known, so its size means nothing."""
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"moof", b"styp", b"sidx", b"uuid")


def stated_bytes(path: Path) -> int | None:
    """Return the minimum number of bytes that a file should have according to its container; None if unknown.

    RIFF: up to the end of the first RIFF chunk (in AVI, it holds the frames of the first 1 GB). MP4: up to the end of
    the last box that begins within the file. Matroska: up to the end of the segment, unless it was written as a live
    stream.

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
    """Return the position at which the last box of an MP4 or MOV file ends.

    ISO/IEC 14496-12, 4.2: a box begins with its size in 32 bits. A size of 1 means that a size in 64 bits follows the
    box's name; a size of 0 means that the box extends to the end of the file.
    """
    length, position = os.fstat(file.fileno()).st_size, 0
    while position < length:
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            return position + 8
        size = int(struct.unpack(">I", head[:4])[0])
        if size == 1 and len(head) == 16:
            size = int(struct.unpack(">Q", head[8:])[0])
        if size == 0:
            return length
        if size < 8:  # not a box: data after the last box do not belong to the container
            return position
        position += size
    return position


def _end_of_segment(file: BinaryIO) -> int | None:
    """Return the position at which the segment of a Matroska file ends; None if it is unknown.

    RFC 8794, 4 and 5: an element consists of its number, its size as a variable-length integer, and its content.
    """
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
    """Read the next variable-length integer; None if all its bits are set ("unknown"), or at the end of the file."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    rest = file.read(more)
    value = int.from_bytes(bytes([first[0] & (0x7F >> more)]) + rest, "big")
    return None if len(rest) < more or value == (1 << 7 * (more + 1)) - 1 else value
