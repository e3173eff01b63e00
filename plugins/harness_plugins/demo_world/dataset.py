"""The demo world as a dataset: rendered where it is wanted, kept in the cache folder."""

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
"""Pixels of every scene (as in scene.py, which needs NumPy to be imported)."""


class DemoWorld(Dataset):
    """Rendered street scenes of 256x192 pixels: 3600 to train on, 200 to choose by, 200 held out for tests.

    Pose and action have scenes of their own: 2400, 200 and 200 close-ups of one to three persons for pose; 1000, 80
    and 160 clips of 20 frames at 10 frames a second for action, in which one person does one of ten things (the
    target is its number, at frame 0; four clips are of the same person and make a group). Each is rendered once, in
    the worker process that first wants it, and kept as a file without loss: 150 to 400 kB a scene, 3 MB a clip.
    Nothing has to be downloaded, and nothing about it is real. The sky has no depth.
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
        done = self.classes[action_clips.action(index)]
        return Outline(identity, HEIGHT, WIDTH, frames=action_clips.FRAMES, group=person, stratum=done)

    def __getitem__(self, index: int) -> Sample:
        from harness_plugins.demo_world import action_clips
        from harness_plugins.demo_world.truths import target

        identity, arrays = self._id(index), self._arrays(index)
        if self.task == "action":
            return Sample(identity, arrays["frames"], {0: action_clips.action(index)}, fps=action_clips.FPS)
        return Sample(identity, arrays["image"][None], {0: target(self.task, arrays)})

    def fingerprint(self) -> str:
        scenes = self._scenes()
        what = _NAMES.get(self.task, "renderer")
        facts = (
            f"demo-world {what} {scenes.VERSION} split {self.split} seed {scenes.seed(self.split)} scenes {self._count}"
        )
        return hashlib.sha256(facts.encode()).hexdigest()

    def _id(self, index: int) -> str:
        if not 0 <= index < self._count:
            raise IndexError(f"scene {index} of {self.split}: there are {self._count}")
        return f"{self.split}-{index:05d}"

    def _scenes(self) -> ModuleType:
        """The module that renders what the task wants."""
        from harness_plugins.demo_world import action_clips, closeups, scene

        return {"pose": closeups, "action": action_clips}.get(self.task, scene)

    def _arrays(self, index: int) -> Arrays:
        """What was rendered, from the cache, or new."""
        scenes = self._scenes()
        folder = "-".join([*filter(None, [_NAMES.get(self.task)]), f"v{scenes.VERSION}"])
        names = {"pose": _CLOSEUP, "action": ("frames",)}.get(self.task, _STREET)

        def make() -> Arrays:
            made = scenes.render(self.split, index)
            return {"frames": made} if self.task == "action" else {name: getattr(made, name) for name in names}

        return kept(Path(folder, self.split, f"{index:05d}.npz"), names, make)


_NAMES = {"pose": "close-ups", "action": "actions"}
_STREET = ("image", "boxes", "labels", "classes", "depth")
_CLOSEUP = ("image", "boxes", "labels", "areas", "keypoints")


@harness.hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [DemoWorld]
