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

    @property
    def is_given(self) -> bool:
        """Whether anything is known of the camera."""
        return self.fps is not None or self.pixels is not None

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
        camera_level: the level to set on the camera, if the codec's level is itself a rate in kbit/s: the tested level,
            scaled as `kbps` is. None for other levels, without a camera, and if `kbps` cannot be predicted.
        assumed: a text that says how `kbps` and `gb_per_day` were predicted, or why they are unknown; None if they
            were measured.
    """

    bpp: float | None
    ratio: float | None
    of_source: float | None
    of_mildest: float | None
    kbps: float | None
    gb_per_day: float | None
    camera_level: float | None = None
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
    level, measured = cell.facts["level"], cell.facts["kbps"]
    scaled = level * kbps / measured if camera.is_given and is_rate(cell) and kbps and measured else None
    return Cost(
        bpp=bpp,
        ratio=cell.compression_ratio,
        of_source=bpp / source if bpp and source else None,
        of_mildest=bpp / first if bpp and first else None,
        kbps=kbps,
        gb_per_day=None if kbps is None else kbps * 1000 / 8 * _DAY / 1e9,
        camera_level=scaled,
        assumed=assumed,
    )


def is_rate(cell: ResultCell) -> bool:
    """Return whether the level of an experiment is itself a bit rate in kbit/s (`rate=abr`, `rate=cbr`)."""
    return cell.facts["level_name"] == "kbps" and cell.facts["level"] is not None


def _kbps(cell: ResultCell, camera: Camera) -> tuple[float | None, str | None]:
    """Return the bit rate in kbit/s, and a text about how it was predicted; the text is None if it was measured."""
    measured, bpp = cell.facts["kbps"], cell.facts["bpp"]
    if not camera.is_given:
        return measured, None
    if not bpp:
        return None, "not known, since the rate is not"
    size = _size(cell)
    pixels, fps = camera.pixels or size, camera.fps or _fps(cell)
    limit = cell.options.get("fps")
    if limit is not None and measured is not None:
        return _kbps_of_sent(cell, camera, float(limit))
    if fps is None or pixels is None:
        return None, f"not known without {'--fps' if fps is None else '--resolution'}"
    text = f"predicted for {fps:g} frames/s of {pixels:,.0f} pixels, at the bits per pixel that were measured"
    return bpp * pixels * fps / 1000, f"{text} {_words(size)}"


def _kbps_of_sent(cell: ResultCell, camera: Camera, limit: float) -> tuple[float | None, str]:
    """Return the bit rate of a codec with `fps=` in kbit/s, and a text about how it was predicted.

    The frames that are sent are those that `fps=` says, whatever the camera's frame rate. So the bits that were
    measured for a second are scaled by the size of the frames alone.
    """
    size, source = _size(cell), _fps(cell)
    sent = limit if source is None else min(limit, source)
    if camera.fps is not None and camera.fps * 1.01 < sent:
        why = f"fps={limit:g} sends {sent:.3g} frames/s, and a camera of {camera.fps:g} frames/s has not that many"
        return None, f"not known: {why}"
    if camera.pixels is not None and size is None:
        return None, (
            f"not known with fps={limit:g}: the database does not have the size of the tested frames (a result of "
            "0.1.0; run it again)"
        )
    pixels = camera.pixels or size
    factor = 1.0 if camera.pixels is None or size is None else camera.pixels / size
    shown = "frames of the tested size" if pixels is None else f"frames of {pixels:,.0f} pixels"
    text = f"predicted for the {sent:.4g} frames/s that fps= sends, {shown}, at the bits per sent pixel that were"
    return cell.facts["kbps"] * factor, f"{text} measured {_words(size)}"


def _words(size: float | None) -> str:
    return "on frames of a size that the database does not have" if size is None else f"on frames of {size:,.0f}"


def _size(cell: ResultCell) -> float | None:
    """Return the mean number of pixels of a tested frame; None if it is unknown (videos of 0.1.0)."""
    size = cell.facts["frame_pixels"]
    return float(size) if size else None


def _fps(cell: ResultCell) -> float | None:
    """Return the mean frame rate of the tested videos in frames per second; None for images, and if it is unknown."""
    size, kbps = _size(cell), cell.facts["kbps"]
    return 1000 * kbps / cell.facts["bpp"] / size if size and kbps else None
