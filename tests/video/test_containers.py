"""Frames, rate and bytes of video files in all containers: by what was written, and by what ffprobe counts.

The container's word is not used: it counts pictures that an edit list hides, or is the duration of the sound.
"""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from harness.errors import SampleError
from harness.video import probe, read_clip
from harness_plugins.folder import Folder
from harness_tasks.action.datasets.video_folder import VideoFolder
from kit.video_files import copied, keys, numbered, numbers, written

FFPROBE, FFMPEG = shutil.which("ffprobe"), shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(not (FFPROBE and FFMPEG), reason="the commands ffmpeg and ffprobe are not installed")

COUNT = 30
KINDS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"bf": "2", "g": "12"},
    "h264.mov": {"bf": "2", "rate": Fraction(30000, 1001)},
    "hevc.mp4": {"codec": "libx265"},
    "h264.mkv": {"bf": "2"},
    "ntsc.mkv": {"bf": "2", "rate": Fraction(30000, 1001)},
    "vp8.webm": {"codec": "libvpx", "auto-alt-ref": "1", "lag-in-frames": "8", "b": "500k"},
    "vp9.webm": {"codec": "libvpx-vp9", "auto-alt-ref": "1", "lag-in-frames": "8", "cpu-used": "8"},
    "av1.mp4": {"codec": "libsvtav1", "preset": "12", "crf": "30"},
    "mpeg4.avi": {"codec": "mpeg4", "bf": "2"},
    "mjpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "h264.ts": {"bf": "2", "g": "12"},
    "mpeg2.ts": {"codec": "mpeg2video", "bf": "2"},
    "mpeg2.mpg": {"codec": "mpeg2video", "bf": "2"},
    "mpeg1.mpg": {"codec": "mpeg1video"},
    "h264.flv": {"bf": "2"},
    "raw.h264": {"bf": "2", "rate": Fraction(24000, 1001)},
    "raw.hevc": {"codec": "libx265", "rate": 50},
    "raw.m2v": {"codec": "mpeg2video", "bf": "2"},
    "raw.ivf": {"codec": "libvpx-vp9", "cpu-used": "8"},
}
SOUND = {
    "mp4": "aac",
    "mov": "aac",
    "mkv": "aac",
    "webm": "libopus",
    "avi": "mp2",
    "ts": "mp2",
    "mpg": "mp2",
    "flv": "aac",
}


def made(folder: Path, name: str, **options: Any) -> Path:
    return written(folder / name, numbered(COUNT), **KINDS[name], **options)


def by_ffprobe(path: Path) -> int:
    command = [str(FFPROBE), "-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries"]
    command += ["stream=nb_read_frames", "-of", "default=nw=1:nk=1", str(path)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0])


def assert_agrees(path: Path, count: int, rate: Fraction | int) -> None:
    """All that is known of a file is what was written into it."""
    facts = probe(path)
    frames, source = read_clip(path)
    assert (facts.frames, len(frames)) == (count, count)
    assert facts.fps == pytest.approx(float(rate), rel=2e-5)
    assert source.bytes == facts.bytes == path.stat().st_size
    assert facts.duration == pytest.approx(count / float(rate), rel=2e-5)
    assert facts.kbps == pytest.approx(8 * path.stat().st_size / 1000 / (count / float(rate)), rel=2e-5)
    if FFPROBE:
        assert by_ffprobe(path) == count


@pytest.mark.parametrize("name", KINDS)
def test_frames_and_rate_are_those_that_were_written(tmp_path: Path, name: str) -> None:
    assert_agrees(made(tmp_path, name), COUNT, KINDS[name].get("rate", 25))


@pytest.mark.parametrize("seconds", [0.3, 4.0])
@pytest.mark.parametrize("name", [name for name in KINDS if not name.startswith("raw")])
def test_sound_changes_neither_frames_nor_rate(tmp_path: Path, name: str, seconds: float) -> None:
    path = made(tmp_path, name, sound=SOUND[name.split(".")[1]], seconds=seconds)
    with av.open(str(path)) as file:
        assert len(file.streams.audio) == 1
    assert_agrees(path, COUNT, KINDS[name].get("rate", 25))


@needs_ffmpeg
@pytest.mark.parametrize(("name", "kind"), [("h264.mp4", "mov_text"), ("h264.mkv", "srt"), ("vp9.webm", "webvtt")])
def test_subtitles_change_neither_frames_nor_rate(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:00,100 --> 00:00:09,000\nNine seconds.\n")
    video, path = made(tmp_path, name), tmp_path / f"subtitled.{name.split('.')[1]}"
    command = [str(FFMPEG), "-v", "error", "-i", str(video), "-i", str(tmp_path / "a.srt"), "-c", "copy"]
    subprocess.run([*command, "-c:s", kind, str(path)], check=True)
    with av.open(str(path)) as file:
        assert len(file.streams.subtitles) == 1
    assert_agrees(path, COUNT, 25)


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mp4", "h264.mov"])
def test_an_edit_list_hides_frames(tmp_path: Path, name: str) -> None:
    whole, rate = made(tmp_path, name), Fraction(KINDS[name].get("rate", 25))
    path = copied(whole, tmp_path / f"edited.{name.split('.')[1]}", earlier=float(11 / rate))
    with av.open(str(path)) as file:
        assert file.streams.video[0].frames == COUNT  # the container's word
    assert_agrees(path, COUNT - 11, rate)
    assert np.array_equal(read_clip(path)[0], read_clip(whole, 11)[0])
    assert numbers(read_clip(path, 0, 3)[0]) == [11, 12, 13]


def test_a_cut_at_a_key_picture_does_not_change_the_rate(tmp_path: Path) -> None:
    """An open group, cut into MP4: the leading pictures are in the file, and hidden by the edit list."""
    whole = written(tmp_path / "a.mp4", numbered(COUNT), **{"bf": "2", "x264-params": OPEN})
    first = keys(whole)[1]
    path = copied(whole, tmp_path / "b.mp4", keep=lambda number: number >= first, earlier=0.5)
    assert probe(path).fps == 25
    assert probe(path).frames == len(read_clip(path)[0])


OPEN = "open-gop=1:keyint=10:min-keyint=10:scenecut=0:b-adapt=0"


def test_datasets_take_the_middle_of_what_is_shown(tmp_path: Path) -> None:
    (tmp_path / "jump").mkdir()
    whole = written(tmp_path / "whole.mp4", numbered(28), bf="2")
    path = copied(whole, tmp_path / "jump" / "a.mp4", earlier=8 / 25)
    dataset = VideoFolder("action", root=tmp_path, frames=12)
    dataset.open()
    sample = dataset[0]
    assert dataset.outline(0).frames == 12
    assert numbers(sample.frames) == list(range(12, 24))
    assert sample.source is not None
    assert sample.source.bytes == round(path.stat().st_size * 12 / 20)
    folder = Folder("detection", root=path, frames=10)
    folder.open()
    assert len(folder) == 2
    assert [numbers(folder[number].frames) for number in range(2)] == [list(range(8, 18)), list(range(18, 28))]


def test_a_raw_stream_without_a_rate_is_refused_with_advice(tmp_path: Path) -> None:
    path = written(tmp_path / "a.obu", numbered(4), codec="libsvtav1", preset="12", form="obu")
    with pytest.raises(SampleError, match=r"frame rate is not stated.*ffmpeg -r RATE -i a.obu -c copy a.mp4"):
        probe(path)


def test_an_avi_with_every_second_chunk_empty_has_half_the_rate(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.avi"), "w") as file:
        stream = file.add_stream("mpeg4", rate=50)
        stream.height, stream.width = 64, 96
        stream.codec_context.time_base = Fraction(1, 50)
        for number, pixels in enumerate(numbered(12)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = 2 * number, Fraction(1, 50)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    assert_agrees(tmp_path / "a.avi", 12, 25)
