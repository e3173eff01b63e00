"""Where the time of experiments went, and what would make them faster: computed from the seconds of their stages.

The stages are those of `harness.store.STAGES`. Workers read, encode, decode, prepare and score. The main process waits
for them, takes their batches over, predicts and writes; some of it overlaps in threads.

The device idles in the rest of the wall time beside `predict`. That has two parts: `wait`, in which no batch had
arrived, and what remains, in which the rows of earlier batches were not written yet. The larger part names the
bottleneck, or it is the device itself if it was busy for nine tenths of the time. A batch may not have arrived because
the workers have not made it, or because the thread that receives batches has not handed it over: who had more to do?
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.store import STAGES

__all__ = ["BUSY", "StageProfile", "advice", "profile_of", "together"]

_PARTS = {"codec": ("encode", "decode"), "prepare": ("prepare",), "read": ("read",), "score": ("score",)}
"""The stages of workers by what they are called as a bottleneck. Of equal ones the first counts."""
_WORKERS = tuple(stage for stages in _PARTS.values() for stage in stages)
BUSY = 0.9
"""The share of the wall time from which on the device itself is the bottleneck."""


@dataclass(frozen=True)
class StageProfile:
    """The seconds of the stages of one experiment, or of several together.

    Args:
        samples: the number of image-levels: samples, each counted once for each experiment.
        seconds: stage -> seconds; a stage that was not measured is missing.
        workers: the number of worker processes; None if unknown.
    """

    samples: int
    seconds: Mapping[str, float]
    workers: int | None = None

    def share(self, *stages: str) -> float | None:
        """Return the stages' share of the wall time, 0-1, which may exceed 1 if they overlap; None without wall time.

        >>> StageProfile(10, {"predict": 3.0, "wall": 4.0}).share("predict")
        0.75
        """
        wall = self.seconds.get("wall", 0.0)
        return sum(self.seconds.get(stage, 0.0) for stage in stages) / wall if wall > 0 else None

    @property
    def busy_share(self) -> float | None:
        """The share of the wall time in which the device predicted; None without wall time."""
        return self.share("predict")

    @property
    def rate(self) -> float | None:
        """Image-levels per second of wall time; None without wall time."""
        wall = self.seconds.get("wall", 0.0)
        return self.samples / wall if wall > 0 else None

    @property
    def worker_seconds(self) -> float:
        """The seconds of all workers together."""
        return sum(self.seconds.get(stage, 0.0) for stage in _WORKERS)

    @property
    def bottleneck(self) -> str | None:
        """What held the others up; None without wall time.

        `device`; of the workers `read`, `codec`, `prepare` or `score`; of the main process `hand-over`, `store` or
        `other`.
        """
        busy = self.busy_share
        if busy is None:
            return None
        if busy >= BUSY:
            return "device"
        wait = self.seconds.get("wait", 0.0)
        if wait >= self.seconds["wall"] - self.seconds.get("predict", 0.0) - wait:
            handing = self.seconds.get("hand_over", 0.0) * max(1, self.workers or 1)
            return "hand-over" if handing > self.worker_seconds else self._of_workers()
        return "store" if self.share("write", "finish") else "other"

    def _of_workers(self) -> str:
        """Return which work of the workers takes longest."""
        return max(_PARTS, key=lambda name: sum(self.seconds.get(stage, 0.0) for stage in _PARTS[name]))

    @property
    def cores_lacking(self) -> int | None:
        """How many more workers, each on a core of its own, would prepare as fast as the device predicts.

        That is the workers' seconds per image-level over the device's, less the workers there are. 0 if they suffice;
        None if the device did not predict, or the number of workers is unknown.
        """
        predict = self.seconds.get("predict", 0.0)
        if predict <= 0 or self.workers is None:
            return None
        return max(0, math.ceil(self.worker_seconds / predict - self.workers))


def profile_of(row: Mapping[str, Any]) -> StageProfile:
    """Return the profile of a row of the view `profile`."""
    seconds = {stage: row[f"{stage}_seconds"] for stage in STAGES if row[f"{stage}_seconds"] is not None}
    workers = row["workers"]
    return StageProfile(row["samples"] or 0, seconds, None if workers is None else int(workers))


def together(profiles: Sequence[StageProfile]) -> StageProfile:
    """Return the sum of profiles, with the largest number of workers."""
    seconds: dict[str, float] = {}
    for profile in profiles:
        for stage, value in profile.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + value
    workers = [profile.workers for profile in profiles if profile.workers is not None]
    return StageProfile(sum(profile.samples for profile in profiles), seconds, max(workers, default=None))


def advice(profile: StageProfile) -> str | None:
    """Return a sentence that names the bottleneck and what would move it; None without wall time.

    >>> advice(StageProfile(10, {"predict": 97.0, "wall": 100.0}))
    'device-bound: the device was busy 97% of the time; a larger batch or a faster device would help'
    >>> advice(StageProfile(10, {"encode": 100.0, "wait": 15.0, "predict": 5.0, "wall": 20.0}, workers=6))
    'codec-bound: the device was busy 25% of the time and waited 75% for workers; 14 more cores would keep it busy'
    """
    kind, busy = profile.bottleneck, profile.busy_share
    if kind is None or busy is None:
        return None
    known = f"{kind}-bound: the device was busy {busy:.0%} of the time"
    if kind == "device":
        return f"{known}; a larger batch or a faster device would help"
    if kind in _PARTS:
        return f"{known} and waited {profile.share('wait'):.0%} for workers; {_more_cores(profile)}"
    if kind == "hand-over":
        return f"{known}, and {profile.share('hand_over'):.0%} went into receiving batches; smaller inputs would help"
    if kind == "store":
        share = profile.share("write", "finish")
        return f"{known}, and {share:.0%} went into the database and intervals; a faster disk or fewer --resamples help"
    return f"{known}; what the rest went into was not measured"


def _more_cores(profile: StageProfile) -> str:
    lacking = profile.cores_lacking
    if lacking is None:
        return "more cores would help"
    if lacking == 0:
        return "the workers are fast enough on average: it waited for first or slow batches"
    return f"{lacking} more core{'s' if lacking > 1 else ''} would keep it busy"
