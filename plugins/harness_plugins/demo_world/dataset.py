"""The demo world as a dataset: rendered where it is wanted, kept in the cache folder."""

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
    from harness_plugins.demo_world.compositor import Scene

HEIGHT, WIDTH = 192, 256
"""Pixels of every scene (as in scene.py, which needs NumPy to be imported)."""


class DemoWorld(Dataset):
    """Rendered street scenes of 256x192 pixels: 3600 to train on, 200 to choose by, 200 held out for tests.

    The task pose has scenes of its own (2400, 200 and 200), with one to three persons close to the camera. Each scene
    is rendered once, in the worker process that first wants it, and kept as a file without loss. Nothing has to be
    downloaded, and nothing about it is real. The sky has no depth.
    """

    name = "demo-world"
    summary = "rendered street scenes with classes, depth, boxes and key points; nothing to download"
    tasks = ("detection", "segmentation", "depth", "pose")
    splits = ("test", "val", "train")
    layout = "nothing on disk: scenes are rendered"
    needs_root = False
    _count = 0

    def open(self) -> None:
        from harness_plugins.demo_world import closeups, scene
        from harness_plugins.demo_world.truths import class_names

        self.classes = class_names(self.task)
        self._count = (closeups if self.task == "pose" else scene).SPLITS[self.split]

    def __len__(self) -> int:
        return self._count

    def outline(self, index: int) -> Outline:
        return Outline(self._id(index), height=HEIGHT, width=WIDTH, group=self._id(index))

    def __getitem__(self, index: int) -> Sample:
        from harness_plugins.demo_world.truths import target

        arrays = self._arrays(index)
        return Sample(self._id(index), arrays["image"][None], {0: target(self.task, arrays)})

    def fingerprint(self) -> str:
        from harness_plugins.demo_world import closeups, scene

        if self.task == "pose":
            number, seed, what = closeups.VERSION, closeups.seed(self.split), "close-ups"
        else:
            number, seed, what = scene.VERSION, scene.seed(self.split), "renderer"
        facts = f"demo-world {what} {number} split {self.split} seed {seed} scenes {len(self)}"
        return hashlib.sha256(facts.encode()).hexdigest()

    def _id(self, index: int) -> str:
        if not 0 <= index < self._count:
            raise IndexError(f"scene {index} of {self.split}: there are {self._count}")
        return f"{self.split}-{index:05d}"

    def _arrays(self, index: int) -> Arrays:
        """The scene from the cache, or new."""
        from harness_plugins.demo_world import closeups, scene

        if self.task == "pose":
            folder, names, render = f"closeups-v{closeups.VERSION}", _CLOSEUP, closeups.render
        else:
            folder, names, render = f"v{scene.VERSION}", _STREET, scene.render
        path = Path(folder, self.split, f"{index:05d}.npz")
        return kept(path, names, lambda: _fields(render(self.split, index)))


_STREET = ("image", "boxes", "labels", "classes", "depth")
_CLOSEUP = ("image", "boxes", "labels", "areas", "keypoints")


def _fields(scene: Scene) -> Arrays:
    return {name: getattr(scene, name) for name in {*_STREET, *_CLOSEUP}}


@harness.hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [DemoWorld]
