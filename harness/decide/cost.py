"""The cost of a level: bits per pixel, the size relative to other sizes, and the data that a camera sends in a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["Camera", "Cost", "cost_of"]

_DAY = 86_400


@dataclass(frozen=True)
class Camera:
    """The camera whose data rate is predicted.

    Args:
        fps: frames per second; None for the frame rate of the tested videos.
        pixels: the number of pixels of a frame; None for the tested size.
    """

    fps: float | None = None
    pixels: int | None = None

    @classmethod
    def parse(cls, fps: float | None, resolution: str | None) -> Camera:
        """Create a camera from the values of the options `--fps` and `--resolution WIDTHxHEIGHT`.

        Raises:
            UsageError: the resolution does not have the form WIDTHxHEIGHT.

        >>> Camera.parse(25, "1920x1080")
        Camera(fps=25, pixels=2073600)
        """
        if resolution is None:
            return cls(fps)
        width, x, height = resolution.lower().partition("x")
        if not x or not width.isdigit() or not height.isdigit() or not int(width) or not int(height):
            raise UsageError(f"--resolution {resolution}: WIDTHxHEIGHT in pixels, as in 1920x1080.")
        return cls(fps, int(width) * int(height))


@dataclass(frozen=True)
class Cost:
    """The cost of a compression level. A value that is unknown is None.

    Args:
        bpp: bits per pixel of the source.
        ratio: the compression ratio: 24 bits per pixel divided by `bpp`.
        of_source: the size divided by the size of the source files; None for rendered frames.
        of_mildest: the size divided by the size at the codec's mildest level.
        kbps: the bit rate in kbit/s: measured, or predicted from `bpp`, the frame size and the frame rate.
        gb_per_day: gigabytes (10^9 bytes) that one camera sends in a day.
        assumed: a text that says how `kbps` and `gb_per_day` were predicted, or why they are unknown; None if they
            were measured.
    """

    bpp: float | None
    ratio: float | None
    of_source: float | None
    of_mildest: float | None
    kbps: float | None
    gb_per_day: float | None
    assumed: str | None = None


def cost_of(cell: ResultCell, mildest: ResultCell, camera: Camera) -> Cost:
    """Return the cost of a compression level.

    Args:
        cell: the experiment at the level.
        mildest: the experiment at the codec's mildest level.
        camera: the camera whose data rate is predicted.
    """
    bpp, first, source = cell.facts["bpp"], mildest.facts["bpp"], cell.facts["source_bpp"]
    kbps, assumed = _kbps(cell, camera)
    return Cost(
        bpp=bpp,
        ratio=cell.compression_ratio,
        of_source=bpp / source if bpp and source else None,
        of_mildest=bpp / first if bpp and first else None,
        kbps=kbps,
        gb_per_day=None if kbps is None else kbps * 1000 / 8 * _DAY / 1e9,
        assumed=assumed,
    )


def _kbps(cell: ResultCell, camera: Camera) -> tuple[float | None, str | None]:
    """Return the bit rate in kbit/s, and a text about how it was predicted; the text is None if it was measured."""
    measured, bpp = cell.facts["kbps"], cell.facts["bpp"]
    if camera.fps is None and camera.pixels is None:
        return measured, None
    if not bpp:
        return None, "not known, since the rate is not"
    tested = _pixels(cell)
    pixels = camera.pixels or tested
    if camera.fps is None or pixels is None:
        missing_option = "--fps" if camera.fps is None else "--resolution"
        return None, f"not known without {missing_option}"
    text = f"predicted for {camera.fps:g} frames/s of {pixels:,} pixels, at the bits per pixel that were measured"
    if tested and tested != pixels:
        text += f" on frames of {tested:,}"
    return bpp * pixels * camera.fps / 1000, text


def _pixels(cell: ResultCell) -> int | None:
    """Return the mean number of pixels of the tested images; None if the samples are videos, or if it is unknown."""
    facts = cell.facts
    if facts["kbps"] is not None or not facts["samples"] or not facts["bytes"] or not facts["bpp"]:
        return None
    return int(8 * facts["bytes"] / facts["bpp"] / facts["samples"] + 0.5)
