"""Full disks and read-only folders, the real thing: a sentence, an exit status, and what was done is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kit.command import Session
from kit.disks import fill, read_only, small_disk

RUN = ("run", "--codec", "jpeg@50,10", "--task", "detection", "--limit", "3", "--resamples", "100", "--workers", "0")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    made = Session(tmp_path_factory.mktemp("disks"), cache)
    made.run(*RUN)
    return made


WRITERS = {
    "report": ("report", "--samples", "0", "-q", "-o", "{}/page/index.html"),
    "csv": ("results", "export", "-f", "csv", "-o", "{}/tables"),
    "json": ("results", "export", "-f", "json", "--view", "results", "-o", "{}/results.json"),
    "parquet": ("results", "export", "-f", "parquet", "-o", "{}/tables"),
    "plot": ("plot", "--task", "detection", "-o", "{}/curve.png"),
    "study": ("results", "study", "--resamples", "100", "-o", "{}/study.md"),
    "merge": ("results", "merge", "harness.db", "-o", "{}/all.db"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_cannot_be_written_is_told_and_leaves_nothing(session: Session, name: str) -> None:
    with small_disk(256) as disk:
        command = [word.format(disk) for word in WRITERS[name]]
        filler = fill(disk)
        for place in ("full", "read-only"):
            if place == "full":
                done = session.run(*command, status=2)
            else:
                filler.unlink(missing_ok=True)
                with read_only(disk):
                    done = session.run(*command, status=2)
            assert "Traceback" not in done.stderr
            assert done.stderr.strip().splitlines()[-1].startswith("error: "), done.stderr
            assert str(disk) in done.stderr
            assert set(disk.rglob("*")) <= {filler}


def test_a_full_disk_keeps_what_a_run_wrote(tmp_path: Path, cache: Path, session: Session) -> None:
    with small_disk(2048) as disk:
        small = Session(tmp_path, cache)
        small.env["HARNESS_DB"] = str(disk / "harness.db")
        small.run(*RUN[:2], "jpeg@50", *RUN[3:])
        for left in (0, 50_000):  # of the second, SQLite's index of its journal takes 32,768
            filler = fill(disk, left)
            told = small.run(*RUN, status=2).stderr
            assert "Traceback" not in told
            assert ("disk I/O error" if not left else "database or disk is full") in told
            assert "What was written before is kept; make room and run again" in told
            filler.unlink()
        shutil.copy(disk / "harness.db", tmp_path / "harness.db")
        kept = small.select("select count(*) from experiments where status = 'finished'")
        assert kept == [(2,)]
        small.run(*RUN)
        shutil.copy(disk / "harness.db", tmp_path / "harness.db")
        assert small.values() == session.values()
        with read_only(disk):
            told = small.run(*RUN, status=2).stderr
            assert "is read-only" in told
            assert "is read-only" in small.run("plan", *RUN[1:-4], status=2).stderr
            assert small.run("results").stdout.count("jpeg") == 2


def folders(disk: Path) -> set[Path]:
    return {path for path in disk.rglob("*") if path.is_dir()}


def test_a_full_or_read_only_cache_costs_time_alone(tmp_path: Path, session: Session) -> None:
    with small_disk(64) as disk:
        filler = fill(disk)
        for name in ("full", "read-only"):
            (tmp_path / name).mkdir()
            small = Session(tmp_path / name, disk)
            if name == "full":
                small.run(*RUN)
                assert not any(path.stat().st_size for path in disk.rglob("*") if path not in (filler, *folders(disk)))
            else:
                with read_only(disk):
                    small.run(*RUN)
            assert small.values() == session.values()


def test_weights_that_cannot_be_copied_are_still_in_the_cache(tmp_path: Path, cache: Path) -> None:
    train = (
        *("train", "--task", "detection", "--dataset", "demo", "--threads", "1", "--workers", "0"),
        *("--set", "iterations=1", "--set", "batch=1", "-o"),
    )
    with small_disk(64) as disk:
        fill(disk)
        session = Session(tmp_path, cache)
        told = session.run(*train, str(disk / "w.safetensors"), status=2).stderr
        assert f"--output {disk}/w.safetensors cannot be written: No space left on device. The weights are in " in told
        assert not list(disk.glob("*w.safetensors"))
        assert "done before" in session.run(*train, str(tmp_path / "w.safetensors")).stderr


def test_a_full_disk_ends_a_training_of_a_run_in_a_sentence(tmp_path: Path, cache: Path) -> None:
    with small_disk(512) as disk:
        session = Session(tmp_path, disk)
        training = ("--retrain", "clean", "--set", "iterations=2", "--set", "batch=1", "--threads", "1")
        fill(disk, 100_000)
        done = session.run(*RUN, *training, status=1)
        assert "Traceback" not in done.stderr
        assert "training cannot write " in done.stderr
        assert "No space left on device" in done.stderr
        finished = session.select("select distinct training, status from experiments order by training")
        assert finished == [("pretrained", "finished"), ("retrained", "failed")]
