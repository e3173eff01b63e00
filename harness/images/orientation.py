"""Keeps TIFF files as they are stored: Pillow turns them by their orientation while it loads them.

Of all formats that are read, only TIFF is turned. Annotations (COCO, VOC) use the coordinates of the stored pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["as_stored", "stored_size", "turned"]

_ORIENTATION, _WIDTH, _LENGTH = 0x0112, 256, 257


def turned(image: Image.Image) -> int:
    """Return the orientation (1-8; TIFF 6.0, tag 274) by which Pillow turns an opened image while it loads it.

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


def stored_size(image: Image.Image) -> tuple[int, int]:
    """Return the width and the height of the stored pixels of an opened image."""
    from PIL.TiffImagePlugin import TiffImageFile

    if isinstance(image, TiffImageFile):
        return int(image.tag_v2[_WIDTH]), int(image.tag_v2[_LENGTH])
    return image.size
