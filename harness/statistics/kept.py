"""Keeps the resampled metrics of an experiment as bytes, so that a later question need not resample its statistics.

Kept values can always be computed again, and are never believed without a check. `origin_of` is a digest of all that
they follow from: the bytes of every sample's statistics with its index and group, the task with its options, classes
and version, the number of resamples and their seed, and how resamples are drawn. Kept values are used only if the
digest is the same now. How an interval is computed from resampled values is no part of it, because that is done anew.

Kept are the metrics that people ask for: the primary one and those that follow in the task's own list, at most
`METRICS`, and not more than fit into the share `SHARE` of the bytes of the statistics (the primary one always). Metrics
of single classes are not kept. An experiment with little statistics is resampled quickly anyway.

The bytes are in the form of `harness.statistics.packing`, which detects damage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import StoreError
from harness.experiment import canonical
from harness.statistics.intervals import Replicates, subset
from harness.statistics.packing import pack, unpack
from harness.store import KeptResamples

if TYPE_CHECKING:
    from harness.records import SampleStatistics
    from harness.task import Statistics, Task

__all__ = [
    "METRICS",
    "READING_SEED",
    "SHARE",
    "Draft",
    "Outline",
    "Restored",
    "draft_of",
    "metrics_to_keep",
    "origin_of",
    "outline_of",
    "restored",
]

READING_SEED = 0
"""The seed of the resamples of every command that reads results. What was drawn with another one is not kept: nobody
would use it."""
METRICS = 12
"""The largest number of metrics that are kept of an experiment."""
SHARE = 0.1
"""The largest size of what is kept, before it is compressed, as a share of the bytes of the statistics."""

_FORMAT = 1
"""The layout of the kept bytes. Increase it when `draft_of` changes it."""
_GROUPS_DRAWN = 1000
"""The number of groups of the resample that stands for the way in which resamples are drawn."""


@dataclass(frozen=True)
class Outline:
    """What identifies the statistics of an experiment's samples, without the statistics themselves.

    Args:
        indices: the index of each sample, ascending.
        groups: the group of each sample.
        size: the bytes of the packed statistics.
        digest: SHA-256 in hex of each sample's index, group and packed statistics.
    """

    indices: tuple[int, ...] = field(repr=False)
    groups: tuple[str, ...] = field(repr=False)
    size: int
    digest: str


def outline_of(samples: Iterable[SampleStatistics]) -> Outline:
    """Return the outline of an experiment's samples. Statistics that are packed are not unpacked.

    Args:
        samples: the statistics of the samples that did not fail, by ascending index.
    """
    indices, groups, size = list[int](), list[str](), 0
    digest = hashlib.sha256()
    for sample in samples:
        data = pack(sample.statistics)
        digest.update(f"{sample.index} {len(data)} {len(sample.group.encode())} {sample.group}\0".encode())
        digest.update(data)
        indices.append(sample.index)
        groups.append(sample.group)
        size += len(data)
    return Outline(tuple(indices), tuple(groups), size, digest.hexdigest())


def origin_of(
    digest: str, identity: Mapping[str, Any], classes: Sequence[str], made_by: str, resamples: int, seed: int
) -> str:
    """Return the digest of all that an experiment's resampled metrics are computed from (SHA-256 in hex).

    Args:
        digest: the digest of the samples with their statistics (`Outline.digest`).
        identity: the experiment's identity.
        classes: the names of the classes.
        made_by: the distribution that provides the task, with its version.
        resamples: the number of resamples (R).
        seed: the seed of the resamples.
    """
    facts = {
        "format": _FORMAT,
        "task": identity["task"],
        "reference": identity.get("reference"),
        "classes": list(classes),
        "made_by": made_by,
        "resamples": resamples,
        "seed": seed,
        "drawn": np.packbits(subset(_GROUPS_DRAWN, seed, 0)).tobytes().hex(),
        "samples": digest,
    }
    return hashlib.sha256(canonical(facts).encode()).hexdigest()


def metrics_to_keep(task: Task, size: int, resamples: int) -> list[str]:
    """Return the names of the metrics that are kept: the primary one first, the others in the task's order.

    Args:
        task: the task.
        size: the bytes of the packed statistics.
        resamples: the number of resamples (R).
    """
    names = [metric.name for metric in sorted(task.metrics, key=lambda metric: not metric.primary) if metric.interval]
    return names[: max(1, min(METRICS, int(SHARE * size) // (8 * (resamples + 1))))]


@dataclass(frozen=True)
class Draft:
    """The resampled metrics of an experiment, ready to be kept.

    Args:
        digest: the digest of the samples that they were computed from (`Outline.digest`).
        data: the values, as bytes.
    """

    digest: str
    data: bytes = field(repr=False)

    def of_experiment(
        self, key: str, identity: Mapping[str, Any], classes: Sequence[str], made_by: str, resamples: int, seed: int
    ) -> KeptResamples:
        """Return what a store keeps. The arguments are the experiment's key and those of `origin_of`."""
        origin = origin_of(self.digest, identity, classes, made_by, resamples, seed)
        return KeptResamples(key, resamples, seed, origin, self.data)


def draft_of(
    found: Replicates, samples: Sequence[SampleStatistics], task: Task, resamples: int, outline: Outline | None = None
) -> Draft | None:
    """Return the resampled metrics of an experiment that are to be kept; None if there are none.

    Shares of right frames are not kept: their intervals need the frames, and to resample them takes little. Neither
    are metrics that are infinite, so that the reason is found again.

    Args:
        found: the experiment's metrics, on all its samples and on the resamples.
        samples: the samples that did not fail, by ascending index.
        task: the task.
        resamples: the number of resamples (R).
        outline: the outline of the samples, if it is known.
    """
    outline = outline or outline_of(samples)
    values = {
        name: np.array([found.values[name], *found.resampled[name]], np.float64)
        for name in metrics_to_keep(task, outline.size, resamples)
        if name in found.resampled and name not in found.hits and name not in found.infinite
    }
    if not values:
        return None
    shared: Statistics = {
        "frames": np.array([len(sample.statistics) for sample in samples], np.uint32),
        "groups": np.array(found.groups, np.int64),
        "ratios": np.array([name in found.ratios for name in values], np.bool_),
        "source": np.frombuffer(bytes.fromhex(found.source), np.uint8),
    }
    return Draft(outline.digest, pack([shared, values]))


@dataclass(frozen=True)
class Restored:
    """Kept resamples that were found to be those of an experiment's statistics.

    Args:
        replicates: the metrics that are kept.
        frames: index of a sample -> the number of its judged frames.
        groups: the groups that have judged frames, in the order in which they are resampled.
    """

    replicates: Replicates
    frames: Mapping[int, int] = field(repr=False)
    groups: tuple[str, ...] = field(repr=False)

    def covers(self, judged: Mapping[int, float]) -> bool:
        """Return whether these are all frames that the experiment judged.

        Args:
            judged: index of a sample -> how many of its last judged frames are asked for; samples of this experiment.
        """
        return all(judged.get(index, 0) >= frames for index, frames in self.frames.items())


def restored(kept: KeptResamples, outline: Outline, origin: str) -> Restored:
    """Read kept resamples, and check that they are those of an experiment's statistics.

    Args:
        kept: what a store has kept.
        outline: the experiment's samples.
        origin: what `origin_of` gives for the experiment.

    Raises:
        StoreError: they are of other statistics, or were made by another version; or they are damaged.
    """
    if kept.origin != origin:
        raise StoreError("they are of other statistics, or were made by another version")
    try:
        shared, values = unpack(kept.data)
        frames = dict(zip(outline.indices, shared["frames"].tolist(), strict=True))
        ratios = zip(values, shared["ratios"].tolist(), strict=True)
        replicates = Replicates(
            values={name: float(array[0]) for name, array in values.items()},
            resampled={name: array[1:] for name, array in values.items()},
            groups=int(shared["groups"]),
            ratios=frozenset(name for name, is_ratio in ratios if is_ratio),
            source=shared["source"].tobytes().hex(),
            seed=kept.seed,
        )
    except (StoreError, KeyError, ValueError, TypeError) as error:
        raise StoreError("they are damaged") from error
    if {len(array) for array in replicates.resampled.values()} != {kept.resamples}:
        raise StoreError("they are damaged")
    groups = (group for group, count in zip(outline.groups, frames.values(), strict=True) if count)
    return Restored(replicates, frames, tuple(dict.fromkeys(groups)))
