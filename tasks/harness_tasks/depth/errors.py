"""The sums that depth's metrics are made of, and the metrics made of the sums.

The errors of a pixel with true depth d and predicted depth p, as in Eigen, Puhrsch, Fergus, "Depth Map Prediction from
a Single Image using a Multi-Scale Deep Network" (NIPS 2014), and in the code that the field evaluates KITTI with (Garg
et al. 2016, Godard et al. 2017):

| name | sum over pixels of | metric, of the mean over pixels |
|---|---|---|
| abs_rel | abs(d - p) / d | the mean |
| sq_rel | (d - p)^2 / d | the mean |
| squared | (d - p)^2 | `rmse`, its root |
| squared_log | (ln d - ln p)^2 | `rmse_log`, its root |
| delta1, 2, 3 | max(d / p, p / d) < 1.25, 1.25^2, 1.25^3 | the mean |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness_tasks.ratios import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["NAMES", "crop_window", "frame_statistics", "metrics_of", "rmse_of"]

NAMES = ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3")
"""The metrics, in the order of a frame's `sums`."""

_ROOTS = np.array([name.startswith("rmse") for name in NAMES])
_CROPS = {
    "garg": (0.40810811, 0.99189189, 0.03594771, 0.96405229),
    "eigen": (0.3324324, 0.91351351, 0.0359477, 0.96405229),
}


def crop_window(crop: str, height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns that are evaluated.

    Garg et al. (ECCV 2016) and Eigen et al. (2014) leave out what KITTI's laser does not see; the shares are those of
    the evaluation code of Godard et al. (monodepth, CVPR 2017), rounded down to pixels as there.

    Args:
        crop: none, garg or eigen.
        height: of the depth map in pixels.
        width: likewise.

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
    """The sums of one frame.

    Args:
        prediction: float32[H, W], positive and finite.
        target: float32[H, W]; NaN where nothing was measured.
        nearest: true depths that are not above it are left out; predictions below it are set to it.
        farthest: true depths that are not below it are left out; predictions above it are set to it.
        crop: of `crop_window`.
        align: "median" multiplies the prediction by the ratio of the medians of truth and prediction over the evaluated
            pixels, before it is clipped (Zhou et al., "Unsupervised Learning of Depth and Ego-Motion from Video",
            CVPR 2017, section 4.1); "none" takes it as it is.
        unit: what depths are divided by first, both of the prediction and of the truth, once they are clipped.

    Returns:
        `pixels` int64, how many were evaluated, and `sums` float64[7], in the order of `NAMES`.

    Raises:
        ValueError: the sizes differ, or the prediction is not positive and finite where it is evaluated.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"the prediction has {list(prediction.shape)} pixels, the target {list(target.shape)}")
    window = crop_window(crop, *target.shape)
    truth = target[window].astype(np.float64)
    with np.errstate(invalid="ignore"):
        known = (truth > nearest) & (truth < farthest)
    truth, found = truth[known], prediction[window][known].astype(np.float64)
    if not np.isfinite(found).all() or not (found > 0).all():
        raise ValueError("the predicted depth is not positive and finite everywhere")
    if align == "median" and len(truth):
        found *= np.median(truth) / np.median(found)
    found = np.clip(found, nearest, farthest)
    truth, found = truth / unit, found / unit
    error, ratio = truth - found, np.maximum(truth / found, found / truth)
    logs = np.log(truth) - np.log(found)
    sums = [(np.abs(error) / truth).sum(), (error**2 / truth).sum(), (error**2).sum(), (logs**2).sum()]
    sums += [float((ratio < 1.25**power).sum()) for power in (1, 2, 3)]
    return {"pixels": np.array(len(truth), np.int64), "sums": np.array(sums, np.float64)}


def metrics_of(statistics: Sequence[Statistics], weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """All metrics of weighted sets of frames.

    Args:
        statistics: N, of `frame_statistics`.
        weights: float64[R, N], how often each frame counts.

    Returns:
        float64[R] for each of `NAMES`: the weighted mean over frames of each frame's metric, frames without an
        evaluated pixel left out; and, as "NAME_pooled", the metric of all their pixels in one. NaN where no pixel is
        left.
    """
    pixels = np.array([frame["pixels"] for frame in statistics], np.float64).reshape(-1)
    sums = np.array([frame["sums"] for frame in statistics], np.float64).reshape(-1, len(NAMES))
    seen = pixels > 0
    pixels, sums, weights = pixels[seen], sums[seen], weights[:, seen]
    means = ratio(weights @ _rooted(sums / pixels[:, None]), weights.sum(axis=1)[:, None])
    pooled = _rooted(ratio(weights @ sums, (weights @ pixels)[:, None]))
    found = {name: means[:, index] for index, name in enumerate(NAMES)}
    return found | {f"{name}_pooled": pooled[:, index] for index, name in enumerate(NAMES)}


def rmse_of(statistics: Sequence[Statistics]) -> float | None:
    """RMSE over all pixels of a few frames, None without a pixel."""
    pixels = sum(int(frame["pixels"]) for frame in statistics)
    squared = sum(float(frame["sums"][NAMES.index("rmse")]) for frame in statistics)
    return float(np.sqrt(squared / pixels)) if pixels else None


def _rooted(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means [..., 7] with the roots taken where a metric is one."""
    return np.where(_ROOTS, np.sqrt(means), means)
