"""What each step beside the network costs: CPU milliseconds of one thread, per image of 640x480.

    python tests/benchmarks/steps.py [--rounds 3] [--images 40] [--src TREE] [--src OTHER_TREE]

For each task, with stand-ins that return the same results for every image in place of the network's layers:

- prepare: the model's `prepare` and `collate` (of action without optical flow, which is computed once and kept);
- predict: the model's `predict`: float, normalisation and resizing before the network, and all after it;
- score: the task's `score` and `sample_score`;
- pack: the statistics as the database keeps them.

The steps of an image follow one another, as in a run, and each task has a process of its own. With `--src` (a checkout
of the project; several take turns), the code of that tree is measured. Prints the median of the rounds; of two trees
also the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

STEPS = ("prepare", "predict", "score", "pack")
ROOT = Path(__file__).parents[2]


def measured(name: str, count: int) -> dict[str, float]:
    """Return step -> milliseconds per image of one subject, of this process's code."""
    import cv2
    import numpy as np
    import torch
    from steps_subjects import SUBJECTS

    from harness.statistics.packing import pack

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    kept: dict[str, np.ndarray[Any, Any]] = {}

    def memo(key: str, compute: Any) -> Any:
        if key not in kept:
            kept[key] = compute()
        return kept[key]

    subject, spent = SUBJECTS[name](), np.zeros(len(STEPS))
    rounds = max(3, count // len(subject.frames) // len(subject.frames[0]))
    with torch.inference_mode():
        for number in range(rounds + 1):
            for frames in subject.frames:
                times = [time.process_time()]
                batch = subject.model.collate([subject.model.prepare(frames, (0,), memo)])
                times.append(time.process_time())
                ((prediction,),) = subject.model.predict(batch)
                times.append(time.process_time())
                scored = [subject.task.score(prediction, subject.target)]
                subject.task.sample_score(scored)
                times.append(time.process_time())
                pack(scored)
                times.append(time.process_time())
                spent += np.diff(times) if number else 0  # the first round is a warm-up
    per_image = 1000 * spent / rounds / len(subject.frames)
    return dict(zip(STEPS, per_image.tolist(), strict=True))


def measured_in(tree: Path, name: str, count: int) -> dict[str, float]:
    """Return what a new process with the code of a tree measures for one subject."""
    path = os.pathsep.join(str(tree / folder) for folder in ("", "codecs", "tasks", "plugins"))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--images", str(count), "--here", name]
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    result: dict[str, float] = json.loads(output.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--src", type=Path, action="append")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        print(json.dumps(measured(arguments.here, arguments.images)))
        return
    from steps_subjects import SUBJECTS

    trees = [tree.resolve() for tree in arguments.src or [ROOT]]
    for name in SUBJECTS:
        values: dict[tuple[str, int], list[float]] = defaultdict(list)
        for _ in range(arguments.rounds):
            for place, tree in enumerate(trees):
                steps = measured_in(tree, name, arguments.images)
                for step, milliseconds in {**steps, "all": sum(steps.values())}.items():
                    values[step, place].append(milliseconds)
        cells = []
        for step in (*STEPS, "all"):
            medians = [statistics.median(values[step, place]) for place in range(len(trees))]
            cells.append(f"{step} " + " -> ".join(f"{value:.2f}" for value in medians))
            if len(trees) == 2 and step == "all":
                cells.append(f"ratio {medians[0] / medians[1]:.2f}")
        print(f"{name}: " + ", ".join(cells), flush=True)


if __name__ == "__main__":
    main()
