"""Decodes image files to RGB frames; `harness.images` describes how the pixels are converted."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.dataset import Source
from harness.errors import SampleError
from harness.images.jpeg_quality import estimate_quality
from harness.images.orientation import as_stored, turned, without_orientation
from harness.images.png import SIGNATURE, require_whole

if TYPE_CHECKING:
    from PIL import Image

    from harness.codec import Frames
    from harness.options import Value

__all__ = ["decoders", "image_size", "read_image", "stored_content"]

_DIRECT = ("RGB", "L", "1", "P", "CMYK", "YCbCr", "RGBX")
_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")
_SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N")


def read_image(path: Path) -> tuple[Frames, Source]:
    """Decode an image file to one RGB frame.

    Returns:
        The frame, uint8[1, H, W, 3], and how the file is stored: its format in lower case, its size in bytes, and the
        estimated quality of a JPEG.

    Raises:
        SampleError: the file is missing, damaged or truncated, or it is of a kind that is refused (see
            `harness.images`). The message says which.
    """
    import numpy as np

    with _opened(path) as image:
        if image.format == "PNG":
            require_whole(path, path.read_bytes())
        orientation = turned(image)
        image.load()
        pixels = np.array(as_stored(_rgb(image, path), orientation))
        form = _format(image)
        tables = getattr(image, "quantization", None) if form == "jpeg" else None
        source = Source(form, path.stat().st_size, estimate_quality(tables) if tables else None)
    return pixels[None], source


def image_size(path: Path) -> tuple[int, int]:
    """Return the height and the width of an image in pixels. Only the file's header is read.

    Raises:
        SampleError: the file is missing, or it is not an image.
    """
    with _opened(path) as image:
        width, height = image.size
    return height, width


def stored_content(path: Path) -> bytes:
    """Return the content of an image file for another decoder: checked if it is a PNG, and of a TIFF as it is stored.

    Raises:
        SampleError: the file is a damaged PNG.
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    if content.startswith(SIGNATURE):
        require_whole(path, content)
    return without_orientation(content) if content[:2] in (b"II", b"MM") else content


REVISION = 2
"""Raised when the same file gives other frames than before. Above 1 it is part of what `decoders` returns."""


def decoders() -> Mapping[str, Value]:
    """Return the versions of Pillow and of its decoding libraries; None for a library that this Pillow lacks."""
    import PIL
    from PIL import features

    libraries = {"libjpeg": "jpg", "libjpeg_turbo": "libjpeg_turbo", "zlib": "zlib", "libwebp": "webp"}
    libraries |= {"libtiff": "libtiff", "openjpeg": "jpg_2000"}
    versions = {name: features.version(feature) for name, feature in libraries.items()}
    revision = {"reader": REVISION} if REVISION > 1 else {}
    return {"pillow": PIL.__version__, **versions, "mozjpeg": bool(features.check("mozjpeg")), **revision}


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    from PIL import Image

    # Pillow's readers raise these errors for damaged files; Pillow does not wrap them in an error of its own.
    damaged = (
        *(SyntaxError, ValueError, EOFError, struct.error, zlib.error, LookupError, ArithmeticError),
        *(TypeError, MemoryError, RuntimeError, AttributeError, AssertionError),
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                if turned(image) == 1:
                    yield image
                    return
            with Image.open(io.BytesIO(without_orientation(path.read_bytes()))) as image:
                yield image
    except Image.DecompressionBombError as error:
        raise SampleError(f"{path}: refused, it would unpack to too many pixels ({error}).") from error
    except FileNotFoundError as error:
        raise SampleError(f"{path}: there is no such file.") from error
    except (OSError, *damaged) as error:
        raise SampleError(f"{path}: cannot be decoded ({error or type(error).__name__}).") from error


def _format(image: Image.Image) -> str:
    """Return the format in lower case. An MPO file (from some cameras) is a JPEG with a second image at its end."""
    form = (image.format or "unknown").lower()
    return "jpeg" if form == "mpo" else form


def _rgb(image: Image.Image, path: Path) -> Image.Image:
    """Return the image in RGB, 8 bits a channel; raise a SampleError for images that are refused."""
    from PIL import Image

    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise SampleError(f"{path}: holds {getattr(image, 'n_frames', 1)} pictures; one was expected.")
    if image.mode in _SIXTEEN:
        return Image.fromarray(_upper_bits(image)).convert("RGB")
    if image.mode in _ALPHA or image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] != 255:
            raise SampleError(f"{path}: has transparent pixels; flatten it on the background you want.")
        return image.convert("RGB")
    if image.mode not in _DIRECT:
        raise SampleError(f"{path}: pixels of the kind {image.mode!r}; 8 bits, or 16 bits of grey, were expected.")
    return image if image.mode == "RGB" else image.convert("RGB")


def _upper_bits(image: Image.Image) -> Frames:
    import numpy as np

    return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
