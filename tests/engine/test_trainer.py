"""`harness run --retrain`, end to end on demo data: trainings survive being killed, and are shared."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from harness.weights import load_state
from harness_tasks.detection.models.demo import WEIGHTS
from kit.command import Session

RECIPE = ("--set", "iterations=8", "--set", "batch=1", "--set", "checkpoint=2", "--threads", "1", "--workers", "0")
RUN = ("run", "--task", "detection", "--codec", "jpeg@15", "--limit", "2", "--resamples", "100", *RECIPE)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("undisturbed")
    session = Session(folder, folder / "cache")
    session.run(*RUN, "--retrain", "15", "--retrain", "clean")
    return session


def trained(session: Session, mode: str) -> tuple[str, bytes, str, float | None]:
    """The key of the one training of a mode, its weights, its loss curve, and how long it took."""
    (row,) = session.select(
        "select distinct c.key, c.path, c.loss_curve, c.seconds from checkpoints c"
        f" join experiments e on e.checkpoint = c.key where e.train_mode = '{mode}'"
    )
    return row[0], Path(row[1]).read_bytes(), row[2], row[3]


def test_a_killed_training_goes_on_and_gives_the_same_weights_and_results(tmp_path: Path, undisturbed: Session) -> None:
    """kill -9 in the middle of a training, and the same command again."""
    session = Session(tmp_path, tmp_path / "cache")
    process = session.start(*RUN, "--retrain", "15")
    deadline = time.monotonic() + 300
    while not (found := list(tmp_path.glob("cache/training/*/checkpoint.pt"))):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not found[0].with_name("weights.safetensors").exists()
    assert session.select("select count(*) from checkpoints") == [(0,)]
    again = session.run(*RUN, "--retrain", "15")
    assert "training detection, demo-detector, jpeg@15: 8 iterations, going on from iteration" in again.stderr
    key, weights, curve, seconds = trained(session, "level")
    whole = trained(undisturbed, "level")
    assert (key, weights, curve) == whole[:3]
    assert seconds is None  # of one that was cut off it is not known
    assert whole[3] is not None
    values = undisturbed.values()
    assert session.values() == {cell: values[cell] for cell in session.values()}
    assert {row[0] for row in session.select("select distinct train_mode from results")} == {None, "level"}


def test_train_finds_what_a_clean_retraining_made(undisturbed: Session) -> None:
    """The same job has the same key, whichever command asks for it."""
    command = ("train", "--task", "detection", "--recipe", "demo-retrain", "--weights", str(WEIGHTS), *RECIPE)
    told = undisturbed.run_process(*command)
    assert "done before: nothing to do." in told.stderr
    key, weights, _, _ = trained(undisturbed, "clean")
    printed = dict(line.split(" ", 1) for line in told.stdout.splitlines())
    assert Path(printed["weights"]).parent.name == key[:24]
    assert Path(printed["weights"]).read_bytes() == weights
    with sqlite3.connect(undisturbed.database) as connection:
        assert connection.execute("select sha256 from checkpoints where key = ?", [key]).fetchall() == [
            (printed["sha256"],)
        ]


def test_one_stream_is_retrained_and_compared_with_the_control_of_the_same_stream(tmp_path: Path) -> None:
    from harness_tasks.action.models.demo import WEIGHTS as PRETRAINED

    session = Session(tmp_path, tmp_path / "cache")
    run = ("run", "--task", "action", "--codec", "jpeg@15", "--limit", "2", "--resamples", "100", *RECIPE)
    short = ("--set", "iterations=2", "--set", "batch=2")
    session.run(*run, *short, "--retrain", "clean")
    session.run(*run, *short, "--retrain", "15", "--retrain", "clean", "--retrain-parts", "spatial")
    query = "select distinct train_mode, parts, experiment from results where train_mode is not null and codec = 'jpeg'"
    keys = {(mode, parts): key for mode, parts, key in session.select(query)}
    assert keys.keys() == {("clean", None), ("clean", "spatial"), ("level", "spatial")}
    rows = session.select("select distinct parts, retrained_experiment, clean_experiment from recovery")
    assert rows == [("spatial", keys["level", "spatial"], keys["clean", "spatial"])]
    before = load_state(PRETRAINED)
    changed = {}
    for key, path in session.select(
        "select e.key, c.path from experiments e join checkpoints c on c.key = e.checkpoint"
    ):
        after = load_state(Path(path))
        assert after.keys() == before.keys()
        changed[key] = {name.split(".")[0] for name in after if not after[name].equal(before[name].to(after[name]))}
    assert {cell: changed[key] for cell, key in keys.items()} == {
        ("clean", None): {"spatial", "motion"},
        ("clean", "spatial"): {"spatial"},
        ("level", "spatial"): {"spatial"},
    }


def test_damaged_weights_are_made_anew_and_another_record_is_told(undisturbed: Session) -> None:
    """One bit of the weights is changed: the results are those of the whole ones, and the record stays."""
    query = "select c.key, c.sha256, c.path from checkpoints c join experiments e on e.checkpoint = c.key"
    key, sha256, path = undisturbed.select(f"{query} where e.train_mode = 'level'")[0]
    whole = Path(path).read_bytes()
    changed = bytearray(whole)
    changed[-1] ^= 0x40  # an exponent
    Path(path).write_bytes(changed)
    values = undisturbed.values()
    with sqlite3.connect(undisturbed.database) as connection:  # as if this one were still to do
        connection.execute(
            "update experiments set status = 'interrupted', digest = null where train_mode = 'level' and codec = 'jpeg'"
        )
    connection.close()
    told = undisturbed.run(*RUN, "--retrain", "15", "--retrain", "clean").stderr
    assert "or their digest were damaged; the checkpoint gave them anew" in " ".join(told.split())
    assert Path(path).read_bytes() == whole
    assert undisturbed.values() == values
    assert undisturbed.select(f"select sha256 from checkpoints where key = '{key}'") == [(sha256,)]
    with sqlite3.connect(undisturbed.database) as connection:
        connection.execute(
            "update experiments set status = 'interrupted', digest = null where train_mode = 'level' and codec = 'jpeg'"
        )
        connection.execute("update checkpoints set sha256 = ?", ["0" * 64])
    connection.close()
    told = " ".join(undisturbed.run(*RUN, "--retrain", "15", "--retrain", "clean").stderr.split())
    assert f"gave weights with SHA-256 {sha256}; {'0' * 64} was recorded" in told
    assert undisturbed.select(f"select sha256 from checkpoints where key = '{key}'") == [(sha256,)]
