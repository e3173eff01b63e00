"""Predictions that a run keeps come out in formats that other tools read, and give these the stored values."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.discovery.plugins import installed
from kit.command import Session
from kit.counting import write_counting

KNOWING = '''
import json
import numpy as np
import torch

from harness.model import Model, Weights
from harness.options import Option
from harness_tasks.detection.types import Detections
from harness_tasks.pose.types import Poses


class Knowing(Model):
    """Knows the annotations, and says them with mistakes that its frames decide too."""

    options = (Option("file", str, None, "the annotations", required=True),)

    def resolve_weights(self, asked, dataset_classes):
        return Weights("none", None, "")

    def prepared_shape(self, outline):
        return ()

    def prepare(self, frames, scored, memo, known=None):
        return torch.tensor([int(known.outline.id), int(frames[0, 0, 0, 0]), *frames.shape[1:3]])

    def load(self, weights, classes, device, precision="fp32"):
        self.classes = classes
        content = json.loads(open(self.option("file")).read())
        self.labels = {one["id"]: n for n, one in enumerate(sorted(content["categories"], key=lambda c: c["id"]))}
        self.annotations = {}
        for one in content["annotations"]:
            self.annotations.setdefault(one["image_id"], []).append(one)

    def predict(self, batch):
        return [[self.found(*map(int, facts))] for facts in batch]


class Boxing(Knowing):
    name = "boxing"
    task = "detection"

    def found(self, image, pixel, height, width):
        rng = np.random.default_rng([image, pixel])
        boxes, scores, labels = [], [], []
        for one in self.annotations.get(image, ()):
            x, y, w, h = one["bbox"]
            for _ in range(int(rng.integers(0, 3))):
                x1, y1 = x + rng.normal(0, 0.1) * w, y + rng.normal(0, 0.1) * h
                corners = np.clip([x1, y1, x1 + w, y1 + h], 0, [width - 1, height - 1, width, height])
                boxes.append(np.maximum(corners, [0, 0, *corners[:2]]))
                scores.append(rng.uniform())
                labels.append(self.labels[one["category_id"]])
        boxes = np.array(boxes, np.float32).reshape(-1, 4)
        return Detections(boxes, np.array(scores, np.float32), np.array(labels, np.int64))


class Posing(Knowing):
    name = "posing"
    task = "pose"

    def found(self, image, pixel, height, width):
        rng = np.random.default_rng([image, pixel])
        points, scores = [], []
        for one in self.annotations.get(image, ()):
            known = np.array(one["keypoints"], float).reshape(17, 3)
            if known[:, 2].any():
                size = np.sqrt(one["area"])
                known[:, :2] += rng.normal(0, 0.04, (17, 2)) * size * (known[:, 2:] > 0)
                known[:, 2] = known[:, 2] > 0
                points.append(known)
                scores.append(rng.uniform())
        return Poses(np.array(points, np.float32).reshape(-1, 17, 3), np.array(scores, np.float32))
'''
KINDS = {"bbox": ("detection", "boxing", "instances"), "keypoints": ("pose", "posing", "person_keypoints")}
COLUMNS = {"AP": 0, "AP50": 1, "AP75": 2, "AP_medium": 3, "AP_large": 4, "AR": 5}


def evaluated(annotations: Path, results: Path, kind: str) -> Mapping[str, float]:
    """What pycocotools makes of a file of results."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        run = COCOeval(truth, truth.loadRes(str(results)), kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
    names = ("AP", "AP50", "AP75") if kind == "bbox" else ("AP", "AP50", "AP75", "AP_medium", "AP_large", "AR")
    return {name: float(value) for name, value in zip(names, run.stats, strict=False)}


@pytest.mark.parametrize("kind", ["bbox", "keypoints"])
@pytest.mark.parametrize("workers", ["0", "2"])
def test_coco_results_give_pycocotools_the_stored_values(
    kind: str, workers: str, tmp_path: Path, cache: Path, data_root: Path
) -> None:
    task, model, prefix = KINDS[kind]
    annotations = data_root / f"coco_mini/annotations/{prefix}_train2017.json"
    (tmp_path / "knowing.py").write_text(KNOWING)
    session = Session(tmp_path, tmp_path / "cache")
    session.run(
        *("run", "--codec", "jpeg@10", "--task", task, "--model", f"{model}:file={annotations}", "--dataset", "coco"),
        *("--data-root", str(data_root / "coco_mini"), "--split", "train2017", "--plugin", "knowing.py"),
        *("--keep", "predictions", "--resamples", "100", "--workers", workers, "--no-baseline"),
    )
    wrote = session.run("results", "predictions", "-o", "out.json").stdout
    assert wrote.startswith("out.json: ")
    found = evaluated(annotations, tmp_path / "out.json", kind)
    stored = dict(session.select("select metric, value from results"))
    assert 0.05 < found["AP"] < 0.95
    for name, value in found.items():
        assert stored[name] == pytest.approx(value, abs=1e-9), name


def test_label_maps_depths_and_classes(tmp_path: Path, cache: Path) -> None:
    session = Session(tmp_path, cache)
    run = ("run", "--codec", "jpeg@50", "--limit", "2", "--resamples", "100", "--keep", "predictions", "--workers", "0")
    session.run(*run, "--task", "segmentation", "--task", "depth", "--task", "action")
    session.run("results", "predictions", "--task", "segmentation", "--codec", "none", "-o", "maps")
    maps = sorted((tmp_path / "maps").glob("*.png"))
    assert len(maps) == 2
    labels = np.asarray(Image.open(maps[0]))
    assert labels.dtype == np.uint8
    assert labels.ndim == 2
    assert labels.max() <= 12
    # Against the truth of the same scenes they give the stored accuracy, computed here from the pixels.
    dataset = installed().get("dataset", "demo-world")("segmentation", "test")
    dataset.open()
    truths = {dataset.outline(i).id: i for i in range(len(dataset))}
    right = counted = 0
    for path in maps:
        target = dataset[truths[path.stem]].targets[0]
        known = target != 255
        right += int((np.asarray(Image.open(path))[known] == target[known]).sum())
        counted += int(known.sum())
    query = "select value from results where task = 'segmentation' and codec = 'none' and metric = 'global_accuracy'"
    assert session.select(query) == [(pytest.approx(right / counted, abs=1e-12),)]
    session.run("results", "predictions", "--task", "depth", "-o", "depths")
    (file,) = (tmp_path / "depths").glob("jpeg-50-*.npz")
    with np.load(file) as depths:
        assert len(depths.files) == 2
        assert all(depths[name].dtype == np.float32 and (depths[name] > 0).all() for name in depths.files)
    session.run("results", "predictions", "--task", "action", "--codec", "jpeg", "-o", "classes.csv")
    with (tmp_path / "classes.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["stream"] for row in rows] == ["spatial", "motion"] * 2
    for row in rows:
        scores = {name: float(value) for name, value in row.items() if name not in ("sample", "stream", "class")}
        assert max(scores, key=scores.__getitem__) == row["class"]
        assert sum(scores.values()) == pytest.approx(1, abs=1e-4)


def rows(session: Session) -> list[tuple[Any, ...]]:
    return session.select("select experiment, metric, value, ci_low, ci_high, bpp from results order by 1, 2")


def test_keeping_changes_no_result_and_what_was_not_kept_is_told(tmp_path: Path, cache: Path) -> None:
    file = write_counting(tmp_path)
    session = Session(tmp_path, tmp_path / "cache")
    session.env["HARNESS_PLUGINS"] = str(file)
    run = ("run", "--codec", "coarse@2", "--task", "counting", "--resamples", "100", "--workers", "0")
    assert "task counting writes no predictions" in session.run(*run, "--keep", "predictions", status=2).stderr
    writing = """    predictions_as = ".json"

    def write_predictions(self, frames, target):
        import json
        target.write_text(json.dumps([[one.id, int(one.arrays["value"])] for one in frames]))

    def reduce("""
    file.write_text(file.read_text().replace("    def reduce(", writing, 1))
    session.run(*run)
    before = rows(session)
    query = ("results", "predictions", "--codec", "none", "-o", "counts.json")
    told = session.run(*query, status=2).stderr
    assert "the predictions of 5 of its 5 samples were not kept" in told
    assert "--again" in told
    session.run(*run, "--keep", "predictions", "--again")
    assert rows(session) == before
    session.run(*query)
    assert json.loads((tmp_path / "counts.json").read_text()) == [[f"dots {n}", n + 1] for n in range(5)]
    assert "one file for 2 experiments" in session.run("results", "predictions", "-o", "a.json", status=2).stderr
    assert "writes .json files" in session.run(*query[:-1], "a.txt", status=2).stderr
    kept = sorted((tmp_path / "cache/predictions").glob("*/0.npz"))
    assert len(kept) == 2
    for one in kept:
        one.write_bytes(one.read_bytes()[:-1])
    assert "predictions of 1 of its 5 samples" in session.run(*query, status=2).stderr
