"""Files of uncompressed YUV frames: y4m (YUV4MPEG2), and raw planes one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import CodecError

if TYPE_CHECKING:
    import av

    from harness.video.yuv import Colour

__all__ = ["read_frames", "write_frames"]

_MAGIC = b"YUV4MPEG2 "
_FRAME = b"FRAME"


def write_frames(
    path: Path, frames: Iterable[av.VideoFrame], size: tuple[int, int], fps: Fraction, colour: Colour, y4m: bool
) -> None:
    """Write frames, one at a time.

    Args:
        path: the file.
        frames: the frames in the pixel format of `colour`. Samples of more than 8 bits take two bytes, the low first.
        size: their height and width in pixels.
        fps: frames per second.
        colour: what the frames are.
        y4m: whether headers are written; otherwise there are planes alone.
    """
    height, width = size
    with path.open("wb") as file:
        if y4m:
            kind = _kind(colour)
            full = "FULL" if colour.range == "full" else "LIMITED"
            text = f"W{width} H{height} F{fps.numerator}:{fps.denominator} Ip A1:1 C{kind} XCOLORRANGE={full}\n"
            file.write(_MAGIC + text.encode())
        for frame in frames:
            if y4m:
                file.write(_FRAME + b"\n")
            for plane, (rows, columns) in zip(frame.planes, _planes(size, colour), strict=True):
                lines = memoryview(plane).cast("B")
                for row in range(rows):
                    file.write(lines[row * plane.line_size : row * plane.line_size + columns])


def read_frames(data: bytes, size: tuple[int, int], colour: Colour) -> Iterator[av.VideoFrame]:
    """Yield the frames of a file, which is y4m if it begins like that, and raw planes otherwise.

    Args:
        data: the file's content.
        size: the height and width that the frames have to have.
        colour: what the frames have to be.

    Raises:
        CodecError: the file holds frames of another size or kind, or ends within a frame.
    """
    import av
    import numpy as np

    planes = _planes(size, colour)
    whole = sum(rows * columns for rows, columns in planes)
    y4m = data.startswith(_MAGIC)
    place = _after_header(data, size, colour) if y4m else 0
    while place < len(data):
        if y4m:
            end = data.find(b"\n", place, place + 1000)
            if end < 0 or not data.startswith(_FRAME, place):
                raise CodecError(f"the decoder's y4m file has no frame at byte {place}.")
            place = end + 1
        if place + whole > len(data):
            raise CodecError(f"the decoder's file of {len(data)} bytes ends within a frame of {whole} bytes.")
        frame = av.VideoFrame(size[1], size[0], colour.pix_fmt)
        for plane, (rows, columns) in zip(frame.planes, planes, strict=True):
            lines = np.zeros((plane.buffer_size // plane.line_size, plane.line_size), np.uint8)
            lines[:rows, :columns] = np.frombuffer(data, np.uint8, rows * columns, place).reshape(rows, columns)
            plane.update(lines.tobytes())
            place += rows * columns
        yield frame


def _after_header(data: bytes, size: tuple[int, int], colour: Colour) -> int:
    """Check the header of a y4m file, and return where it ends."""
    end = data.find(b"\n", 0, 10_000)
    fields = data[len(_MAGIC) : max(end, 0)].decode("ascii", "replace").split()
    stated = {field[0]: field[1:] for field in reversed(fields)}
    found = (stated.get("H"), stated.get("W"), _plain(stated.get("C", "420")))
    if found != (str(size[0]), str(size[1]), _plain(_kind(colour))):
        raise CodecError(
            f"the decoder wrote frames of {found[1]}x{found[0]}, C{stated.get('C', '420')}; expected are "
            f"{size[1]}x{size[0]}, C{_kind(colour)}."
        )
    return end + 1


def _kind(colour: Colour) -> str:
    """Return y4m's name of a pixel format."""
    name = {(2, 2): "420", (1, 2): "422", (1, 1): "444"}[colour.chroma]
    if colour.bits > 8:
        return f"{name}p{colour.bits}"
    return "420mpeg2" if name == "420" else name


def _plain(kind: str) -> str:
    """Return y4m's name of a pixel format without the chroma's place: this is known."""
    return "420" if kind.startswith("420") and not kind.startswith("420p1") else kind


def _planes(size: tuple[int, int], colour: Colour) -> list[tuple[int, int]]:
    """Return the rows of each plane, and the bytes of a row."""
    height, width = size
    rows, columns = colour.chroma
    wide = 1 if colour.bits == 8 else 2
    chroma = (height // rows, width // columns * wide)
    return [(height, width * wide), chroma, chroma]
