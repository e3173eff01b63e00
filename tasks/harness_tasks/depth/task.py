"""The task monocular depth estimation: one depth per pixel, measured with the errors of Eigen et al. (2014)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.errors import UsageError
from harness.options import Option
from harness.task import Metric, Task
from harness_tasks.checks import check_map
from harness_tasks.depth.errors import frame_statistics, frame_sums, metrics_of, rmse_of
from harness_tasks.predictions import write_depths

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.dataset import KeptFrame
    from harness.task import Reducer, Statistics

__all__ = ["Depth"]

_DRAWN_RANGE = 40
"""The ratio of the farthest to the nearest depth in the colour scale of drawings."""

_EIGEN = "Eigen et al. 2014"
_MEANS = (
    Metric("abs_rel", False, description=f"mean of |d - p| / d, {_EIGEN}"),
    Metric("sq_rel", False, unit="m", description=f"mean of (d - p)^2 / d, {_EIGEN}"),
    Metric("rmse", False, True, unit="m", description=f"root of the mean of (d - p)^2, {_EIGEN}"),
    Metric("rmse_log", False, description=f"root of the mean of (ln d - ln p)^2, {_EIGEN}"),
    Metric("delta1", description=f"share of pixels with max(d / p, p / d) < 1.25, {_EIGEN}"),
    Metric("delta2", description=f"share of pixels with max(d / p, p / d) < 1.25^2, {_EIGEN}"),
    Metric("delta3", description=f"share of pixels with max(d / p, p / d) < 1.25^3, {_EIGEN}"),
)
_POOLED = tuple(
    replace(metric, name=f"{metric.name}_pooled", primary=False, description=f"{metric.description}; over all pixels")
    for metric in _MEANS
)


class Depth(Task):
    """Monocular depth estimation.

    Each metric is computed in two ways. Under its own name it is computed per frame and averaged over the frames, as is
    usual in the field. Under its name with `_pooled` it is computed over all pixels of all frames at once. The two
    differ when the frames differ in their number of valid pixels; the metrics with a square root always differ. A frame
    without a valid pixel is left out. `rmse` is the primary metric, as in the study.

    The options change what is measured, and so the identity of results. A pixel is evaluated if its true depth is known
    and lies between `min_depth` and `max_depth` (both excluded), and if it lies inside the crop. Predictions are scaled
    (`align`) and then clipped to the two depths. With `normalised`, predictions and true depths are then divided by
    `max_depth`. This changes only `rmse` and `sq_rel`. The reason for it: the study reports an RMSE of .0588 without a
    unit; this cannot be metres, but fits a share of the depth cap.
    """

    name = "depth"
    summary = "monocular depth estimation (errors of Eigen et al. 2014)"
    metrics: ClassVar[tuple[Metric, ...]] = (*_MEANS, *_POOLED)
    draws_over = False
    suspects = (
        "the unit of the predicted depths (metres are expected; not millimetres, inverse depth, or a depth without "
        "scale, for which there is the option align=median), the normalisation of the pixels (mean and deviation, 0-1 "
        "or 0-255), the order of the colours (RGB or BGR), or the weights (of another network or data set)"
    )
    sample_metric: ClassVar[Metric] = Metric("rmse", False, unit="m", description="over the sample's pixels")
    predictions_as = ".npz"
    options = (
        Option("min_depth", float, 1e-3, "nearer truth is left out, nearer predictions are set to it", minimum=1e-9),
        Option("max_depth", float, 80.0, "farther truth is left out, farther predictions are set to it", minimum=1e-9),
        Option("crop", str, "none", "what is evaluated of a frame", choices=("none", "garg", "eigen")),
        Option(
            "align",
            str,
            "none",
            "median: each prediction is scaled to the truth's median, for models without absolute scale",
            choices=("none", "median"),
        ),
        Option("normalised", bool, False, "divide depths by max_depth (rmse and sq_rel are then without unit)"),
    )

    def __init__(self, classes: tuple[str, ...] = (), **options: object) -> None:
        super().__init__(classes, **options)
        near, far = self.option("min_depth"), self.option("max_depth")
        if near >= far:
            raise UsageError(f"task {self.name}: min_depth={near:g} is not below max_depth={far:g}.")

    def all_metrics(self) -> tuple[Metric, ...]:
        """Return the metrics; with `normalised`, without a unit."""
        if not self.option("normalised"):
            return self.metrics
        return tuple(replace(metric, unit="") for metric in self.metrics)

    def check_prediction(self, prediction: Any, size: tuple[int, int], classes: int) -> None:
        """Check a depth map: float32 or float64 [H, W] in the size of the source frame.

        That its depths are positive and finite is checked by `score`, at the pixels that are evaluated.
        """
        check_map("depth map", prediction, "real", size)

    def check_target(self, target: Any, size: tuple[int, int]) -> None:
        """Check a depth map: float32 or float64 [H, W] in the size of the frame. What is no depth is missing."""
        check_map("depth map", target, "real", size)

    def score(self, prediction: NDArray[np.float32], target: NDArray[np.float32]) -> Statistics:
        """Return the error sums of one frame (see `frame_statistics`)."""
        return frame_statistics(
            prediction,
            target,
            nearest=self.option("min_depth"),
            farthest=self.option("max_depth"),
            crop=self.option("crop"),
            align=self.option("align"),
            unit=self.option("max_depth") if self.option("normalised") else 1.0,
        )

    def reduce(
        self, statistics: Sequence[Statistics], weights: NDArray[np.float64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Return all metrics, each float64[R], of R weighted sets of N frames; NaN where no frame has a valid pixel."""
        return self.reducer(statistics)(weights)

    def reducer(self, statistics: Sequence[Statistics], metrics: Collection[str] | None = None) -> Reducer:
        """Return `reduce` for these frames, prepared for several calls; it computes all metrics."""
        pixels, sums = frame_sums(statistics)

        def reduce(weights: NDArray[np.float64] | None) -> dict[str, NDArray[np.float64]]:
            set_weights = np.ones((1, len(statistics))) if weights is None else np.asarray(weights, np.float64)
            return metrics_of(pixels, sums, set_weights)

        return reduce

    def sample_score(self, statistics: Sequence[Statistics]) -> float | None:
        """Return the RMSE over the sample's pixels, in the metric's unit; lower is better. None without a valid
        pixel."""
        return rmse_of(statistics)

    def chance(self, statistics: Sequence[Statistics], targets: Iterable[NDArray[np.float32]]) -> float | None:
        """Return the RMSE of one depth for all pixels, the mean of the true depths; None without a measured pixel."""
        truth = list(targets)
        near, far = self.option("min_depth"), self.option("max_depth")
        with np.errstate(invalid="ignore"):
            measured = [depths[(depths > near) & (depths < far)] for depths in truth]
        if not sum(map(len, measured)):
            return None
        mean = np.concatenate(measured).mean(dtype=np.float64)
        return float(self.reduce([self.score(np.full_like(depths, mean), depths) for depths in truth])["rmse"][0])

    def as_target(self, prediction: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the predicted depth map as a target in which every pixel counts as measured."""
        return prediction

    def write_predictions(self, frames: Iterable[KeptFrame], target: Path) -> None:
        write_depths(frames, target)

    def draw(self, image: NDArray[np.uint8], prediction: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the depth map as a colour image with a scale, near bright and far dark. The input image is not shown.

        The scale ends at `max_depth` and begins at a fortieth of it (2 m to 80 m). It does not depend on the map, so
        drawings of several predictions can be compared.
        """
        from harness_tasks.depth.drawing import draw_depth

        farthest = self.option("max_depth")
        return draw_depth(prediction, max(self.option("min_depth"), farthest / _DRAWN_RANGE), farthest)

    def draw_target(self, image: NDArray[np.uint8], target: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Draw the target as `draw` draws a prediction; unmeasured pixels are grey."""
        return self.draw(image, target)

    def enlarged(self, result: NDArray[np.float32], times: int) -> NDArray[np.float32]:
        """Enlarge a depth map: each pixel is repeated `times` times in both directions."""
        return result.repeat(times, axis=0).repeat(times, axis=1)
