"""How long commands take with large databases, and how much memory they need.

    python tests/benchmarks/sizes.py [--experiments 2000] [--samples 0] [--planned 50] [--keep harness.db]

Makes a database of synthetic results: the experiments of a real plan (demo-segnet at many qualities of JPEG) as if they
had finished, and the same experiments of many other models. Then it runs each command as a process, and prints
the CPU seconds and the peak resident memory. `--samples` rows of samples with statistics are spread over all
experiments; without rows `recommend` has nothing to resample, and is left out.

`--keep` keeps the database in a file. If the file exists already, it is measured as it is.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.experiment import Experiment, key_of
from harness.planning.plan import make_plan
from harness.planning.request import Request
from harness.planning.resolve import resolve
from harness.statistics.packing import pack
from harness_plugins.sql_store import SqlStore, claims
from harness_plugins.sql_store.schema import comparisons, experiments, metrics, samples, statistics
from kit.store_rows import INFO

TASK, MODEL, LIMIT = "segmentation", "demo-segnet", 20


def request_words(planned: int) -> list[str]:
    """The options of `harness run` for about that many experiments: JPEG at 100 qualities for each `scale=`."""
    levels = ",".join(str(level) for level in range(1, min(planned - 1, 100) + 1))
    scales = ["", *(f":scale={1 - number / 1000:g}" for number in range(1, -(-(planned - 1) // 100)))]
    return [f"jpeg{scale}@{levels}" for scale in scales]


def planned_experiments(planned: int) -> list[Experiment]:
    """The experiments of the plan that `harness run` makes for `request_words`."""
    request = Request(tuple(request_words(planned)), (TASK,), limit=LIMIT)
    return make_plan(resolve(request, installed(), load_registry())).experiments


def of_another_model(cells: Sequence[Experiment], number: int) -> list[Experiment]:
    """The same experiments of a model with other weights, which has a name of its own."""
    made, keys = [], {}
    for cell in cells:
        identity = {**cell.identity, "model": {**cell.identity["model"], "weights": f"{number:064x}"}}
        keys[cell.key] = key_of(identity)
        other = replace(cell, key=keys[cell.key], identity=identity, model=f"model-{number}", weights=f"w{number}")
        made.append(replace(other, baseline=keys.get(cell.baseline) if cell.baseline else None))
    return made


def insert(connection: Any, table: Any, rows: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> None:
    """Insert rows with the driver's `executemany`."""
    names, marks = ", ".join(f'"{name}"' for name in columns), ", ".join("?" * len(columns))
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))


def statistics_pool(classes: int) -> list[bytes]:
    """Packed statistics of some samples, made up: confusion matrices int64[C, C + 1] with a heavy diagonal."""
    random = np.random.default_rng(0)
    pool = []
    for _ in range(64):
        counts = random.poisson(3, (classes, classes + 1)) + 400 * np.eye(classes, classes + 1, dtype=np.int64)
        pool.append(pack([{"confusion": counts.astype(np.int64)}]))
    return pool


def subjects_of(cells: Sequence[Experiment], count: int) -> Iterator[list[Experiment]]:
    """The planned experiments, and 50 of them of each further model, until there are `count` experiments."""
    yield list(cells)
    repeated = [cell for cell in cells if cell.codec == "none"] + [cell for cell in cells if cell.codec != "none"][:49]
    for number in range(1, -(-(count - len(cells)) // len(repeated)) + 1):
        yield of_another_model(repeated, number)


def fill(file: Path, cells: Sequence[Experiment], count: int, rows: int) -> None:
    """Fill a database with `count` finished experiments, which have `rows` rows of samples together."""
    store = SqlStore(str(file))
    store.open()
    run = store.begin_run(INFO)
    store.end_run(run, "finished")
    each, pool = rows // count, statistics_pool(len(cells[0].classes))
    names = [m.name for m in task_metrics(cells[0])]
    for subject in subjects_of(cells, count):
        with store._database.writing() as connection:
            put(connection, subject, run, names)
            if each:
                put_samples(connection, [cell.key for cell in subject], each, pool)
    store.close()


def task_metrics(cell: Experiment) -> Sequence[Any]:
    """The metrics of the experiment's task."""
    task = installed().get("task", cell.task)(classes=cell.classes)
    return list(task.all_metrics())


def put(connection: Any, cells: Sequence[Experiment], run: int, names: Sequence[str]) -> None:
    """Write experiments as finished, with metrics and drops."""
    rows = []
    for cell in cells:
        bpp = 24.0 if cell.codec == "none" else 0.1 + (cell.level or 0) / 40
        finished = {"status": "finished", "finished_at": "2026-01-01T00:00:00Z", "failed_samples": 0}
        totals = {"samples": cell.samples, "groups": cell.samples, "bits": 1000, "pixels": 4000, "bpp": bpp}
        times = {"psnr": 30.0, "encode_ms": 1.0, "decode_ms": 1.0, "seconds": 1.0, "frames": cell.samples}
        rows.append({**claims._row(cell, run), **finished, **totals, **times})
    insert(connection, experiments, [tuple(row.values()) for row in rows], list(rows[0]))
    values, drops = [], []
    for cell in cells:
        lost = 0.0 if cell.codec == "none" else 1 / (2 + (cell.level or 0))
        for place, name in enumerate(names):
            value = 0.8 - lost - place / 1000
            values.append(
                (cell.key, name, place, value, value - 0.05, value + 0.05, cell.samples, place == 0, 1, "", None)
            )
            if cell.baseline:
                drops.append(
                    (cell.key, cell.baseline, name, "drop", lost, lost - 0.01, lost + 0.01, cell.samples, None)
                )
    insert(connection, metrics, values, [column.name for column in metrics.columns])
    insert(connection, comparisons, drops, [column.name for column in comparisons.columns])


def put_samples(connection: Any, keys: Sequence[str], each: int, pool: Sequence[bytes]) -> None:
    """Write `each` rows of samples with statistics for each experiment."""
    columns = [column.name for column in samples.columns]
    fixed = ("ok", None, 1000, 4000, None, 300, 32.0, 4000, "png", None, 1.5, 0.5, 0.25, 0.5, 1)
    for key in keys:
        number = connection.exec_driver_sql("SELECT id FROM experiments WHERE key = ?", (key,)).scalar()
        rows = [(number, index, f"img{index}", f"drive{index // 2}", *fixed) for index in range(each)]
        insert(connection, samples, rows, columns)
        data = [(number, index, pool[(index * 7 + number) % len(pool)]) for index in range(each)]
        insert(connection, statistics, data, [column.name for column in statistics.columns])


def measure(words: Sequence[str]) -> tuple[float, float]:
    """CPU seconds and peak resident megabytes of a command."""
    process = subprocess.Popen([sys.executable, "-m", "harness", *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (0, 1), process.returncode
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--samples", type=int, default=0)
    parser.add_argument("--planned", type=int, default=50)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = arguments.keep or Path(folder) / "harness.db"
        if not file.exists():
            fill(file, planned_experiments(arguments.planned), arguments.experiments, arguments.samples)
        print(f"{arguments.experiments} experiments, {arguments.samples} rows: {file.stat().st_size / 1e6:.0f} MB")
        db = ["--db", str(file)]
        one = ["--task", TASK, "--model", MODEL, "--dataset", "demo", *db]
        codecs = [word for text in request_words(arguments.planned) for word in ("--codec", text)]
        query = f"select * from curves where task = '{TASK}' and model = '{MODEL}' and dataset = 'demo'"
        commands = {
            "start-up: list codecs": ["list", "codecs"],
            "results of one model": ["results", *one],
            "results of one model, CSV": ["results", "--format", "csv", *one],
            "results": ["results", *db],
            "curves of one model": ["results", *db, "sql", query],
            "curves": ["results", *db, "sql", "select * from curves"],
            "plan": ["plan", *codecs, "--task", TASK, "--limit", str(LIMIT), *db],
            "run that finds all": ["run", *codecs, "--task", TASK, "--limit", str(LIMIT), *db],
        }
        if arguments.samples:
            commands["recommend"] = ["recommend", "--max-drop", "2%", "--resamples", "100", *one]
        for name, words in commands.items():
            taken = [measure(words) for _ in range(arguments.rounds)]
            print(f"{name:28s} {min(s for s, _ in taken):7.2f} s {max(m for _, m in taken):7.0f} MB", flush=True)


if __name__ == "__main__":
    main()
