"""The statistics of many frames as one table of detections and one of objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from harness_tasks.detection.matching import unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["JoinedFrames", "joined_frames"]

_DETECTIONS = ("score", "label", "hit", "void", "voc", "own", "any", "object")
_OBJECTS = ("object_label", "object_flags")


@dataclass(frozen=True)
class JoinedFrames:
    """The n detections and m objects of N frames, in the order of the frames.

    Args:
        count: N.
        detections: name -> an array [n, ...] (see `frame_statistics`).
        objects: name -> an array [m, ...].
        frame: int64[n], the frame of each detection.
        object_frame: int64[m], the frame of each object.
    """

    count: int
    detections: Mapping[str, NDArray[Any]]
    objects: Mapping[str, NDArray[Any]]
    frame: NDArray[np.intp]
    object_frame: NDArray[np.intp]

    def first(self, name: str) -> NDArray[np.bool_]:
        """Return bool[n]: the packed bits of a name, at the first overlap threshold and in the size range "all"."""
        return unpack(self.detections[name])[:, 0, 0]

    def per_frame(self, chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return int64[N]: the number of chosen detections (bool[n]) in each frame."""
        return np.bincount(self.frame[chosen], minlength=self.count)

    @cached_property
    def positives(self) -> NDArray[np.intp]:
        """int64[N]: the number of objects in each frame that are neither a crowd nor difficult."""
        return np.bincount(self.object_frame[self.objects["object_flags"] & 3 == 0], minlength=self.count)

    @cached_property
    def has_objects(self) -> NDArray[np.bool_]:
        """bool[n]: whether each detection's frame has an object."""
        return (np.bincount(self.object_frame, minlength=self.count) > 0)[self.frame]

    @cached_property
    def nearest_label(self) -> NDArray[Any]:
        """[n]: the class of the object that each detection overlaps most; 0 in frames without objects."""
        labels = self.objects["object_label"]
        nearest = np.zeros(len(self.frame), labels.dtype)
        first = np.searchsorted(self.object_frame, self.frame) + self.detections["object"]
        nearest[self.has_objects] = labels[first[self.has_objects]]
        return nearest


def joined_frames(statistics: Sequence[Statistics]) -> JoinedFrames:
    """Join the results of `frame_statistics`, of at least one frame."""
    detections, objects = (
        {name: np.concatenate([frame[name] for frame in statistics]) for name in names}
        for names in (_DETECTIONS, _OBJECTS)
    )
    frame, object_frame = (
        np.repeat(np.arange(len(statistics)), [len(one[name]) for one in statistics])
        for name in ("label", "object_label")
    )
    return JoinedFrames(len(statistics), detections, objects, frame, object_frame)
