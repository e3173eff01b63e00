"""The task `counting`: how many objects a frame shows. Predictions and targets are whole numbers."""

import numpy as np

from harness import hookimpl
from harness.errors import ContentError
from harness.task import Metric, Task


class Counting(Task):
    name = "counting"
    summary = "how many objects there are"
    metrics = (
        Metric("mae", higher_is_better=False, primary=True, unit="objects", description="mean absolute error"),
        Metric("exact", description="share of frames whose number is right"),
    )

    def check_prediction(self, prediction, size, classes):
        if not isinstance(prediction, int) or prediction < 0:
            raise ContentError(f"count: a whole number from 0 is expected, found {prediction!r}")

    def check_target(self, target, size):
        self.check_prediction(target, size, len(self.classes))

    def score(self, prediction, target):  # the sufficient statistics of one frame
        return {"error": np.array(abs(prediction - target), np.float64)}

    def reduce(self, statistics, weights=None):  # weights float64[R, N] -> float64[R] for each metric
        errors = np.array([float(frame["error"]) for frame in statistics])
        weights = np.ones((1, len(errors))) if weights is None else weights
        total = weights.sum(axis=1)
        with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: of no frames, both are undefined
            return {"mae": weights @ errors / total, "exact": weights @ (errors == 0.0) / total}


@hookimpl
def harness_tasks():
    return [Counting]
