"""Two runs that compute the same experiments again at the same time, each in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

from kit import hostile
from kit.command import Session
from kit.plugins import write_distribution

RUN = ("run", "--resamples", "100", "--task", "detection", "--model", "good", "--dataset", "good-pictures")
RUN += ("--codec", "good-plain", "--workers", "0")
TOGETHER = """
import time
from pathlib import Path
import harness.engine.again as again

whole = again.begin_again

def begin_again(*arguments):
    Path("{mine}").touch()
    deadline = time.monotonic() + 60
    while not Path("{other}").exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    return whole(*arguments)

again.begin_again = begin_again
"""
"""Lets a command wait for the other one just before it begins to compute anything again."""


def test_two_that_begin_at_the_same_instant_leave_one_new_record(tmp_path: Path, cache: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    write_distribution(plugins, "dist-hostile", "plugged_hostile", hostile.SOURCE, version="3.1")
    session = Session(tmp_path, cache, path=plugins)
    tests = str(Path(hostile.__file__).parents[1])
    session.env["PYTHONPATH"] = os.pathsep.join(filter(None, [tests, session.env.get("PYTHONPATH", "")]))
    session.run(*RUN)
    before = session.values()
    names = ("one", "two")
    processes = [
        session.start(*RUN, "--again", before=TOGETHER.format(mine=mine, other=other))
        for mine, other in (names, names[::-1])
    ]
    told = [(process.communicate(timeout=300), process.returncode) for process in processes]
    for (_, err), status in told:
        assert status == 0, err
        assert "Traceback" not in err, err
    assert sum("equal in every digit" in err for (_, err), _ in told) == 1, (
        told
    )  # the one that puts them in place says it
    assert session.values() == before
    kinds = "original is null, superseded_at is null, status"
    held = session.select(f"select {kinds}, count(*) from experiments group by 1, 2, 3 order by 1")
    assert held == [(0, 0, "finished", 2), (1, 1, "finished", 2)]
    assert session.run("doctor", "--database").returncode == 0
