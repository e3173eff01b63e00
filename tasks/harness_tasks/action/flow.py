"""Optical flow between decoded frames, computed with OpenCV. It is the input of the motion stream.

A flow field is scaled by pixel areas to the motion stream's size, and quantised to int8. `bound` pixels become 127, and
larger displacements are clipped, so the quantisation error is at most bound / 254 pixels. An int8 field needs a quarter
of the memory and disk space of a float32 field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from harness_tasks.action.sampling import Window, resized, scaled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.codec import Frames
    from harness.keep.kept import Kept

__all__ = ["CAMERA", "METHODS", "PRESETS", "Flow", "kept_fields", "less_camera", "why_missing", "why_not_kept"]

METHODS = ("dis", "farneback", "tvl1")
PRESETS = ("ultrafast", "fast", "medium")
CAMERA = ("median", "mean", "none")
_FARNEBACK = (0.5, 3, 15, 3, 5, 1.2, 0)
"""The arguments pyr_scale, levels, winsize, iterations, poly_n, poly_sigma and flags of OpenCV's Farneback flow."""


class _Estimator(Protocol):
    def __call__(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Flow:
    """The settings of optical flow. Equal settings give equal fields with one version of OpenCV, with any number of
    threads.

    Args:
        method: "dis" (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016); "farneback"
            (Farneback, SCIA 2003, with the settings of OpenCV's own example: 3 levels, windows of 15 pixels, 3
            iterations, polynomials over 5 pixels); or "tvl1" (Zach, Pock, Bischof, DAGM 2007; only in OpenCV's contrib
            packages).
        preset: OpenCV's preset of DIS; the other methods have none.
        camera: the estimate of the camera's motion, which is subtracted from each field, separately for x and y:
            "median", "mean" (as in Simonyan and Zisserman), or "none".
        bound: the displacement in pixels between two frames at which values are clipped. The pixels are those of the
            frames on which flow is computed.
    """

    method: str = "dis"
    preset: str = "medium"
    camera: str = "median"
    bound: float = 20.0

    def name(self, window: Window, pairs: Sequence[int], shape: tuple[int, int]) -> str:
        """Return one line of text that identifies the fields of these frames: the method, its settings and OpenCV's
        version."""
        import cv2

        preset = f":{self.preset}" if self.method == "dis" else ""
        part = f"{window.width}x{window.height}+{window.left}+{window.top}"
        size, seen = (f"{width}x{height}" for height, width in (window.shape, shape))
        return (
            f"flow 1 {self.method}{preset} opencv {cv2.__version__} part {part} at {size} less {self.camera} "
            f"seen at {seen} int8 to {self.bound:g} px pairs {_ranges(pairs)}"
        )

    def fields(self, frames: Frames, pairs: Sequence[int], window: Window, shape: tuple[int, int]) -> NDArray[np.int8]:
        """Compute the flow from frame p to frame p + 1 for each p in `pairs`.

        Args:
            frames: uint8[T, H, W, 3], RGB.
            pairs: the numbers p, each in 0 ... T - 2.
            window: the part of the frames, and the size that it is scaled to before flow is computed.
            shape: height h and width w that the fields are scaled to afterwards. This does not change the unit of their
                values.

        Returns:
            int8[P, 2, h, w]: x (to the right) and y (downward), in units of `bound` / 127 pixels of the scaled part.
        """
        import cv2

        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            return self._fields(frames, pairs, window, shape)
        finally:
            cv2.setNumThreads(threads)

    def _fields(self, frames: Frames, pairs: Sequence[int], window: Window, shape: tuple[int, int]) -> NDArray[np.int8]:
        import numpy as np

        estimate = self._estimator()
        quantised = np.empty((len(pairs), 2, *shape), np.int8)
        grey: dict[int, NDArray[np.uint8]] = {}
        for place, pair in enumerate(pairs):
            grey = {
                number: grey[number] if number in grey else _grey(frames[number], window) for number in (pair, pair + 1)
            }
            field = estimate(grey[pair], grey[pair + 1])
            if self.camera != "none":
                centre = np.median if self.camera == "median" else np.mean
                field = field - np.asarray(centre(field, axis=(0, 1)), np.float32)
            seen = np.clip(scaled(field, shape), -self.bound, self.bound) * (127 / self.bound)
            quantised[place] = np.moveaxis(np.rint(seen), -1, 0)
        return quantised

    def _estimator(self) -> _Estimator:
        """Return the function that computes the flow between two grey images."""
        import cv2

        library: Any = cv2  # OpenCV's type stubs lack the contrib modules and DIS
        if self.method == "farneback":
            return lambda first, second: library.calcOpticalFlowFarneback(first, second, None, *_FARNEBACK)
        if self.method == "tvl1":
            algorithm = library.optflow.DualTVL1OpticalFlow_create()
        else:
            algorithm = library.DISOpticalFlow_create(getattr(library, f"DISOPTICAL_FLOW_PRESET_{self.preset.upper()}"))
        return lambda first, second: algorithm.calc(first, second, None)


def kept_fields(
    frames: Frames, flow: Flow, pairs: Sequence[int], window: Window, shape: tuple[int, int]
) -> NDArray[np.int8]:
    """Return the same as `Flow.fields`, cached on disk under the digest of the frames and the settings."""
    import numpy as np

    from harness.keep.kept import digest_of, frames_digest

    kept = _kept()
    key = digest_of("flow 1", frames_digest(frames, None), flow.name(window, pairs, shape))
    if (payload := kept.get(key)) is not None:
        return np.frombuffer(payload, np.int8).reshape(len(pairs), 2, *shape)
    fields = flow.fields(frames, pairs, window, shape)
    kept.put(key, fields.tobytes())
    return fields


def why_not_kept() -> str | None:
    """Return why `kept_fields` can store nothing more in this process; None while it can."""
    return _kept().problem


def less_camera(fields: NDArray[np.int8], camera: str) -> NDArray[np.int8]:
    """Subtract the camera's motion from flow fields, separately for the x and y of each field.

    Args:
        fields: int8[P, 2, h, w], parts of larger fields from which it was subtracted already. It is estimated again
            here, because a part has another median or mean than the whole field.
        camera: one of CAMERA.
    """
    import numpy as np

    if camera == "none":
        return fields
    centre = np.median if camera == "median" else np.mean
    centred = fields - np.asarray(centre(fields, axis=(2, 3), keepdims=True), np.float64)
    return np.asarray(np.clip(np.rint(centred), -127, 127), np.int8)


@cache
def _kept() -> Kept:
    """Return the process's cache. One instance is shared, because it keeps track of its size and of errors."""
    from harness.keep.kept import Kept

    return Kept("derived")


def why_missing(method: str) -> str | None:
    """Return None if this machine's OpenCV has the method, else a sentence that says what to install."""
    if method != "tvl1":
        return None
    import cv2

    if hasattr(cv2, "optflow"):
        return None
    return (
        f"flow=tvl1 needs OpenCV's contrib modules, which this OpenCV {cv2.__version__} lacks: install "
        "opencv-contrib-python-headless in place of opencv-python-headless, or take flow=dis."
    )


def _grey(frame: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """Return the window of a frame as a grey image."""
    import cv2
    import numpy as np

    return resized(np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8), window)


def _ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers as a short text of ranges.

    >>> _ranges([0, 1, 2, 5, 7, 8])
    '0-2,5,7-8'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
