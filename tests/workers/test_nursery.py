"""The process that forks workers: what they know, how they end, and that none outlives the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from harness.engine.predict import run_unit
from harness.progress import Silence
from harness.workers.nursery import Nursery, nursery, open_nursery
from kit.units import SETTINGS, unit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")


class Unsendable:
    """Cannot be pickled, as a plugin's object may not be."""

    def __init__(self) -> None:
        self.call = lambda: 42


def answer(arguments: Any, connection: Connection) -> None:
    thing, text = arguments
    connection.send((thing.call(), text, os.getppid(), threading.active_count()))


def leave(status: Any, connection: Connection) -> None:
    if status < 0:
        os.kill(os.getpid(), -status)
    os._exit(status)


def fail(arguments: Any, connection: Connection) -> None:
    raise ValueError("this worker fails")


@pytest.fixture
def made() -> Iterator[tuple[Nursery, Unsendable]]:
    thing = Unsendable()
    with closing(Nursery([thing])) as home:
        yield home, thing


def test_what_was_known_need_not_be_sent(made: tuple[Nursery, Unsendable]) -> None:
    home, thing = made
    mine, its = Pipe()
    child = home.start(answer, (thing, "hello"), its)
    number, text, parent, threads = mine.recv()
    assert (number, text, threads) == (42, "hello", 1)
    assert parent != os.getpid()
    assert child.ended() == 0
    with pytest.raises(Exception, match="pickle"):
        home.start(answer, (Unsendable(), ""), Pipe()[1])


@pytest.mark.parametrize("status", [0, 3, -signal.SIGKILL, -signal.SIGUSR1])
def test_how_a_worker_ended_is_known(made: tuple[Nursery, Unsendable], status: int) -> None:
    child = made[0].start(leave, status, Pipe()[1])
    assert child.ended() == status
    assert child.ended() == status


def test_a_worker_that_raises_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    with closing(Nursery([])) as home:
        assert home.start(fail, None, Pipe()[1]).ended() == 1
    assert "ValueError: this worker fails" in capfd.readouterr().err


def test_a_unit_runs_with_workers_of_the_nursery() -> None:
    work = unit(10)
    parts = [work.subject.task, work.subject.model, work.subject.dataset, *work.cells]
    alone = sum(len(batch) for batch in run_unit(work, SETTINGS, Silence()))
    with open_nursery(parts):
        assert nursery() is not None
        assert sum(len(batch) for batch in run_unit(work, SETTINGS, Silence())) == alone == 30
    assert nursery() is None


class Unreadable:
    """Can be pickled, but not made again."""

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> None:
    raise ImportError("no such module there")


def test_arguments_that_cannot_be_read_cost_nobody_else(made: tuple[Nursery, Unsendable]) -> None:
    home, thing = made
    with pytest.raises(ImportError, match="no such module there"):
        home.start(answer, (Unreadable(), ""), Pipe()[1])
    mine, its = Pipe()
    home.start(answer, (thing, "still here"), its)
    assert mine.recv()[1] == "still here"


def test_a_forked_process_does_not_use_its_parents_nursery() -> None:
    import multiprocessing

    with open_nursery([]):
        mine, its = Pipe()
        process = multiprocessing.get_context("fork").Process(target=lambda: its.send(nursery() is None))
        process.start()
        assert mine.recv()
        process.join()
        assert nursery() is not None


def test_a_process_that_holds_an_end_of_the_pipe_does_not_keep_the_nursery() -> None:
    import multiprocessing

    with open_nursery([]):
        holder = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        holder.start()
        begun = time.monotonic()
    assert time.monotonic() - begun < 4
    holder.kill()
    holder.join()


RUN = """
    import os, sys, time
    from harness.engine.predict import run_unit
    from harness.progress import Silence
    from harness.workers.nursery import open_nursery
    from kit.units import SETTINGS, Brightness, unit
    work = unit(400, Brightness(lambda batch: time.sleep(0.2) or [[0.0] for _ in batch]))
    with open_nursery([work.subject.task, work.subject.model, work.subject.dataset, *work.cells]):
        for number, _ in enumerate(run_unit(work, SETTINGS, Silence())):
            print("row", flush=True)
"""


def descendants(pid: int) -> set[int]:
    """The processes that a process has started, and those that they have started."""
    found: set[int] = set()
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found |= {int(child)} | descendants(int(child))
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_the_main_process(number: int) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    script = [sys.executable, "-c", textwrap.dedent(RUN)]
    with subprocess.Popen(script, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        started = descendants(process.pid)
        assert len(started) == 3
        process.send_signal(number)
        process.stdout.read()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in started):
        assert time.monotonic() < deadline
        time.sleep(0.05)


LEAVES = """
    import sys
    from harness.engine.predict import run_unit
    from harness.progress import Silence
    from kit.units import SETTINGS, unit
    kept = run_unit(unit(40), SETTINGS, Silence())
    next(kept)
    print("row", flush=True)
    sys.stdin.read()
    raise SystemExit(5)
"""


def test_workers_that_nobody_has_ended_do_not_keep_python_from_exiting() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    script = [sys.executable, "-c", textwrap.dedent(LEAVES)]
    with subprocess.Popen(script, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        started = descendants(process.pid)
        assert len(started) == 3
        process.communicate(timeout=30)
        assert process.returncode == 5
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in started):
        assert time.monotonic() < deadline
        time.sleep(0.05)
