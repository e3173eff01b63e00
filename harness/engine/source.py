"""A sample as a worker read it."""

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
    """A sample as it was read, with the row it begins with."""

    sample: Sample
    row: SampleRow
    scored: tuple[int, ...]

    @cached_property
    def digest(self) -> str:
        """What its frames are known by in the cache."""
        return frames_digest(self.sample.frames, self.sample.fps)
