"""The demo world as a dataset: rendered where it is wanted, kept in the cache folder."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import harness
from harness.cache import cache_dir
from harness.dataset import Dataset, Outline, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEIGHT, WIDTH = 192, 256
"""Pixels of every scene (as in scene.py, which needs NumPy to be imported)."""


class DemoWorld(Dataset):
    """Rendered street scenes of 256x192 pixels: 3600 to train on, 200 to choose by, 200 held out for tests.

    Each scene is rendered once, in the worker process that first wants it, and kept as a file without loss. Nothing
    has to be downloaded, and nothing about it is real.
    """

    name = "demo-world"
    summary = "rendered street scenes with boxes; nothing to download"
    tasks = ("detection",)
    splits = ("test", "val", "train")
    layout = "nothing on disk: scenes are rendered"
    needs_root = False
    _count = 0

    def open(self) -> None:
        from harness_plugins.demo_world.classes import CLASSES
        from harness_plugins.demo_world.scene import SPLITS

        self.classes = CLASSES
        self._count = SPLITS[self.split]

    def __len__(self) -> int:
        return self._count

    def outline(self, index: int) -> Outline:
        return Outline(self._id(index), height=HEIGHT, width=WIDTH, group=self._id(index))

    def __getitem__(self, index: int) -> Sample:
        from harness_tasks.detection.types import Boxes

        view = _cached(self.split, index)
        target = Boxes.of(view.boxes, view.labels)
        return Sample(self._id(index), view.image[None], {0: target})

    def fingerprint(self) -> str:
        from harness_plugins.demo_world.scene import VERSION, seed

        facts = f"demo-world renderer {VERSION} split {self.split} seed {seed(self.split)} scenes {len(self)}"
        return hashlib.sha256(facts.encode()).hexdigest()

    def _id(self, index: int) -> str:
        if not 0 <= index < self._count:
            raise IndexError(f"scene {index} of {self.split}: there are {self._count}")
        return f"{self.split}-{index:05d}"


@dataclass(frozen=True)
class _View:
    """What detection needs of a scene: image uint8[H, W, 3], boxes float32[N, 4], labels int64[N]."""

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]


def _cached(split: str, index: int) -> _View:
    """A scene from the cache, or new."""
    import numpy as np

    from harness_plugins.demo_world.scene import VERSION, render

    path = cache_dir() / "demo-world" / f"v{VERSION}" / split / f"{index:05d}.npz"
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return _View(file["image"], file["boxes"], file["labels"])
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile):
        scene = render(split, index)
        view = _View(scene.image, scene.boxes, scene.labels)
        _keep(path, view)
        return view


def _keep(path: Path, view: _View) -> None:
    """Writes a file that is either whole or not there, whoever else writes it."""
    import numpy as np

    part = path.with_name(f"{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, image=view.image, boxes=view.boxes, labels=view.labels)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)


@harness.hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [DemoWorld]
