"""What the SQL store costs: rows a second, bytes a row, and how long the views take.

    python tests/benchmarks/store.py [--millions 1] [--experiments 500]

Writes rows of samples of about 500 experiments in chunks of 1,000, without statistics (what packing them costs depends
on the task), finishes the experiments with 20 metrics each, and reads the views. Seconds are processor seconds, so
that they hold on a busy machine too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness_plugins.sql_store import SqlStore

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness.keep.processes import this_process
from harness.records import Claim, Comparison, Totals
from harness.store import Filters
from kit.store_rows import INFO, cell, metric, row

METRICS = ["AP", *(f"AP[{number}]" for number in range(19))]


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of some work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def fill(store: SqlStore, rows: int, experiments: int) -> float:
    """Fill a store; gives the processor seconds that writing rows of samples took."""
    none = cell("none", None)
    cells = [none, *(cell(level=float(number)) for number in range(1, experiments))]
    claim = Claim(this_process(), store.begin_run(INFO))
    store.register(cells, claim.run)
    store.claim([one.key for one in cells], claim)
    each = rows // experiments
    spent = 0.0
    for one in cells:
        for start in range(0, each, 1000):
            chunk = [row(one.key, index, statistics=()) for index in range(start, min(start + 1000, each))]
            spent += seconds(lambda chunk=chunk: store.write(chunk, claim))  # type: ignore[misc]
        totals = Totals(each, 0, 1000, 400, 2.5)
        store.finish(one.key, claim, totals, [metric(name, 0.5, 0.4, 0.6) for name in METRICS])
        if one is not none:
            store.compare([Comparison(one.key, none.key, name, "drop", 0.1, 0.05, 0.15, each) for name in METRICS])
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, default=1.0)
    parser.add_argument("--experiments", type=int, default=500)
    arguments = parser.parse_args()
    rows = int(arguments.millions * 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "harness.db"
        store = SqlStore(str(file))
        store.open()
        spent = fill(store, rows, arguments.experiments)
        print(f"{rows} rows of samples: {rows / spent:.0f} a second")
        for view in ("results", "curves", "recovery"):
            taken = seconds(lambda view=view: store.view(view))  # type: ignore[misc]
            print(f"{view}: {taken:.2f} s")
        one = Filters({"experiment": [cell(level=1.0).key]})
        print(f"per_sample of one experiment: {seconds(lambda: store.view('per_sample', one)):.2f} s")
        store.close()
        print(f"{file.stat().st_size / rows:.0f} bytes a row")


if __name__ == "__main__":
    main()
