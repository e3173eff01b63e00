"""JPEG through OpenCV, which needs less time than Pillow and gives the same bytes and pixels.

Both libraries bring their own libjpeg-turbo. Whether these two code alike is tested before OpenCV is used
(`jpeg_self_test`), so which of them codes changes no result, and is no part of an experiment's identity.

Streams that are damaged, or that hold what `encode` never writes, are left to Pillow: the libraries judge them
differently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["JpegVariant", "decode", "encode", "is_as_written"]

_SAMPLING = {"4:4:4": 0x111111, "4:2:2": 0x211111, "4:2:0": 0x221111}
"""OpenCV's numbers for the subsampling (`cv2.IMWRITE_JPEG_SAMPLING_FACTOR_*`)."""

_BUFFER = 1 << 16
"""The smallest buffer for a stream in Pillow, in bytes (`PIL.ImageFile.MAXBLOCK`)."""

_START, _END = b"\xff\xd8", b"\xff\xd9"
# The second bytes of the markers in a stream of ours (ITU-T T.81, table B.1).
_APP0, _TABLES, _SCAN = 0xE0, (0xDB, 0xC4), 0xDA
_BASELINE, _PROGRESSIVE = 0xC0, 0xC2


@dataclass(frozen=True)
class JpegVariant:
    """The options of `jpeg` that choose how libjpeg codes."""

    subsampling: str = "4:2:0"
    progressive: bool = False
    optimize: bool = False


def encode(image: NDArray[np.uint8], quality: int, variant: JpegVariant) -> bytes | None:
    """Encode an image uint8[H, W, 3] (RGB) with OpenCV.

    Return None if OpenCV refuses it, or if Pillow may refuse it: Pillow has to hold a progressive or optimized stream
    as a whole, in a buffer of at least `_BUFFER` bytes, or of one byte for each pixel if those are more.
    """
    import cv2
    import numpy as np

    flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLING[variant.subsampling]]
    flags += [cv2.IMWRITE_JPEG_PROGRESSIVE, int(variant.progressive), cv2.IMWRITE_JPEG_OPTIMIZE, int(variant.optimize)]
    try:
        coded, data = cv2.imencode(".jpg", cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR), flags)
    except cv2.error:
        return None
    held = variant.progressive or variant.optimize
    if not coded or (held and 2 * len(data) > max(_BUFFER, image.shape[0] * image.shape[1])):
        return None
    stream: bytes = data.tobytes()
    return stream


def decode(data: bytes, known: bool = False) -> NDArray[np.uint8] | None:
    """Decode a stream of `encode` to a new array uint8[H, W, 3] (RGB) with OpenCV.

    Return None if the stream is not as `encode` writes it, or if OpenCV cannot decode it.

    Args:
        data: the stream.
        known: whether the stream is known to be as `encode` wrote it, so that it need not be checked.
    """
    import cv2
    import numpy as np

    if not known and not is_as_written(data):
        return None
    in_rgb = getattr(cv2, "IMREAD_COLOR_RGB", None)  # since OpenCV 4.11
    flags = cv2.IMREAD_IGNORE_ORIENTATION | (cv2.IMREAD_COLOR if in_rgb is None else in_rgb)
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if decoded is not None and in_rgb is None:
            decoded = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    except cv2.error:
        return None
    return None if decoded is None else np.asarray(decoded, np.uint8)


def is_as_written(data: bytes) -> bool:
    """Return whether a stream is whole, with three components of 8 bits and only segments that `encode` writes.

    Damage that leaves no trace in the markers is not found: it gives wrong pixels with both libraries, the same ones.
    """
    if not (data.startswith(_START) and data.endswith(_END)):
        return False
    position, code, baseline = len(_START), 0, False
    while code != _SCAN:
        if data[position : position + 1] != b"\xff" or len(data) < position + 4:
            return False
        code, size = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if code in (_BASELINE, _PROGRESSIVE):
            # Precision, height, width, number of components; for each its number and two more bytes.
            precision, numbers = data[position + 4 : position + 5], data[position + 10 : position + 17 : 3]
            if (precision, data[position + 9 : position + 10], numbers) != (b"\x08", b"\x03", b"\x01\x02\x03"):
                return False
            baseline = code == _BASELINE
        elif code not in (_APP0, _SCAN, *_TABLES):
            return False
        position += 2 + size
    return not baseline or not _has_marker(data[position : -len(_END)])


def _has_marker(scan: bytes) -> bool:
    """Return whether the data of a baseline scan has a marker, which is damage: in data, 0xFF is followed by 0.

    The rule is in ITU-T T.81, section B.1.1.5.
    """
    import numpy as np

    values = np.frombuffer(scan + b"\xff", np.uint8)
    return bool(values[np.flatnonzero(values[:-1] == 0xFF) + 1].any())
