"""What the harness costs beside the calls that any evaluation makes, and against the loop that a user would write.

    python tests/benchmarks/overhead.py [--samples 100] [--rounds 3]

Three ways to evaluate the demo detector on demo images, uncompressed and at six JPEG levels, in turn, on this machine:

- the harness: workers, statistics, PSNR, database, intervals;
- the bare calls: source, encode, decode, prepare in as many workers, forward in the same batches; nothing else;
- the user's loop: level by level, open, save to memory, open, batch of one, torchmetrics; in one process.

Prints the median of the ratios of each round: of wall time, and of CPU time (all processes, user and system), which
other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.discovery.stores import open_store
from harness.engine import machine
from harness.engine.session import Resampling, carry_out
from harness.model import NoMemo
from harness.planning.batches import outlines, plan_batches
from harness.planning.plan import Pass, Plan, make_plan
from harness.planning.request import Request
from harness.planning.resolve import resolve
from harness.progress import Silence
from harness.workers.start import start_worker


def by_harness(plan: Plan, settings: Any) -> float:
    """Seconds of a run into a fresh database."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(str(Path(folder) / "harness.db"), installed())
        started = time.perf_counter()
        outcome = carry_out(plan, store, settings, installed(), Silence(), ["benchmark"], Resampling())
        seconds = time.perf_counter() - started
        store.close()
    assert len(outcome.finished) == len(plan.experiments)
    return seconds


class _Bare(IterableDataset[Any]):
    def __init__(self, a_pass: Pass) -> None:
        self.a_pass = a_pass

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        subject = self.a_pass.subject
        known = outlines(subject.dataset, subject.indices)
        for batch in plan_batches(known, subject.model.prepared_shape, subject.batch)[first::step]:
            samples = [subject.dataset[index] for index in batch.indices]
            for cell in self.a_pass.cells:
                decoded = [cell.codec.decode(cell.codec.encode(s.frames, cell.level)) for s in samples]
                yield subject.model.collate([subject.model.prepare(frames, (0,), NoMemo()) for frames in decoded])


def by_bare_calls(plan: Plan, settings: Any) -> float:
    """Seconds of decode, encode, decode, prepare and forward, in the same batches with as many workers."""
    started = time.perf_counter()
    torch.set_num_threads(settings.threads)
    for a_pass in plan.passes:
        subject = a_pass.subject
        loader = DataLoader(
            _Bare(a_pass),
            batch_size=None,
            collate_fn=lambda x: x,
            num_workers=settings.workers,
            prefetch_factor=4,
            worker_init_fn=start_worker,
        )
        batches = iter(loader)
        subject.model.load(subject.weights, subject.dataset.classes, settings.device)
        with torch.inference_mode():
            for batch in batches:
                subject.model.predict(batch)
    return time.perf_counter() - started


def by_user(plan: Plan, settings: Any) -> float:
    """Seconds of the loop a user would write: each level anew, batch of one, torchmetrics."""
    from torchmetrics.detection import MeanAveragePrecision

    (a_pass,) = plan.passes
    subject = a_pass.subject
    with tempfile.TemporaryDirectory() as folder:
        paths, targets = [], []
        for index in subject.indices:
            sample = subject.dataset[index]
            paths.append(Path(folder) / f"{index}.png")
            Image.fromarray(sample.frames[0]).save(paths[-1])
            boxes = sample.targets[0]
            targets.append(
                {"boxes": torch.tensor(boxes.boxes, dtype=torch.float32), "labels": torch.tensor(boxes.labels)}
            )
        started = time.perf_counter()
        torch.set_num_threads(settings.threads)
        subject.model.load(subject.weights, subject.dataset.classes, settings.device)
        network = subject.model.network
        for cell in a_pass.cells:
            metric = MeanAveragePrecision()
            for path, target in zip(paths, targets, strict=True):
                image = Image.open(path).convert("RGB")
                if cell.level is not None:
                    buffer = io.BytesIO()
                    image.save(buffer, "JPEG", quality=int(cell.level))
                    image = Image.open(buffer).convert("RGB")
                tensor = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255
                with torch.inference_mode():
                    (found,) = network([tensor])
                found["labels"] = found["labels"] - 1
                metric.update([found], [target])
            metric.compute()
        return time.perf_counter() - started


def cpu_seconds() -> float:
    """CPU seconds of this process and of the workers that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    request = Request(codecs=("jpeg",), tasks=("detection",), limit=arguments.samples)
    settings = machine.choose("cpu", "fp32")
    plan = make_plan(resolve(request, installed(), load_registry(())))
    for subject in (p.subject for p in plan.passes):  # render the scenes, so that all three read them from the cache
        for index in subject.indices:
            subject.dataset[index]
    by_bare_calls(plan, settings)
    ways = {"harness": by_harness, "bare calls": by_bare_calls, "user's loop": by_user}
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(arguments.rounds):
        for name, way in ways.items():
            before = cpu_seconds()
            wall[name].append(way(plan, settings))
            cpu[name].append(cpu_seconds() - before)
        found = ", ".join(f"{name} {wall[name][-1]:.2f} s (CPU {cpu[name][-1]:.2f} s)" for name in ways)
        print(f"round {number + 1}: {found}", flush=True)
    for what, seconds in (("wall time", wall), ("CPU time", cpu)):
        for other in ("bare calls", "user's loop"):
            ratios = [a / b for a, b in zip(seconds["harness"], seconds[other], strict=True)]
            each = ", ".join(f"{ratio:.3f}" for ratio in ratios)
            print(f"{what}, harness / {other}: {statistics.median(ratios):.3f} (of {each})")
    print(f"{arguments.samples} samples x 7 cells, {settings.workers} workers, {settings.threads} threads")


if __name__ == "__main__":
    main()
