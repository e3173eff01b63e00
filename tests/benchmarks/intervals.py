"""Time of scoring, reducing and 1,000 bootstrap resamples for data of COCO's size, against pycocotools.

    python tests/benchmarks/intervals.py            # 5,000 images, 80 classes, some 36,000 objects, 1,000 resamples
    python tests/benchmarks/intervals.py --quick    # a tenth of the images

Prints seconds and their ratio to one evaluation by pycocotools (evaluate and accumulate) of the same data.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.statistics.intervals import interval, replicates
from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Boxes, Detections

CLASSES = 80
Frame = tuple[Detections, Boxes]


def frames(count: int, seed: int = 0) -> list[Frame]:
    """Made-up frames in the proportions of COCO val2017: 7.3 objects, 20 to 100 detections, classes of Zipf's law."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, CLASSES + 1)
    share /= share.sum()
    return [_frame(rng, share) for _ in range(count)]


def _frame(rng: np.random.Generator, share: np.ndarray) -> Frame:
    objects = rng.geometric(1 / 8.3) - 1
    sides = np.exp(rng.normal(4.1, 1.0, (objects, 2))).clip(4, 400)
    corner = rng.uniform(0, 1, (objects, 2)) * (np.array([640, 480]) - sides).clip(1)
    boxes = np.concatenate([corner, corner + sides], axis=1)
    labels = rng.choice(CLASSES, objects, p=share)
    crowd = rng.uniform(size=objects) < 0.012
    copies = rng.integers(0, objects, rng.binomial(3 * objects, 0.6)) if objects else np.zeros(0, np.int64)
    spread = rng.choice([0.03, 0.08, 0.2], (len(copies), 1)) * np.tile(sides[copies], 2)
    false = rng.integers(20, 101) - len(copies)
    extra_sides = np.exp(rng.normal(4, 1, (max(0, false), 2))).clip(4, 400)
    extra = rng.uniform(0, 400, (max(0, false), 2))
    found = np.concatenate(
        [boxes[copies] + rng.normal(size=spread.shape) * spread, np.concatenate([extra, extra + extra_sides], axis=1)]
    )
    found = np.sort(found.reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    classes = np.concatenate([labels[copies], rng.choice(CLASSES, max(0, false), p=share)])
    scores = np.concatenate([rng.beta(3, 2, len(copies)), rng.beta(1, 6, max(0, false))])
    detections = Detections(found.astype(np.float32), scores.astype(np.float32), classes)
    return detections, Boxes.of(boxes, labels, crowd)


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, and of all cores together (which other programs on the machine hardly change)."""

    wall: float
    cpu: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu)


def timed(action: Callable[[], Any]) -> tuple[Cost, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = action()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu), result


def pycocotools_ap(data: list[Frame]) -> tuple[Cost, float]:
    """What it costs: one evaluation (evaluate and accumulate, no reading), and AP."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def listed(boxes: np.ndarray) -> list[list[float]]:
        corners = boxes.astype(np.float64)
        return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).tolist()

    objects, detections = [], []
    for image, (found, truth) in enumerate(data):
        rows = zip(listed(truth.boxes), truth.labels.tolist(), truth.crowd.tolist(), truth.area.tolist(), strict=True)
        for box, label, crowd, size in rows:
            one = {"id": len(objects) + 1, "image_id": image, "category_id": label, "bbox": box}
            objects.append(one | {"iscrowd": int(crowd), "area": size})
        for box, score, label in zip(listed(found.boxes), found.scores.tolist(), found.labels.tolist(), strict=True):
            detections.append({"image_id": image, "category_id": label, "bbox": box, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        truth_file = COCO()
        images, names = [{"id": i} for i in range(len(data))], [{"id": c} for c in range(CLASSES)]
        truth_file.dataset = {"images": images, "annotations": objects, "categories": names}
        truth_file.createIndex()
        evaluation = COCOeval(truth_file, truth_file.loadRes(detections), "bbox")
        cost, _ = timed(lambda: (evaluation.evaluate(), evaluation.accumulate()))
        evaluation.summarize()
    return cost, float(evaluation.stats[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="a tenth of the images")
    options = parser.parse_args()
    count = options.images // 10 if options.quick else options.images

    data = frames(count)
    task = Detection(tuple(f"class{index}" for index in range(CLASSES)))
    objects, found = (sum(len(frame[part].labels) for frame in data) for part in (1, 0))
    print(f"{count} images, {objects} objects, {found} detections")
    print(f"{os.cpu_count()} cores, {options.resamples} resamples, {len(task.all_metrics())} metrics")
    score, statistics = timed(lambda: [task.score(*frame) for frame in data])
    reduce, values = timed(lambda: task.reduce(statistics))
    groups = [str(index) for index in range(count)]
    draw, draws = timed(lambda: replicates(task, statistics, groups, resamples=options.resamples))
    ends, _ = timed(lambda: [interval(draws, metric.name) for metric in task.all_metrics()])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peer, expected = pycocotools_ap(data)
    if abs(expected - values["AP"][0]) > 1e-9:
        raise SystemExit(f"AP {values['AP'][0]} is not pycocotools' {expected}")
    print(f"AP {expected:.4f}, the same as pycocotools'; interval {interval(draws, 'AP')}")
    rows = {"pycocotools, one evaluation": peer, "score (matching)": score, "reduce": reduce, "resamples": draw}
    rows |= {"intervals": ends, "all but pycocotools": score + reduce + draw + ends}
    print(f"{'':28s}{'clock':>9s}{'CPU':>11s}{'clock / pycocotools':>22s}{'CPU / pycocotools':>20s}")
    for name, cost in rows.items():
        ratios = f"{cost.wall / peer.wall:22.2f}{cost.cpu / peer.cpu:20.2f}"
        print(f"{name:28s}{cost.wall:7.2f} s{cost.cpu:9.2f} s{ratios}")
    print(f"score: {score.cpu / count * 1e3:.3f} ms an image; peak memory {memory:.0f} MiB before pycocotools ran")


if __name__ == "__main__":
    main()
