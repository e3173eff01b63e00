"""Where the codecs' chroma lies: where it was in the source, on both axes, and where the streams' formats say."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from harness.codec import Codec, Encoded
from harness.discovery.plugins import installed
from harness.media.quality import psnr
from harness.planning.identity import codec_identity
from harness.results.superseded import superseded
from harness_codecs.av_codec import AvCodec
from harness_codecs.av_coder import decode as decoded_frames
from harness_codecs.av_family import H264, Av1, Hevc, Mpeg2, Vp9
from harness_codecs.av_stream import split
from harness_codecs.pillow_family import Avif, Jpeg, Jpeg2000, Webp

FLAGS = "bicubic+full_chroma_int+full_chroma_inp+accurate_rnd+bitexact"

VIDEO = [
    (H264(), 0),
    (H264(pix_fmt="yuv422p"), 0),
    (H264(pix_fmt="yuv444p"), 0),
    (H264(range="full", matrix="bt601"), 0),
    (Hevc(), 0),
    (Hevc(pix_fmt="yuv422p"), 0),
    (Vp9(), 0),
    (Vp9(pix_fmt="yuv422p"), 0),
    (Mpeg2(), 1),
    (Mpeg2(pix_fmt="yuv422p"), 1),
    (Av1(), 1),
]
"""Codecs at their mildest level; h264, hevc and vp9 are lossless there, after the conversion to YUV."""

IMAGES = [(Jpeg(), 95), (Jpeg(subsampling="4:2:2"), 95), (Webp(), 95), (Avif(), 90), (Jpeg2000(), 8)]


def label(value: object) -> str | None:
    """A codec with the options that are not its defaults."""
    if not isinstance(value, Codec):
        return None
    usual = type(value)().config
    return ",".join([value.name, *(f"{key}={chosen}" for key, chosen in value.config.items() if chosen != usual[key])])


def planes_of(frame: av.VideoFrame) -> list[np.ndarray]:
    """The planes float[H, W] of a frame, without their lines' padding."""
    rows = [np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size) for plane in frame.planes]
    return [row[: plane.height, : plane.width].astype(float) for row, plane in zip(rows, frame.planes, strict=True)]


# Where a wave of chroma comes back

PERIOD, SIZE, MARGIN = 32, 256, 32


def waves(axis: int) -> np.ndarray:
    """Eight images uint8[8, H, W, 3]: Y' is constant, and Cr is a sine along an axis (0: y, 1: x), each image with
    another phase. One image's quantisation moves the phase by some hundredths of a pixel; that of eight cancels."""
    phase = np.arange(SIZE) / PERIOD + np.arange(8)[:, None] * 5 / 8 / 8
    cr = 0.2 * np.sin(2 * np.pi * phase)[:, None, :].repeat(SIZE, 1)
    cr = cr.swapaxes(1, 2) if axis == 0 else cr
    rgb = np.stack([0.5 + 1.5748 * cr, 0.5 - 0.4681 * cr, 0.5 + 0 * cr], -1)
    return np.clip(np.round(255 * rgb), 0, 255).astype(np.uint8)


def components(planes: np.ndarray, axis: int, positions: np.ndarray) -> np.ndarray:
    """The wave in each plane float[8, H, W], as complex[8]; `positions` are those of its samples along the axis."""
    inner = (positions >= MARGIN) & (positions < SIZE - MARGIN)
    lines = planes.mean(2 - axis)
    return (lines * np.exp(-2j * np.pi * positions / PERIOD))[:, inner].sum(1)


def moved(before: np.ndarray, after: np.ndarray) -> float:
    """By how many pixels the waves lie further to the right or below after than before."""
    return float(-np.angle((after / before).sum()) * PERIOD / 2 / np.pi)


def red_difference(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(rgb[..., 0] - rgb @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("axis", [1, 0], ids=["x", "y"])
@pytest.mark.parametrize(("codec", "level"), [*VIDEO, *IMAGES], ids=label)
def test_a_wave_of_chroma_comes_back_in_its_place(codec: Codec, level: float, axis: int) -> None:
    source = waves(axis)
    decoded = np.concatenate([codec.decode(codec.encode(image[None], level)) for image in source])
    here = np.arange(SIZE)
    before, after = (components(red_difference(rgb), axis, here) for rgb in (source, decoded))
    assert abs(moved(before, after)) < 0.02


@pytest.mark.parametrize(("codec", "level"), VIDEO, ids=label)
def test_the_chroma_in_the_stream_lies_left(codec: AvCodec, level: float) -> None:
    """A chroma sample lies on its left column and in the middle of its rows, as ITU-T H.264 figure 6-1 has it, H.265
    figure 6-1, ISO/IEC 13818-2 figure 6-1, and AV1's CSP_VERTICAL; figures 6-2 have 4:2:2 so."""
    rows, columns = {"yuv420p": (2, 2), "yuv422p": (1, 2), "yuv444p": (1, 1)}[codec.option("pix_fmt")]
    for axis, step in ((1, columns), (0, rows)):
        source, planes = waves(axis), []
        for image in source:
            stream = codec.encode(image[None], level).data
            (frame,) = decoded_frames(codec.decoder, split(stream))
            planes.append(planes_of(frame)[2] - 128)
        middle = 0.5 if (axis, step) == (0, 2) else 0
        before = components(red_difference(source), axis, np.arange(SIZE))
        after = components(np.stack(planes), axis, np.arange(0, SIZE, step) + middle)
        assert abs(moved(before, after)) < 0.02, f"axis {axis}"


# What a level's error is


@pytest.fixture(scope="module")
def photographs(data_root: Path) -> list[np.ndarray]:
    """Eight photographs uint8[H, W, 3] of COCO and PASCAL VOC, with even height and width."""
    files = [
        *islice(sorted((data_root / "coco_mini" / "train2017").glob("*.jpg")), 0, 16, 4),
        *islice(sorted((data_root / "voc2007_mini").glob("**/JPEGImages/*.jpg")), 0, 32, 8),
    ]
    assert len(files) == 8
    images = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    return [image[: len(image) // 2 * 2, : image.shape[1] // 2 * 2] for image in images]


def pil_up(plane: np.ndarray) -> np.ndarray:
    """A chroma plane of 4:2:0 at the size of the luma, by Pillow's bicubic filter, the samples left-sited."""
    height, width = plane.shape
    image = Image.fromarray(np.pad(plane.astype(np.float32), 2, "edge"))
    # Pillow's sample k is centred at k + 1/2. Luma column i lies at chroma column i / 2, luma row j at j / 2 - 1/4.
    box = (2.25, 2.0, 2.25 + width, 2.0 + height)
    return np.asarray(image.resize((2 * width, 2 * height), Image.Resampling.BICUBIC, box=box), np.float64)


def pil_down(plane: np.ndarray) -> np.ndarray:
    """A full plane as one of 4:2:0, the inverse of `pil_up`."""
    height, width = plane.shape
    image = Image.fromarray(np.pad(plane.astype(np.float32), 4, "edge"))
    box = (3.5, 4.0, 3.5 + width, 4.0 + height)
    return np.asarray(image.resize((width // 2, height // 2), Image.Resampling.BICUBIC, box=box), np.float64)


TO_YUV = np.array([[0.2126, 0.7152, 0.0722], [-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0458]])
"""ITU-R BT.709-6, section 3: Y', Cb, Cr from R', G', B'."""


def yuv_of(image: np.ndarray) -> list[np.ndarray]:
    """Y', Cb and Cr of an image, in limited range, whole numbers, and chroma of 4:2:0."""
    luma, blue, red = np.moveaxis(image @ TO_YUV.T / 255, -1, 0)
    return [np.round(plane) for plane in (16 + 219 * luma, 128 + 224 * pil_down(blue), 128 + 224 * pil_down(red))]


def rgb_of(planes: list[np.ndarray]) -> np.ndarray:
    """The image float[H, W, 3] of such planes."""
    luma, blue, red = (planes[0] - 16) / 219, pil_up(planes[1] - 128) / 224, pil_up(planes[2] - 128) / 224
    return np.clip(255 * np.stack([luma, blue, red], -1) @ np.linalg.inv(TO_YUV).T, 0, 255)


def coded(codec: AvCodec, image: np.ndarray, level: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """An image uint8[H, W, 3] after coding, and the planes in its stream."""
    encoded = codec.encode(image[None], level)
    (frame,) = decoded_frames(codec.decoder, split(encoded.data))
    return codec.decode(encoded)[0], planes_of(frame)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p"])
def test_lossless_codecs_lose_the_same(pix_fmt: str, photographs: list[np.ndarray]) -> None:
    """In 4:2:0 they lose about what a conversion by the standard's formula and Pillow's filters loses."""
    for image in photographs:
        found = [psnr(image, coded(cls(pix_fmt=pix_fmt), image, 0)[0]) for cls in (H264, Hevc, Vp9)]
        assert max(found) - min(found) < 0.05
        if pix_fmt == "yuv420p":
            others = np.round(rgb_of(yuv_of(image))).astype(np.uint8)
            assert found[0] == pytest.approx(psnr(image, others), abs=0.6)


@pytest.mark.parametrize(
    ("codec", "level"), [(Mpeg2(), 1), (Mpeg2(), 4), (Av1(), 1), (Av1(), 33), (H264(), 23), (Vp9(), 34)], ids=label
)
def test_the_error_in_rgb_is_that_in_yuv(codec: AvCodec, level: float, photographs: list[np.ndarray]) -> None:
    """The error is that of the conversion (a lossless codec's) plus that of the coded planes, taken to RGB by the
    standard's formula and Pillow's filter."""
    for image in photographs:
        converted, source = coded(Vp9(), image, 0)
        decoded, planes = coded(codec, image, level)
        error = converted.astype(float) - image + rgb_of(planes) - rgb_of(source)
        assert psnr(image, decoded) == pytest.approx(10 * np.log10(255**2 / (error**2).mean()), abs=0.12)
        assert psnr(np.round(rgb_of(planes)).astype(np.uint8), decoded) > 56


# What ffmpeg's own program makes of frames and streams


@pytest.fixture(scope="module")
def clip(data_root: Path) -> np.ndarray:
    """Six frames of a clip of UCF101, cut to an odd width."""
    path = sorted((data_root / "ucf101_mini" / "UCF-101").glob("*/*.avi"))[0]
    with av.open(path) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in islice(container.decode(video=0), 6)])[:, :, :319]


def ffmpeg(*arguments: str) -> bytes:
    """What the ffmpeg program prints (Debian's 5.1.9 when this was written)."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed: its pixels are not compared")
    done = subprocess.run(["ffmpeg", "-v", "error", *arguments], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def elementary(codec: AvCodec, encoded: Encoded, target: Path) -> list[str]:
    """Write a stream to a file that ffmpeg reads (AV1 and VP9 in IVF); return ffmpeg's options for it."""
    packets = list(split(encoded.data))
    four = {"av1": b"AV01", "vp9": b"VP90"}.get(codec.name)
    if four is None:
        target.write_bytes(b"".join(packets))
        return ["-f", {"mpeg2": "mpegvideo"}.get(codec.name, codec.name), "-i", str(target)]
    height, width = codec.colour.padded(encoded.height, encoded.width)
    head = b"DKIF" + struct.pack("<HH4sHHIIII", 0, 32, four, width, height, 25, 1, len(packets), 0)
    target.write_bytes(head + b"".join(struct.pack("<IQ", len(p), n) + p for n, p in enumerate(packets)))
    return ["-f", "ivf", "-i", str(target)]


def siting(codec: AvCodec, side: str) -> str:
    """The options of ffmpeg's filter `scale` for matrix, range and left siting of the YUV side, "in" or "out"."""
    span = {"limited": "tv", "full": "pc"}[codec.option("range")]
    rows = 128 if codec.option("pix_fmt") == "yuv420p" else 0
    where = f"{side}_h_chr_pos=0:{side}_v_chr_pos={rows}"
    rgb = {"in": "out_range=pc", "out": "in_range=pc"}[side]
    return f"scale={side}_color_matrix={codec.option('matrix')}:{side}_range={span}:{rgb}:{where}:flags={FLAGS}"


@pytest.mark.parametrize(("codec", "level"), [(codec, codec.scale.ladder[0]) for codec, _ in VIDEO], ids=label)
def test_rgb_is_what_ffmpeg_makes_of_the_stream(codec: AvCodec, level: float, clip: np.ndarray, tmp_path: Path) -> None:
    encoded = codec.encode(clip, level, 25.0)
    height, width = codec.colour.padded(*clip.shape[1:3])
    read = elementary(codec, encoded, tmp_path / "stream")
    graph = f"{siting(codec, 'in')},format=rgb24"
    theirs = ffmpeg(*read, "-fps_mode", "passthrough", "-vf", graph, "-f", "rawvideo", "-")
    frames = np.frombuffer(theirs, np.uint8).reshape(-1, height, width, 3)[:, : clip.shape[1], : clip.shape[2]]
    difference = np.abs(codec.decode(encoded).astype(int) - frames)
    if codec.name == "mpeg2":  # the format leaves the inverse transform's last bit to the decoder
        assert difference.max() <= 3
        assert (difference > 0).mean() < 0.01
    else:
        assert difference.max() == 0


@pytest.mark.parametrize("codec", [codec for codec, _ in VIDEO], ids=label)
def test_yuv_is_what_ffmpeg_makes_of_rgb(codec: AvCodec, clip: np.ndarray, tmp_path: Path) -> None:
    source = tmp_path / "frames.rgb"
    source.write_bytes(np.ascontiguousarray(clip[:, :, :318]).tobytes())
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"318x{clip.shape[1]}", "-i", str(source)]
    graph = f"{siting(codec, 'out')},format={codec.option('pix_fmt')}"
    theirs = np.frombuffer(ffmpeg(*raw, "-vf", graph, "-f", "rawvideo", "-"), np.uint8)
    ours = np.concatenate([frame.to_ndarray().ravel() for frame in codec.colour.to_yuv(clip[:, :, :318])])
    # To full range, swscale of FFmpeg 5 and of FFmpeg 8 round differently, whatever the siting.
    assert np.abs(ours.astype(int) - theirs).max() <= (1 if codec.option("range") == "full" else 0)


# What the streams say


def headers(read: list[str]) -> Iterator[tuple[str, int]]:
    """Names and values of the fields in a stream's headers, as ffmpeg's filter trace_headers reads them."""
    command = ["ffmpeg", "-v", "trace", *read, "-c", "copy", "-bsf:v", "trace_headers", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    for match in re.finditer(r"trace_headers.*\] \d+ +(\w+) +[01]+ = (\d+)", done.stderr):
        yield match[1], int(match[2])


@pytest.mark.parametrize(
    ("codec", "fields", "said"),
    [
        # x264 leaves out the field where its value is 0, which is then inferred (ITU-T H.264, E.2.1).
        (H264(), {"chroma_loc_info_present_flag": 0}, "left"),
        (Hevc(), {"chroma_loc_info_present_flag": 1, "chroma_sample_loc_type_top_field": 0}, "left"),
        (Hevc(pix_fmt="yuv422p"), {"chroma_loc_info_present_flag": 0}, "unspecified"),  # the field is for 4:2:0
        (Av1(), {"chroma_sample_position": 1}, "left"),  # 1: CSP_VERTICAL
        (Vp9(), {}, "unspecified"),
        (Mpeg2(), {}, "left"),
    ],
    ids=label,
)
def test_streams_say_where_their_chroma_lies(codec: AvCodec, fields: dict[str, int], said: str, tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed: the streams' headers are not read")
    read = elementary(codec, codec.encode(waves(1)[:2, :64, :64], codec.scale.ladder[0], 25.0), tmp_path / "stream")
    found = dict(headers(read))
    assert {name: value for name, value in found.items() if name in fields} == fields
    entries = ["-show_entries", "stream=chroma_location", "-of", "csv=p=0"]
    probed = subprocess.run(["ffprobe", "-v", "error", *read, *entries], capture_output=True, text=True, check=True)
    assert probed.stdout.strip().strip(",") == said


# Results of before


@pytest.mark.parametrize("cls", [H264, Hevc, Av1, Vp9, Mpeg2])
def test_results_with_centred_chroma_are_marked(cls: type[AvCodec]) -> None:
    now = codec_identity(cls(), "here 1")
    facts: dict[str, Any] = dict(now["fingerprint"])
    assert facts.pop("revision") == cls.revision > 1
    before = {"codec": {**now, "fingerprint": facts, "level": 40.0}, "dataset": {"kind": "demo-world", "decoders": {}}}
    assert superseded(before, installed()) == f"codec {cls.name}: revision 1 (now {cls.revision})"
