"""Whether a video counts as damaged: by what is missing or changed in it, and not by how it is cut into samples."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from harness.dataset import Dataset
from harness.errors import SampleError
from harness.video import Reader, probe, read_clip, segments
from harness_plugins.folder import Folder
from harness_tasks.action.datasets.video_folder import VideoFolder
from kit.video_files import QUIET, copied, keys, numbered, numbers, written

FFMPEG = shutil.which("ffmpeg")
COUNT, GROUP = 30, 10
GROUPS = f"keyint={GROUP}:min-keyint={GROUP}:scenecut=0:open-gop=1:bframes=3:b-adapt=0"
OPEN: dict[str, dict[str, str]] = {
    "libx264": {"x264-params": GROUPS},
    "libx265": {"x265-params": f"{GROUPS}:{QUIET}"},
    "mpeg2video": {"g": str(GROUP), "bf": "2", "b": "8M"},
    "mpeg4": {"g": str(GROUP), "bf": "2", "b": "8M"},
}
CUTS = [
    ("libx264", "mp4"), ("libx264", "mkv"), ("libx264", "ts"), ("libx264", "h264"), ("libx265", "mp4"),
    ("libx265", "mkv"), ("libx265", "ts"), ("libx265", "hevc"), ("mpeg2video", "mkv"), ("mpeg2video", "ts"),
    ("mpeg2video", "mpg"), ("mpeg2video", "m2v"), ("mpeg4", "avi"), ("mpeg4", "mkv"),
]  # fmt: skip


def source(folder: Path, codec: str, kind: str) -> Path:
    start_codes = kind in ("ts", "h264", "hevc", "mpg", "m2v")
    name = {"avi": "whole.avi"}.get(kind, "whole.ts" if start_codes and codec != "mpeg4" else "whole.mkv")
    return written(folder / name, numbered(COUNT), codec, **OPEN[codec])


def place_of(path: Path, number: int) -> int:
    """Which frame a packet is, of a file that was not cut."""
    with av.open(str(path)) as file:
        packets = [packet for packet in file.demux(file.streams.video[0]) if packet.size]
    return sorted(packet.pts for packet in packets).index(packets[number].pts)


def all_datasets(path: Path) -> list[Dataset]:
    """One file in every segmentation: its parent folder must be a class."""
    found: list[Dataset] = [Folder("detection", root=path, frames=length) for length in (3, 7, 1000)]
    found.append(Folder("detection", root=path, frames=4, stride=3))
    found += [VideoFolder("action", root=path.parent.parent, frames=length) for length in (2, 1000)]
    found.append(VideoFolder("action", root=path.parent.parent, frames=2, start=0))
    for dataset in found:
        dataset.open()
    return found


def verdicts(path: Path) -> list[set[str]]:
    """For each segmentation, what its samples came to: "read", or the reason of the failure."""
    results = []
    for dataset in all_datasets(path):
        found = set()
        for number in range(len(dataset)):
            try:
                dataset.outline(number)
                assert len(dataset[number].frames)
                found.add("read")
            except SampleError as error:
                found.add("damaged" if "damaged" in str(error) else str(error))
        results.append(found)
    return results


def in_class(folder: Path, name: str) -> Path:
    (folder / "set" / "jump").mkdir(parents=True, exist_ok=True)
    return folder / "set" / "jump" / name


@pytest.mark.parametrize(("codec", "kind"), CUTS)
def test_leading_pictures_of_an_open_group_are_no_damage_and_no_frames(tmp_path: Path, codec: str, kind: str) -> None:
    whole = source(tmp_path, codec, kind)
    first = keys(whole)[1]
    path = copied(whole, in_class(tmp_path, f"a.{kind}"), keep=lambda number: number >= first)
    frames = read_clip(path)[0]
    shown = numbers(frames)
    assert shown == list(range(place_of(whole, first), COUNT))  # from the key picture on
    assert len(frames) < COUNT - first  # others that need the group before are in the file
    assert np.array_equal(frames, read_clip(whole, shown[0])[0])
    assert (probe(path).frames, probe(path).fps) == (len(frames), 25)
    assert verdicts(path) == [{"read"}] * 7
    parts = [sample.frames for sample in all_datasets(path)[1]]
    assert np.array_equal(np.concatenate(parts), frames[: sum(map(len, parts))])


@pytest.mark.parametrize(("codec", "kind"), [pair for pair in CUTS if pair[1] not in ("mp4", "mpg")])
def test_a_start_in_the_middle_of_a_group_is_no_damage(tmp_path: Path, codec: str, kind: str) -> None:
    """A recording that begins anywhere: players wait for a key picture."""
    whole = source(tmp_path, codec, kind)
    path = copied(whole, in_class(tmp_path, f"a.{kind}"), keep=lambda number: number >= 4)
    assert numbers(read_clip(path)[0]) == list(range(place_of(whole, keys(whole)[1]), COUNT))
    assert verdicts(path) == [{"read"}] * 7


def spoilt(data: bytes) -> bytes:
    """A packet of the same length, of which the second half are ones."""
    return data[: len(data) // 2] + b"\xff" * (len(data) - len(data) // 2)


@pytest.mark.parametrize(("codec", "kind"), [pair for pair in CUTS if pair[1] not in ("m2v", "mpg")])
@pytest.mark.parametrize("place", [2, 14, 27])
def test_damage_in_the_middle_is_damage_in_every_segmentation(
    tmp_path: Path, codec: str, kind: str, place: int
) -> None:
    whole = source(tmp_path, codec, kind)
    path = in_class(tmp_path, f"a.{kind}")
    copied(whole, path, change=lambda number, data: spoilt(data) if number == place else data)
    found = verdicts(path)
    assert all(len(said) == 1 and said == found[0] for said in found)
    # The decoders of these two pass over much: docs/reference/files.md.
    assert found[0] != {"read"} or codec in ("mpeg2video", "libx265")


@pytest.mark.parametrize("codec", ["libx264", "mjpeg"])
@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts"])
def test_pictures_missing_in_the_middle_are_refused_in_every_segmentation(
    tmp_path: Path, codec: str, kind: str
) -> None:
    """Of Motion JPEG, every picture that is left can be decoded: the gap shows in the times."""
    if codec == "mjpeg":
        whole = written(tmp_path / "whole.mkv", numbered(COUNT), codec, pixels="yuvj420p")
        kind = "mkv" if kind == "ts" else kind
    else:
        whole = source(tmp_path, codec, kind)
    path = copied(whole, in_class(tmp_path, f"a.{kind}"), keep=lambda number: not 13 <= number <= 17)
    found = verdicts(path)
    assert all(len(said) == 1 and said == found[0] for said in found)
    assert found[0] != {"read"}
    if codec == "mjpeg":
        assert "frame 13 comes 240 ms after the one before, while the median of all is 40 ms" in found[0].pop()


def test_pictures_missing_in_an_avi_are_refused_in_every_segmentation(tmp_path: Path) -> None:
    """An AVI has no times: its index says how many pictures there should be, and chunks cannot be told otherwise."""
    whole = written(tmp_path / "whole.avi", numbered(COUNT), "mpeg4", bf="0", g="12")
    content = bytearray(whole.read_bytes())
    path = in_class(tmp_path, "a.avi")
    with av.open(str(whole)) as file:
        places = [packet.pos for packet in file.demux(file.streams.video[0]) if packet.size]
    content[places[14] : places[14] + 4] = b"JUNK"  # the chunk's name
    path.write_bytes(content)
    assert all(found and "read" not in found for found in verdicts(path))


def test_a_reader_and_segments_refuse_before_the_first_frame(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.mp4", numbered(COUNT), g="5")
    path = copied(whole, tmp_path / "a.mp4", change=lambda number, data: spoilt(data) if number == 22 else data)
    for read in (lambda: Reader(path).read(0, 2), lambda: next(segments(path, 2)), lambda: read_clip(path, 0, 2)):
        with pytest.raises(SampleError):
            read()


# Checksums that the formats have


def flipped(path: Path, folder: Path, seed: int) -> Path:
    """A copy of a file with one bit changed within a packet."""
    rng = np.random.default_rng(seed)
    with av.open(str(path)) as file:
        spans = [(packet.pos, packet.size) for packet in file.demux(file.streams.video[0]) if packet.size]
    place, size = spans[rng.integers(len(spans))]
    content = bytearray(path.read_bytes())
    content[place + 8 + rng.integers(size - 8)] ^= 1 << rng.integers(8)
    copy = folder / f"{seed}{path.suffix}"
    copy.write_bytes(content)
    return copy


CHECKED: dict[str, dict[str, Any]] = {
    "one.mkv": {"codec": "ffv1"},
    "slices.mkv": {"codec": "ffv1", "slices": "4", "level": "3"},
    "grey.avi": {"codec": "ffv1", "pixels": "gray", "level": "3"},
    "hash.mp4": {"codec": "libx265", "x265-params": f"hash=1:{QUIET}"},
}


@pytest.mark.parametrize("name", CHECKED)
def test_every_changed_bit_is_found_where_the_stream_has_checksums(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, numbered(6), **CHECKED[name])
    whole = read_clip(path)[0]
    refused = 0
    for seed in range(40):
        try:
            assert np.array_equal(read_clip(flipped(path, tmp_path, seed))[0], whole)  # of no effect
        except SampleError:
            refused += 1
    assert refused >= 30


def test_ffv1_without_checksums_is_read(tmp_path: Path) -> None:
    for level, more in (("3", {"slicecrc": "0"}), ("1", {})):
        path = written(tmp_path / f"{level}.mkv", numbered(4), "ffv1", level=level, **more)
        assert numbers(read_clip(path)[0]) == [0, 1, 2, 3]


# The advice for a variable frame rate


@pytest.mark.parametrize("every", [33, 40, 17, 42, 100])
def test_the_advice_names_the_measured_mean_rate(tmp_path: Path, every: int) -> None:
    """Like a browser's recorder: 1000 frames a second by the header, times that are not even."""
    rng = np.random.default_rng(1)
    times = np.cumsum(every + rng.permutation(np.tile([-3, 3, -2, 2, 0, 0], 4)))
    mean = 23 * 1000 / (times[-1] - times[0])
    path = tmp_path / "a.webm"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libvpx", rate=1000)
        stream.height, stream.width = 64, 96
        stream.codec_context.time_base = Fraction(1, 1000)
        for pixels, time in zip(numbered(24), times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = int(time), Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with av.open(str(path)) as file:
        assert file.streams.video[0].average_rate == 1000
    with pytest.raises(SampleError, match="variable frame rate") as caught:
        read_clip(path)
    message = str(caught.value)
    assert f"24 frames, on average {mean:.4g} a second" in message
    assert float(Fraction(message.split("-vf fps=")[1].split()[0])) == pytest.approx(mean, rel=0.006)
    if FFMPEG:
        command = message[message.index("ffmpeg -i") :].split()
        subprocess.run([command[0], "-v", "error", *command[1:]], cwd=tmp_path, check=True)
        fixed = probe(tmp_path / "constant.mp4")
        assert fixed.frames == pytest.approx(24, abs=1)
        assert fixed.fps == pytest.approx(mean, rel=0.006)
