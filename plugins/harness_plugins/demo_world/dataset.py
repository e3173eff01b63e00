"""The demo world as a dataset: rendered where it is wanted, kept in the cache folder."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harness
from harness.cache import cache_dir
from harness.dataset import Dataset, Outline, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEIGHT, WIDTH = 192, 256
"""Pixels of every scene (as in scene.py, which needs NumPy to be imported)."""
_SKY = 999.0
"""Metres: what is as far as this is the sky."""


class DemoWorld(Dataset):
    """Rendered street scenes of 256x192 pixels: 3600 to train on, 200 to choose by, 200 held out for tests.

    Each scene is rendered once, in the worker process that first wants it, and kept as a file without loss. Nothing
    has to be downloaded, and nothing about it is real. The sky has no depth.
    """

    name = "demo-world"
    summary = "rendered street scenes with classes, depth and boxes; nothing to download"
    tasks = ("detection", "segmentation", "depth")
    splits = ("test", "val", "train")
    layout = "nothing on disk: scenes are rendered"
    needs_root = False
    _count = 0

    def open(self) -> None:
        from harness_plugins.demo_world.classes import CLASSES, SEGMENTS
        from harness_plugins.demo_world.scene import SPLITS

        self.classes = {"detection": CLASSES, "segmentation": SEGMENTS, "depth": ()}[self.task]
        self._count = SPLITS[self.split]

    def __len__(self) -> int:
        return self._count

    def outline(self, index: int) -> Outline:
        return Outline(self._id(index), height=HEIGHT, width=WIDTH, group=self._id(index))

    def __getitem__(self, index: int) -> Sample:
        view = _cached(self.split, index)
        return Sample(self._id(index), view.image[None], {0: _target(self.task, view)})

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
    """What the tasks need of a scene (`Scene` says what each is); depth is in metres, 1000 for the sky."""

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: NDArray[np.uint8]
    depth: NDArray[np.float32]


def _target(task: str, view: _View) -> Any:
    """The truth that a task wants."""
    import numpy as np

    if task == "segmentation":
        return view.classes
    if task == "depth":
        from harness_tasks.depth.types import MISSING

        return np.where(view.depth < _SKY, view.depth, np.float32(MISSING))
    from harness_tasks.detection.types import Boxes

    return Boxes.of(view.boxes, view.labels)


def _cached(split: str, index: int) -> _View:
    """A scene from the cache, or new."""
    import numpy as np

    from harness_plugins.demo_world.scene import VERSION, render

    path = cache_dir() / "demo-world" / f"v{VERSION}" / split / f"{index:05d}.npz"
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return _View(**{field.name: file[field.name] for field in fields(_View)})
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile):
        scene = render(split, index)
        view = _View(**{field.name: getattr(scene, field.name) for field in fields(_View)})
        _keep(path, view)
        return view


def _keep(path: Path, view: _View) -> None:
    """Writes a file that is either whole or not there, whoever else writes it."""
    import numpy as np

    part = path.with_name(f"{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, **vars(view))
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)


@harness.hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [DemoWorld]
