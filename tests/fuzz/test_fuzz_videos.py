"""Spoilt video files: each gives frames or a SampleError, never another exception, a crash or a hang."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import SampleError
from harness.video import Reader, probe, read_clip
from kit.spoilt import EXAMPLES, fuzz
from kit.video_files import numbered, written

FILES: dict[str, dict[str, Any]] = {
    "h264.mp4": {"bf": "2", "g": "4"},
    "fragments.mp4": {"g": "3", "container": {"movflags": "frag_keyframe+empty_moov"}},
    "hevc.mkv": {"codec": "libx265"},
    "h264.ts": {"bf": "2", "g": "4"},
    "h264.flv": {"bf": "2"},
    "vp8.webm": {"codec": "libvpx"},
    "vp9.webm": {"codec": "libvpx-vp9", "cpu-used": "8"},
    "mpeg4.avi": {"codec": "mpeg4", "bf": "2", "g": "4"},
    "mjpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "mpeg2.mpg": {"codec": "mpeg2video", "bf": "2", "g": "4"},
    "ffv1.mkv": {"codec": "ffv1"},
    "raw.h264": {"bf": "2"},
    "raw.m2v": {"codec": "mpeg2video"},
    "raw.ivf": {"codec": "libvpx-vp9", "cpu-used": "8"},
    "sound.mp4": {"sound": "aac", "seconds": 0.3},
}


def read(path: Path) -> None:
    """Both ways of reading come to the same: frames, or a refusal."""
    facts = probe(path)
    try:
        frames, _ = read_clip(path, count=40)
    except SampleError:
        with pytest.raises(SampleError):
            Reader(path).read(0, 1)
        raise
    assert frames.dtype == np.uint8
    assert frames.shape[1:] == (facts.height, facts.width, 3)
    assert len(frames) == min(40, facts.frames)
    assert facts.fps > 0
    assert np.array_equal(Reader(path).read(0, 2), frames[:2])


@pytest.mark.parametrize("name", FILES)
def test_spoilt_videos_are_read_or_refused(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, numbered(8, 64, 64), **FILES[name])
    found = fuzz(path, path.read_bytes(), read)
    print(f"fuzz {name}: {dict(found)}")
    assert found.total() >= EXAMPLES / 2
    assert found["refused"] > 0


MP4, MATROSKA, AVI = b"\0\0\0\x18ftypisom", b"\x1a\x45\xdf\xa3", b"RIFF\xff\xff\xff\0AVI "
HEADS = (b"", MP4, MATROSKA, AVI, b"\0\0\1\xb3", b"\0\0\0\1\x67", b"DKIF")


@pytest.mark.parametrize("head", HEADS)
def test_junk_is_refused(tmp_path: Path, head: bytes) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    @given(tail=st.binary(max_size=300))
    def try_one(tail: bytes) -> None:
        path = tmp_path / "junk.mp4"
        path.write_bytes(head + tail)
        with pytest.raises(SampleError, match=r"junk\.mp4"):
            read_clip(path)

    try_one()
