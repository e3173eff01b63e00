"""Video files to RGB frames; what becomes of their pictures is told in `harness.video`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.dataset import Source
from harness.errors import SampleError
from harness.video.stream import opened

if TYPE_CHECKING:
    import numpy as np
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

    from harness.codec import Frames
    from harness.options import Value
    from harness.video.stream import Video

__all__ = ["Facts", "Reader", "decoders", "probe", "read_clip", "segments"]


@dataclass(frozen=True)
class Facts:
    """What is known of a video without decoding more than its first picture.

    Args:
        format: the codec as libav names it: "mpeg4", "h264", ...
        height: of the frames that `read_clip` gives, in pixels.
        width: likewise.
        frames: how many; by the container's index, else (Matroska, WebM) its duration, which may be one off, else
            (MPEG streams) by counting the coded pictures.
        fps: frames a second.
        bytes: of the file.
    """

    format: str
    height: int
    width: int
    frames: int
    fps: float
    bytes: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.frames / self.fps

    @property
    def kbps(self) -> float:
        """Kilobits (1000) of the file a second, container and sound included."""
        return 8 * self.bytes / 1000 / self.duration


def probe(path: Path) -> Facts:
    """Size, length and rate of a video file.

    Raises:
        SampleError: missing, cut short, damaged at its beginning, or of a kind that is refused.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise SampleError(f"{path}: there is no such file.") from error
    return _probe(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _probe(path: Path, size: int, _: int) -> Facts:
    with opened(path) as video:
        picture = next(video.pictures(), None)
        if picture is None:
            raise SampleError(f"{path}: not one picture in it can be decoded.")
        height, width = video.to_rgb(picture).shape[:2]
        name = video.stream.codec_context.codec.canonical_name
        frames, fps = video.stated_frames(), video.fps
    if frames is None:
        with opened(path) as video:
            frames = sum(bool(packet.size) for packet in video.container.demux(video.stream))
    return Facts(name, height, width, frames, fps, size)


def read_clip(path: Path, start: int = 0, count: int | None = None, stride: int = 1) -> tuple[Frames, Source]:
    """Decode a part of a video, from its beginning on (no seeking: an AVI's index and its pictures may disagree).

    Args:
        path: the file.
        start: the first frame.
        count: how many frames at most; None for all that there are. Fewer come back only where the video ends.
        stride: of so many frames only the first is given: `start`, `start + stride`, ...

    Returns:
        uint8[T, H, W, 3] in RGB, and how the file was stored: its codec, and of its bytes the share of the frames
        from the first to the last one given.

    Raises:
        SampleError: missing, damaged, cut short, of a kind that is refused, or it ends before `start`; the message
            says which.
    """
    facts = probe(path)
    stop = None if count is None else start + count * stride
    frames = _stacked(list(_frames(path, start, stop, stride)), path, start)
    share = min(1.0, len(frames) * stride / max(facts.frames, 1))
    return frames, Source(facts.format, max(1, round(facts.bytes * share)))


class Reader:
    """One open video whose parts are read in order: each picture is decoded once, and those in between are not turned
    into RGB. A part before the one read last begins the file anew.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = 0
        self._open: ExitStack | None = None
        self._pictures: Iterator[VideoFrame] = iter(())
        self._video: Video | None = None

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def read(self, start: int, count: int, stride: int = 1) -> Frames:
        """`count` frames at most, every `stride`-th from `start` on: uint8[T, H, W, 3]. Fewer where the video ends.

        Raises:
            SampleError: damaged, cut short, of a kind that is refused, or it ends before `start`.
        """
        try:
            return self._read(start, count, stride)
        except BaseException as error:
            held, self._open = self._open, None
            if held is not None:  # `opened` says of which file it is
                held.__exit__(type(error), error, error.__traceback__)
            raise

    def _read(self, start: int, count: int, stride: int) -> Frames:
        if self._open is None or start < self._next:
            self.close()
            self._open = ExitStack()
            self._video = self._open.enter_context(opened(self.path))
            self._pictures, self._next = self._video.pictures(), 0
        assert self._video is not None
        frames: list[NDArray[np.uint8]] = []
        while len(frames) < count and (picture := next(self._pictures, None)) is not None:
            if self._next >= start and (self._next - start) % stride == 0:
                frames.append(self._video.to_rgb(picture))
            self._next += 1
        if len(frames) < count:  # the end: what follows would begin anew
            self.close()
        return _stacked(frames, self.path, start)


def segments(path: Path, length: int, stride: int = 1) -> Iterator[Frames]:
    """A whole video in consecutive parts of `length` frames (the last one perhaps shorter), one in memory at a time.

    Raises:
        SampleError: as `read_clip`; where the damage is reached.
    """
    held: list[NDArray[np.uint8]] = []
    for frame in _frames(path, 0, None, stride):
        held.append(frame)
        if len(held) == length:
            yield _stacked(held, path, 0)
            held = []
    if held:
        yield _stacked(held, path, 0)


def decoders() -> Mapping[str, Value]:
    """Versions of PyAV and of the libraries of libav that decode and convert."""
    import av

    libraries = ("libavformat", "libavcodec", "libswscale")
    return {"av": av.__version__, **{name: ".".join(map(str, av.library_versions[name])) for name in libraries}}


def _stacked(frames: list[NDArray[np.uint8]], path: Path, start: int) -> Frames:
    import numpy as np

    if not frames:
        raise SampleError(f"{path}: frame {start} (counted from 0) was asked for, the video ends before it.")
    if any(frame.shape != frames[0].shape for frame in frames):
        raise SampleError(f"{path}: its frames change their size.")
    whole = np.empty((len(frames), *frames[0].shape), np.uint8)
    for number in range(len(frames)):
        whole[number] = frames[number]
        frames[number] = whole[number]  # frees the single frame: no more than one is held twice
    return whole


def _frames(path: Path, start: int, stop: int | None, stride: int) -> Iterator[NDArray[np.uint8]]:
    with opened(path) as video:
        for number, picture in enumerate(video.pictures()):
            if stop is not None and number >= stop:
                return
            if number >= start and (number - start) % stride == 0:
                yield video.to_rgb(picture)
