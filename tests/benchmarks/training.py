"""How fast the training loop is, against the same loop fed from memory.

    OMP_WAIT_POLICY=PASSIVE python tests/benchmarks/training.py [--task detection] [--images 96] [--rounds 3]

(The variable is what the command line sets: torch's threads sleep while they wait for each other.)

Trains the demo model with its recipe for retraining, in turn:

- from memory: the batches lie ready; what is left is the network's work, which no loop can do without;
- uncompressed: read, prepared and augmented by worker processes, as in every training;
- coded: the same, each image encoded and decoded first. Streams of codecs that encode slowly (video codecs, here on
  single images) are kept, so that the second epoch only decodes; JPEG is coded anew each time.

Prints the median over the rounds of

- images a second of each epoch, as a ratio to the loop fed from memory in the same epoch;
- CPU milliseconds an image of the process that trains, and of its workers. Other programs on the machine disturb them
  less. Where the workers' are the smaller ones and a core is free for each, the network never waits for images.

The first iterations of an epoch, when processes start, are not counted (but in the workers' CPU time).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from harness.dataset import Dataset, Outline, Sample
from harness.device import machine
from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.planning.codecs import choose_codec
from harness.planning.identity import codec_identity
from harness.planning.request import Request
from harness.planning.resolve import resolve
from harness.training.coded import codec_coding
from harness.training.examples import Collate, Examples, Order
from harness.training.job import Job
from harness.training.loop import Runtime, train
from harness.training.state import Place

EPOCHS = 2
STARTING = 3
"""Iterations at the beginning of an epoch that are not counted."""


class Part(Dataset):
    """The first images of a dataset, so that epochs are short."""

    name = "part"

    def __init__(self, whole: Dataset, count: int) -> None:
        self.config = whole.config
        self.classes = whole.classes
        self._whole = whole
        self._count = count

    def open(self) -> None:
        """It is open already."""

    def __len__(self) -> int:
        return self._count

    def outline(self, index: int) -> Outline:
        return self._whole.outline(index)

    def __getitem__(self, index: int) -> Sample:
        return self._whole[index]

    def fingerprint(self) -> str:
        return f"{self._whole.fingerprint()} {self._count}"


class Nothing(Part):
    """The same images, of which only the first is ever read."""

    def __getitem__(self, index: int) -> Sample:
        if not hasattr(self, "_only"):
            self._only = super().__getitem__(0)
        return self._only


def fed(job: Job) -> Job:
    """The job with all its batches in memory; for one process, which takes them in order."""
    order = Order(len(job.dataset), job.recipe.batch, job.seed, 0, job.recipe.iterations)
    examples, collate = Examples(job.dataset, job.model, job.seed), Collate(job.model)
    ready = iter([collate([examples[slot] for slot in slots]).content for slots in order])

    class Fed(type(job.model)):  # type: ignore[misc]
        def prepare_train(self, frames: Any, targets: Any, rng: Any) -> None:
            return None

        def collate_train(self, examples: Any) -> Any:
            return next(ready)

    assert isinstance(job.dataset, Part)
    nothing = Nothing(job.dataset._whole, len(job.dataset))
    return replace(job, model=Fed(**job.model.config), dataset=nothing)


@dataclass(frozen=True)
class Found:
    """What one training took.

    Args:
        speeds: images a second of each epoch.
        training: CPU milliseconds an image of the process that trains.
        workers: CPU milliseconds an image of its workers, their start included.
    """

    speeds: list[float]
    training: float
    workers: float


class Clock:
    """Notes when each iteration was done."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def started(self, begin: int, end: int) -> None:
        """Of no interest."""

    def stepped(self, iteration: int) -> None:
        self.wall.append(time.perf_counter())
        self.cpu.append(time.process_time())

    def advanced(self, iteration: int, losses: Mapping[str, float]) -> None:
        """Of no interest."""

    def warning(self, text: str) -> None:
        print(f"warning: {text}")


def measured(job: Job, workers: int) -> Found:
    """A training from its beginning."""
    clock, before = Clock(), os.times()
    with tempfile.TemporaryDirectory() as folder:
        train(replace(job, model=copy(job.model)), Place(Path(folder)), Runtime("cpu", 1, workers), clock)
    after, batch, length = os.times(), job.recipe.batch, len(clock.wall) // EPOCHS
    children = after.children_user + after.children_system - before.children_user - before.children_system
    epochs = [clock.wall[n * length : (n + 1) * length][STARTING - 1 :] for n in range(EPOCHS)]
    cpu = clock.cpu[STARTING - 1 :]
    return Found(
        [batch * (len(epoch) - 1) / (epoch[-1] - epoch[0]) for epoch in epochs],
        1000 * (cpu[-1] - cpu[0]) / (batch * (len(cpu) - 1)),
        1000 * children / (batch * len(clock.wall)),
    )


def jobs(task: str, images: int, codecs: list[str]) -> dict[str, Job]:
    """The trainings by name: uncompressed, and with each codec."""
    plugins, registry = installed(), load_registry(())
    grid = resolve(Request(codecs=("none",), tasks=(task,), retrain=("clean",)), plugins, registry)
    (subject,), (setup,) = grid.subjects, grid.setups
    assert setup is not None
    iterations = EPOCHS * images // setup.recipe.batch
    recipe = replace(setup.recipe, iterations=iterations, checkpoint=iterations)
    plain = Job(subject.model, Part(setup.dataset, images), recipe, 0, setup.initial)
    found = {"uncompressed": plain}
    for text in codecs:
        chosen = choose_codec(text, plugins, registry)
        identity = codec_identity(chosen.codec, chosen.plugin)
        found[text] = replace(plain, through=codec_coding(chosen.codec, chosen.levels[:1], identity))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="detection")
    parser.add_argument("--codec", action="append", help="codec@level, any number of times; default: jpeg@15, h264@40")
    parser.add_argument("--images", type=int, default=96, help="in an epoch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="default: as a run chooses")
    parser.add_argument("--workers", type=int, help="default: as a run chooses")
    arguments = parser.parse_args()
    settings = machine.choose("cpu", "fp32", arguments.workers, arguments.threads)
    torch.set_num_threads(settings.training_threads)
    found: dict[str, list[Found]] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HARNESS_CACHE"] = folder
        asked = jobs(arguments.task, arguments.images, arguments.codec or ["jpeg@15", "h264@40"])
        plain = asked["uncompressed"]
        for index in range(arguments.images):  # render the scenes: all read them from the cache
            _ = plain.dataset[index]
        for number in range(arguments.rounds):
            shutil.rmtree(Path(folder) / "encoded", ignore_errors=True)
            found.setdefault("from memory", []).append(measured(fed(plain), 0))
            for name, job in asked.items():
                found.setdefault(name, []).append(measured(job, settings.workers))
            each = (f"{name} {', '.join(f'{s:.1f}' for s in rounds[-1].speeds)}" for name, rounds in found.items())
            print(f"round {number + 1}, images/s of each epoch: {'; '.join(each)}", flush=True)
    for name, rounds in found.items():
        for epoch in range(EPOCHS) if name != "from memory" else ():
            pairs = zip(rounds, found["from memory"], strict=True)
            ratios = [one.speeds[epoch] / memory.speeds[epoch] for one, memory in pairs]
            each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            print(f"{name}, epoch {epoch + 1} / from memory: {statistics.median(ratios):.2f} (of {each})")
        cpu = [statistics.median(one) for one in ([r.training for r in rounds], [r.workers for r in rounds])]
        print(f"{name}: CPU {cpu[0]:.0f} ms an image of the training process, {cpu[1]:.0f} ms of its workers")
    used = f"{settings.training_threads} threads, {settings.workers} workers"
    print(f"{arguments.task}, batches of {plain.recipe.batch}, {used}")


if __name__ == "__main__":
    main()
