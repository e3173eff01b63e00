"""An open video file: reads the packets of its video stream, and decodes them to pictures in display order.

Each packet has a number: its place among the stream's packets in the file, counted from 0. The decoder is given the
number instead of a time, and gives it back with the picture. So it is known which packets gave no picture, in all
containers, also in those without times.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import SampleError
from harness.video.containers import stated_bytes

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["Video", "opened"]

_RAW = frozenset({"h264", "hevc", "mpegvideo", "m4v", "obu"})
"""libav's formats for coded video without a container. They have no times that can be relied on."""
_CONTAINERS = ",".join(("avi,mov,matroska,mpeg,mpegts,flv,asf,ivf", *sorted(_RAW)))
"""The formats that libav may open. Formats with references (playlists) would make it open other files."""
_DETECT = "crccheck+explode"
"""libav's err_detect: checksums in the stream (of HEVC's pictures) are compared, and errors are raised."""


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
        codec: libav's name of the codec.
        extradata: the stream's global header; empty if there is none.
        formats: libav's names of the container format, with commas.
        timed: whether the container has a time for each picture. AVI has chunks of equal duration, raw streams neither.
        raw: whether the stream has no container.
        listed: the number of packets that the container's index lists; 0 if it does not list all.

    Raises:
        SampleError: the file has no video stream, or libav has no decoder for it.
    """

    def __init__(self, path: Path, container: InputContainer) -> None:
        from av.stream import Disposition

        self.path = path
        self.container = container
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            raise SampleError(f"{path}: there is no video in it.")
        self.stream: VideoStream = streams[0]
        if self.stream.codec_context is None:
            raise SampleError(f"{path}: this libav has no decoder for its codec.")
        self.stream.codec_context.options = {"err_detect": _DETECT}
        self.stream.thread_count = 1  # one worker process for each core reads samples already
        self.codec = self.stream.codec_context.codec.canonical_name
        self.extradata = bytes(self.stream.codec_context.extradata or b"")
        self.formats = container.format.name
        names = self.formats.split(",")
        self.raw = self.formats in _RAW
        self.timed = not self.raw and "avi" not in names
        # The index of Matroska lists key frames only. Counted now, because reading the file adds entries.
        self.listed = 0 if "matroska" in names else len(self.stream.index_entries)

    def stated_rates(self) -> list[Fraction]:
        """Return the frame rates that the container and the stream state, without those that libav made up."""
        if self.raw:
            rate = self.stream.codec_context.framerate
            return [Fraction(self.stream.guessed_rate or rate)] if rate else []
        return [Fraction(rate) for rate in (self.stream.average_rate, self.stream.guessed_rate) if rate]

    def packets(self) -> Iterator[tuple[int, Packet[VideoStream]]]:
        """Yield the stream's packets with their numbers."""
        number = 0
        for packet in self.container.demux(self.stream):
            if packet.size:
                yield number, packet
                number += 1

    def decoded(self, first: int, leading: int) -> Iterator[tuple[int, VideoFrame]]:
        """Yield the decoded pictures in display order, each with the number of its packet.

        Args:
            first: the first packet that is decoded.
            leading: the last packet whose picture may need pictures from before `first`. Up to it, what cannot be
                decoded is passed over.

        Raises:
            SampleError: a picture is damaged.
            FFmpegError: a packet cannot be decoded.
        """
        from av.error import InvalidDataError

        self._sent = first
        for number, packet in self.packets():
            if number < first:
                continue
            self._sent = number
            if number > leading and packet.is_corrupt:
                raise self.damaged(number - first)
            packet.pts = packet.dts = number
            try:
                pictures = packet.decode()
            except InvalidDataError:
                if number > leading + 1:  # libav may tell of an error with the next packet
                    raise
                continue
            yield from self._numbered(pictures, leading)
        yield from self._numbered(self.stream.codec_context.decode(None), leading)

    def _numbered(self, pictures: list[VideoFrame], leading: int) -> Iterator[tuple[int, VideoFrame]]:
        for picture in pictures:
            number = self._sent if picture.pts is None else picture.pts
            if not picture.is_corrupt:
                yield number, picture
            elif number > leading:
                raise self.damaged(number)

    def damaged(self, number: int) -> SampleError:
        """Return the error for damage near a frame."""
        return SampleError(f"{self.path}: damaged at about frame {number} (counted from 0).")
