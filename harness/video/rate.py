"""Measures the frame rate of a video from the times of its frames, and refuses a variable one.

What a container states about its rate may concern frames that an edit list hides, or be the clock of a recorder. So a
stated rate is only used where the times agree with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import SampleError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["chunk_rate", "constant_rate"]

_ROUNDED = 2.01
"""Ticks by which the distance of two frames may differ from the frame duration, because both times are rounded."""
_DRIFT = 1e-4
"""How much a stated rate may differ from the measured one, as a share of it."""
_JITTER = 0.3
"""How much two frames may be nearer or farther than a frame duration, as a share of it, if the stated rate holds."""
_NTSC = (24, 30, 60, 120)


def constant_rate(path: Path, times: NDArray[np.int64], tick: Fraction, stated: Sequence[Fraction]) -> float | None:
    """Return the frames per second of a video; None if they are neither stated nor measurable.

    Args:
        path: the file, for error messages.
        times: the time of each frame in ticks, ascending.
        tick: the length of a tick in seconds.
        stated: the rates that the container and the stream state, the most trusted one first.

    Raises:
        SampleError: the frame rate is variable.
    """
    import numpy as np

    if len(times) < 2:
        return float(stated[0]) if stated else None
    steps, seconds = np.diff(times).astype(float), float((times[-1] - times[0]) * tick)
    mean = (len(times) - 1) / seconds if seconds > 0 else 0.0
    duration, rounded = 1 / float(tick), _ROUNDED + _DRIFT * seconds / float(tick)
    for rate in stated:
        if abs((times[-1] - times[0]) - (len(times) - 1) * duration / float(rate)) <= rounded and (
            np.abs(steps - duration / float(rate)).max() <= max(_JITTER * duration / float(rate), _ROUNDED)
        ):
            return float(rate)
    if mean and np.abs(steps - duration / mean).max() <= _ROUNDED:
        return mean
    for rate in stated:
        if abs(seconds * float(rate) - (len(times) - 1)) <= 1 and (
            np.abs(steps - duration / mean).max() <= max(_JITTER * duration / mean, _ROUNDED)
        ):
            return mean
    usual = float(np.median(steps))
    odd = int(np.abs(steps - usual).argmax())
    raise SampleError(
        f"{path}: variable frame rate: frame {odd + 1} comes {1000 * steps[odd] * float(tick):.4g} ms after the one "
        f"before, while the median of all is {1000 * usual * float(tick):.4g} ms. There are {len(times)} frames, on "
        f"average {mean:.4g} a second. If no pictures were lost, give it a constant rate first: "
        f"ffmpeg -i {path.name} -vf fps={_round(mean)} -crf 10 constant.mp4"
    )


def chunk_rate(places: Sequence[int], stated: Fraction) -> float:
    """Return the frames per second of an AVI from the numbers of the chunks that hold pictures.

    An AVI has a chunk for each frame duration. A file may be written with every second or third chunk empty: its rate
    is the stated one divided by the most frequent distance.
    """
    distances = [after - before for before, after in pairwise(places) if after > before]
    return float(stated) / (max(sorted(set(distances)), key=distances.count) if distances else 1)


def _round(rate: float) -> str:
    """Return a usual frame rate near a measured one, as ffmpeg takes it; else the rate with four digits."""
    usual = {f"{base}000/1001": base * 1000 / 1001 for base in _NTSC} | {str(max(1, round(rate))): float(round(rate))}
    name = min(usual, key=lambda text: abs(usual[text] - rate))
    return name if abs(usual[name] - rate) <= 0.005 * rate else f"{rate:.4g}"
