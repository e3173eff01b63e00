"""Peak memory of a run against its number of samples.

    python tests/benchmarks/memory.py [--few 17] [--many 334] [--batch 8] [--rounds 1]

Runs torchvision's Faster R-CNN without its network (the resizing and the normalisation run, made-up detections come
out) on images of 640x480, at six qualities of JPEG; once for few and once for many samples, each in processes of their
own. Prints the peak resident size of the main process and of the largest worker, the CPU seconds, and the minor page
faults: memory that was given back to the system and taken again.

To compare settings of glibc's allocator, give them as environment variables (mallopt(3)), which come before those of
the harness (`MALLOC_ARENA_MAX=16` alone leaves the thresholds as glibc has them).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from stub_networks import ARCH, CLASSES

LEVELS = "95,75,50,15,10,5"


def make_data(folder: Path, samples: int) -> None:
    """Images of 640x480 in COCO's layout: smooth colours with noise, and made-up boxes."""
    from PIL import Image

    random = np.random.default_rng(0)
    (folder / "annotations").mkdir()
    (folder / "val2017").mkdir()
    images, annotations = [], []
    for number in range(samples):
        small = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        frame = np.asarray(small.resize((640, 480), Image.Resampling.BICUBIC), np.int16)
        noisy = np.clip(frame + random.integers(-8, 9, frame.shape), 0, 255).astype(np.uint8)
        name = f"{number:012d}.jpg"
        Image.fromarray(noisy).save(folder / "val2017" / name, quality=95)
        images.append({"id": number, "file_name": name, "width": 640, "height": 480})
        for _ in range(7):
            box = [*random.uniform(0, 300, 2), *random.uniform(10, 150, 2)]
            category = int(random.integers(1, CLASSES + 1))
            told = {"id": len(annotations) + 1, "image_id": number, "category_id": category, "iscrowd": 0}
            annotations.append({**told, "bbox": box, "area": box[2] * box[3]})
    categories = [{"id": number, "name": f"class {number}"} for number in range(1, CLASSES + 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations/instances_val2017.json").write_text(json.dumps(content))


def evaluate(folder: Path, samples: int, batch: int, workers: int) -> dict[str, float]:
    """Run the evaluation in this process; gives the peak resident sizes in MB, CPU seconds, and page faults."""
    from importlib.metadata import EntryPoint, entry_points

    from harness.device.allocator import keep_memory

    keep_memory()  # as `harness run` does, before torch is imported
    from harness.device import machine
    from harness.discovery.plugins import Plugins
    from harness.discovery.registry import load_registry
    from harness.discovery.stores import open_store
    from harness.engine.session import carry_out
    from harness.planning.plan import make_plan
    from harness.planning.request import Request
    from harness.planning.resolve import resolve
    from harness.progress import Silence
    from harness.unit import Resampling

    plugins = Plugins([*entry_points(group="harness"), EntryPoint("stub", "stub_networks", "harness")])
    chosen = {"models": (f"stub-detector:arch={ARCH}",), "datasets": ("coco",), "data_roots": (("", str(folder)),)}
    request = Request((f"jpeg@{LEVELS}",), ("detection",), limit=samples, baseline=False, batch=batch, **chosen)  # type: ignore[arg-type]
    settings = machine.choose("cpu", "fp32", workers, 1)
    plan = make_plan(resolve(request, plugins, load_registry()))
    with tempfile.TemporaryDirectory() as place:
        store = open_store(str(Path(place) / "harness.db"), plugins)
        outcome = carry_out(plan, store, settings, plugins, Silence(), ["benchmark"], Resampling(20))
        store.close()
    assert len(outcome.finished) == len(plan.experiments), outcome
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "main": own.ru_maxrss / 1024,
        "worker": children.ru_maxrss / 1024,
        "cpu": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        "faults": own.ru_minflt + children.ru_minflt,
    }


def measured(folder: Path, samples: int, arguments: argparse.Namespace) -> dict[str, float]:
    """The same in a process of its own."""
    words = [sys.executable, __file__, "--evaluate", str(folder), "--few", str(samples)]
    words += ["--batch", str(arguments.batch), "--workers", str(arguments.workers)]
    threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HARNESS_CACHE": f"{folder}/cache"}
    out = subprocess.run(words, env={**os.environ, **threads}, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=17)
    parser.add_argument("--many", type=int, default=334)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--evaluate", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.evaluate:
        print(json.dumps(evaluate(arguments.evaluate, arguments.few, arguments.batch, arguments.workers)))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_data(Path(folder), arguments.many)
        for _ in range(arguments.rounds):
            for samples in (arguments.few, arguments.many):
                found = measured(Path(folder), samples, arguments)
                words = ", ".join(f"{name} {value:.0f}" for name, value in found.items())
                print(f"{6 * samples} image-levels: {words}", flush=True)


if __name__ == "__main__":
    main()
