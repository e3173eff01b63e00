"""Decoded frames come by way of three planes only where these have the pixels of swscale's packed RGB."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
import pytest

from harness.video import merge_planes
from harness.video.planar import PACKED, PLANAR, is_equal
from harness.video.scaler import Scaler
from harness.video.yuv import MATRICES, RANGES, Colour
from harness_codecs.av_coder import decode
from harness_codecs.av_family import H264, Av1, Hevc, Mpeg2, Vp9
from harness_codecs.av_stream import split
from kit.pictures import noise, textured

COLOURS = [
    Colour(pix_fmt, matrix, shades, 2)
    for pix_fmt in ("yuv420p", "yuv422p", "yuv444p")
    for matrix in MATRICES
    for shades in RANGES
]


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What was found is forgotten before and after."""
    is_equal.cache_clear()
    yield
    is_equal.cache_clear()


def in_planes(frame: av.VideoFrame, colour: Colour) -> np.ndarray:
    image = np.empty((frame.height, frame.width, 3), np.uint8)
    merge_planes(Scaler(colour.picture, PLANAR).convert(frame), image)
    return image


def packed(frame: av.VideoFrame, colour: Colour) -> np.ndarray:
    return np.asarray(Scaler(colour.picture, PACKED).convert(frame).to_ndarray())


@pytest.mark.parametrize("shades", RANGES)
def test_all_colours_are_equal_where_it_is_said(shades: str) -> None:
    """All 2^24 values of Y, Cb and Cr, each in a pixel."""
    colour, equal = Colour("yuv444p", "bt709", shades, 2), True
    blue, red = np.divmod(np.arange(1 << 20) // 16, 256)
    for first in range(0, 256, 16):
        frame = av.VideoFrame(4096, 256, "yuv444p")
        luma = first + np.arange(1 << 20) % 16
        for plane, values in zip(frame.planes, (luma, blue, red), strict=True):
            plane.update(values.astype(np.uint8).tobytes())
        equal &= bool((in_planes(frame, colour) == packed(frame, colour)).all())
    assert is_equal(colour.picture) <= equal


@pytest.mark.parametrize("colour", COLOURS, ids=str)
def test_noise_is_equal_where_it_is_said(colour: Colour) -> None:
    equal = True
    for seed, (height, width) in enumerate([(2, 2), (6, 1000), (240, 320), (202, 334), (18, 130), (1080, 1920)]):
        frame = av.VideoFrame(width, height, colour.pix_fmt)
        for number, plane in enumerate(frame.planes):
            plane.update(noise(plane.buffer_size, seed=10 * seed + number).tobytes())
        equal &= bool((in_planes(frame, colour) == packed(frame, colour)).all())
    assert is_equal(colour.picture) <= equal


@pytest.mark.parametrize(
    "codec",
    [H264(), H264(pix_fmt="yuv444p", range="full"), H264(range="full"), Hevc(preset="ultrafast"), Av1(preset=12), Vp9(),
     Mpeg2(pix_fmt="yuv422p")],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("size", [(64, 96), (33, 47), (2, 3)], ids=str)
def test_decoded_frames_are_those_of_packed_rgb(codec: H264, size: tuple[int, int]) -> None:
    frames = np.stack([textured(*size, seed) for seed in range(4)])
    assert codec.scale is not None
    encoded = codec.encode(frames, codec.scale.ladder[1], 25.0)
    scaler = Scaler(codec.colour.picture, PACKED)
    height, width = size
    raw = decode(codec.decoder, split(encoded.data))
    expected = [np.asarray(scaler.convert(frame).to_ndarray())[:height, :width] for frame in raw]
    np.testing.assert_array_equal(codec.decode(encoded), np.stack(expected))


def test_a_difference_is_found_told_and_avoided(forgotten: None, monkeypatch: pytest.MonkeyPatch) -> None:
    codec, frames = H264(), np.stack([textured(48, 64, seed) for seed in range(3)])
    encoded = codec.encode(frames, 30, 25.0)
    expected = codec.decode(encoded)
    assert (list(codec.problems()), codec.implementation()) == ([], None)

    def one_off(frame: av.VideoFrame, image: np.ndarray) -> None:
        merge_planes(frame, image)
        image[-1, -1, 0] ^= 1

    is_equal.cache_clear()
    monkeypatch.setattr("harness.video.planes.merge_planes", one_off)
    monkeypatch.setattr("harness.video.merge_planes", one_off)
    (told,) = codec.problems()
    assert told.startswith("h264: this swscale gives other pixels in planes than packed")
    assert codec.implementation() in told
    np.testing.assert_array_equal(codec.decode(encoded), expected)


def test_frames_are_written_where_they_are_wanted() -> None:
    colour = COLOURS[0]
    frames = noise(3, 30, 40, 3)
    target = np.zeros((2, 29, 39, 3), np.uint8)
    given = list(colour.to_rgb(colour.to_yuv(frames), 29, 39, target))
    assert [np.shares_memory(image, target) for image in given] == [True, True, False]
    for image, alone in zip(given, colour.to_rgb(colour.to_yuv(frames), 29, 39), strict=True):
        np.testing.assert_array_equal(image, alone)
    other = np.zeros((3, 29, 45, 3), np.uint8)
    assert {image.shape for image in colour.to_rgb(colour.to_yuv(frames), 29, 45, other)} == {(29, 40, 3)}
    assert not other.any()
