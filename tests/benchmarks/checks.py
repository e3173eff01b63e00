"""What the checks of plugins' answers cost: CPU microseconds of one thread, for an image of 640x480.

    python tests/benchmarks/checks.py [--rounds 7]

The subjects are those of steps.py. For each task:

- prediction: the list and the task's own checks, for each image and level;
- source: the checksum that shows whether a codec wrote to the source frames, for each image and level, and once more;
- sample and target: once for each image, when it is read.

Prints the least of the rounds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from steps_subjects import HEIGHT, SUBJECTS, WIDTH

from harness.batches.checking import check_predictions, check_sample, check_targets
from harness.batches.read_sample import frames_mark
from harness.dataset import Outline, Sample


@dataclass(frozen=True)
class Named:
    """What the checks ask of a subject."""

    task: Any
    model_name: str = "model"
    dataset_name: str = "dataset"
    origins: dict[str, str] = field(default_factory=dict)


def least(action: Callable[[], object], rounds: int, count: int) -> float:
    """The least CPU microseconds of an action, of some rounds of `count` calls each."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(count):
            action()
        times.append((time.process_time() - started) / count * 1e6)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    for name, make in SUBJECTS.items():
        made = make()
        frames, classes = made.frames[0], len(made.model.classes)
        subject: Any = Named(made.task)
        with torch.inference_mode():
            batch = made.model.collate([made.model.prepare(frames, (0,), lambda _, compute: compute())])
            ((prediction,),) = made.model.predict(batch)
        outline = Outline("sample", HEIGHT, WIDTH, len(frames))
        sample = Sample("sample", frames, {0: made.target})
        steps: dict[str, tuple[Callable[[], object], int]] = {
            "prediction": (lambda: check_predictions(subject, classes, outline, [prediction]), 300),  # noqa: B023
            "source": (lambda: frames_mark(frames), 30),  # noqa: B023
            "sample": (lambda: check_sample(sample), 300),  # noqa: B023
            "target": (lambda: check_targets(subject, outline, sample.targets), 100),  # noqa: B023
        }
        found = ", ".join(f"{step} {least(action, rounds, count):.0f}" for step, (action, count) in steps.items())
        print(f"{name}: {found} microseconds", flush=True)


if __name__ == "__main__":
    main()
