"""Which frames were judged in every one of several experiments, so that differences between them are paired.

A codec with `fps=` leaves the first frames of a clip unjudged (`harness.media.levers.unseen_frames`). What is stored
of a sample are the statistics of its judged frames. These are always the *last* of its scored frames, in order. So what
two experiments judged in common are the last frames of each, as many as the experiment with fewer of them has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.records import SampleStatistics

__all__ = ["judged_in_all", "last_frames"]


def judged_in_all(experiments: Sequence[Mapping[int, SampleStatistics]]) -> list[dict[int, SampleStatistics]]:
    """Return the statistics of each experiment on the frames that were judged in all of them.

    Samples that failed in one of the experiments, or of which no frame was judged in all, are left out.

    Args:
        experiments: for each experiment the statistics of its samples, by the sample's index; the experiments are on
            the same data.
    """
    shared: dict[int, int] = {}
    for index in set(experiments[0]).intersection(*experiments[1:]):
        if frames := min(len(samples[index].statistics) for samples in experiments):
            shared[index] = frames
    return [{index: last_frames(samples[index], frames) for index, frames in shared.items()} for samples in experiments]


def last_frames(sample: SampleStatistics, frames: float) -> SampleStatistics:
    """Return the statistics of a sample's last `frames` judged frames, at least one; all if it has not more."""
    if len(sample.statistics) <= frames:
        return sample
    return replace(sample, statistics=sample.statistics[-int(frames) :])
