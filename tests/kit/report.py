"""A database with real results of two tasks, and the page made of it."""

from __future__ import annotations

import functools
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from kit.command import Session
from kit.shared import made_once

__all__ = ["made_page", "made_results", "with_a_failed_sample"]


def _make_results(folder: Path, cache: Path) -> None:
    """Detection with two codecs and a model retrained for two steps, and segmentation with one; 18 images each."""
    session = Session(folder, cache)
    few = ("--limit", "18", "--resamples", "100", "--quiet")
    session.run("run", "--codec", "jpeg@90,30,5", "--codec", "webp@80,5", "--task", "detection", *few)
    session.run("run", "--codec", "jpeg@60,5", "--task", "segmentation", *few)
    short = ("--set", "iterations=2", "--set", "batch=2", "--set", "checkpoint=2", "--set", "warmup=1")
    retrain = ("--retrain", "matched", "--retrain", "clean", "--retrain", "5")
    session.run("run", "--codec", "jpeg@90,30,5", "--task", "detection", *retrain, *short, *few)


@functools.cache
def made_results(folder: Path, cache: Path) -> Session:
    """The results: made once for all test processes, and copied once for each, into its folder."""
    made = made_once(cache.parent / "results", functools.partial(_make_results, cache=cache))
    return Session(Path(shutil.copytree(made, folder / "results-of-this-process")), cache)


@functools.cache
def made_page(folder: Path, cache: Path) -> Path:
    """The page of these results, by a process of its own: made once for all, and copied as they are."""

    def make(report: Path) -> None:
        made_results(folder, cache).run_process("report", "-o", str(report), "--samples", "1", "--measure", "ms-ssim")

    made = made_once(cache.parent / "report", make)
    return Path(shutil.copytree(made, made_results(folder, cache).folder / "report")) / "index.html"


def with_a_failed_sample(session: Session, folder: Path, where: str, error: str) -> Session:
    """A copy of a database, in which the first sample of some experiments failed."""
    other = Session(folder, Path(session.env["HARNESS_CACHE"]))
    shutil.copy(session.database, other.database)
    key = f"SELECT id FROM experiments WHERE {where}"
    with closing(sqlite3.connect(other.database)) as connection, connection:
        connection.execute(
            "UPDATE samples SET status = 'failed', error = ?, score = NULL"
            f" WHERE experiment_id IN ({key}) AND sample_index = (SELECT min(sample_index) FROM samples)",
            (error,),
        )
        connection.execute(f"UPDATE experiments SET failed_samples = 1 WHERE id IN ({key})")
    return other
