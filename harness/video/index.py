"""Counts the frames of a video and measures its rate, by reading all its packets.

What a container states (a number of frames, a duration, a rate) is not used: it may count pictures that an edit list
hides, or be the duration of another track.

Leading pictures. A file that was cut out of a longer one may begin with pictures that need others from before the cut:
those in front of the first key picture, and after it the pictures of an open group that are shown before it. Players
skip them, and so are they skipped here. They are no damage, and no frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import SampleError
from harness.video.between import between_pictures
from harness.video.display import Matrix, display_matrix
from harness.video.ffv1 import Checker
from harness.video.rate import chunk_rate, constant_rate
from harness.video.shown import shows_picture
from harness.video.stream import Video, opened

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["Index", "index_of", "pictures"]


@dataclass(frozen=True)
class Index:
    """What the packets of a video say.

    Args:
        packets: the number of packets.
        first: the first packet that is decoded: the first key picture.
        leading: the last packet that may be a leading picture; `first` if there is none.
        hidden: the packets from `first` on that give no frame: hidden by an edit list or by the codec, placeholders,
            and leading pictures that cannot be decoded.
        fps: frames per second.
        problem: what is wrong with the packets: damage, or a variable frame rate. None if nothing is.
    """

    packets: int
    first: int
    leading: int
    hidden: frozenset[int]
    fps: float
    problem: str | None = None

    @property
    def frames(self) -> int:
        """The number of frames."""
        return self.packets - self.first - len(self.hidden)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A packet: its time in ticks, its place in decoding order, and what it is."""

    time: int | None
    place: int | None
    key: bool
    shown: bool
    corrupt: bool
    between: bool


def index_of(path: Path) -> Index:
    """Return the index of a video file. It is kept until the file changes.

    Raises:
        SampleError: the file is missing, truncated, or damaged at its beginning.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise SampleError(f"{path}: there is no such file.") from error
    return _index_of(path, status.st_size, status.st_mtime_ns)


def pictures(video: Video, index: Index, *, sound: bool = True) -> Iterator[tuple[VideoFrame, Matrix | None]]:
    """Yield the frames of an open video as decoded pictures in display order, each with its display matrix.

    Args:
        video: the open video.
        index: its index.
        sound: false to begin though the index shows a problem.

    Raises:
        SampleError: the index shows a problem; a picture is damaged; or, at the end of the video, pictures are missing.
    """
    if sound and index.problem is not None:
        raise SampleError(index.problem)
    frames, seen = 0, set[int]()
    matrix: Matrix | None = None
    for number, picture in video.decoded(index.first, index.leading):
        if number in index.hidden and number <= index.leading:
            continue
        frames += 1
        seen.add(number)
        matrix = display_matrix(picture, matrix)
        yield picture, matrix
    if frames < index.frames:
        # A packet of two MPEG-4 pictures may give the same number twice, so the numbers show the place only.
        missing = set(range(index.first, index.packets)) - index.hidden - seen
        raise SampleError(
            f"{video.path}: damaged or cut: {index.frames - frames} of its pictures are missing or do not decode, the "
            f"first at about frame {min(missing, default=index.first) - index.first} (counted from 0)."
        )
    if frames > index.frames:
        raise SampleError(
            f"{video.path}: damaged: {index.frames} frames were counted in it, and {frames} pictures were decoded."
        )


@lru_cache(maxsize=1024)
def _index_of(path: Path, _: int, __: int) -> Index:
    with opened(path) as video:
        shows = shows_picture(video.codec, video.formats, video.extradata)
        between = between_pictures(video.codec, video.extradata)
        checker = Checker() if video.codec == "ffv1" and video.extradata else None
        entries = []
        for _, packet in video.packets():
            data = bytes(packet)
            entries.append(_entry(packet, shows(data) and not packet.is_discard, between(data)))
            if checker is not None:
                checker.add(data)
        broken = {number for number, entry in enumerate(entries) if entry.corrupt}
        if checker is not None:
            broken |= {number for number, damaged in enumerate(checker.damaged()) if damaged}
        lost = video.listed - len(entries)
        problem = f"{path}: damaged or cut: {lost} of its pictures are missing, by its index." if lost > 0 else None
        timed, tick, rates = video.timed, video.stream.time_base, video.stated_rates()
    if not entries:
        raise SampleError(f"{path}: not one picture in it can be decoded.")
    first = next((number for number, entry in enumerate(entries) if entry.key), 0)
    leading = _last_leading(entries, first, timed and not video.codec.startswith("mpeg"))
    broken = {number for number in broken if number == first or number > leading}
    if broken:
        problem = f"{path}: damaged at about frame {min(broken) - first} (counted from 0)."
    hidden = {number for number in range(first, len(entries)) if not entries[number].shown}
    if leading > first:
        hidden |= _undecodable(path, first, leading, hidden)
    frames = [entries[number] for number in range(first, len(entries)) if number not in hidden]
    if problem is not None:
        fps: float | None = float(rates[0]) if rates else None
    elif timed:
        import numpy as np

        times = [entry.time for entry in frames if entry.time is not None]
        if len(times) < len(frames):
            number = next(number for number, entry in enumerate(frames) if entry.time is None)
            raise SampleError(f"{path}: frame {number} has no time; write the video anew, e.g. with ffmpeg.")
        assert tick is not None
        try:
            fps = constant_rate(path, np.sort(np.array(times, np.int64)), tick, rates)
        except SampleError as error:
            fps, problem = float(rates[0]) if rates else None, str(error)
    else:
        places = [entry.place for entry in frames if entry.place is not None]
        fps = (chunk_rate(places, rates[0]) if not video.raw else float(rates[0])) if rates else None
    if fps is None:
        raise SampleError(
            f"{path}: its frame rate is not stated. Put it into a container with the right one: "
            f"ffmpeg -r RATE -i {path.name} -c copy {path.stem}.mp4"
        )
    return Index(len(entries), first, leading, frozenset(hidden), fps, problem)


def _entry(packet: Packet[VideoStream], shown: bool, between: bool) -> _Entry:
    return _Entry(packet.pts, packet.dts, packet.is_keyframe, shown, packet.is_corrupt, between)


def _last_leading(entries: list[_Entry], first: int, timed: bool) -> int:
    """Return the last packet of those that follow the first key picture and may be shown before it.

    Tools that cut files without decoding write such pictures with the key picture's time, or a few ticks after it, or
    without a time.

    Args:
        entries: the packets.
        first: the first key picture.
        timed: false if times cannot tell: there are none, or the codec is MPEG-1, 2 or 4, whose B pictures always need
            a picture before them.
    """
    start, last = entries[first].time, first
    for number in range(first + 1, len(entries)):
        time = entries[number].time
        earlier = timed and start is not None and (time is None or time <= start)
        beside = start is not None and time is not None and time <= start + number - first
        if not earlier and not (entries[number].between and (beside or not timed)):
            break
        last = number
    return last


def _undecodable(path: Path, first: int, leading: int, hidden: set[int]) -> set[int]:
    """Decode the beginning of a video, and return the leading pictures that cannot be decoded."""
    seen = set[int]()
    with opened(path) as video:
        for number, _ in video.decoded(first, leading):
            seen.add(number)
            if number > leading:  # pictures come in display order, leading ones first
                break
    return {number for number in range(first + 1, leading + 1) if number not in seen and number not in hidden}
