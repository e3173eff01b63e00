"""An open video file: decodes its pictures in display order, checks them, and converts them to RGB.

`harness.video` describes how.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import SampleError
from harness.video.containers import stated_bytes

if TYPE_CHECKING:
    import numpy as np
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

__all__ = ["Video", "opened"]

_CONTAINERS = "avi,mov,matroska,mpeg,mpegts,flv,asf"
"""The container formats that libav may open. Formats with references (playlists) would make it open other files."""
_LARGEST = 179_000_000
_HD = 720
_UNSTATED = 2
_MATRICES = {1: "BT.709", 4: "FCC", 5: "BT.601", 6: "BT.601", 7: "SMPTE 240M", 9: "BT.2020"}
"""The matrices that libswscale supports, by their number in ITU-T H.273."""
_HDR = {16: "PQ", 18: "HLG"}
_FULL = 2
_TIMELESS = "avi"
_EMPTY = 1
"""The largest size, in bytes, of an AVI chunk that holds no picture."""
_TINY = 32
"""The largest size, in bytes, of a packet that may hold no picture.

Xvid writes such a placeholder after a packet with two pictures.
"""


@contextmanager
def opened(path: Path) -> Iterator[Video]:
    """Open a video file. Errors that libav raises while the file is open become a SampleError with the file's name."""
    import av
    from av.error import FFmpegError

    try:
        stated, size = stated_bytes(path), path.stat().st_size
        if stated is not None and stated > size + 1:  # a RIFF chunk of odd length has a byte of padding
            raise SampleError(f"{path}: cut short: it has {size} bytes, by its container it should have {stated}.")
        options = {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS}
        # The metadata of AVI files are often in another encoding than UTF-8.
        with av.open(f"file:{path}", metadata_errors="replace", container_options=options) as container:
            yield Video(path, container)
    except FileNotFoundError as error:
        raise SampleError(f"{path}: there is no such file.") from error
    except (OSError, FFmpegError, ValueError, MemoryError) as error:
        cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise SampleError(f"{path}: cannot be decoded ({cause}).") from error


class Video:
    """An open file and its video stream.

    Args:
        path: the file, for error messages.
        container: the container that libav opened.

    Attributes:
        stream: the video stream.
        fps: frames per second.

    Raises:
        SampleError: the file has no video stream, libav has no decoder for it, or its frame rate is unknown.
    """

    def __init__(self, path: Path, container: InputContainer) -> None:
        from av.stream import Disposition
        from av.video.reformatter import VideoReformatter

        self.path = path
        self.container = container
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            raise SampleError(f"{path}: there is no video in it.")
        self.stream: VideoStream = streams[0]
        if self.stream.codec_context is None:
            raise SampleError(f"{path}: this libav has no decoder for its codec.")
        self.stream.codec_context.options = {"err_detect": "explode"}
        self.stream.thread_count = 1  # one worker process for each core reads samples already
        rate = self.stream.average_rate or self.stream.guessed_rate
        if not rate:
            raise SampleError(f"{path}: its frame rate is not stated.")
        self.fps = float(rate)
        readers = container.format.name.split(",")
        self._timed, self._matroska = _TIMELESS not in readers, "matroska" in readers
        # Copied now, because reading the file adds entries to the index.
        self._listed = [entry.size for entry in self.stream.index_entries]
        self._reformatter = VideoReformatter()

    def stated_frames(self) -> int | None:
        """Return the number of frames from the container's index or its duration; None if it states neither."""
        if not self._timed and self._listed:
            return sum(size > _EMPTY for size in self._listed)
        if self.stream.frames or not self._matroska:
            return self.stream.frames or None
        seconds = _seconds(self.stream.metadata.get("DURATION", "")) or (self.container.duration or 0) / 1_000_000
        return round(seconds * self.fps) or None

    def pictures(self) -> Iterator[VideoFrame]:
        """Yield the decoded pictures in display order.

        Raises:
            SampleError: a picture is damaged or its time does not fit the frame rate; or, at the end of the video,
                pictures are missing.
        """
        packets = full = shown = 0
        last: float | None = None
        for packet in self.container.demux(self.stream):
            packets += bool(packet.size)
            full += packet.size > _TINY and not packet.is_discard
            if packet.is_corrupt:
                raise self._damaged(shown)
            for picture in packet.decode():
                if picture.is_corrupt:
                    raise self._damaged(shown)
                last = self._in_time(picture, last, shown)
                shown += 1
                yield picture
        # The index of Matroska lists key frames only. A VP8 packet may hold a picture that is never displayed.
        listed = 0 if self._matroska else len(self._listed)
        expected = full if self.stream.codec_context.name not in ("vp8", "libvpx") else 0
        if packets < listed or shown < expected:
            missing = max(listed - packets, expected - shown)
            raise SampleError(f"{self.path}: damaged or cut: {missing} of its pictures are missing or do not decode.")

    def to_rgb(self, picture: VideoFrame) -> NDArray[np.uint8]:
        """Convert a picture to RGB, uint8[H, W, 3], and apply the rotation that the container states."""
        import numpy as np
        from av.video.reformatter import ColorRange, Interpolation

        self._check(picture)
        flags = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
        matrix, full = self._colour(picture)
        converted = self._reformatter.reformat(
            picture,
            format="rgb24",
            src_colorspace=matrix,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=flags | Interpolation.FULL_CHR_H_INT,
            threads=1,
        )
        pixels = np.asarray(converted.to_ndarray(), np.uint8)
        turns, rest = divmod(picture.rotation, 90)
        if rest:
            raise SampleError(f"{self.path}: turned by {picture.rotation} degrees; multiples of 90 can be read.")
        return np.ascontiguousarray(np.rot90(pixels, turns)) if turns % 4 else pixels

    def _colour(self, picture: VideoFrame) -> tuple[int, bool]:
        """Return the number of the matrix (H.273; arbitrary for RGB and grey), and whether the range is full."""
        name = picture.format.name
        stated = int(picture.colorspace)
        if picture.format.is_rgb or name.startswith("gray"):
            return 5, True
        if stated == _UNSTATED:
            stated = 1 if picture.height >= _HD else 5
        return stated, int(picture.color_range) == _FULL or name.startswith("yuvj")

    def _check(self, picture: VideoFrame) -> None:
        """Raise a SampleError for a picture of a kind that is refused."""
        kind = picture.format
        transfer = int(picture.color_trc)
        if picture.width * picture.height > _LARGEST:
            raise SampleError(f"{self.path}: refused, frames of {picture.width}x{picture.height} pixels are too large.")
        if transfer in _HDR:
            raise SampleError(f"{self.path}: HDR ({_HDR[transfer]}). Map its tones to 8 bits first, as you want them.")
        if any(component.is_alpha for component in kind.components):
            raise SampleError(f"{self.path}: has transparency ({kind.name}); flatten it on the background you want.")
        if not kind.is_rgb and int(picture.colorspace) not in (*_MATRICES, _UNSTATED):
            raise SampleError(
                f"{self.path}: colours by matrix {int(picture.colorspace)} of ITU-T H.273; those that can be read: "
                + ", ".join(dict.fromkeys(_MATRICES.values()))
                + "."
            )

    def _in_time(self, picture: VideoFrame, last: float | None, number: int) -> float | None:
        """Return the picture's time in seconds; None for containers without times.

        Raises:
            SampleError: the picture has no time, or the time since the last picture does not fit the frame rate.
        """
        if not self._timed:
            return None
        if picture.pts is None or picture.time_base is None:
            raise SampleError(f"{self.path}: frame {number} has no time; write the video anew, e.g. with ffmpeg.")
        time = float(picture.pts * picture.time_base)
        tick = float(picture.time_base)
        if last is not None and abs((time - last) - 1 / self.fps) > max(0.3 / self.fps, 1.01 * tick):
            raise SampleError(
                f"{self.path}: variable frame rate: frame {number} comes {1000 * (time - last):.4g} ms after the one "
                f"before, at {self.fps:.4g} frames a second it would be {1000 / self.fps:.4g} ms. Give it a constant "
                f"one first: ffmpeg -i {self.path.name} -vf fps={self.fps:.4g} -crf 10 constant.mp4"
            )
        return time

    def _damaged(self, number: int) -> SampleError:
        return SampleError(f"{self.path}: damaged at about frame {number} (counted from 0).")


def _seconds(text: str) -> float:
    """Convert "hours:minutes:seconds" to seconds; 0 for any other text."""
    try:
        hours, minutes, seconds = (float(part) for part in text.split(":"))
    except ValueError:
        return 0.0
    return 3600 * hours + 60 * minutes + seconds
