"""The scripts of the page on many machines, run as plain processes on this one."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from kit.command import EACH_BATCH, Session

PAGE = Path(__file__).parents[2] / "docs/how-to/many-machines.md"
EXPERIMENT = """
task = ["detection"]
codec = ["jpeg@60,5"]
limit = 12
"""


def scripts() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def session(tmp_path: Path, cache: Path) -> Session:
    """A folder with the experiment file, and programs that stand for those of a cluster."""
    session = Session(tmp_path, cache)
    (tmp_path / "experiment.toml").write_text(EXPERIMENT)
    programs = tmp_path / "bin"
    programs.mkdir()
    start = f"{EACH_BATCH}\nfrom harness.cli import main; main()"
    (programs / "start.py").write_text(start)
    options = "--resamples 100 --threads 1 --workers 0"
    program(
        programs / "harness",
        f'#!/bin/bash\n[ "$1" = run ] && set -- "$@" {options}\nexec "{sys.executable}" "{programs}/start.py" "$@"\n',
    )
    program(programs / "scontrol", '#!/bin/bash\necho "$@" >> "$REQUEUED"\n')
    # A machine of its own is a folder of its own.
    program(
        programs / "ssh",
        '#!/bin/bash\nhost=$1; shift\nmkdir -p "$HOSTS/$host"\n"${@//\\/tmp\\/part.db/$HOSTS/$host/part.db}"\n',
    )
    program(programs / "scp", '#!/bin/bash\ncp "$HOSTS/${1%%:*}/part.db" "$2"\n')
    session.env |= {"PATH": f"{programs}:{os.environ['PATH']}", "HOSTS": str(tmp_path / "hosts")}
    session.env |= {"REQUEUED": str(tmp_path / "requeued"), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    return session


def samples(file: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return int(connection.execute("select count(*) from samples").fetchone()[0])
    except sqlite3.Error:
        return 0


def test_a_job_of_an_array_is_preempted_and_queued_again(session: Session) -> None:
    script = session.folder / "job.sh"
    script.write_text(scripts()[0].replace("/16", "/2"))
    for task in ("1", "2"):
        env = session.env | {"SLURM_ARRAY_TASK_ID": task, "SLURM_JOB_ID": f"77_{task}"}
        part = session.folder / f"part-{task}.db"
        job = subprocess.Popen(["bash", script], cwd=session.folder, env=env, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 120
        while samples(part) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        job.send_signal(signal.SIGTERM)
        _, err = job.communicate(timeout=120)
        held = samples(part)
        assert 2 <= held < 18, err
        assert f"requeue 77_{task}" in (session.folder / "requeued").read_text()
        done = subprocess.run(
            ["bash", script], cwd=session.folder, env=env, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert samples(part) == 18
    out = session.run("results", "merge", "part-1.db", "part-2.db", "-o", "all.db")
    assert "partial" not in out.stderr
    with closing(sqlite3.connect(session.folder / "all.db")) as connection:
        assert connection.execute("select status, count(*) from experiments group by 1").fetchall() == [("finished", 3)]


def test_several_machines_by_ssh(session: Session) -> None:
    script = scripts()[1].replace("a b c d", "a b").replace("$number/4", "$number/2")
    done = subprocess.run(
        ["bash", "-c", script], cwd=session.folder, env=session.env, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(session.folder / "all.db")) as connection:
        assert connection.execute("select status, count(*) from experiments group by 1").fetchall() == [("finished", 3)]
