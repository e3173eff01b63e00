"""Decodes video files to RGB frames; `harness.video` describes how the frames are converted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.dataset import Source
from harness.errors import SampleError
from harness.video.colour import Converter
from harness.video.index import index_of, pictures
from harness.video.stream import opened

if TYPE_CHECKING:
    import numpy as np
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

    from harness.codec import Frames
    from harness.options import Value
    from harness.video.display import Matrix

__all__ = ["Facts", "Reader", "decoders", "probe", "read_clip", "segments"]


@dataclass(frozen=True)
class Facts:
    """The facts about a video that are known without decoding more than its beginning.

    Args:
        format: libav's name of the codec: "mpeg4", "h264", ...
        height: height in pixels of the frames that `read_clip` returns.
        width: width in pixels of the frames that `read_clip` returns.
        frames: the number of frames that are shown. They are counted by reading all packets; what the container states
            is not used.
        fps: frames per second, by the times of the frames.
        bytes: the file's size.
    """

    format: str
    height: int
    width: int
    frames: int
    fps: float
    bytes: int

    @property
    def duration(self) -> float:
        """The duration in seconds."""
        return self.frames / self.fps

    @property
    def kbps(self) -> float:
        """The file's bit rate in kbit/s (1 kbit = 1000 bits), including the container and sound."""
        return 8 * self.bytes / 1000 / self.duration


def probe(path: Path) -> Facts:
    """Return the frame size, the number of frames and the frame rate of a video file.

    Raises:
        SampleError: the file is missing, truncated, damaged at its beginning, or of a kind that is refused (see
            `harness.video`).
    """
    return _probe(path, *_state(path))


def _state(path: Path) -> tuple[int, int]:
    """Return a file's size in bytes and the time of its last change in ns."""
    try:
        status = path.stat()
    except OSError as error:
        raise SampleError(f"{path}: there is no such file.") from error
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=4096)
def _probe(path: Path, size: int, _: int) -> Facts:
    index = index_of(path)
    with opened(path) as video:
        first = next(pictures(video, index, sound=False), None)
        if first is None:
            raise SampleError(f"{path}: not one picture in it can be decoded.")
        height, width = Converter(path).to_rgb(*first).shape[:2]
        return Facts(video.codec, height, width, index.frames, index.fps, size)


def read_clip(path: Path, start: int = 0, count: int | None = None, stride: int = 1) -> tuple[Frames, Source]:
    """Decode some frames of a video.

    The video is decoded from its beginning, without seeking, because the index of an AVI may not match its pictures;
    and the first time to its end, so that a damaged file is refused wherever the damage is.

    Args:
        path: the file.
        start: the number of the first frame.
        count: the maximum number of frames; None for all frames. Fewer are returned only if the video ends earlier.
        stride: the distance between the returned frames: `start`, `start + stride`, ...

    Returns:
        The frames, uint8[T, H, W, 3] in RGB, and how the file is stored: its codec, and the part of the file's bytes
        that belongs to the frames from the first to the last returned frame (a proportional share).

    Raises:
        SampleError: the file is missing, damaged anywhere, truncated, of a kind that is refused (see `harness.video`),
            or ends before `start`. The message says which.
    """
    facts = probe(path)
    stop = None if count is None else start + count * stride
    frames = _stacked(list(_frames(path, start, stop, stride)), path, start)
    share = min(1.0, len(frames) * stride / max(facts.frames, 1))
    return frames, Source(facts.format, max(1, round(facts.bytes * share)))


class Reader:
    """An open video file from which parts are read in order.

    Each picture is decoded only once for all parts, after the file was decoded once to see that it is sound; pictures
    between the requested ones are not converted to RGB. If a requested part begins before the current position, the
    file is read again from its beginning.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = 0
        self._open: ExitStack | None = None
        self._pictures: Iterator[tuple[VideoFrame, Matrix | None]] = iter(())
        self._converter = Converter(path)

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def read(self, start: int, count: int, stride: int = 1) -> Frames:
        """Return every `stride`-th frame from `start` on, `count` frames at most: uint8[T, H, W, 3].

        Fewer frames are returned if the video ends earlier.

        Raises:
            SampleError: the file is damaged anywhere, truncated, of a kind that is refused, or ends before `start`.
        """
        require_sound(self.path)
        try:
            return self._read(start, count, stride)
        except BaseException as error:
            open_file, self._open = self._open, None
            if open_file is not None:  # `opened` turns the error into a SampleError that names the file
                open_file.__exit__(type(error), error, error.__traceback__)
            raise

    def _read(self, start: int, count: int, stride: int) -> Frames:
        if self._open is None or start < self._next:
            self.close()
            self._open = ExitStack()
            video = self._open.enter_context(opened(self.path))
            self._pictures, self._next = pictures(video, index_of(self.path)), 0
        frames: list[NDArray[np.uint8]] = []
        while len(frames) < count and (picture := next(self._pictures, None)) is not None:
            if self._next >= start and (self._next - start) % stride == 0:
                frames.append(self._converter.to_rgb(*picture))
            self._next += 1
        if len(frames) < count:  # the end of the video: the next call opens the file again
            self.close()
        return _stacked(frames, self.path, start)


def segments(path: Path, length: int, stride: int = 1) -> Iterator[Frames]:
    """Yield a whole video in consecutive parts of `length` frames; the last part may be shorter.

    Only one part is in memory at a time. With a `stride`, only every `stride`-th frame of the video is used.

    Raises:
        SampleError: as `read_clip`, before the first part.
    """
    require_sound(path)
    part: list[NDArray[np.uint8]] = []
    for frame in _frames(path, 0, None, stride):
        part.append(frame)
        if len(part) == length:
            yield _stacked(part, path, 0)
            part = []
    if part:
        yield _stacked(part, path, 0)


def require_sound(path: Path) -> None:
    """Decode a video to its end, once for each state of the file.

    Whether a file is damaged does so not depend on which of its frames are asked for.

    Raises:
        SampleError: it is damaged, truncated, or of a kind that is refused.
    """
    problem = _problem(path, *_state(path))
    if problem is not None:
        raise SampleError(problem)


@lru_cache(maxsize=4096)
def _problem(path: Path, _: int, __: int) -> str | None:
    """Return what is wrong with a video; None if all its pictures can be decoded."""
    try:
        index = index_of(path)
        with opened(path) as video:
            for _picture in pictures(video, index, sound=False):  # the decoder knows best what is wrong
                pass
    except SampleError as error:
        return str(error)
    return index.problem


REVISION = 2
"""Raised when the same file gives other frames than before. Above 1 it is part of what `decoders` returns."""


def decoders() -> Mapping[str, Value]:
    """Return the versions of PyAV and of the libav libraries that decode and convert the frames."""
    import av

    libraries = ("libavformat", "libavcodec", "libswscale")
    versions = {name: ".".join(map(str, av.library_versions[name])) for name in libraries}
    return {"av": av.__version__, **versions, **({"reader": REVISION} if REVISION > 1 else {})}


def _stacked(frames: list[NDArray[np.uint8]], path: Path, start: int) -> Frames:
    import numpy as np

    if not frames:
        raise SampleError(f"{path}: frame {start} (counted from 0) was asked for, the video ends before it.")
    if any(frame.shape != frames[0].shape for frame in frames):
        raise SampleError(f"{path}: its frames change their size.")
    clip = np.empty((len(frames), *frames[0].shape), np.uint8)
    for number in range(len(frames)):
        clip[number] = frames[number]
        frames[number] = clip[number]  # frees the single frame, so that only one frame is in memory twice
    return clip


def _frames(path: Path, start: int, stop: int | None, stride: int) -> Iterator[NDArray[np.uint8]]:
    require_sound(path)
    converter = Converter(path)
    with opened(path) as video:
        for number, picture in enumerate(pictures(video, index_of(path))):
            if stop is not None and number >= stop:
                return
            if number >= start and (number - start) % stride == 0:
                yield converter.to_rgb(*picture)
