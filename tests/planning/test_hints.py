"""What a model is told of a sample: by the labels, or by a file; checked before a run, and part of the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import UsageError
from harness.planning.hints import read_boxes
from harness_tasks.pose.task import Pose
from harness_tasks.pose.types import Persons
from kit.command import Session
from kit.counting import write_counting

RUN = ("run", "--codec", "coarse@1", "--task", "counting", "--resamples", "100")


@pytest.fixture
def session(tmp_path: Path, cache: Path) -> Session:
    session = Session(tmp_path, cache)
    session.env["HARNESS_PLUGINS"] = str(write_counting(tmp_path))
    return session


def results_file(path: Path, counts: dict[str, int]) -> Path:
    box = {"bbox": [1, 1, 2, 2], "score": 0.5, "category_id": 1}
    boxes = [{**box, "image_id": i} for i, n in counts.items() for _ in range(n)]
    path.write_text(json.dumps(boxes))
    return path


def errors(session: Session) -> set[tuple[str, float]]:
    return set(session.select("select model, value from results where metric = 'mae'"))


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_model_is_told_boxes_of_labels_or_of_a_file(session: Session, workers: str) -> None:
    told = session.run(*RUN, "--model", "told", "--workers", workers)
    assert "model told is told boxes of the labels" in told.stderr
    assert errors(session) == {("told", 0.0)}  # its frames are coded to nothing, and it is right
    file = results_file(session.folder / "found.json", {"dots 0": 1, "dots 1": 1, "dots 4": 1})
    given = session.run(*RUN, "--model", f"told:boxes={file}", "--workers", workers)
    assert "is told" not in given.stderr
    assert errors(session) == {("told", 0.0), ("told:boxes=found.json", (0 + 1 + 3 + 4 + 4) / 5)}
    results_file(file, {"dots 0": 2})
    assert "2 to do" in session.run(*RUN, "--model", f"told:boxes={file}").stderr  # another file is another key
    identities = [json.loads(text) for (text,) in session.select("select identity from experiments")]
    assert {len(one["model"]["options"]["boxes"]) for one in identities} == {len("truth"), 64}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "told:boxes=none.json"), "boxes=none.json is no file of COCO results"),
        (("--model", "told:boxes=other.json"), "has no box in any of the 5 images of dataset dots: its image_id are 7"),
        (("--model", "told", "--reference", "predictions"), "--reference predictions takes nothing from labels"),
    ],
)
def test_what_a_model_cannot_be_told_is_refused_before_the_run(
    session: Session, arguments: tuple[str, ...], message: str
) -> None:
    results_file(session.folder / "other.json", {"7": 1})
    assert message in session.run(*RUN, *arguments, status=2).stderr


def test_a_task_whose_labels_tell_nothing_and_a_model_that_does_not_listen(session: Session) -> None:
    file = session.folder / "counting.py"
    good = file.read_text()
    file.write_text(good.replace('    tells = ("boxes",)\n', ""))
    refused = session.run(*RUN, "--model", "told", status=2).stderr
    assert "needs boxes of each sample, and dataset dots has no labels that tell them" in refused
    assert "told:boxes=FILE" in refused
    file.write_text(good.replace("memo, known=None", "memo"))
    deaf = session.run(*RUN, "--model", "told", status=2).stderr
    assert "its prepare takes no argument `known: Known | None`" in deaf


INFINITE = '[{"image_id": 1, "bbox": [0, 0, 1e999, 1], "score": 1}]'


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"image_id": 1}]', INFINITE])
def test_a_file_that_is_none_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    if content == "{}":
        assert read_boxes(str(tmp_path / "a.json")) == {}
        return
    with pytest.raises(UsageError, match=r"a\.json"):
        read_boxes(str(tmp_path / "a.json"))


def test_boxes_of_a_file_are_corners_and_scores(tmp_path: Path) -> None:
    entry: dict[str, Any] = {"image_id": 139, "bbox": [10, 20, 30, 40.5], "score": 0.75, "category_id": 1}
    (tmp_path / "a.json").write_text(json.dumps([entry]))
    assert read_boxes(str(tmp_path / "a.json"))["139"].tolist() == [[10, 20, 40, 60.5, 0.75]]


def test_the_labels_of_poses_tell_boxes_without_crowds() -> None:
    boxes = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float64)
    target = Persons(np.zeros((2, 17, 3)), boxes, np.ones(2), np.array([False, True]))
    assert Pose().hint("boxes", target).tolist() == [[1, 2, 3, 4, 1]]
