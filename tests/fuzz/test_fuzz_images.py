"""Spoilt image files: each gives a frame or a SampleError, never another exception, a crash or a hang."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.errors import SampleError
from harness.images import image_size, read_image
from kit.spoilt import EXAMPLES, fuzz

RNG = np.random.default_rng(0)
COLOUR = np.repeat(np.repeat(RNG.integers(0, 256, (5, 6, 3), dtype=np.uint8), 4, 0), 4, 1)
FILES: dict[str, tuple[Any, dict[str, Any]]] = {
    "rgb.png": (COLOUR, {}),
    "palette.png": (Image.fromarray(COLOUR).quantize(8), {"transparency": 3}),
    "deep.png": (COLOUR[:, :, 0].astype(np.uint16) * 257, {}),
    "texts.png": (COLOUR, {"icc_profile": b"profile" * 9, "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0"}),
    "a.jpg": (COLOUR, {"quality": 90}),
    "progressive.jpg": (COLOUR, {"progressive": True, "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0"}),
    "cmyk.jpg": (Image.fromarray(COLOUR).convert("CMYK"), {}),
    "a.tif": (COLOUR, {"tiffinfo": {274: 6}}),
    "lzw.tif": (COLOUR, {"compression": "tiff_lzw", "tiffinfo": {274: 3}}),
    "jpeg.tif": (COLOUR, {"compression": "jpeg"}),
    "deflate.tif": (COLOUR, {"compression": "tiff_adobe_deflate", "big_tiff": True}),
    "fax.tif": (COLOUR[:, :, 0] > 99, {"compression": "group4"}),
    "a.webp": (COLOUR, {}),
    "lossless.webp": (COLOUR, {"lossless": True}),
    "a.avif": (COLOUR, {"speed": 10}),
    "a.jp2": (COLOUR, {}),
    "a.gif": (Image.fromarray(COLOUR).quantize(16), {}),
    "a.bmp": (COLOUR, {}),
    "a.ppm": (COLOUR, {}),
}


def read(path: Path) -> None:
    frames, source = read_image(path)
    assert frames.dtype == np.uint8
    assert frames.ndim == 4
    assert frames.shape[0] == 1
    assert frames.shape[3] == 3
    assert frames.shape[1:3] == image_size(path)
    assert source.bytes == path.stat().st_size


@pytest.mark.parametrize("name", FILES)
def test_spoilt_images_are_read_or_refused(tmp_path: Path, name: str) -> None:
    pixels, options = FILES[name]
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    path = tmp_path / name
    image.save(path, **options)
    found = fuzz(path, path.read_bytes(), read)
    print(f"fuzz {name}: {dict(found)}")
    assert found.total() >= EXAMPLES / 2
    assert found["refused"] > 0


@pytest.mark.parametrize("head", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0+", b"GIF89a", b"RIFF"])
def test_junk_is_refused(tmp_path: Path, head: bytes) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    @given(tail=st.binary(max_size=200))
    def try_one(tail: bytes) -> None:
        path = tmp_path / "junk.png"
        path.write_bytes(head + tail)
        with pytest.raises(SampleError, match=r"junk\.png"):
            read_image(path)
        with suppress(SampleError):
            image_size(path)

    try_one()
