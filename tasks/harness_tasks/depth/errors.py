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
from typing import TYPE_CHECKING

import numpy as np

from harness_tasks.ratios import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["NAMES", "crop_window", "frame_statistics", "frame_sums", "metrics_of", "rmse_of"]

NAMES = ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3")
"""The names of the metrics, in the order of a frame's `sums`."""

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
        ValueError: the sizes differ, or the prediction is not positive and finite at an evaluated pixel.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"the prediction has {list(prediction.shape)} pixels, the target {list(target.shape)}")
    window = crop_window(crop, *target.shape)
    truth = target[window].astype(np.float64)
    with np.errstate(invalid="ignore"):
        evaluated = (truth > nearest) & (truth < farthest)
    truth, predicted = truth[evaluated], prediction[window][evaluated].astype(np.float64)
    if not np.isfinite(predicted).all() or not (predicted > 0).all():
        raise ValueError("the predicted depth is not positive and finite everywhere")
    if align == "median" and len(truth):
        predicted *= np.median(truth) / np.median(predicted)
    predicted = np.clip(predicted, nearest, farthest)
    truth, predicted = truth / unit, predicted / unit
    error, quotient = truth - predicted, np.maximum(truth / predicted, predicted / truth)
    logs = np.log(truth) - np.log(predicted)
    sums = [(np.abs(error) / truth).sum(), (error**2 / truth).sum(), (error**2).sum(), (logs**2).sum()]
    sums += [float((quotient < 1.25**power).sum()) for power in (1, 2, 3)]
    return {"pixels": np.array(len(truth), np.int64), "sums": np.array(sums, np.float64)}


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
