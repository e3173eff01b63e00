"""The dataset `demo-clips`: clips of the demo world for the image tasks, so that video codecs have motion to encode."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import harness
from harness.dataset import Dataset, Outline, Sample
from harness_plugins.demo_world.kept import kept

if TYPE_CHECKING:
    from harness_plugins.demo_world.kept import Arrays

HEIGHT, WIDTH = 192, 256


class DemoClips(Dataset):
    """Rendered clips of 16 frames of 256x192 pixels at 12.5 frames per second: 40 for testing, 20 for validation.

    The scenes are like those of `demo-world`, but not the same: a hand-held camera pans, cars drive, persons walk or
    gesture. Frames 0, 4, 8 and 12 have targets. There is no training split: train models on `demo-world`. A worker
    process renders each clip when it first needs it and caches it on disk without loss (2.4 to 3.4 MB).
    """

    name = "demo-clips"
    summary = "rendered clips of streets with the truth on every fourth frame; nothing to download"
    tasks = ("detection", "segmentation", "depth", "pose")
    splits = ("test", "val")
    layout = "nothing on disk: clips are rendered"
    needs_root = False
    still = False
    _count = 0

    def open(self) -> None:
        from harness_plugins.demo_world.scene_clips import SPLITS
        from harness_plugins.demo_world.truths import class_names

        self.classes = class_names(self.task)
        self._count = SPLITS[self.split]

    def __len__(self) -> int:
        return self._count

    def outline(self, index: int) -> Outline:
        from harness_plugins.demo_world.scene_clips import FRAMES, SCORED

        identity = self._id(index)
        return Outline(identity, HEIGHT, WIDTH, frames=FRAMES, scored=SCORED, group=identity)

    def __getitem__(self, index: int) -> Sample:
        from harness_plugins.demo_world.scene_clips import FPS, KINDS, SCORED, VERSION, names, render
        from harness_plugins.demo_world.truths import target

        identity, kind = self._id(index), self._kind()

        def make() -> Arrays:
            return render(kind, self.split, index)

        path = Path(f"{kind}-clips-v{VERSION}", self.split, f"{index:05d}.scene")
        clip = kept(path, names(kind), make)
        truths = {frame: {name: clip[f"{name}_{frame}"] for name in KINDS[kind]} for frame in SCORED}
        targets = {frame: target(self.task, truth) for frame, truth in truths.items()}
        return Sample(identity, clip["frames"], targets, fps=FPS)

    def fingerprint(self) -> str:
        from harness_plugins.demo_world.scene_clips import VERSION, seed

        kind = self._kind()
        text = f"demo-clips {kind} {VERSION} split {self.split} seed {seed(kind, self.split)} clips {self._count}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _kind(self) -> str:
        """Return the kind of clip for the task: "close-ups" for pose, otherwise "street"."""
        return "close-ups" if self.task == "pose" else "street"

    def _id(self, index: int) -> str:
        if not 0 <= index < self._count:
            raise IndexError(f"clip {index} of {self.split}: there are {self._count}")
        return f"{self.split}-clip-{index:03d}"


@harness.hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [DemoClips]
