"""Checks the checksums of PNG files, those of the pixels too: Pillow passes over them.

W3C PNG, 5.3: after its signature, a file is a sequence of chunks: the length of the data (4 bytes), the name (4), the
data, and a CRC of 32 bits over name and data. The chunk IEND is the last one.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from harness.errors import SampleError

__all__ = ["SIGNATURE", "require_whole"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_AROUND = 12
"""Bytes of a chunk beside its data."""


def require_whole(path: Path, data: bytes) -> None:
    """Check every chunk of a PNG file. What follows its last chunk is not part of it.

    Args:
        path: the file, for error messages.
        data: its content.

    Raises:
        SampleError: a checksum is wrong, or the file ends before its last chunk.
    """
    content, place = memoryview(data), len(SIGNATURE)
    while place + _AROUND <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        name, end = bytes(content[place + 4 : place + 8]), place + 8 + length
        if end + 4 > len(content):
            break
        if zlib.crc32(content[place + 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
            raise SampleError(
                f"{path}: damaged: the checksum of its chunk {name.decode('latin-1')!r} at byte {place} is wrong."
            )
        if name == b"IEND":
            return
        place = end + 4
    raise SampleError(f"{path}: cut short: the file ends at byte {len(content)}, before its last chunk (IEND).")
