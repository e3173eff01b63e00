"""Monocular depth estimation: a depth for every pixel, measured by the errors of Eigen et al. (2014)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness.errors import UsageError
from harness.options import Option
from harness.task import Metric, Task
from harness_tasks.depth.errors import frame_statistics, metrics_of, rmse_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["Depth"]

_DRAWN_RANGE = 40
"""The farthest over the nearest depth of a drawing's scale."""

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

    Each metric is computed for each frame and averaged over the frames, as the field does; and over all pixels of the
    set in one, under its name with `_pooled` (the two differ where frames differ in their number of valid pixels, and
    for the roots always). A frame without a valid pixel is left out. `rmse` is the primary metric, as in the study.

    The options change what is measured, and so the identity of results. Evaluated are pixels whose true depth is
    known and lies between `min_depth` and `max_depth` (both excluded), inside the crop; predictions are scaled
    (`align`), then clipped to the two depths. With `normalised`, both are then divided by `max_depth`: the study
    reports an RMSE of .0588, which is no figure in metres, and does not state its unit; a share of the cap is the
    reading that fits. It changes `rmse` and `sq_rel` alone.
    """

    name = "depth"
    summary = "monocular depth estimation (errors of Eigen et al. 2014)"
    metrics: ClassVar[tuple[Metric, ...]] = (*_MEANS, *_POOLED)
    draws_over = False
    sample_metric: ClassVar[Metric] = Metric("rmse", False, unit="m", description="over the sample's pixels")
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
        """The metrics; without a unit where depths are normalised."""
        if not self.option("normalised"):
            return self.metrics
        return tuple(replace(metric, unit="") for metric in self.metrics)

    def score(self, prediction: NDArray[np.float32], target: NDArray[np.float32]) -> Statistics:
        """The sums of one frame's errors: described at `frame_statistics`."""
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
        """All metrics, float64[R], of R weighted sets of N frames; NaN where no frame has a valid pixel."""
        drawn = np.ones((1, len(statistics))) if weights is None else np.asarray(weights, np.float64)
        return metrics_of(statistics, drawn)

    def sample_score(self, statistics: Sequence[Statistics]) -> float | None:
        """RMSE over the sample's pixels, in the metric's unit: lower is better. None without a valid pixel."""
        return rmse_of(statistics)

    def as_target(self, prediction: NDArray[np.float32]) -> NDArray[np.float32]:
        """The predicted map: every pixel counts as measured."""
        return prediction

    def draw(self, image: NDArray[np.uint8], prediction: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The depth map in colours instead of the image, near bright and far dark, with its scale.

        The scale ends at `max_depth` and begins at a fortieth of it (2 m to 80 m), whatever the map holds, so that
        drawings of several predictions can be compared.
        """
        from harness_tasks.depth.drawing import draw_depth

        farthest = self.option("max_depth")
        return draw_depth(prediction, max(self.option("min_depth"), farthest / _DRAWN_RANGE), farthest)

    def draw_target(self, image: NDArray[np.uint8], target: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The true map, as `draw` draws a prediction; grey where nothing was measured."""
        return self.draw(image, target)

    def enlarged(self, result: NDArray[np.float32], times: int) -> NDArray[np.float32]:
        """A map with each pixel repeated so many times in both directions."""
        return result.repeat(times, axis=0).repeat(times, axis=1)
