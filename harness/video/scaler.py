"""Convert video frames between pixel formats with swscale, with the chroma siting of both sides stated.

PyAV's `VideoReformatter` has no parameter for the siting, and `VideoFrame` no attribute. swscale then takes the siting
that a decoder wrote into its frames (left for H.264, HEVC and MPEG-2, none for VP9), and the centre where none is
written, as in frames made of RGB. The filter `scale` has the siting of each side as an option.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

__all__ = ["Picture", "Scaler"]

_FLAGS = "bicubic+full_chroma_int+full_chroma_inp+accurate_rnd+bitexact"
"""swscale's flags: bicubic chroma, accurate rounding, bit-exact on every processor."""


@dataclass(frozen=True)
class Picture:
    """How a frame's samples are to be read.

    Args:
        pix_fmt: libavutil's name of the pixel format.
        matrix: code point of the matrix (ISO/IEC 23091-2); 0 for RGB.
        range_code: libavutil's AVColorRange.
        siting: libavutil's name of the chroma location; None for RGB.
    """

    pix_fmt: str
    matrix: int
    range_code: int
    siting: str | None


class Scaler:
    """Convert frames from one kind of picture to another, frame by frame, in one thread.

    Args:
        source: what the frames are. A decoder's word on matrix, range and siting is not asked.
        target: what they become. The size does not change.
    """

    def __init__(self, source: Picture, target: Picture) -> None:
        self._source, self._target = source, target
        self._graph: av.filter.Graph | None = None
        self._input: tuple[str, int, int] | None = None

    def convert(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the converted frame. The given frame is tagged with the source's matrix and range."""
        frame.colorspace, frame.color_range = self._source.matrix, self._source.range_code
        size = (frame.format.name, frame.width, frame.height)
        if self._graph is None or size != self._input:
            self._graph, self._input = self._make(*size), size
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _make(self, pix_fmt: str, width: int, height: int) -> av.filter.Graph:
        """Return a filter graph for frames of one pixel format and size.

        Args:
            pix_fmt: the decoder's name of the pixel format: for full range, H.264's is "yuvj420p".
            width: of the frames, in pixels.
            height: of the frames, in pixels.
        """
        from av.filter import Graph

        source, target = self._source, self._target
        graph = Graph()
        graph.threads = 1
        buffer = graph.add(
            "buffer", video_size=f"{width}x{height}", pix_fmt=pix_fmt, time_base="1/25", pixel_aspect="1/1",
            colorspace=str(source.matrix), range=str(source.range_code),
        )  # fmt: skip
        sides = {
            "in_color_matrix": source.matrix,
            "in_range": source.range_code,
            "in_chroma_loc": source.siting,
            "out_color_matrix": target.matrix,
            "out_range": target.range_code,
            "out_chroma_loc": target.siting,
        }
        stated = {name: str(value) for name, value in sides.items() if value is not None}
        scale = graph.add("scale", flags=_FLAGS, threads="1", **stated)
        output = graph.add("format", pix_fmts=target.pix_fmt)
        graph.link_nodes(buffer, scale, output, graph.add("buffersink")).configure()
        return graph
