"""CPU milliseconds for an image at a level, beside the network: the harness against the loop that a user would write.

    python tests/benchmarks/image_level.py --images FOLDER [--task segmentation] [--samples 200] [--rounds 3]

JPEG at six qualities, into torchvision's Faster R-CNN (80 classes) or a segmenter of 11 classes. FOLDER has
photographs, which are resized to 640x480. The network is left out on both sides: torchvision's resizing and
normalisation run and 20 made-up detections come out; of segmentation the normalisation runs and a made-up label map
comes out. The harness does all that a run does: workers, PSNR, statistics, the database, intervals (1,000 resamples).

With --network, the networks run too, with random weights: the Faster R-CNN, or LRASPP on frames whose shorter side is
520 pixels.

Beside them runs a loop by hand of only those steps of the harness that its results need, so that one can see what a
harness could reach at best.

All take turns, each in a process of its own with one thread. CPU time is user and system time of the process and its
children, without imports. Prints all, and the ratios of each round.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps
from stub_networks import ARCH, CLASSES, REGIONS, label_map, stub_detector

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.planning.plan import Plan

LEVELS = (95, 75, 50, 15, 10, 5)
SEGMENTER = "lraspp_mobilenet_v3_large"


def cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def make_data(folder: Path, photographs: Path, samples: int) -> None:
    """Photographs of 640x480 in COCO's and in CamVid's layout; the truth is made up, and equal for both sides."""
    random = np.random.default_rng(0)
    for name in ("annotations", "val2017", "test", "testannot"):
        (folder / name).mkdir()
    files = sorted(path for path in photographs.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    images, annotations, listed = [], [], []
    for number in range(samples):
        image = ImageOps.fit(Image.open(files[number % len(files)]).convert("RGB"), (640, 480))
        image = ImageOps.mirror(image) if number // len(files) % 2 else image
        image = ImageOps.flip(image) if number // len(files) % 4 > 1 else image
        name = f"{number:012d}"
        image.save(folder / "val2017" / f"{name}.jpg", quality=95)
        os.link(folder / "val2017" / f"{name}.jpg", folder / "test" / f"{name}.jpg")
        images.append({"id": number, "file_name": f"{name}.jpg", "width": 640, "height": 480})
        for _ in range(7):
            box = [*random.uniform(0, 300, 2), *random.uniform(10, 180, 2)]
            told = {"id": len(annotations) + 1, "image_id": number, "iscrowd": 0, "area": box[2] * box[3]}
            annotations.append({**told, "bbox": box, "category_id": int(random.integers(1, CLASSES + 1))})
        small = Image.fromarray(random.integers(0, 12, (12, 16), dtype=np.uint8))
        small.resize((640, 480), Image.Resampling.NEAREST).save(folder / "testannot" / f"{name}.png")
        listed.append(f"/camvid/test/{name}.jpg /camvid/testannot/{name}.png")
    categories = [{"id": number, "name": f"class {number}"} for number in range(1, CLASSES + 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations/instances_val2017.json").write_text(json.dumps(content))
    (folder / "test.txt").write_text("\n".join(listed) + "\n")


def planned(folder: Path, given: argparse.Namespace) -> tuple[Plan, Plugins]:
    """The plan of the run, and the plugins."""
    from importlib.metadata import EntryPoint, entry_points

    from harness.device.allocator import keep_memory

    keep_memory()  # as `harness run` does, before torch is imported
    import cv2  # noqa: F401 - imports are not what is measured
    import segmentation_models_pytorch  # noqa: F401
    import torchvision.models.detection  # noqa: F401

    from harness.discovery.plugins import Plugins
    from harness.discovery.registry import load_registry
    from harness.planning.plan import make_plan
    from harness.planning.request import Request
    from harness.planning.resolve import resolve

    plugins = Plugins([*entry_points(group="harness"), EntryPoint("stub", "stub_networks", "harness")])
    detector = f"torchvision:arch={ARCH}" if given.network else f"stub-detector:arch={ARCH}"
    segmenter = f"torchvision-segmentation:arch={SEGMENTER}" if given.network else "stub-segmenter"
    model, dataset = (detector, "coco") if given.task == "detection" else (segmenter, "camvid")
    levels = ",".join(map(str, LEVELS))
    request = Request(
        (f"jpeg@{levels}",),
        (given.task,),
        models=(model,),
        datasets=(dataset,),
        data_roots=(("", str(folder)),),
        limit=given.samples,
        baseline=False,
        batch=given.batch,
        weights=str(folder / "weights.pth") if given.network else None,
    )
    return make_plan(resolve(request, plugins, load_registry())), plugins


def by_harness(folder: Path, given: argparse.Namespace) -> dict[str, float]:
    """CPU and wall seconds of a run into a fresh database."""
    plan, plugins = planned(folder, given)
    from harness.device import machine
    from harness.discovery.stores import open_store
    from harness.engine.session import carry_out
    from harness.progress import Silence
    from harness.unit import Resampling

    settings = machine.choose("cpu", "fp32", given.workers, 1)
    with tempfile.TemporaryDirectory() as place:
        store = open_store(str(Path(place) / "harness.db"), plugins)
        own, started, wall = time.process_time(), cpu(), time.perf_counter()
        outcome = carry_out(plan, store, settings, plugins, Silence(), ["benchmark"], Resampling(1000))
        found = {"cpu": cpu() - started, "main": time.process_time() - own, "wall": time.perf_counter() - wall}
        store.close()
    assert len(outcome.finished) == len(plan.experiments), outcome
    return found


def by_hand(folder: Path, given: argparse.Namespace) -> dict[str, float]:
    """What nobody can leave out who wants the harness's bits: one process, no checks, no messages, no database.

    Each photograph is read once; each level is coded, compared, resized and normalised, scored and packed (eight in a
    row, so that they find the CPU's caches warm); then come the metrics with their intervals.
    """
    import torch

    from harness.finish.metrics import Calculator
    from harness.media.quality import squared_error
    from harness.model import NoMemo
    from harness.records import SampleStatistics
    from harness.statistics.packing import Packed

    work = planned(folder, given)[0].passes[0]
    subject, model, task = work.subject, work.subject.model, work.subject.task
    torch.set_num_threads(1)
    model.load(subject.weights, subject.dataset.classes, "cpu")
    translate = task.translator(model.classes, subject.dataset_name)
    found: list[dict[int, SampleStatistics]] = [{} for _ in work.cells]
    held: list[tuple[int, int, str, Any, Any]] = []

    def score() -> None:
        for cell, index, group, predicted, target in held:
            statistics = [task.score(translate(predicted), target)]
            task.sample_score(statistics)
            found[cell][index] = SampleStatistics(index, group, Packed.of(statistics))
        held.clear()

    started, wall = cpu(), time.perf_counter()
    for index in subject.indices:
        sample = subject.dataset[index]
        for number, cell in enumerate(work.cells):
            decoded = cell.codec.decode(cell.codec.encode(sample.frames, cell.level, sample.fps))
            squared_error(sample.frames, decoded)
            with torch.inference_mode():
                predicted = model.predict(model.collate([model.prepare(decoded, (0,), NoMemo())]))
            held.append((number, index, sample.id, predicted[0][0], sample.targets[0]))
            if len(held) == 8:
                score()
    score()
    calculator = Calculator(1000)
    for cell, samples in zip(work.cells, found, strict=True):
        calculator.calculate(subject, cell, samples)
    return {"cpu": cpu() - started, "main": cpu() - started, "wall": time.perf_counter() - wall}


def by_user(folder: Path, given: argparse.Namespace) -> dict[str, float]:
    """The same of the user's loop: level by level, open, save to memory, open, batch of one, torchmetrics."""
    import torch
    import torchvision
    from torch.nn.functional import interpolate
    from torchmetrics import JaccardIndex
    from torchmetrics.detection import MeanAveragePrecision
    from torchvision.transforms.functional import normalize, pil_to_tensor, to_tensor

    torch.set_num_threads(1)
    truth = json.loads((folder / "annotations/instances_val2017.json").read_text())
    files = [folder / "val2017" / image["file_name"] for image in truth["images"][: given.samples]]
    targets = []
    for image in truth["images"][: given.samples]:
        own = [entry for entry in truth["annotations"] if entry["image_id"] == image["id"]]
        boxes = torch.tensor([entry["bbox"] for entry in own])
        boxes[:, 2:] += boxes[:, :2]
        targets.append({"boxes": boxes, "labels": torch.tensor([entry["category_id"] for entry in own])})
    maps = [torch.from_numpy(np.array(Image.open(folder / "testannot" / f"{p.stem}.png"))).long() for p in files]
    network = make_network(given.task).eval()
    transform = torchvision.models.get_model_weights(SEGMENTER)["DEFAULT"].transforms()
    if given.network:
        network.load_state_dict(torch.load(folder / "weights.pth", weights_only=True))
    else:
        stub_detector()().load(None, tuple(map(str, range(CLASSES))), "cpu")  # patches torchvision
    predicted = torch.from_numpy(label_map())[None].long()
    started, wall = cpu(), time.perf_counter()
    for level in LEVELS:
        if given.task == "detection":
            metric: Any = MeanAveragePrecision()
        else:
            metric = JaccardIndex(task="multiclass", num_classes=REGIONS, ignore_index=11)
        for number, path in enumerate(files):
            buffer = io.BytesIO()
            Image.open(path).convert("RGB").save(buffer, "JPEG", quality=level)
            buffer.seek(0)
            decoded = Image.open(buffer).convert("RGB")
            if given.task == "segmentation" and given.network:
                with torch.no_grad():
                    scores = network(transform(pil_to_tensor(decoded))[None])["out"]
                    scores = interpolate(scores, decoded.size[::-1], mode="bilinear")
                metric.update(scores.argmax(dim=1), maps[number][None])
                continue
            tensor = to_tensor(decoded)
            if given.task == "detection":
                with torch.no_grad():
                    metric.update(network([tensor]), [targets[number]])
            else:
                normalize(tensor, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
                metric.update(predicted, maps[number][None])
        metric.compute()
    return {"cpu": cpu() - started, "main": cpu() - started, "wall": time.perf_counter() - wall}


def make_network(task: str) -> Any:
    """torchvision's network for a task, untrained."""
    from torchvision.models import get_model

    arch, outputs = (ARCH, CLASSES + 1) if task == "detection" else (SEGMENTER, REGIONS)
    return get_model(arch, weights=None, weights_backbone=None, num_classes=outputs)


WAYS = {"harness": by_harness, "user": by_user, "hand": by_hand}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--task", choices=("detection", "segmentation"), default="detection")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--network", action="store_true", help="with the real network, of random weights")
    parser.add_argument("--way", choices=tuple(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        print(json.dumps(WAYS[given.way](given.folder, given)))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_data(Path(folder), given.images, given.samples)
        if given.network:
            import torch

            torch.manual_seed(0)
            torch.save(make_network(given.task).state_dict(), Path(folder) / "weights.pth")
        threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HARNESS_CACHE": f"{folder}/cache"}
        rounds = []
        for _ in range(given.rounds):
            found = {}
            for way in WAYS:
                words = [sys.executable, *sys.argv, "--way", way, "--folder", folder]
                out = subprocess.run(
                    words, env={**os.environ, **threads}, stdout=subprocess.PIPE, text=True, check=True
                )
                found[way] = json.loads(out.stdout.splitlines()[-1])
                each = {name: 1000 * value / given.samples / len(LEVELS) for name, value in found[way].items()}
                print(f"{way:8}" + ", ".join(f"{name} {value:.2f} ms" for name, value in each.items()), flush=True)
            rounds.append({way: found["user"]["cpu"] / found[way]["cpu"] for way in ("harness", "hand")})
        for way in rounds[0]:
            ratios = [each[way] for each in rounds]
            print(f"user / {way}: {statistics.median(ratios):.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})")


if __name__ == "__main__":
    main()
