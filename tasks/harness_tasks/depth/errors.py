"""Compute the depth metrics: first error sums per frame, then metrics from these sums.

For a pixel with true depth d and predicted depth p, the errors are those of Eigen, Puhrsch, Fergus, "Depth Map
Prediction from a Single Image using a Multi-Scale Deep Network" (NIPS 2014). The usual evaluation code for KITTI (Garg
et al. 2016, Godard et al. 2017) uses the same errors:

| name | summed over pixels | metric |
|---|---|---|
| abs_rel | abs(d - p) / d | mean |
| sq_rel | (d - p)^2 / d | mean |
| squared | (d - p)^2 | `rmse`, the square root of the mean |
| squared_log | (ln d - ln p)^2 | `rmse_log`, the square root of the mean |
| delta1, 2, 3 | max(d / p, p / d) < 1.25, 1.25^2, 1.25^3 | mean |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import ContentError
from harness_tasks.ratios import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["NAMES", "crop_window", "frame_statistics", "frame_sums", "metrics_of", "rmse_of"]

NAMES = ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3")
"""The names of the metrics, in the order of a frame's `sums`."""

_PART = 1 << 15
"""The largest number of pixels whose errors are computed at once."""
_ROOTS = np.array([name.startswith("rmse") for name in NAMES])
_CROPS = {
    "garg": (0.40810811, 0.99189189, 0.03594771, 0.96405229),
    "eigen": (0.3324324, 0.91351351, 0.0359477, 0.96405229),
}


def crop_window(crop: str, height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and columns that are evaluated.

    The crops of Garg et al. (ECCV 2016) and Eigen et al. (2014) leave out the area that KITTI's laser scanner does not
    see. Their limits are shares of height and width, taken from the evaluation code of Godard et al. (monodepth, CVPR
    2017), and rounded down to pixels as in that code.

    Args:
        crop: none, garg or eigen.
        height: height of the depth map in pixels.
        width: width of the depth map in pixels.

    >>> crop_window("garg", 375, 1242)
    (slice(153, 371, None), slice(44, 1197, None))
    """
    if crop == "none":
        return slice(None), slice(None)
    top, bottom, left, right = _CROPS[crop]
    return slice(int(top * height), int(bottom * height)), slice(int(left * width), int(right * width))


def frame_statistics(
    prediction: NDArray[np.float32],
    target: NDArray[np.float32],
    *,
    nearest: float,
    farthest: float,
    crop: str = "none",
    align: str = "none",
    unit: float = 1.0,
) -> Statistics:
    """Return the error sums of one frame.

    Args:
        prediction: float32[H, W], positive and finite.
        target: float32[H, W]; NaN where the depth was not measured.
        nearest: only true depths above it are evaluated; smaller predictions are set to it.
        farthest: only true depths below it are evaluated; larger predictions are set to it.
        crop: the name of a crop (see `crop_window`).
        align: "median" multiplies the prediction by the median of the true depths divided by the median of the
            predicted depths, over the evaluated pixels, before clipping (Zhou et al., "Unsupervised Learning of Depth
            and Ego-Motion from Video", CVPR 2017, section 4.1). "none" does not scale it.
        unit: true and predicted depths are divided by it after clipping, before the errors are computed.

    Returns:
        `pixels` int64, the number of evaluated pixels, and `sums` float64[7], in the order of `NAMES`.

    Raises:
        ContentError: the sizes differ, or the prediction is not positive and finite at an evaluated pixel.
    """
    if prediction.shape != target.shape:
        raise ContentError(
            f"depth map: the prediction has {list(prediction.shape)} pixels, the target {list(target.shape)}."
        )
    window = crop_window(crop, *target.shape)
    truth, predicted = target[window], prediction[window]
    with np.errstate(invalid="ignore"):
        evaluated = (truth > np.float64(nearest)) & (truth < np.float64(farthest))
    places = np.flatnonzero(evaluated)
    truth, predicted = truth.reshape(-1).take(places), predicted.reshape(-1).take(places)
    if len(places) and not (predicted.min() > 0 and predicted.max() < np.inf):  # NaN is neither
        wrong = predicted[~((predicted > 0) & (predicted < np.inf))]
        raise ContentError(
            f"depth map: {len(wrong)} of {len(predicted)} evaluated pixels are not positive and finite: {wrong[0]:.6g}."
        )
    scale = None
    if align == "median" and len(places):
        scale = np.median(truth.astype(np.float64)) / np.median(predicted.astype(np.float64))
    pixels = _Pixels(truth, predicted, scale, (nearest, farthest), unit)
    return {"pixels": np.array(len(places), np.int64), "sums": pixels.sums(0, len(places))}


@dataclass(frozen=True)
class _Pixels:
    """The evaluated pixels of one frame.

    Args:
        truth: float32[n].
        predicted: float32[n], positive.
        scale: predictions are multiplied by it; None to leave them.
        limits: the range that predictions are then clipped to.
        unit: true and predicted depths are then divided by it.
    """

    truth: NDArray[np.float32]
    predicted: NDArray[np.float32]
    scale: np.float64 | None
    limits: tuple[float, float]
    unit: float

    def sums(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the error sums float64[7] of the pixels from `start` to before `stop`.

        They are summed in pairs: the sum of two halves, each of which is the sum of its halves. NumPy sums an array in
        this order too, so the sums have the same bits as those of whole arrays, but the arrays of a part stay in the
        CPU cache.
        """
        count = stop - start
        if count <= _PART:
            return self._sums_of_part(slice(start, stop))
        middle = start + count // 2 - count // 2 % 8
        return self.sums(start, middle) + self.sums(middle, stop)

    def _sums_of_part(self, part: slice) -> NDArray[np.float64]:
        truth, predicted = self.truth[part].astype(np.float64), self.predicted[part].astype(np.float64)
        if self.scale is not None:
            predicted *= self.scale
        np.clip(predicted, *self.limits, out=predicted)
        if self.unit != 1:
            truth /= self.unit
            predicted /= self.unit
        error = truth - predicted
        squared = error * error
        logs = np.log(truth)
        logs -= np.log(predicted)
        quotient = np.maximum(truth / predicted, predicted / truth)
        sums = [(np.abs(error) / truth).sum(), (squared / truth).sum(), squared.sum(), (logs * logs).sum()]
        sums += [np.count_nonzero(quotient < 1.25**power) for power in (1, 2, 3)]
        return np.array(sums, np.float64)


def frame_sums(statistics: Sequence[Statistics]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the evaluated pixels float64[N] and the error sums float64[N, 7] of N results of `frame_statistics`."""
    pixels = np.array([frame["pixels"] for frame in statistics], np.float64).reshape(-1)
    sums = np.array([frame["sums"] for frame in statistics], np.float64).reshape(-1, len(NAMES))
    return pixels, sums


def metrics_of(
    pixels: NDArray[np.float64], sums: NDArray[np.float64], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return all metrics of weighted sets of N frames.

    Args:
        pixels: float64[N], the number of evaluated pixels of each frame.
        sums: float64[N, 7], the error sums of each frame.
        weights: float64[R, N], the weight of each frame in each set.

    Returns:
        float64[R] under each of `NAMES`: the weighted mean over the frames of the metric of each frame. Frames without
        an evaluated pixel are left out. And float64[R] under each "NAME_pooled": the metric over the pixels of all
        frames together. NaN if no frame has an evaluated pixel.
    """
    evaluated = pixels > 0
    pixels, sums, weights = pixels[evaluated], sums[evaluated], weights[:, evaluated]
    means = ratio(weights @ _rooted(sums / pixels[:, None]), weights.sum(axis=1)[:, None])
    pooled = _rooted(ratio(weights @ sums, (weights @ pixels)[:, None]))
    metrics = {name: means[:, index] for index, name in enumerate(NAMES)}
    return metrics | {f"{name}_pooled": pooled[:, index] for index, name in enumerate(NAMES)}


def rmse_of(statistics: Sequence[Statistics]) -> float | None:
    """Return the RMSE over all pixels of a few frames; None if no pixel was evaluated."""
    pixels = sum(int(frame["pixels"]) for frame in statistics)
    squared = sum(float(frame["sums"][NAMES.index("rmse")]) for frame in statistics)
    return float(np.sqrt(squared / pixels)) if pixels else None


def _rooted(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the square root of those means [..., 7] whose metric is a root."""
    return np.where(_ROOTS, np.sqrt(means), means)
