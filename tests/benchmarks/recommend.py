"""Time of `harness recommend`: a baseline and five levels of JPEG, with the statistics of 5,000 samples of COCO's size.

    python tests/benchmarks/recommend.py                # 6 experiments, 5,000 samples, 80 classes
    python tests/benchmarks/recommend.py --quick        # a tenth of the samples
    python tests/benchmarks/recommend.py --keep FOLDER  # keeps the database, and uses it again

The database is made up: at stronger levels more detections are missing. The limit is so wide that every level is
tested. Prints seconds on the clock and of all cores: of the start of a command, of the command where the database keeps
no resampled metrics and where it does, and of keeping them (with the drops, where the database lacks them).
"""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from intervals import CLASSES, Cost, Frame, frames
from made_up import experiments

from harness.experiment import Experiment
from harness.finish.finisher import totals_of
from harness.keep.processes import this_process
from harness.records import Claim, MetricValue, RunInfo, SampleRow
from harness_plugins.sql_store import SqlStore
from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Detections

LEVELS = (None, 90.0, 70.0, 50.0, 30.0, 15.0)
NAMES = tuple(f"class{index}" for index in range(CLASSES))


def cells(samples: int) -> list[Experiment]:
    """The baseline, and one experiment for each level."""
    return experiments([("none" if level is None else "jpeg", level) for level in LEVELS], samples, NAMES)


def degraded(frame: Frame, rng: np.random.Generator, loss: float) -> Frame:
    """The frame without a share of its detections."""
    found, truth = frame
    kept = rng.uniform(size=len(found.labels)) >= loss
    return Detections(found.boxes[kept], found.scores[kept], found.labels[kept]), truth


def make(path: Path, samples: int) -> None:
    """A database with the statistics of every sample, and the metrics without intervals."""
    store, data, task = SqlStore(str(path)), frames(samples), Detection(NAMES)
    store.open()
    run = store.begin_run(RunInfo("made up", "here", "none", {}, None))
    claim = Claim(this_process(), run, 3600)
    made = cells(samples)
    store.register(made, run)
    store.claim([cell.key for cell in made], claim)
    for place, cell in enumerate(made):
        rng = np.random.default_rng(1)  # the same for each level: a stronger one lacks what a milder one lacks
        scored = [task.score(*degraded(frame, rng, 0.02 * place)) for frame in data]
        rows = [
            SampleRow(cell.key, n, f"image {n}", f"image {n}", "ok", bits=400_000 // (1 + place) + n, pixels=307_200,
                      squared_error=None if place == 0 else 1000, source_bytes=90_000, source_format="png",
                      seconds=0.01, encode_ms=1.0, decode_ms=1.0, statistics=[statistics], frames=1)
            for n, statistics in enumerate(scored)
        ]  # fmt: skip
        for start in range(0, samples, 1000):
            store.write(rows[start : start + 1000], claim)
        values = {name: float(value[0]) for name, value in task.reduce(scored).items()}
        told = [
            MetricValue(m.name, values[m.name], None, None, samples, m.primary, m.higher_is_better, m.unit)
            for m in task.all_metrics()
        ]
        store.finish(cell.key, claim, totals_of(rows), told)
    store.end_run(run, "finished")
    store.close()


def timed(arguments: list[str]) -> tuple[Cost, str]:
    """What a command of the harness costs, with its process; and what it prints."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "harness", *arguments]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - begun, cpu), printed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples")
    parser.add_argument("--keep", type=Path, help="keep the database in this folder")
    options = parser.parse_args()
    samples = options.samples // 10 if options.quick else options.samples
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        database = folder / f"recommend-{samples}.db"
        if not database.exists():
            make(database, samples)
        print(f"{len(LEVELS)} experiments of {samples} samples, {database.stat().st_size / 1e6:.0f} MB")
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("DELETE FROM resamples")
        start, _ = timed(["results", "sql", "select 1", "--db", str(database)])
        asked = ["recommend", "--db", str(database), "--max-drop", "50%"]
        computed, printed = timed(asked)
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        refresh, _ = timed(["results", "refresh", "--db", str(database)])
        kept, same = timed(asked)
        with closing(sqlite3.connect(database)) as connection:
            ((sizes,),) = connection.execute("SELECT avg(length(data)) FROM resamples").fetchall()
    assert same == printed
    print(printed)
    print(f"{os.cpu_count()} cores; peak memory {memory:.0f} MiB; {sizes / 1000:.0f} kB kept of each experiment")
    costs = {
        "a command that only starts": start,
        "recommend, from statistics": computed,
        "recommend, from what is kept": kept,
        "results refresh": refresh,
    }
    for name, each in costs.items():
        print(f"{name:30s}{each.wall:7.2f} s on the clock{each.cpu:9.2f} s of CPU")


if __name__ == "__main__":
    main()
