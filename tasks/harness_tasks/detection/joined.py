"""The statistics of many frames as one table of detections and one of objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from harness_tasks.detection.matching import unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["JoinedFrames"]


@dataclass(frozen=True)
class JoinedFrames:
    """The n detections and m objects of N frames, in the order of the frames.

    Args:
        statistics: results of `frame_statistics`, of at least one frame.
    """

    statistics: Sequence[Statistics]
    _columns: dict[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    @property
    def count(self) -> int:
        """N."""
        return len(self.statistics)

    def column(self, name: str) -> NDArray[Any]:
        """Return [n, ...] or [m, ...]: the statistics of a name, of all detections or all objects."""
        if name not in self._columns:
            self._columns[name] = np.concatenate([frame[name] for frame in self.statistics])
        return self._columns[name]

    @cached_property
    def frame(self) -> NDArray[np.intp]:
        """int64[n]: the frame of each detection."""
        return np.repeat(np.arange(self.count), [len(frame["label"]) for frame in self.statistics])

    @cached_property
    def object_frame(self) -> NDArray[np.intp]:
        """int64[m]: the frame of each object."""
        return np.repeat(np.arange(self.count), [len(frame["object_label"]) for frame in self.statistics])

    def first(self, name: str) -> NDArray[np.bool_]:
        """Return bool[n]: the packed bits of a name, at the first overlap threshold and in the size range "all"."""
        return unpack(self.column(name))[:, 0, 0]

    def per_frame(self, chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return int64[N]: the number of chosen detections (bool[n]) in each frame."""
        return np.bincount(self.frame[chosen], minlength=self.count)

    @cached_property
    def positives(self) -> NDArray[np.intp]:
        """int64[N]: the number of objects in each frame that are neither a crowd nor difficult."""
        return np.bincount(self.object_frame[self.column("object_flags") & 3 == 0], minlength=self.count)

    @cached_property
    def has_objects(self) -> NDArray[np.bool_]:
        """bool[n]: whether each detection's frame has an object."""
        return (np.bincount(self.object_frame, minlength=self.count) > 0)[self.frame]

    @cached_property
    def nearest_label(self) -> NDArray[Any]:
        """[n]: the class of the object that each detection overlaps most; 0 in frames without objects."""
        labels = self.column("object_label")
        nearest = np.zeros(len(self.frame), labels.dtype)
        first = np.searchsorted(self.object_frame, self.frame) + self.column("object")
        nearest[self.has_objects] = labels[first[self.has_objects]]
        return nearest
