"""What a level costs: bits per pixel, shares of other sizes, and what a camera would send in a day."""

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
    """What is to be sent.

    Args:
        fps: frames a second; None for that of the videos that were tested.
        pixels: of a frame; None for the size that was tested.
    """

    fps: float | None = None
    pixels: int | None = None

    @classmethod
    def parse(cls, fps: float | None, resolution: str | None) -> Camera:
        """From `--fps` and `--resolution WIDTHxHEIGHT`.

        Raises:
            UsageError: no size.

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
    """What a level costs. None is not known.

    Args:
        bpp: bits per pixel of the source.
        ratio: 24 bits per pixel over that.
        of_source: its size over that of the source files; None for rendered frames.
        of_mildest: its size over that of the codec's mildest level.
        kbps: kbit/s: measured, or from bpp, size and frame rate.
        gb_per_day: gigabytes (10^9 bytes) that one camera sends in a day.
        assumed: what kbit/s and GB stand on where they were not measured, in words.
    """

    bpp: float | None
    ratio: float | None
    of_source: float | None
    of_mildest: float | None
    kbps: float | None
    gb_per_day: float | None
    assumed: str | None = None


def cost_of(cell: ResultCell, mildest: ResultCell, camera: Camera) -> Cost:
    """The cost of a level.

    Args:
        cell: the experiment.
        mildest: that of the codec's mildest level.
        camera: what is to be sent.
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
    """kbit/s, and what it stands on unless it was measured so."""
    measured, bpp = cell.facts["kbps"], cell.facts["bpp"]
    if camera.fps is None and camera.pixels is None:
        return measured, None
    if not bpp:
        return None, "not known, since the rate is not"
    tested = _pixels(cell)
    pixels = camera.pixels or tested
    if camera.fps is None or pixels is None:
        lacking = "--fps" if camera.fps is None else "--resolution"
        return None, f"not known without {lacking}"
    told = f"predicted for {camera.fps:g} frames/s of {pixels:,} pixels, at the bits per pixel that were measured"
    if tested and tested != pixels:
        told += f" on frames of {tested:,}"
    return bpp * pixels * camera.fps / 1000, told


def _pixels(cell: ResultCell) -> int | None:
    """Pixels of an image, where the samples are images."""
    facts = cell.facts
    if facts["kbps"] is not None or not facts["samples"] or not facts["bytes"] or not facts["bpp"]:
        return None
    return int(8 * facts["bytes"] / facts["bpp"] / facts["samples"] + 0.5)
