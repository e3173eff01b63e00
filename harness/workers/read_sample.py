"""A sample that a worker has read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.keep.kept import frames_digest

if TYPE_CHECKING:
    from harness.dataset import Sample
    from harness.records import SampleRow

__all__ = ["ReadSample"]


@dataclass(frozen=True)
class ReadSample:
    """A sample that was read and decoded.

    Args:
        sample: the sample.
        row: the sample's row with the facts that are the same in every experiment.
        scored: the numbers of the frames that are scored, ascending.
    """

    sample: Sample
    row: SampleRow
    scored: tuple[int, ...]

    @cached_property
    def digest(self) -> str:
        """The digest of the sample's frames and frame rate, for the keys of cache entries."""
        return frames_digest(self.sample.frames, self.sample.fps)
