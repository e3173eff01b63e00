"""Means over the seeds of a training."""

from __future__ import annotations

import pytest

from harness.results.cells import MeasuredMetric, ResultCell
from harness.results.seeds import average_over_seeds
from harness.statistics.estimate import Estimate


def seed(number: int, **values: float) -> ResultCell:
    facts = {"status": "finished", "series": "s", "cell": "c", "seed": number, "experiment": f"e{number}"}
    return ResultCell(
        facts,
        {
            name: MeasuredMetric(Estimate(value, 0.0, 1.0), name == "AP", True, Estimate(0.1))
            for name, value in values.items()
        },
    )


@pytest.mark.parametrize("lacking", [0, 1, 2])
def test_a_metric_that_a_seed_lacks_has_no_mean(lacking: int) -> None:
    """As where one was finished before the metric was added."""
    cells = [seed(n, AP=0.1 * n) if n == lacking else seed(n, AP=0.1 * n, detections=3.0 + n) for n in range(3)]
    (mean,) = average_over_seeds(cells)
    assert (mean.seeds, mean.metrics["AP"].value) == (3, pytest.approx(0.1))
    assert mean.metrics["AP"].margin is not None
    found = mean.metrics["detections"]
    assert (found.value, found.metric.low, found.margin, found.drop.value, found.drop_margin) == (None,) * 5
    assert (found.is_primary, found.higher_is_better) == (False, True)
