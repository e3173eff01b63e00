"""How long a large report takes to build, and to open: 50 experiments of 5,000 samples each.

    python tests/benchmarks/report.py [--experiments 50] [--samples 5000] [--keep FOLDER]

The database is made up (detection, two codecs): reading, tables, charts and the browser are measured, not models.
Opening is measured in Chromium where it and Playwright are installed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from made_up import experiments

from harness.experiment import Experiment
from harness.finish.finisher import totals_of
from harness.keep.processes import this_process
from harness.records import Claim, Comparison, MetricValue, RunInfo, SampleRow
from harness_plugins.sql_store import SqlStore
from harness_tasks.detection.task import Detection

CLASSES = tuple(f"class {n}" for n in range(20))


def cells(count: int) -> list[Experiment]:
    """The baseline, and two codecs at as many levels as make up the count."""
    levels: list[tuple[str, float | None]] = [(("jpeg", "webp")[n % 2], float(100 - n)) for n in range(1, count)]
    return experiments([("none", None), *levels], 0, CLASSES)


def make(path: Path, experiments: int, samples: int) -> None:
    """A database with a row for each sample, and every metric of detection with intervals and drops."""
    store = SqlStore(str(path))
    store.open()
    run = store.begin_run(RunInfo("made up", "here", "none", {}, None))
    claim = Claim(this_process(), run, 3600)
    made = [replace(cell, samples=samples) for cell in cells(experiments)]
    store.register(made, run)
    store.claim([cell.key for cell in made], claim)
    metrics, rng = Detection(CLASSES).all_metrics(), np.random.default_rng(0)
    for place, cell in enumerate(made):
        bits = 200_000 // (1 + place)
        rows = [
            SampleRow(cell.key, n, f"image {n}", f"image {n}", "ok", bits=bits + n, pixels=76_800,
                      squared_error=1000 + n, source_bytes=90_000, source_format="png", seconds=0.01,
                      encode_ms=1.0, decode_ms=1.0, score=float(score))
            for n, score in enumerate(rng.uniform(0.2, 1.0, samples) * (1 - place / 100))
        ]  # fmt: skip
        for start in range(0, samples, 5000):
            store.write(rows[start : start + 5000], claim)
        values = [0.7 * (1 - place / 80) + 0.001 * n for n in range(len(metrics))]
        told = [
            MetricValue(m.name, v, v - 0.02, v + 0.02, samples, m.primary, m.higher_is_better, m.unit)
            for m, v in zip(metrics, values, strict=True)
        ]
        store.finish(cell.key, claim, totals_of(rows), told)
        if place:
            drop = 0.7 * place / 80
            store.compare([Comparison(cell.key, made[0].key, m.name, "drop", drop, drop - 0.01, drop + 0.01, samples)
                           for m in metrics])  # fmt: skip
    store.end_run(run, "finished")
    store.close()


def opened(page: Path) -> dict[str, float] | None:
    """Seconds until the page has loaded, and until the charts on the first screen are drawn; None without a browser."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        begun = time.perf_counter()
        tab.goto(page.as_uri(), wait_until="load")
        loaded = time.perf_counter() - begun
        tab.wait_for_selector("figure[data-chart=rate][data-drawn]")
        drawn = time.perf_counter() - begun
        browser.close()
    return {"loaded": round(loaded, 2), "first chart": round(drawn, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=50)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        database = folder / "harness.db"
        if not database.exists():
            make(database, asked.experiments, asked.samples)
        page = folder / "report/index.html"
        begun = time.perf_counter()
        command = [sys.executable, "-m", "harness", "report", "--db", str(database), "-o", str(page.parent), "-q"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        built = time.perf_counter() - begun
        told = {
            "built in s": round(built, 1),
            "page in MB": round(page.stat().st_size / 1e6, 1),
            "opened in s": opened(page),
        }
    print(json.dumps({"experiments": asked.experiments, "samples": asked.samples, **told}))


if __name__ == "__main__":
    main()
