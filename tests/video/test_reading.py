"""Video files read by PyAV: pixels against the ffmpeg command line's, real clips, and files that must be refused."""

from __future__ import annotations

import shutil
import subprocess
import tracemalloc
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from harness.errors import SampleError
from harness.video import decoders, probe, read_clip, segments
from harness.video.containers import stated_bytes

RNG = np.random.default_rng(0)
FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="the ffmpeg command is not installed")


def moving(count: int = 12, height: int = 48, width: int = 64) -> np.ndarray:
    """Frames with a coloured square that moves over a gradient: uint8[T, H, W, 3]."""
    frames = np.empty((count, height, width, 3), np.uint8)
    frames[..., 0] = np.linspace(20, 230, width)
    frames[..., 1] = np.linspace(30, 200, height)[:, None]
    for number, frame in enumerate(frames):
        frame[..., 2] = 100 + 5 * number
        frame[8:24, 2 * number : 2 * number + 16] = 240, 40, 40
    return frames


def written(
    path: Path,
    frames: Sequence[np.ndarray],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    given: str = "rgb24",
    prepare: Callable[[Any], None] = lambda stream: None,
    rate: int = 25,
    container: dict[str, str] | None = None,
    **options: str,
) -> Path:
    """Write frames with PyAV; `times` are in frames at `rate`."""
    with av.open(str(path), "w", container_options=container or {}) as file:
        stream = file.add_stream(codec, rate=rate, options={"threads": "1", **options})
        if given == "rgb24":
            stream.height, stream.width = frames[0].shape[:2]
        else:
            stream.height, stream.width = frames[0].shape[-2:]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, rate)
        prepare(stream)
        for number, pixel in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixel, format=given)
            frame.colorspace, frame.color_range = stream.codec_context.colorspace, stream.codec_context.color_range
            frame.pts, frame.time_base = times[number] if times else number, Fraction(1, rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def by_ffmpeg(path: Path) -> np.ndarray:
    """The frames by the command line, uint8[T, H, W, 3], by BT.601, limited range."""
    scale = "scale=in_color_matrix=bt601:in_range=tv:flags=bicubic+accurate_rnd+bitexact+full_chroma_int"
    if probe(path).format in ("h264", "mpeg4", "mpeg2video") and not path.name.startswith("odd"):
        # Chroma of 4:2:0 stands at the left one of two pixels.
        scale += ":in_h_chr_pos=0:in_v_chr_pos=128"
    command = [str(FFMPEG), "-v", "error", "-threads", "1", "-i", str(path), "-vsync", "0", "-vf", scale]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    facts = probe(path)
    return np.frombuffer(raw, np.uint8).reshape(-1, facts.height, facts.width, 3)


# Real clips

COUNTS = {
    "v_ApplyEyeMakeup_g01_c01": 164, "v_ApplyEyeMakeup_g01_c02": 123, "v_ApplyEyeMakeup_g01_c03": 259,
    "v_ApplyEyeMakeup_g01_c04": 235, "v_ApplyEyeMakeup_g01_c05": 296, "v_BenchPress_g01_c01": 151,
    "v_BenchPress_g01_c02": 180, "v_BenchPress_g01_c03": 104, "v_BenchPress_g01_c04": 105,
    "v_BenchPress_g01_c05": 88, "v_Diving_g01_c01": 259, "v_Diving_g01_c02": 282, "v_Diving_g01_c03": 214,
    "v_Diving_g01_c04": 232, "v_Diving_g01_c05": 234, "RATRACE_wave_f_nm_np1_fr_goo_37": 72,
    "SchoolRulesHowTheyHelpUs_wave_f_nm_np1_ba_med_0": 74, "TrumanShow_wave_f_nm_np1_fr_med_26": 48,
    "hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6": 83,
}  # fmt: skip
"""Frames that `ffprobe -count_frames` (5.1) decodes. The headers of the four of HMDB51 say one more each."""


def real_clips(data_root: Path) -> list[Path]:
    return sorted([*data_root.glob("ucf101_mini/UCF-101/*/*.avi"), *data_root.glob("hmdb51_mini/*/*.avi")])


def test_real_clips_have_the_frames_that_ffprobe_counts(data_root: Path) -> None:
    paths = real_clips(data_root)
    assert {path.stem for path in paths} == set(COUNTS)
    for path in paths:
        facts = probe(path)
        last = COUNTS[path.stem] - 1
        frames, source = read_clip(path, last, 2)
        assert frames.shape == (1, facts.height, facts.width, 3)
        assert facts.frames == last + 1
        assert frames.dtype == np.uint8
        assert (source.format, source.bytes) == ("mpeg4", round(path.stat().st_size / (last + 1)))
    diving = probe(data_root / "ucf101_mini/UCF-101/Diving/v_Diving_g01_c01.avi")
    assert diving.fps == 30000 / 1001
    assert diving.duration == pytest.approx(259 * 1001 / 30000)
    assert diving.kbps == pytest.approx(8 * 576.074 / diving.duration)


@needs_ffmpeg
def test_real_clips_have_the_pixels_of_ffmpeg(data_root: Path) -> None:
    paths = {path.stem: path for path in real_clips(data_root)}
    for name in ("v_ApplyEyeMakeup_g01_c02", "v_BenchPress_g01_c05", "TrumanShow_wave_f_nm_np1_fr_med_26"):
        assert np.array_equal(read_clip(paths[name])[0], by_ffmpeg(paths[name]))


# Files written here

KINDS: dict[str, dict[str, Any]] = {
    "plain.mp4": {"crf": "20"},
    "bframes.mp4": {"crf": "30", "bf": "3", "b-pyramid": "normal", "x264-params": "b-adapt=0"},
    "bframes.mkv": {"crf": "30", "bf": "3", "x264-params": "b-adapt=0"},
    "fast.mp4": {"crf": "30", "container": {"movflags": "faststart"}},
    "fragments.mp4": {"crf": "30", "container": {"movflags": "frag_keyframe+empty_moov"}, "g": "4"},
    "odd.mkv": {"pixels": "yuv444p", "crf": "20"},
    "odd.webm": {"codec": "libvpx-vp9", "deadline": "realtime", "cpu-used": "8"},
    "vp8.webm": {"codec": "libvpx", "auto-alt-ref": "1", "lag-in-frames": "8", "b": "500k"},
    "mpeg4.avi": {"codec": "mpeg4", "bf": "2"},
    "lossless.avi": {"codec": "ffv1"},
    "ten.mkv": {"pixels": "yuv420p10le", "crf": "20"},
    "mpeg2.mpg": {"codec": "mpeg2video"},
}


def made(folder: Path, name: str, count: int = 12) -> Path:
    odd = name.startswith("odd")
    return written(folder / name, moving(count, 47 if odd else 48, 63 if odd else 64), **KINDS[name])


@needs_ffmpeg
@pytest.mark.parametrize("name", list(KINDS))
def test_written_files_come_back_as_by_ffmpeg(tmp_path: Path, name: str) -> None:
    path = made(tmp_path, name)
    frames, source = read_clip(path)
    reference = by_ffmpeg(path)
    facts = probe(path)
    assert frames.shape == reference.shape
    assert len(frames) == 12
    assert facts.frames == 12
    assert facts.fps == 25
    assert source.bytes == pytest.approx(path.stat().st_size, rel=0.1)
    # swscale's code for 10 bits differs between its versions; the others are bit-exact.
    assert np.abs(frames.astype(int) - reference).max() <= (1 if name in ("ten.mkv", "mpeg2.mpg") else 0)
    assert np.abs(frames.astype(int) - moving(12, *frames.shape[1:3])).mean() < 12


def ycbcr_to_rgb(planes: np.ndarray, red: float, blue: float, full: bool) -> np.ndarray:
    """ITU-T H.273, 8.3: the equations of a matrix by its luma weights, on uint8[3, H, W]."""
    luma, cb, cr = planes.astype(float)
    if full:
        luma, cb, cr = luma / 255, (cb - 128) / 255, (cr - 128) / 255
    else:
        luma, cb, cr = (luma - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    g = (luma - red * r - blue * b) / (1 - red - blue)
    return np.clip(np.round(255 * np.stack([r, g, b], axis=-1)), 0, 255)


BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)


@pytest.mark.parametrize(
    ("matrix", "range_", "height", "weights", "full"),
    [
        (2, 0, 48, BT601, False),
        (2, 0, 720, BT709, False),
        (1, 1, 48, BT709, False),
        (5, 1, 720, BT601, False),
        (6, 1, 720, BT601, False),
        (9, 1, 48, BT2020, False),
        (1, 2, 48, BT709, True),
        (2, 2, 48, BT601, True),
    ],
)
def test_colours_follow_the_streams_matrix_and_range(
    tmp_path: Path, matrix: int, range_: int, height: int, weights: tuple[float, float], full: bool
) -> None:
    planes = RNG.integers(16, 236, (3, height, 64), dtype=np.uint8)

    def tagged(stream: Any) -> None:
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, range_

    # Lossless, all chroma kept.
    path = written(tmp_path / "a.mp4", [planes], pixels="yuv444p", given="yuv444p", prepare=tagged, qp="0")
    expected = ycbcr_to_rgb(planes, *weights, full)
    assert np.abs(read_clip(path)[0][0] - expected).max() <= 1


def test_colours_without_a_matrix(tmp_path: Path) -> None:
    frames = moving(3)
    path = written(tmp_path / "rgb.mkv", frames, codec="ffv1", pixels="bgr0")
    assert np.array_equal(read_clip(path)[0], frames)
    grey = RNG.integers(0, 256, (2, 48, 64), dtype=np.uint8)
    path = written(tmp_path / "grey.mkv", grey, codec="ffv1", pixels="gray", given="gray")
    assert np.array_equal(read_clip(path)[0][..., 1], grey)


@needs_ffmpeg
@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_rotation_is_applied_as_by_ffmpeg(tmp_path: Path, angle: int) -> None:
    upright = made(tmp_path, "plain.mp4")
    turned = tmp_path / "turned.mp4"
    command = [str(FFMPEG), "-v", "error", "-i", str(upright), "-c", "copy", "-metadata:s:v:0", f"rotate={angle}"]
    subprocess.run([*command, str(turned)], check=True)
    frames = read_clip(turned)[0]
    assert frames.shape[1:3] == ((48, 64) if angle == 180 else (64, 48))
    assert (probe(turned).height, probe(turned).width) == frames.shape[1:3]
    reference = by_ffmpeg(turned).astype(int)
    # ffmpeg turns before it converts, and interpolates chroma along the other axis.
    assert np.abs(frames - reference).mean() < 5
    assert np.abs(np.rot90(frames, 2, (1, 2)) - reference).mean() > 20


# Parts


def test_parts_of_a_video(tmp_path: Path) -> None:
    path = made(tmp_path, "bframes.mp4")
    whole, source = read_clip(path)
    assert np.array_equal(read_clip(path, 3, 4)[0], whole[3:7])
    assert np.array_equal(read_clip(path, 1, 4, 3)[0], whole[1::3])
    assert np.array_equal(read_clip(path, 10, 99)[0], whole[10:])
    assert read_clip(path, 3, 3, 2)[1].bytes == round(source.bytes / 2)
    with pytest.raises(SampleError, match=r"frame 12 .* ends before"):
        read_clip(path, 12, 1)
    parts = list(segments(path, 5))
    assert [len(part) for part in parts] == [5, 5, 2]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(np.concatenate(list(segments(path, 2, stride=3))), whole[::3])
    assert whole.flags.writeable


def test_a_long_video_is_not_held_whole(tmp_path: Path) -> None:
    path = written(tmp_path / "long.mp4", list(moving(10, 96, 128)) * 30, crf="40", preset="ultrafast")
    one = 10 * 96 * 128 * 3
    tracemalloc.start()
    try:
        assert sum(len(part) for part in segments(path, 10)) == 300
        assert tracemalloc.get_traced_memory()[1] < 4 * one  # of 30
    finally:
        tracemalloc.stop()


# What is refused


def test_a_variable_frame_rate_is_refused_in_words(tmp_path: Path) -> None:
    times = [0, 1, 2, 3, 6, 7, 8, 9]
    for name in ("a.mp4", "a.mkv"):
        path = written(tmp_path / name, moving(8), times=times, bf="0")
        with pytest.raises(SampleError, match=r"variable frame rate: frame \d comes .* ffmpeg -i"):
            read_clip(path)
    # Thirty frames a second do not fit Matroska's milliseconds, and are constant all the same.
    path = written(tmp_path / "thirty.mkv", moving(12), rate=30)
    assert len(read_clip(path)[0]) == 12
    # In an AVI the gap is made of empty chunks; there are no times.
    path = written(tmp_path / "a.avi", moving(8), codec="mpeg4", times=times)
    assert (len(read_clip(path)[0]), probe(path).frames) == (8, 8)


def test_kinds_that_are_refused(tmp_path: Path) -> None:
    def hdr(stream: Any) -> None:
        stream.codec_context.color_trc = 16

    def other_matrix(stream: Any) -> None:
        stream.codec_context.colorspace = 8

    path = written(tmp_path / "alpha.mkv", moving(2), codec="ffv1", pixels="yuva420p")
    with pytest.raises(SampleError, match="transparency"):
        read_clip(path)
    planes = [RNG.integers(0, 256, (3, 48, 64), dtype=np.uint8)]
    for change, message in ((hdr, "HDR"), (other_matrix, "matrix 8")):
        path = written(tmp_path / "a.mp4", planes, pixels="yuv444p", given="yuv444p", prepare=change)
        with pytest.raises(SampleError, match=message):
            read_clip(path)
        path.unlink()
    with av.open(str(tmp_path / "sound.mp4"), "w") as file:
        stream = file.add_stream("aac", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.rate = 8000
        file.mux(stream.encode(sound))
        file.mux(stream.encode(None))
    with pytest.raises(SampleError, match="no video"):
        probe(tmp_path / "sound.mp4")


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    made(tmp_path, "plain.mp4")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile plain.mp4\n")
    (tmp_path / "hls.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nplain.mp4\n#EXT-X-ENDLIST\n")
    for name in ("list.mp4", "hls.mp4"):
        with pytest.raises(SampleError, match="cannot be decoded"):
            probe(tmp_path / name)


def test_no_videos(tmp_path: Path) -> None:
    (tmp_path / "empty.avi").write_bytes(b"")
    (tmp_path / "text.mp4").write_bytes(b"not a video")
    for name in ("empty.avi", "text.mp4", "absent.mkv"):
        for read in (probe, read_clip, lambda path: list(segments(path, 4))):
            with pytest.raises(SampleError, match=name):
                read(tmp_path / name)
    with pytest.raises(SampleError):
        probe(tmp_path)


@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("ten.mkv", "mpeg2.mpg", "odd.mkv")])
def test_every_cut_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    path = made(tmp_path, name)
    content = path.read_bytes()
    assert stated_bytes(path) == len(content)
    cut = tmp_path / f"cut{path.suffix}"
    for length in (*range(0, len(content) - 1, len(content) // 23), len(content) - 2):
        cut.write_bytes(content[:length])
        if length == 0 or name != "fragments.mp4":
            with pytest.raises(SampleError, match="cut"):
                read_clip(cut)
    # A video in fragments may end after any of them: it is a whole file then.
    if name == "fragments.mp4":
        whole = read_clip(path)[0]
        for length in range(0, len(content) - 1, len(content) // 23):
            cut.write_bytes(content[:length])
            try:
                frames = read_clip(cut)[0]
            except SampleError:
                continue
            assert len(frames) % 4 == 0
            assert np.array_equal(frames, whole[: len(frames)])


def test_real_clips_cut_or_damaged(data_root: Path, tmp_path: Path) -> None:
    content = (data_root / "ucf101_mini/UCF-101/BenchPress/v_BenchPress_g01_c05.avi").read_bytes()
    path = tmp_path / "cut.avi"
    for part in (0.1, 0.5, 0.9, 0.999):
        path.write_bytes(content[: int(len(content) * part)])
        with pytest.raises(SampleError, match="cut short: it has"):
            probe(path)
    found = 0
    for seed in range(8):
        damaged = bytearray(content)
        place = int(np.random.default_rng(seed).integers(20_000, len(content) - 30_000))
        damaged[place : place + 40] = bytes(40)
        path.write_bytes(damaged)
        try:
            assert read_clip(path)[0].shape == (88, 240, 320, 3)
        except SampleError as error:
            found += "cut.avi" in str(error)
    assert found == 8


@pytest.mark.parametrize("name", ["plain.mp4", "bframes.mkv", "odd.webm", "vp8.webm", "mpeg4.avi"])
def test_damage_anywhere_is_a_sample_error_or_goes_unnoticed(tmp_path: Path, name: str) -> None:
    path = made(tmp_path, name)
    content = path.read_bytes()
    damaged = tmp_path / f"damaged{path.suffix}"
    for seed in range(30):
        rng = np.random.default_rng(seed)
        changed = np.frombuffer(content, np.uint8).copy()
        places = rng.integers(0, len(content), 4)
        changed[places] = rng.integers(0, 256, 4)
        damaged.write_bytes(changed.tobytes())
        try:
            frames, _ = read_clip(damaged, count=100)
        except SampleError:
            continue
        assert frames.ndim == 4


def test_the_decoders_are_named() -> None:
    found = decoders()
    assert found["av"] == av.__version__
    assert found["libavcodec"] == ".".join(map(str, av.library_versions["libavcodec"]))
    assert set(found) == {"av", "libavformat", "libavcodec", "libswscale", "reader"}
