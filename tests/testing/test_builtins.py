"""Every plugin that comes with the harness keeps the promises of its kind, by the classes that authors inherit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.discovery.plugins import OWN, installed
from harness.testing import CodecPromises, ConfiguredPromises, DatasetPromises, Promises, outcomes
from harness.testing.chosen import promises_for

FOLDERS: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("voc", "detection"): ("voc2007_mini/VOCdevkit", {"split": "val"}),
    ("coco", "detection"): ("coco_mini", {"split": "train2017"}),
    ("coco", "pose"): ("coco_mini", {"split": "train2017"}),
    ("camvid", "segmentation"): ("camvid", {}),
    ("cityscapes", "segmentation"): ("cityscapes_mini", {"split": "val"}),
    ("ucf101", "action"): ("ucf101_mini", {}),
    ("rgbd", "depth"): ("rgbd_open3d", {}),
}
"""Dataset and task -> the folder of real data, and what else is set."""
SLOW = ("the_loss_is_finite_and_falls", "it_imports_quickly")
"""Promises of models that other tests of them hold too: their trainings, and what plugins import when they load."""


def own(kind: str) -> list[str]:
    return [one.name for one in installed().all(kind) if one.origin.distribution == OWN]


def broken(promises: type[Promises], leave: tuple[str, ...] = ()) -> dict[str, str]:
    """The promises that a plugin breaks, with the reasons."""
    only = [name for name in promises.names() if name not in leave]
    found = list(outcomes(promises, only))
    assert any(one.status == "kept" for one in found)
    return {one.promise: one.reason for one in found if one.status == "broken"}


@pytest.mark.parametrize("name", own("codec"))
def test_codecs(name: str) -> None:
    assert broken(promises_for(name)) == {}


@pytest.mark.parametrize("name", own("task"))
def test_tasks_and_their_demo_models(name: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    task: Any = promises_for(name)
    assert (task.dataset, task.model) == ("demo-clips" if name != "action" else "demo-world", task.model)
    task.dataset = "demo-world"
    assert broken(task, ("it_imports_quickly",)) == {}
    model: Any = promises_for(task.model, dataset="demo-world")
    assert broken(model, SLOW) == {}


@pytest.mark.parametrize("name", own("model"))
def test_options_of_models(name: str) -> None:
    assert broken(type("TestOptions", (ConfiguredPromises,), {"kind": "model", "spec": name}), SLOW) == {}


@pytest.mark.parametrize("task", ["detection", "action"])
def test_rendered_datasets(task: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    about = {"spec": "demo-world", "task": task, "count": 3}
    assert broken(type("TestRendered", (DatasetPromises,), about)) == {}


@pytest.mark.parametrize(("name", "task"), sorted(FOLDERS), ids="-".join)
def test_datasets_of_files(name: str, task: str, data_root: Path) -> None:
    folder, about = FOLDERS[name, task]
    place = data_root / folder
    assert broken(type("TestFiles", (DatasetPromises,), {"spec": name, "task": task, "root": place, **about})) == {}


@pytest.mark.parametrize("name", own("store"))
def test_stores(name: str) -> None:
    assert broken(promises_for(name)) == {}


@pytest.mark.parametrize("name", own("executor"))
def test_executors(name: str) -> None:
    assert broken(promises_for(name)) == {}


class TestJpeg(CodecPromises):
    """As an author writes it."""

    spec = "jpeg:subsampling=4:4:4"


class TestNone(CodecPromises):
    """A codec without levels: what it cannot be asked for is skipped."""

    spec = "none"
