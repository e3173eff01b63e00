"""What the reader of images does by itself, for each format and tag; and the checksums of PNG."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from harness.errors import SampleError
from harness.images import image_size, read_image
from harness.images.orientation import without_orientation

RNG = np.random.default_rng(0)
STORED = np.repeat(np.repeat(RNG.integers(0, 256, (3, 4, 3), dtype=np.uint8), 8, 0), 8, 1)
"""Blocks of 8 pixels: also formats with loss keep which corner is which."""


def orientation_tag(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def xmp(value: int) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{value}"/>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


TAGGED: dict[str, tuple[str, Callable[[int], dict[str, Any]]]] = {
    "TIFF tag": ("a.tif", lambda value: {"tiffinfo": {274: value}}),
    "TIFF tag, LZW": ("a.tif", lambda value: {"tiffinfo": {274: value}, "compression": "tiff_lzw"}),
    "TIFF tag, JPEG": ("a.tif", lambda value: {"tiffinfo": {274: value}, "compression": "jpeg", "quality": 95}),
    "TIFF XMP": ("a.tiff", lambda value: {"tiffinfo": {700: xmp(value)}}),
    "JPEG EXIF": ("a.jpg", lambda value: {"exif": orientation_tag(value), "quality": 95}),
    "JPEG XMP": ("a.jpg", lambda value: {"xmp": xmp(value), "quality": 95}),
    "PNG eXIf": ("a.png", lambda value: {"exif": orientation_tag(value)}),
    "WebP EXIF": ("a.webp", lambda value: {"exif": orientation_tag(value), "lossless": True}),
    "WebP XMP": ("a.webp", lambda value: {"xmp": xmp(value), "lossless": True}),
    "AVIF irot and imir": ("a.avif", lambda value: {"exif": orientation_tag(value), "quality": 95}),
}


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("kind", TAGGED)
def test_no_orientation_is_applied(tmp_path: Path, kind: str, value: int) -> None:
    name, options = TAGGED[kind]
    path = tmp_path / name
    Image.fromarray(STORED).save(path, **options(value))
    frames, _ = read_image(path)
    assert frames.shape == (1, *STORED.shape)
    assert image_size(path) == STORED.shape[:2]
    assert np.abs(frames[0].astype(int) - STORED).mean() <= (0 if options(value).get("quality") is None else 12)
    assert frames.flags.writeable


def test_the_orientation_that_pillow_applies_is_undone_for_all_kinds_of_pixels(tmp_path: Path) -> None:
    deep = RNG.integers(0, 65536, (13, 17), dtype=np.uint16)
    kinds = [(deep, deep >> 8), ((deep >> 8).astype(np.uint8), deep >> 8), (deep > 999, 255 * (deep > 999))]
    path = tmp_path / "a.tif"
    for value in range(1, 9):
        for pixels, expected in kinds:
            Image.fromarray(pixels).save(path, tiffinfo={274: value})
            assert np.array_equal(read_image(path)[0][0, :, :, 0], expected)
            assert image_size(path) == (13, 17)
        for options in ({"big_tiff": True}, {"compression": "tiff_adobe_deflate"}):
            Image.fromarray(STORED).save(path, tiffinfo={274: value}, **options)
            assert np.array_equal(read_image(path)[0][0], STORED)


def test_the_other_byte_order() -> None:
    """TIFF 6.0: "MM" is big-endian. One entry: Orientation, SHORT, one value, 6."""
    entry = (274).to_bytes(2) + (3).to_bytes(2) + (1).to_bytes(4)
    head = b"MM" + (42).to_bytes(2) + (8).to_bytes(4) + (1).to_bytes(2)
    changed = without_orientation(head + entry + (6).to_bytes(2) + bytes(2))
    assert changed == head + entry + (1).to_bytes(2) + bytes(2)


def test_a_turned_tiff_of_two_pages_is_still_refused(tmp_path: Path) -> None:
    image = Image.fromarray(STORED)
    image.save(tmp_path / "a.tif", save_all=True, append_images=[image], tiffinfo={274: 6})
    with pytest.raises(SampleError, match="2 pictures"):
        read_image(tmp_path / "a.tif")


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def with_chunks(path: Path, *chunks: bytes) -> Path:
    """A PNG with chunks right after its header."""
    content = path.read_bytes()
    path.write_bytes(content[:33] + b"".join(chunks) + content[33:])
    return path


@pytest.mark.parametrize(
    "added",
    [
        chunk(b"gAMA", (22727).to_bytes(4, "big")),
        chunk(b"gAMA", (100000).to_bytes(4, "big")),
        chunk(b"sRGB", b"\0"),
        chunk(b"cHRM", np.array([31270, 32900, 64000, 33000, 15000, 6000, 30000, 60000], ">u4").tobytes()),
        chunk(b"pHYs", (1).to_bytes(4, "big") + (2).to_bytes(4, "big") + b"\0"),
        chunk(b"bKGD", b"\0\1\0\2\0\3"),
        chunk(b"sBIT", b"\5\6\5"),
        chunk(b"cICP", b"\x09\x10\x00\x01"),
    ],
    ids=lambda data: data[4:8].decode(),
)
def test_a_png_is_read_as_it_is_stored(tmp_path: Path, added: bytes) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(STORED).save(path)
    with_chunks(path, added)
    assert np.array_equal(read_image(path)[0][0], STORED)
    assert np.array_equal(cv2.imread(str(path))[:, :, ::-1], STORED)


def test_a_colour_profile_is_not_applied(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for name, options in (("a.png", {}), ("a.tif", {}), ("a.webp", {"lossless": True})):
        Image.fromarray(STORED).save(tmp_path / name, icc_profile=profile, **options)
        with Image.open(tmp_path / name) as image:
            assert image.info["icc_profile"] == profile
        assert np.array_equal(read_image(tmp_path / name)[0][0], STORED)


# PNG's checksums


def test_every_changed_bit_of_a_png_is_found(tmp_path: Path) -> None:
    """Pillow alone reads other pixels from some of these files: a map of classes as segmentation has them."""
    path, changed = tmp_path / "a.png", tmp_path / "b.png"
    labels = np.repeat(np.repeat(RNG.integers(0, 30, (24, 32), dtype=np.uint8), 8, 0), 8, 1)
    Image.fromarray(labels).save(path)
    content = path.read_bytes()
    other = 0
    for place in range(0, len(content), 3):
        data = bytearray(content)
        data[place] ^= 1 << place % 8
        changed.write_bytes(data)
        with pytest.raises(SampleError, match=r"b\.png"):
            read_image(changed)
        try:
            with Image.open(changed) as image:
                other += not np.array_equal(np.asarray(image), labels)
        except (OSError, SyntaxError, ValueError):
            pass
    assert other > 0


def test_every_cut_of_a_png_is_refused_and_what_follows_it_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(STORED).save(path)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(SampleError):
            read_image(path)
    path.write_bytes(content + b"more")
    assert np.array_equal(read_image(path)[0][0], STORED)


def test_the_message_names_the_chunk(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(STORED).save(path)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 20] ^= 4
    path.write_bytes(content)
    with pytest.raises(SampleError, match=r"damaged: the checksum of its chunk 'IDAT' at byte 33 is wrong"):
        read_image(path)


def test_the_page_says_what_was_tried_here() -> None:
    root = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
    page = (root / "docs/reference/files.md").read_text("utf-8")
    rows = [
        line.split("|") for line in page.split("## Orientation")[1].split("##")[0].splitlines() if "| nothing" in line
    ]
    assert {row[1].strip() for row in rows} == {kind.split()[0] for kind in TAGGED}
