"""The dataset `demo-world`: scenes are rendered when they are needed and kept in the cache folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import harness
from harness.dataset import Dataset, Outline, Sample
from harness_plugins.demo_world.kept import kept

if TYPE_CHECKING:
    from harness_plugins.demo_world.kept import Arrays

HEIGHT, WIDTH = 192, 256
"""Image size in pixels. It repeats scene.py, because importing scene.py would import NumPy."""


class DemoWorld(Dataset):
    """Rendered street scenes of 256x192 pixels: 3600 for training, 200 for validation, 200 for testing.

    Two tasks have their own scenes. Pose has close-ups of one to three persons: 2400 for training, 200 for validation,
    200 for testing. Action has clips of 20 frames at 10 frames per second: 1000, 80 and 160. In a clip one person
    performs one of ten actions. The target is the number of the action, at frame 0; the four clips of the same person
    are a group.

    A worker process renders each scene when it first needs it and stores it as a lossless file: 150 to 400 kB per
    scene, 3 MB per clip. Nothing is downloaded, and no image is real. The sky has no depth.
    """

    name = "demo-world"
    summary = "rendered street scenes with classes, depth, boxes, key points; clips of actions; nothing to download"
    tasks = ("detection", "segmentation", "depth", "pose", "action")
    splits = ("test", "val", "train")
    layout = "nothing on disk: scenes are rendered"
    needs_root = False
    _count = 0

    def open(self) -> None:
        from harness_plugins.demo_world.truths import class_names

        self.classes = class_names(self.task)
        self.still = self.task != "action"
        self._count = self._scenes().SPLITS[self.split]

    def __len__(self) -> int:
        return self._count

    def outline(self, index: int) -> Outline:
        identity = self._id(index)
        if self.task != "action":
            return Outline(identity, height=HEIGHT, width=WIDTH, group=identity)
        from harness_plugins.demo_world import action_clips

        person = f"{self.split}-person-{action_clips.actor(index):03d}"
        action_name = self.classes[action_clips.action(index)]
        return Outline(identity, HEIGHT, WIDTH, frames=action_clips.FRAMES, group=person, stratum=action_name)

    def __getitem__(self, index: int) -> Sample:
        from harness_plugins.demo_world import action_clips
        from harness_plugins.demo_world.truths import target

        identity, arrays = self._id(index), self._arrays(index)
        if self.task == "action":
            return Sample(identity, arrays["frames"], {0: action_clips.action(index)}, fps=action_clips.FPS)
        return Sample(identity, arrays["image"][None], {0: target(self.task, arrays)})

    def fingerprint(self) -> str:
        scenes = self._scenes()
        kind = _NAMES.get(self.task, "renderer")
        description = (
            f"demo-world {kind} {scenes.VERSION} split {self.split} seed {scenes.seed(self.split)} scenes {self._count}"
        )
        return hashlib.sha256(description.encode()).hexdigest()

    def _id(self, index: int) -> str:
        if not 0 <= index < self._count:
            raise IndexError(f"scene {index} of {self.split}: there are {self._count}")
        return f"{self.split}-{index:05d}"

    def _scenes(self) -> ModuleType:
        """Return the module that renders the scenes of the task."""
        from harness_plugins.demo_world import action_clips, closeups, scene

        return {"pose": closeups, "action": action_clips}.get(self.task, scene)

    def _arrays(self, index: int) -> Arrays:
        """Return the arrays of a scene, from the cache or newly rendered."""
        scenes = self._scenes()
        folder = "-".join([*filter(None, [_NAMES.get(self.task)]), f"v{scenes.VERSION}"])
        names = {"pose": _CLOSEUP, "action": ("frames",)}.get(self.task, _STREET)

        def make() -> Arrays:
            scene = scenes.render(self.split, index)
            return {"frames": scene} if self.task == "action" else {name: getattr(scene, name) for name in names}

        return kept(Path(folder, self.split, f"{index:05d}.scene"), names, make)


_NAMES = {"pose": "close-ups", "action": "actions"}
_STREET = ("image", "boxes", "labels", "classes", "depth")
_CLOSEUP = ("image", "boxes", "labels", "areas", "keypoints")


@harness.hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [DemoWorld]
