"""The base class of datasets of labelled video files: a sample is a clip or a part of it, and the target is its
class."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.dataset import Dataset, Outline, Sample
from harness.errors import SampleError
from harness.options import Option, Value

if TYPE_CHECKING:
    from harness.video import Facts

__all__ = ["PART", "Clip", "LabelledClips"]

PART = (
    Option(
        "frames",
        int,
        300,
        "frames of a sample at most (300 of 320x240 are 69 MB, ten seconds at 30 frames a second); of a longer clip "
        "the middle is taken",
        minimum=1,
        maximum=100_000,
    ),
    Option(
        "stride", int, 1, "of so many frames one is taken; the frame rate falls with it", minimum=1, maximum=100_000
    ),
    Option("start", int, None, "the first frame, counted from 0; not set: the part is the clip's middle", minimum=0),
)
"""Options that choose the part of a clip that is used as the sample."""


@dataclass(frozen=True)
class Clip:
    """One labelled video file.

    Args:
        id: the sample's id, unique in its split.
        path: the file.
        label: index of the class.
        group: the video that the clip was cut from.
    """

    id: str
    path: Path
    label: int
    group: str


class LabelledClips(Dataset):
    """Clips with one class each. A subclass's `open` sets `classes` and `clips`.

    A clip is one sample. If it has more frames than the option `frames`, only that many frames from its middle are
    used. The target is the index of the class, at frame 0. A damaged file makes only its own sample fail.

    Attributes:
        clips: the split's clips, in order.
    """

    tasks: ClassVar[tuple[str, ...]] = ("action",)
    options: ClassVar[tuple[Option, ...]] = PART
    still = False
    clips: tuple[Clip, ...] = ()

    def __len__(self) -> int:
        return len(self.clips)

    def outline(self, index: int) -> Outline:
        from harness.video import probe

        clip = self.clips[index]
        facts = probe(clip.path)
        _, count = self._part(clip, facts)
        return Outline(clip.id, facts.height, facts.width, count, (0,), clip.group, self.classes[clip.label])

    def __getitem__(self, index: int) -> Sample:
        from harness.video import probe, read_clip

        clip = self.clips[index]
        facts, stride = probe(clip.path), self.option("stride")
        start, count = self._part(clip, facts)
        frames, source = read_clip(clip.path, start, count, stride)
        return Sample(clip.id, frames, {0: clip.label}, facts.fps / stride, source)

    def fingerprint(self) -> str:
        from harness.files import digest_files

        digest = hashlib.sha256(digest_files(clip.path for clip in self.clips).encode())
        for clip in self.clips:
            digest.update(f"{clip.id}\0{clip.group}\0{self.classes[clip.label]}\n".encode("utf-8", "surrogateescape"))
        digest.update("\n".join(self.classes).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def decoders(self) -> Mapping[str, Value]:
        from harness.video import decoders

        return decoders()

    def _part(self, clip: Clip, facts: Facts) -> tuple[int, int]:
        """Return the first frame that is used, and the number of frames.

        Raises:
            SampleError: the option `start` is beyond the clip's end.
        """
        most, stride, start = self.option("frames"), self.option("stride"), self.option("start")
        if start is None:
            start = max(0, (facts.frames - most * stride) // 2)
        if start >= facts.frames:
            raise SampleError(f"{clip.path}: start={start}, but it has {facts.frames} frames.")
        return start, min(most, -(-(facts.frames - start) // stride))
