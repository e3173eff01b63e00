"""Pictures that are converted by way of planes have the pixels of packed RGB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from harness.video import colour, merge_planes, same_in_planes
from harness.video.colour import Converter
from kit.pictures import noise

FLAGS = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT
FORMATS = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p")


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What was found is forgotten before and after."""
    colour._same_in_planes.cache_clear()
    yield
    colour._same_in_planes.cache_clear()


def picture(pix_fmt: str, height: int, width: int, matrix: int = 1, full: bool = False) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, pix_fmt)
    for number, plane in enumerate(frame.planes):
        plane.update(noise(plane.buffer_size, seed=number).tobytes())
    frame.colorspace, frame.color_range = matrix, ColorRange.JPEG if full else ColorRange.MPEG
    return frame


def packed(frame: av.VideoFrame, full: bool) -> np.ndarray:
    """The conversion that `harness.video` describes, to packed RGB."""
    converted = VideoReformatter().reformat(
        frame,
        format="rgb24",
        src_colorspace=int(frame.colorspace),
        src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=FLAGS,
        threads=1,
    )
    return np.asarray(converted.to_ndarray())


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 6, 7, 9])
@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_pixels_are_those_of_packed_rgb(pix_fmt: str, matrix: int, full: bool) -> None:
    converter = Converter(Path("a"))
    for height, width in ((2, 2), (33, 47), (240, 320), (101, 1003)):
        frame = picture(pix_fmt, height, width, matrix, full)
        expected = packed(frame, full or pix_fmt.startswith("yuvj"))
        found = converter.to_rgb(frame, None)
        np.testing.assert_array_equal(found, expected)
        assert found.flags.writeable
        assert found.flags.c_contiguous


def test_a_difference_is_found_and_avoided(monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[str] = []

    def one_off(frame: av.VideoFrame, image: np.ndarray) -> None:
        converted.append(frame.format.name)
        merge_planes(frame, image)
        image[0, 0, 1] ^= 1

    monkeypatch.setattr("harness.video.planes.merge_planes", one_off)
    monkeypatch.setattr("harness.video.colour.merge_planes", one_off)
    frame = picture("yuv420p", 33, 47)
    np.testing.assert_array_equal(Converter(Path("a")).to_rgb(frame, None), packed(frame, False))
    assert converted == ["gbrp"], "the first test frame showed the difference"


def test_other_conversions_are_not_the_same() -> None:
    def to(pix_fmt: str, matrix: int) -> VideoReformatter:
        reformatter = VideoReformatter()
        return lambda frame: reformatter.reformat(frame, format=pix_fmt, src_colorspace=matrix, interpolation=FLAGS)

    assert same_in_planes("yuv420p", to("rgb24", 1), to("gbrp", 1))
    assert not same_in_planes("yuv420p", to("rgb24", 1), to("gbrp", 5))


def test_a_part_of_a_frame_is_merged() -> None:
    frame = picture("gbrp", 40, 50)
    planes = [np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size) for plane in frame.planes]
    green, blue, red = (plane[:31, :45] for plane in planes)
    image = np.zeros((31, 45, 3), np.uint8)
    merge_planes(frame, image)
    np.testing.assert_array_equal(image, np.stack([red, green, blue], axis=-1))
