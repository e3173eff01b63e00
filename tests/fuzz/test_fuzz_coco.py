"""COCO's JSON, changed at random: targets as pycocotools reads them, or a sentence with file and entry."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from harness.dataset import Sample
from harness_tasks.datasets.coco import Coco
from harness_tasks.detection.task import Detection
from harness_tasks.pose.types import KEYPOINTS
from kit.detection import detections
from kit.fuzzing import TEXTS, encoded, fuzz, outcome

FILES = {"detection": "instances", "pose": "person_keypoints"}
NAMES = ("1.png", "2.png", "sub/3.png")
KEYS = ("id", "image_id", "category_id", "bbox", "area", "iscrowd", "height", "width", "file_name", "name", "keypoints")
PLACE = re.compile(
    r"cannot be read as JSON|a list of objects under|(annotation|image|category) ('|-?\d|without id, number \d|[^:]+: )"
    r"|two (images|categories)|images -?\d+ and -?\d+ have the same file|files are not in .*mine"
)
ODD = [10**400, 10**4400, "0", "yes", float("nan"), float("inf"), None, True, False, 2, -1, 1.5, 1e308, [], {}]
VALUES = st.one_of(
    st.sampled_from(ODD),
    st.sampled_from([0, 1, 3, 0.0, 1.0, -0.0, 1e9, 1e-320, 2**53, 2**53 + 1, 2**63, "\ud800", "\udce9.png", "1.png"]),
    st.sampled_from([[1, 2, 3, 4], [[1, 2, 3, 4]], {"size": [30, 40], "counts": "0T9T<"}, [[[[[[]]]]]], "sub/3.png"]),
    TEXTS | st.integers() | st.floats(),
)


def valid(task: str) -> dict[str, Any]:
    points = {"keypoints": [3, 4, 2] * len(KEYPOINTS), "num_keypoints": 17} if task == "pose" else {}
    categories = [{"id": 1, "name": "person", "supercategory": "none"}, {"id": 7, "name": "car"}]
    if points:
        categories = [{"id": 1, "name": "person", "keypoints": list(KEYPOINTS), "skeleton": [[1, 2]]}]
    common = {"category_id": 1, "bbox": [1, 2, 9.5, 8], "area": 50.5, **points}
    return {
        "info": {"year": 2017},
        "images": [{"id": n, "file_name": name, "width": 40, "height": 30} for n, name in enumerate(NAMES, 1)],
        "annotations": [
            {"id": 10, "image_id": 1, "iscrowd": 0, "segmentation": [[1, 2, 3, 4, 5, 6]], **common},
            {"id": 11, "image_id": 2, "iscrowd": 1, "segmentation": {"size": [30, 40], "counts": [0, 9]}, **common},
            {"id": 12, "image_id": 2, "iscrowd": 0, **common, "category_id": categories[-1]["id"]},
        ],
        "categories": categories,
    }


def places(value: object) -> list[tuple[Any, Any]]:
    """Every item in the content, as the container and the key or index."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [found for key in keys for found in ((value, key), *places(value[key]))]  # type: ignore[index]


def changed(task: str, operations: list[tuple[str, object, int, int, Any]]) -> dict[str, Any]:
    """The valid content after some operations, each on an item by its key and its number among those of this key."""
    content = valid(task)
    for name, wanted, first, second, value in operations:
        every = places(content)
        if not every:
            return content
        named = [(container, key) for container, key in every if key == wanted] or every
        (container, key), (other, second_key) = named[first % len(named)], every[second % len(every)]
        if name == "set":
            container[key] = copy.deepcopy(value)
        elif name == "copy":
            container[key] = copy.deepcopy(other[second_key])
        elif name == "remove":
            del container[key]
        elif isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
    return content


def as_text(content: object) -> str:
    """JSON, with integers of any length, and broken in lines."""
    return re.sub(r'"#(\d+)"', lambda match: "9" * int(match[1]), json.dumps(_long(content), indent=1))


def _long(value: object) -> object:
    """The content with `#digits` for integers that str() refuses."""
    if isinstance(value, dict):
        return {key: _long(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_long(one) for one in value]
    return "#4400" if isinstance(value, int) and value > 10**4300 else value


def files(task: str) -> st.SearchStrategy[bytes]:
    operation = st.tuples(
        st.sampled_from(("set", "set", "set", "copy", "remove", "double")),
        st.sampled_from((*KEYS, 0, 1, 2, 3, None)),
        st.integers(0, 50),
        st.integers(0, 200),
        VALUES,
    )
    return st.lists(operation, min_size=1, max_size=3).map(lambda some: as_text(changed(task, some))).flatmap(encoded)


def pycocotools(path: Path) -> Any:
    """The same file in pycocotools. Of integers that Python does not convert none can be in a field that is read."""
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = json.loads(path.read_bytes(), parse_int=lambda text: int(text) if len(text) < 4000 else None)
        for number, entry in enumerate(truth.dataset["annotations"], 1):
            entry["id"] = number  # pycocotools needs one, and of a type that dictionaries take
        truth.createIndex()
    return truth


def compare(dataset: Coco, samples: list[Sample | None], path: Path) -> None:
    """Every object of the samples that were read is pycocotools' object."""
    truth = pycocotools(path)
    assert [int(dataset.outline(index).id) for index in range(len(dataset))] == sorted(truth.getImgIds())
    for image, sample in zip(sorted(truth.getImgIds()), samples, strict=True):
        if sample is None:
            continue
        target, theirs = sample.targets[0], truth.imgToAnns[image]
        boxes = np.array([entry["bbox"] for entry in theirs], float).reshape(-1, 4)
        assert np.array_equal(target.boxes, np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]))
        assert all(entry.get("iscrowd") in (0, 1, None) for entry in theirs), "pycocotools takes any value"
        assert target.crowd.tolist() == [bool(entry.get("iscrowd", 0)) for entry in theirs]
        assert target.area.tolist() == [float(e.get("area", float(e["bbox"][2]) * float(e["bbox"][3]))) for e in theirs]
        if dataset.classes:
            named = [str(truth.cats[entry["category_id"]]["name"]) for entry in theirs]
            assert [dataset.classes[label] for label in target.labels] == named
        else:
            points = np.array([entry["keypoints"] for entry in theirs], float).reshape(-1, len(KEYPOINTS), 3)
            assert np.array_equal(target.keypoints, np.where(points[..., 2:] > 0, points, 0))


@pytest.mark.parametrize("task", FILES)
def test_coco_annotations(tmp_path: Path, task: str) -> None:
    path = tmp_path / "annotations" / f"{FILES[task]}_mine.json"
    path.parent.mkdir()
    (tmp_path / "mine" / "sub").mkdir(parents=True)
    for name in NAMES:
        Image.new("RGB", (40, 30)).save(tmp_path / "mine" / name)
    read = refused = 0

    def check(content: bytes) -> None:
        nonlocal read, refused
        path.write_bytes(content)
        dataset = Coco(task, "mine", tmp_path)
        _, told = outcome(dataset.open)
        if told:
            assert path.name in told or "files are not in" in told, told
            assert PLACE.search(told), told
            assert len(told) < 12_000, told
            refused += 1
            return
        samples = [outcome(lambda index=index: dataset[index]) for index in range(len(dataset))]
        assert all(sample or re.search(r"mine/.*png: the annotations say", told) for sample, told in samples)
        compare(dataset, [sample for sample, _ in samples], path)
        if dataset.classes:
            prediction = detections([[1, 1, 20, 25]], [0.5], [0])
            scores = [Detection(dataset.classes).score(prediction, one.targets[0]) for one, _ in samples if one]
            assert all(np.isfinite(values).all() for one in scores for values in one.values())
        read += 1

    fuzz(files(task), check)
    assert read
    assert refused
