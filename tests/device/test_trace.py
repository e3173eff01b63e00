"""What a run leaves behind that ended without a word."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from harness.batches.desk import Step, enter
from harness.device.trace import deaths, forget, open_trace, trace
from kit.units import unit

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files are locked by POSIX locks")

PREDICTS, RESTS, ENCODES, LEAVES, LIVES = 0, 1, 2, 3, 4


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    return tmp_path


KEYS = [cell.experiment.key for cell in unit(2).cells]


def run(cell: int, number: int, how: int) -> None:
    """Be a process in the middle of a run, and end or wait."""
    with open_trace():
        made = trace()
        assert made is not None
        made.begin(unit(2), alone=how == ENCODES)
        if how == ENCODES:
            enter(Step.ENCODE, cell, number)
        else:
            made.predicts(cell, number)
        if how == RESTS:
            made.rest()
        if how == LIVES:
            time.sleep(60)
        if how != LEAVES:
            os.kill(os.getpid(), signal.SIGKILL)


def start(cell: int, number: int, how: int) -> int:
    """Fork such a process; gives its number."""
    if not (pid := os.fork()):
        try:
            run(cell, number, how)
        finally:
            os._exit(0)
    return pid


def dies(cell: int, number: int, how: int = PREDICTS) -> None:
    status = os.waitstatus_to_exitcode(os.waitpid(start(cell, number, how), 0)[1])
    assert status == (0 if how == LEAVES else -signal.SIGKILL)


def runs() -> list[int]:
    known = deaths(KEYS)
    return [known[key].runs if key in known else 0 for key in KEYS]


def test_ends_in_one_place_are_counted_and_others_begin_anew(folder: Path) -> None:
    dies(1, 7)
    assert runs() == [0, 1, 0]
    assert runs() == [0, 1, 0]  # counted once
    assert not deaths(KEYS)[KEYS[1]].is_suspect
    dies(1, 8)
    assert runs() == [0, 1, 0]
    dies(1, 8)
    dies(2, 8)
    assert runs() == [0, 2, 1]
    assert deaths(KEYS)[KEYS[1]].is_suspect
    told = "2 runs ended without a word while model brightness predicted batch 8; tried in a process of its own, that "
    assert deaths(KEYS)[KEYS[1]].reason("was killed by signal 11") == f"{told}process was killed by signal 11"
    forget(KEYS[1])
    assert runs() == [0, 0, 1]
    assert not list((folder / "runs").iterdir())


def test_what_no_plugin_did_and_what_ended_in_order_is_not_counted(folder: Path) -> None:
    dies(1, 7, RESTS)
    dies(1, 7, LEAVES)
    assert runs() == [0, 0, 0]
    dies(-1, 3)  # the uncompressed frames, which all cells need
    dies(-1, 3, ENCODES)
    (folder / "runs" / "1-garbage").write_bytes(b"\xff" * 40)
    (folder / "runs" / "1-empty").touch()
    assert runs() == [1, 1, 1]
    assert not list((folder / "runs").iterdir())


def test_a_run_that_is_still_there_is_left_alone(folder: Path) -> None:
    pid = start(0, 1, LIVES)
    deadline = time.monotonic() + 30
    while not list((folder / "runs").glob(f"{pid}-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert runs() == [0, 0, 0]
    assert len(list((folder / "runs").iterdir())) == 1
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert runs() == [1, 0, 0]
