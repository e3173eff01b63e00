"""Keeps TIFF files as they are stored: Pillow turns them by their orientation while it loads them.

Of all formats that are read, only TIFF is turned. Annotations (COCO, VOC) use the coordinates of the stored pixels.

Turning the pixels back is not enough for the tag: where Pillow maps a file into memory, it cuts the pixels of a picture
on its side into lines of the wrong length. So the tag is set to 1 before Pillow sees it. Where a TIFF states an
orientation in XMP only, Pillow turns the loaded picture, and it is turned back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["as_stored", "turned", "without_orientation"]

_ORIENTATION, _SHORT = 0x0112, 3
_CLASSIC, _BIG = 42, 43


def without_orientation(content: bytes) -> bytes:
    """Return a TIFF file with the orientation of its first picture (tag 274) set to 1: as stored.

    TIFF 6.0, section 2: the header says the byte order and where the first directory is; a directory is a number of
    entries, each with tag, type, count and value. In BigTIFF offsets and counts have 8 bytes.
    """
    order: Literal["little", "big"] = "little" if content[:2] == b"II" else "big"
    version = int.from_bytes(content[2:4], order)
    if version not in (_CLASSIC, _BIG):
        return content
    wide = 8 if version == _BIG else 4  # bytes of an offset, and of an entry's count and value
    directory = int.from_bytes(content[wide : 2 * wide], order)
    head = 8 if version == _BIG else 2
    changed = bytearray(content)
    first, size = directory + head, 4 + 2 * wide
    for number in range(int.from_bytes(content[directory:first], order)):
        place = first + number * size
        if place + size > len(content):
            break
        if int.from_bytes(content[place : place + 2], order) == _ORIENTATION:
            value = _SHORT.to_bytes(2, order) + (1).to_bytes(wide, order) + (1).to_bytes(2, order) + bytes(wide - 2)
            changed[place + 2 : place + size] = value
    return bytes(changed)


def turned(image: Image.Image) -> int:
    """Return the orientation (1-8) by which Pillow turns an opened image while it loads it.

    Args:
        image: an image that is opened and not loaded.
    """
    if image.format != "TIFF":
        return 1
    stated = image.getexif().get(_ORIENTATION, 1)
    return int(stated) if stated in range(1, 9) else 1


def as_stored(image: Image.Image, orientation: int) -> Image.Image:
    """Return an image that Pillow has turned as it is stored.

    Args:
        image: the loaded image.
        orientation: what `turned` said before it was loaded.
    """
    from PIL.Image import Transpose

    back = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_90,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_270,
    }.get(orientation)
    return image if back is None else image.transpose(back)
