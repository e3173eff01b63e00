"""A plugin that hangs or ends the process before a run has begun is named: at once, or by the next command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kit.command import Session
from kit.plugins import write_distribution
from kit.silent import SOURCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks a process that tries a call")

SHORT = "import harness.keep.before as before; before.LEAST = 1.0"
"""Lets a command wait for a second before the run, and not for a minute."""
RUN = ("run", "--task", "detection", "--model", "weak", "--dataset", "silent", "--codec", "mute@50")
CALLS = {
    "open": "dataset 'silent' (plugin dist-silent 3.1): open()",
    "len": "dataset 'silent' (plugin dist-silent 3.1): __len__()",
    "outline": "dataset 'silent': outline()",
    "model": "model 'weak' (plugin dist-silent 3.1): available()",
    "codec": "codec 'mute': available()",
    "load": "model 'weak' (plugin dist-silent 3.1): load()",
}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    write_distribution(plugins, "dist-silent", "plugged_silent", SOURCE, version="3.1")
    return Session(tmp_path, tmp_path / "cache", path=plugins)


def fault(session: Session, text: str) -> None:
    (session.folder / "plugins" / "fault.txt").write_text(text)


def before(session: Session) -> list[str]:
    """What is left of commands that have ended."""
    return [path.name for path in (session.folder / "cache" / "before").iterdir() if path.is_file()]


@pytest.mark.parametrize("place", CALLS)
def test_what_hangs_before_the_run_is_given_up_by_name(session: Session, place: str) -> None:
    fault(session, f"{place} hang")
    err = session.run_process(*RUN, "--sample-timeout", "1", status=2, before=SHORT).stderr
    assert f"error: {CALLS[place]} took longer than 1 s, and was given up. Nothing was begun." in err
    assert "Traceback" not in err
    assert before(session) == []


@pytest.mark.parametrize(
    ("place", "how", "status"), [("open", "crash", -11), ("codec", "exit", 0), ("load", "crash", -11)]
)
def test_what_ends_the_process_before_the_run_is_named_by_the_next_one(
    session: Session, place: str, how: str, status: int
) -> None:
    fault(session, f"{place} {how}")
    session.run_process(*RUN, status=status)
    told = "has ended a command before; tried in a process of its own, that process "
    told += "was killed by signal 11" if status else "ended with exit status 0"
    for _ in range(2):  # as long as it is so
        err = session.run_process(*RUN, status=2).stderr
        assert f"{CALLS[place]} {told}" in err
        assert "Traceback" not in err
    assert before(session) == []
    fault(session, "nowhere at-all")  # whoever mends it need not ask for another try
    err = session.run(*RUN, status=1).stderr
    assert "reading the source: OSError: not there" in err
    assert list((session.folder / "cache" / "before" / "calls").iterdir()) == []


def test_a_command_that_was_killed_for_another_reason_costs_its_plugin_nothing(session: Session) -> None:
    fault(session, "open hang")
    process = session.start(*RUN)
    folder = session.folder / "cache" / "before"
    while not (folder.exists() and any("open()" in path.read_text() for path in folder.iterdir() if path.is_file())):
        assert process.poll() is None
    process.kill()
    process.communicate()
    fault(session, "nowhere at-all")
    assert "has ended a command" not in session.run(*RUN, status=1).stderr
    assert list((folder / "calls").iterdir()) == []
