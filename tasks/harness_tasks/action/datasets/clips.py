"""What the datasets of labelled video files share: a clip or a part of it is a sample, its class the target."""

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
"""Which part of a clip is a sample."""


@dataclass(frozen=True)
class Clip:
    """One labelled file.

    Args:
        id: unique in its split.
        path: the file.
        label: index of its class.
        group: the video that it was cut from.
    """

    id: str
    path: Path
    label: int
    group: str


class LabelledClips(Dataset):
    """Clips with one class each. `open` sets `classes` and `clips`.

    A clip is one sample: the whole of it, or, where it has more than the option `frames`, that many from its middle.
    The target, the class's index, is kept at frame 0. A file that is damaged is that sample's error.

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

        whole = hashlib.sha256(digest_files(clip.path for clip in self.clips).encode())
        for clip in self.clips:
            whole.update(f"{clip.id}\0{clip.group}\0{self.classes[clip.label]}\n".encode("utf-8", "surrogateescape"))
        whole.update("\n".join(self.classes).encode("utf-8", "surrogateescape"))
        return whole.hexdigest()

    def decoders(self) -> Mapping[str, Value]:
        from harness.video import decoders

        return decoders()

    def _part(self, clip: Clip, facts: Facts) -> tuple[int, int]:
        """The first frame of the clip that is taken, and how many are."""
        most, stride, start = self.option("frames"), self.option("stride"), self.option("start")
        if start is None:
            start = max(0, (facts.frames - most * stride) // 2)
        if start >= facts.frames:
            raise SampleError(f"{clip.path}: start={start}, but it has {facts.frames} frames.")
        return start, min(most, -(-(facts.frames - start) // stride))
