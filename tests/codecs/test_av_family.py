"""The video codecs: streams that others decode to the same pixels, rates without banners, colour, options."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
import pytest

from harness.codec import Encoded
from harness.errors import CodecError, UsageError
from harness.media.quality import psnr
from harness.video.yuv import Colour
from harness_codecs.av_codec import AvCodec
from harness_codecs.av_coder import decode as decoded_frames
from harness_codecs.av_coder import nvidia
from harness_codecs.av_family import H264, Av1, Hevc, Mpeg2, Vp9
from harness_codecs.av_stream import join, split, without_banner
from kit.pictures import data_root, noise, textured

FPS = 25.0
DEFAULTS = [H264(), Hevc(), Av1(), Vp9(), Mpeg2()]
ALL = [
    *DEFAULTS,
    H264(bframes=0),
    H264(pix_fmt="yuv444p", range="full"),
    Hevc(preset="fast", pix_fmt="yuv422p", matrix="bt601"),
    Av1(low_delay=True),
    Vp9(low_delay=True),
    Mpeg2(bframes=2),
]


def label(codec: AvCodec) -> str:
    """A codec with the options that are not its defaults."""
    usual = type(codec)().config
    return ",".join([codec.name, *(f"{key}={value}" for key, value in codec.config.items() if value != usual[key])])


def moving(count: int, height: int = 96, width: int = 128) -> np.ndarray:
    """A made clip uint8[T, H, W, 3]: a texture that slides, with a little noise, which is what a camera adds."""
    picture = textured(height + 2 * count, width + 3 * count)
    frames = np.stack([picture[2 * t : 2 * t + height, 3 * t : 3 * t + width] for t in range(count)])
    grain = np.random.default_rng(0).normal(0, 2, frames.shape)
    return np.clip(frames + grain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """Twelve frames of a real clip of UCF101 (a made one without HARNESS_TEST_DATA), cut to an odd width."""
    root = data_root()
    if root is None:
        return moving(12, 120, 159)
    path = sorted((root / "ucf101_mini" / "UCF-101").glob("*/*.avi"))[0]
    with av.open(path) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame, _ in zip(container.decode(video=0), range(12))]  # noqa: B905
    return np.stack(frames)[:, 60:180, 80:239]


# What libav and ffmpeg's own tool make of the streams


def elementary(codec: AvCodec, encoded: Encoded) -> tuple[bytes, str]:
    """The stream as a file that ffmpeg reads, and ffmpeg's name of its form (AV1 and VP9 in a container, IVF)."""
    packets = list(split(encoded.data))
    four = {"av1": b"AV01", "vp9": b"VP90"}.get(codec.name)
    if four is None:
        return b"".join(packets), {"mpeg2": "mpegvideo"}.get(codec.name, codec.name)
    height, width = codec.colour.padded(encoded.height, encoded.width)
    head = b"DKIF" + struct.pack("<HH4sHHIIII", 0, 32, four, width, height, 25, 1, len(packets), 0)
    return head + b"".join(struct.pack("<IQ", len(p), n) + p for n, p in enumerate(packets)), "ivf"


@pytest.mark.parametrize("codec", ALL, ids=label)
def test_ffmpeg_decodes_the_same_yuv_and_reads_the_tags(codec: AvCodec, clip: np.ndarray, tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed: the streams are not compared with what it decodes")
    source, target = tmp_path / "stream", tmp_path / "frames.yuv"
    for level in (codec.scale.ladder[0], codec.scale.ladder[-1]):
        encoded = codec.encode(clip, level, FPS)
        stream, form = elementary(codec, encoded)
        source.write_bytes(stream)
        read = ["-v", "error", "-f", form, "-i", str(source)]
        subprocess.run(["ffmpeg", "-y", *read, "-fps_mode", "passthrough", "-f", "rawvideo", str(target)], check=True)
        ours = np.concatenate([f.to_ndarray().ravel() for f in decoded_frames(codec.decoder, split(encoded.data))])
        theirs = np.frombuffer(target.read_bytes(), np.uint8)
        assert ours.shape == theirs.shape
        # MPEG-2 leaves the inverse transform's last bit to the decoder; the others do not.
        assert np.abs(ours.astype(int) - theirs).max() <= (1 if codec.name == "mpeg2" else 0)
    entries = "stream=color_range,color_space,color_transfer,color_primaries"
    said = subprocess.run(
        ["ffprobe", *read, "-show_entries", entries, "-of", "csv=p=0"], check=True, capture_output=True, text=True
    ).stdout
    names = {"bt709": "bt709", "bt601": "smpte170m"}[codec.option("matrix")], codec.option("range")
    rest = "unknown" if codec.name == "vp9" else names[0]  # VP9 writes neither primaries nor transfer
    assert said.strip().strip(",").split(",") == [{"limited": "tv", "full": "pc"}[names[1]], names[0], rest, rest]


@pytest.mark.parametrize(
    ("codec", "encoder", "form"),
    [
        (H264(), "libx264 -preset medium -g 250 -crf", "h264"),
        (H264(bframes=0, gop="5", preset="veryfast"), "libx264 -preset veryfast -bf 0 -g 5 -crf", "h264"),
        (Hevc(), "libx265 -preset medium -g 250 -x265-params pools=none:frame-threads=1:log-level=none -crf", "hevc"),
        (Mpeg2(), "mpeg2video -g 12 -qmin 1 -q:v", "mpeg2video"),
    ],
    ids=["h264", "h264 without B-frames", "hevc", "mpeg2"],
)
@pytest.mark.parametrize("count", [1, 12])
def test_rate_is_ffmpegs_raw_stream_without_the_banner(
    codec: AvCodec, encoder: str, form: str, count: int, clip: np.ndarray, tmp_path: Path
) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed: its own streams are not measured")
    source, target = tmp_path / "frames.yuv", tmp_path / "stream"
    height, width = codec.colour.padded(*clip.shape[1:3])
    source.write_bytes(b"".join(frame.to_ndarray().tobytes() for frame in codec.colour.to_yuv(clip[:count])))
    raw = f"-f rawvideo -pix_fmt yuv420p -s {width}x{height} -r 25 -i {source}"
    tags = "-color_range tv -colorspace bt709 -color_trc bt709 -color_primaries bt709"
    for level in (codec.scale.ladder[0], codec.scale.ladder[-1]):
        command = f"ffmpeg -y -v error {raw} -threads 1 {tags} -c:v {encoder} {level} -f {form} {target}"
        made = subprocess.run(command.split(), capture_output=True, text=True)
        if "Unknown encoder" in made.stderr:
            pytest.skip(f"this ffmpeg has no {encoder.split()[0]}")
        assert made.returncode == 0, made.stderr
        theirs, ours = target.read_bytes(), codec.encode(clip[:count], level, FPS).bits
        bare = without_banner(theirs, getattr(codec, "header", 1))
        assert (len(theirs) - len(bare) > 500) == (codec.name != "mpeg2")
        # Other versions of x264 code all but alike, those of x265 nearly; libavcodec's MPEG-2 has long been the same.
        assert ours == pytest.approx(8 * len(bare), rel={"mpeg2": 0, "h264": 0.01, "hevc": 0.08}[codec.name])


def test_banners_are_taken_out_and_nothing_else() -> None:
    start, identifier = b"\x00\x00\x00\x01", bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef")
    text = b"x264 - core 165 - " + b"options " * 80
    size = 16 + len(text)
    banner = b"\x06\x05" + b"\xff" * (size // 255) + bytes([size % 255]) + identifier + text + b"\x80"
    other = b"\x06\x05" + bytes([20]) + bytes(range(16)) + b"mine\x80"
    parameters, timing, slice_ = b"\x67\x64\x0a", b"\x06\x01\x01\x22\x80", b"\x65\x88" + b"\x11" * 300
    units = [parameters, banner, other, timing, slice_]
    packet = b"".join(start + unit for unit in units)
    assert without_banner(packet, 1) == packet.replace(start + banner, b"")
    assert without_banner(packet.replace(start, start[1:]), 1) == b"".join(start[1:] + u for u in units if u != banner)
    assert without_banner(start + slice_, 1) == start + slice_
    hevc = b"\x4e\x01" + banner[1:]
    assert without_banner(start + hevc + start + b"\x26\x01\x33", 2) == start + b"\x26\x01\x33"


@pytest.mark.parametrize("codec", ALL, ids=label)
def test_the_rate_counts_parameter_sets_and_every_packet(codec: AvCodec, clip: np.ndarray) -> None:
    encoded = codec.encode(clip, codec.scale.ladder[1], FPS)
    packets = list(split(encoded.data))
    assert encoded.bits == 8 * sum(map(len, packets)) == 8 * (len(encoded.data) - 4 * len(packets))
    assert b"x26" not in encoded.data
    begins = {
        "h264": b"\0\0\0\1\x67",
        "hevc": b"\0\0\0\1\x40",
        "av1": b"\x12\0\x0a",
        "vp9": b"\x82",
        "mpeg2": b"\0\0\1\xb3",
    }
    first = packets[0]
    assert first.startswith(begins[codec.name]) or (codec.name == "vp9" and first[1:4] == b"\x49\x83\x42")


def obus(packet: bytes) -> list[tuple[int, bytes]]:
    """Types and contents of the OBUs of a packet (AV1 specification, 5.3), which are all there is in it."""
    found, position = [], 0
    while position < len(packet):
        head = packet[position]
        assert head & 0x83 == 2, "forbidden and reserved bits are 0, the size is stated"
        position += 2 if head & 4 else 1
        size = shift = 0
        while True:  # leb128: seven bits a byte, the lowest first
            byte = packet[position]
            size, shift, position = size | (byte & 0x7F) << shift, shift + 7, position + 1
            if byte < 0x80:
                break
        found.append((head >> 3 & 15, packet[position : position + size]))
        position += size
    assert position == len(packet)
    return found


@pytest.mark.parametrize("codec", [Av1(), Av1(low_delay=True)], ids=label)
def test_av1s_rate_counts_delimiters_and_hidden_frames(codec: AvCodec, clip: np.ndarray) -> None:
    sequence, delimiter, frame_header, frame = 1, 2, 3, 6
    encoded = codec.encode(clip, codec.scale.ladder[1], FPS)
    packets = list(split(encoded.data))
    found = [obus(packet) for packet in packets]
    assert encoded.bits == 8 * sum(map(len, packets))
    for number, packet in enumerate(found):
        types = [kind for kind, _ in packet]
        assert types[0] == delimiter
        assert (sequence in types) == (number == 0)
        assert set(types[1:]) <= {sequence, frame_header, frame}, "no padding, no metadata, no second delimiter"
    # A frame's header begins with show_existing_frame (1 bit), or with frame_type (2) and show_frame (1) after it.
    heads = [content[0] for packet in found for kind, content in packet if kind in (frame_header, frame)]
    hidden = [head for head in heads if not head & 0x80 and not head & 0x10]
    assert len(heads) - len(hidden) == len(clip)
    assert bool(hidden) == (not codec.option("low_delay"))


def test_av1s_rate_is_the_file_that_ffmpeg_writes(clip: np.ndarray, tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed: it writes no file of OBUs to compare with")
    source, target = tmp_path / "stream.ivf", tmp_path / "stream.obu"
    encoded = Av1().encode(clip, 36, FPS)
    source.write_bytes(elementary(Av1(), encoded)[0])
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(source), "-c", "copy", "-f", "obu", str(target)], check=True)
    assert target.read_bytes() == b"".join(split(encoded.data))
    assert encoded.bits == 8 * target.stat().st_size


# Colour and size


@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
@pytest.mark.parametrize("span", ["limited", "full"])
def test_yuv_is_that_of_the_standards(matrix: str, span: str) -> None:
    """ITU-R BT.709-6, section 3, and BT.601-7, section 2.5, in floating point."""
    rgb = noise(1, 64, 48, 3)
    red, blue = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114)}[matrix]
    r, g, b = (rgb[0, ..., channel] / 255 for channel in range(3))
    luma = red * r + (1 - red - blue) * g + blue * b
    chroma = (b - luma) / (2 - 2 * blue), (r - luma) / (2 - 2 * red)
    low, luma_span, chroma_span = (16, 219, 224) if span == "limited" else (0, 255, 255)
    expected = low + luma_span * luma, 128 + chroma_span * chroma[0], 128 + chroma_span * chroma[1]
    colour = Colour("yuv444p", matrix, span, 2)
    (frame,) = colour.to_yuv(rgb)
    for plane, wanted in zip(frame.to_ndarray(), expected, strict=True):
        # swscale rounds what it makes of limited range, and cuts off what it makes of full range.
        assert np.abs(plane - np.clip(wanted, 0, 255)).max() < {"limited": 0.6, "full": 1.1}[span]
    (back,) = colour.to_rgb([frame], 64, 48)
    assert np.abs(back.astype(int) - rgb[0]).max() <= 2


@pytest.mark.parametrize(
    "codec",
    [
        H264(pix_fmt="yuv444p"),
        H264(pix_fmt="yuv444p", matrix="bt601", range="full"),
        Hevc(pix_fmt="yuv444p", preset="fast"),
        Vp9(pix_fmt="yuv444p"),
    ],
    ids=label,
)
def test_crf_0_in_444_comes_back_within_2_grey_levels(codec: AvCodec, clip: np.ndarray) -> None:
    for frames in (clip[:1], clip[:4], noise(1, 31, 17, 3)):
        decoded = codec.decode(codec.encode(frames, 0, FPS))
        assert np.abs(decoded.astype(int) - frames).max() <= 2


@pytest.mark.parametrize("codec", DEFAULTS, ids=label)
def test_odd_sizes_lose_nothing_at_their_edges(codec: AvCodec) -> None:
    frames = np.full((3, 75, 101, 3), 60, np.uint8)
    frames[:, -1], frames[:, :, -1] = 200, 200
    decoded = codec.decode(codec.encode(frames, codec.scale.ladder[0], FPS)).astype(int)
    assert decoded.shape == frames.shape
    assert np.abs(decoded[:, -1] - 200).mean() < 25
    assert np.abs(decoded[:, :, -1] - 200).mean() < 25


@pytest.mark.parametrize("codec", DEFAULTS, ids=label)
def test_chroma_stays_where_it_was(codec: AvCodec) -> None:
    frames = np.zeros((1, 64, 64, 3), np.uint8)
    frames[:, :, 32:, 0] = frames[:, 32:, :, 2] = 180
    decoded = codec.decode(codec.encode(frames, codec.scale.ladder[0], FPS)).astype(int)
    moved = [psnr(np.roll(frames, step, axis), decoded.astype(np.uint8)) for axis in (1, 2) for step in (-1, 1)]
    assert psnr(frames, decoded.astype(np.uint8)) > max(moved) + 1


# Frames, key frames, B-frames


@pytest.mark.parametrize("count", [1, 2, 9])
@pytest.mark.parametrize("codec", ALL, ids=label)
def test_gives_back_every_frame_in_order(codec: AvCodec, count: int) -> None:
    frames = moving(count)
    decoded = codec.decode(codec.encode(frames, codec.scale.ladder[0], FPS))
    own = [psnr(frames[t], decoded[t]) for t in range(count)]
    assert min(own) > 26
    for t in range(count - 1):
        assert own[t] > psnr(frames[t + 1], decoded[t]) + 3


def kinds(codec: AvCodec, frames: np.ndarray, level: float, fps: float = FPS) -> tuple[int, set[str]]:
    """The number of key frames of what a codec makes, and the types of its pictures."""
    shown = list(decoded_frames(codec.decoder, split(codec.encode(frames, level, fps).data)))
    types = {av.video.frame.PictureType(frame.pict_type).name for frame in shown}
    return sum(frame.key_frame for frame in shown), types


@pytest.mark.parametrize("cls", [H264, Hevc, Av1, Vp9, Mpeg2])
def test_gop_is_in_frames_or_seconds_and_1_codes_each_frame_by_itself(cls: type[AvCodec]) -> None:
    frames = moving(10)
    level = cls().scale.ladder[1]
    assert [kinds(cls(gop=gop), frames, level)[0] for gop in ("1", "5", "10")] == [10, 2, 1]
    assert kinds(cls(gop="0.5s"), frames, level, 10.0)[0] == 2
    rates = [cls(gop=gop).encode(frames, level, FPS).bits for gop in ("1", "5", "10")]
    assert rates == sorted(rates, reverse=True)
    with pytest.raises(CodecError, match="gop=2s needs to know the frame rate"):
        cls(gop="2s").encode(frames, level)
    assert cls(gop="2s").encode(frames[:1], level).bits > 0


@pytest.mark.parametrize("cls", [H264, Hevc, Mpeg2])
def test_bframes_are_there_when_asked_for_and_only_then(cls: type[AvCodec]) -> None:
    frames = moving(8)
    assert kinds(cls(bframes=0), frames, 28) == (1, {"I", "P"})
    assert kinds(cls(bframes=2), frames, 28) == (1, {"I", "P", "B"})
    assert ("B" in kinds(cls(), frames, 28)[1]) == (cls is not Mpeg2)


def test_x264s_tuning_decides_about_bframes_unless_they_are_given() -> None:
    frames = moving(8)
    assert kinds(H264(tune="zerolatency"), frames, 28)[1] == {"I", "P"}
    assert kinds(H264(tune="zerolatency", bframes=2), frames, 28)[1] == {"I", "P", "B"}


# Rate control


@pytest.mark.parametrize("codec", [H264(rate="cbr"), Hevc(rate="cbr"), Av1(rate="cbr", low_delay=True), Vp9(rate="cbr"),
                                   Mpeg2(rate="cbr")], ids=label)  # fmt: skip
def test_a_constant_rate_is_met(codec: AvCodec) -> None:
    frames = np.tile(moving(25), (2, 1, 1, 1))
    assert (codec.scale.name, codec.scale.unit, codec.scale.higher_is_better) == ("kbps", "kbit/s", True)
    for asked in (400, 200):
        encoded = codec.encode(frames, asked, FPS)
        assert encoded.bits / 1000 / (len(frames) / FPS) == pytest.approx(asked, rel=0.35)


@pytest.mark.parametrize("cls", [H264, Hevc, Av1, Vp9, Mpeg2])
def test_an_average_rate_falls_with_what_is_asked(cls: type[AvCodec]) -> None:
    frames = moving(20)
    rates = [cls(rate="abr").encode(frames, asked, FPS).bits for asked in (800, 400, 200)]
    assert rates == sorted(set(rates), reverse=True)


def test_a_small_buffer_holds_the_key_frame_down() -> None:
    frames = moving(20)
    first = [len(next(split(H264(rate="cbr", buffer=seconds).encode(frames, 200, FPS).data))) for seconds in (2, 0.2)]
    assert first[1] < 0.8 * first[0]


@pytest.mark.parametrize("rate", ["abr", "cbr"])
def test_kbits_of_what_has_no_duration_are_refused(rate: str) -> None:
    codec = H264(rate=rate)
    assert "an image has no duration" in str(codec.clips_only())
    with pytest.raises(CodecError, match="an image has no duration"):
        codec.encode(moving(1), 200)
    with pytest.raises(CodecError, match="this clip has no frame rate"):
        codec.encode(moving(3), 200)
    assert H264().clips_only() is None


@pytest.mark.parametrize("fps", [0.1, 1, 7.3, 10, 23.976, 29.97002997, 50, 240, 1000])
@pytest.mark.parametrize("codec", DEFAULTS, ids=label)
def test_takes_any_frame_rate(codec: AvCodec, fps: float) -> None:
    encoded = codec.encode(moving(3, 64, 64), codec.scale.ladder[-1], fps)
    assert encoded.fps == fps
    assert codec.decode(encoded).shape == (3, 64, 64, 3)


# What is refused


@pytest.mark.parametrize(
    ("cls", "options", "said"),
    [
        (H264, {"gop": "0"}, "gop=0: a number of frames from 1, or seconds such as 2s"),
        (H264, {"gop": "soon"}, "gop=soon"),
        (H264, {"gop": "0s"}, "gop=0s"),
        (H264, {"buffer": 2}, "buffer= is for rate=cbr; rate is quality"),
        (H264, {"rate": "abr", "buffer": 2}, "buffer= is for rate=cbr; rate is abr"),
        (H264, {"tune": "nice"}, "libx264 has no tune=nice. There is: film"),
        (H264, {"preset": "p4"}, "libx264 has no preset=p4. There is: ultrafast"),
        (H264, {"encoder": "h264_nvenc", "tune": "film"}, "h264_nvenc has no tune=film. There is: hq"),
        (H264, {"encoder": "h264_nvenc", "pix_fmt": "yuv422p"}, "h264_nvenc has no pix_fmt=yuv422p"),
        (H264, {"encoder": "openh264"}, "allowed are libx264, h264_nvenc"),
        (Hevc, {"tune": "film"}, "libx265 has no tune=film. There is: psnr"),
        (Av1, {"pix_fmt": "yuv444p"}, "allowed are yuv420p"),
        (Av1, {"rate": "cbr"}, "only with low_delay=yes"),
        (Av1, {"bframes": 0}, "no option 'bframes'"),
        (Vp9, {"tune": "vq"}, "libvpx-vp9 has no tune=vq"),
        (Mpeg2, {"range": "full"}, "allowed are limited"),
        (Mpeg2, {"pix_fmt": "yuv444p"}, "allowed are yuv420p, yuv422p"),
    ],
    ids=str,
)
def test_refuses_what_does_not_go_together_when_it_is_made(
    cls: type[AvCodec], options: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        cls(**options)


@pytest.mark.parametrize("name", ["h264", "hevc"])
def test_a_gpus_encoder_works_or_is_refused_with_words(name: str) -> None:
    codec = {"h264": H264, "hevc": Hevc}[name](encoder=f"{name}_nvenc", preset="p4")
    assert codec.scale.name == "cq"
    missing = codec.available()
    if missing is None:
        frames = moving(5, 160, 160)
        assert psnr(frames, codec.decode(codec.encode(frames, codec.scale.ladder[0], FPS))) > 30
    else:
        assert f"encoder {name}_nvenc does not work on this machine" in missing
        assert f"there is: encoder={ {'h264': 'libx264', 'hevc': 'libx265'}[name] }" in missing


@pytest.mark.parametrize("codec", DEFAULTS, ids=label)
def test_says_so_when_a_stream_is_not_whole(codec: AvCodec) -> None:
    encoded = codec.encode(moving(4), codec.scale.ladder[0], FPS)
    packets = list(split(encoded.data))
    with pytest.raises(CodecError, match="ends within a packet"):
        codec.decode(replace(encoded, data=encoded.data[: len(encoded.data) // 2]))
    for broken in (b"", join(packets[:-1]), join([b"x" * 64] * 4)):
        with pytest.raises(CodecError, match=r"4 frames were coded|cannot decode"):
            codec.decode(replace(encoded, data=broken))
    with pytest.raises(CodecError, match="3 frames were coded, 4 came back"):
        codec.decode(replace(encoded, frames=3))
    with pytest.raises(CodecError, match=r"\(960, 128, 3\) were coded"):
        codec.decode(replace(encoded, height=960))


def test_an_encoders_refusal_says_what_it_was_given() -> None:
    with pytest.raises(CodecError, match=r"libx264 refuses yuv420p frames of 20000x2 at 25 a second with .*crf=30"):
        H264().encode(np.zeros((1, 2, 20000, 3), np.uint8), 30)


# Where it runs


@pytest.mark.parametrize("codec", DEFAULTS, ids=label)
def test_the_fingerprint_names_what_codes_and_decodes(codec: AvCodec) -> None:
    known = codec.fingerprint()
    assert {"pyav", "libavcodec", "libavutil", "libswscale", "encoder", "threads"} <= set(known)
    assert (known["pyav"], known["threads"]) == (av.__version__, 1)
    assert known["libavcodec"] == ".".join(map(str, av.library_versions["libavcodec"]))
    assert type(codec)(threads=2).fingerprint() != known


def test_the_fingerprint_of_a_gpus_encoder_names_gpu_and_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(nvidia.cache_clear)
    codec, tool = H264(encoder="h264_nvenc", preset="p4"), tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = []
    for said in ("", "NVIDIA L4, 550.54.15", "NVIDIA L4, 550.90.07", "NVIDIA A10, 550.54.15\nNVIDIA L4, 550.54.15"):
        lines = "exit 9" if not said else f"cat <<'END'\n{said}\nEND"
        tool.write_text(
            f'#!/bin/sh\ntest "$*" = "--query-gpu=name,driver_version --format=csv,noheader" || exit 2\n{lines}\n'
        )
        tool.chmod(0o755)
        nvidia.cache_clear()
        known = codec.fingerprint()
        found.append((known.get("gpu"), known.get("driver")))
        assert "gpu" not in H264().fingerprint()
    assert found == [
        (None, None),
        ("NVIDIA L4", "550.54.15"),
        ("NVIDIA L4", "550.90.07"),
        ("NVIDIA A10 + NVIDIA L4", "550.54.15"),
    ]


def _both_ways(codec: AvCodec, frames: np.ndarray) -> tuple[Encoded, np.ndarray]:
    encoded = codec.encode(frames, codec.scale.ladder[0], FPS)
    return encoded, codec.decode(encoded)


@pytest.mark.parametrize("codec", DEFAULTS, ids=label)
def test_works_in_forked_processes_in_silence(codec: AvCodec, capfd: pytest.CaptureFixture[str]) -> None:
    frames = moving(6)
    encoded, decoded = _both_ways(codec, frames)
    with get_context("fork").Pool(2) as pool:
        for other, shown in pool.starmap(_both_ways, [(codec, frames)] * 4):
            assert other == encoded
            np.testing.assert_array_equal(shown, decoded)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="scheduling is set on Linux")
def test_an_encoder_leaves_its_callers_scheduling_alone() -> None:
    before = os.sched_getscheduler(0)
    Av1().encode(np.zeros((2, 64, 64, 3), np.uint8), 50.0, 10.0)
    assert os.sched_getscheduler(0) == before
