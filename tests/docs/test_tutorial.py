"""The tutorial: each of its commands is run as it stands on the page, and gives what the page shows."""

from __future__ import annotations

import math
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from kit.command import Session

PAGE = Path(harness.__file__).parents[1] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_tutorial_does_what_it_says(tmp_path: Path, cache: Path) -> None:
    session = Session(tmp_path, cache, path=tmp_path / "site")
    outputs: list[str] = []
    commands = shown = 0
    for language, text in BLOCK.findall(PAGE.read_text("utf-8")):
        if language == "python":
            name = text.split("\n")[0].removeprefix("# ")
            (tmp_path / name).write_text(text)
        elif language == "sh":
            outputs = [_output(session, line) for line in text.splitlines()]
            commands += len(outputs)
        else:
            assert language == "text"
            lines = [line.split() for line in "\n".join(outputs).splitlines()]
            for line in text.splitlines():
                assert any(_within(line.split(), other) for other in lines), f"not shown: {line}\n{lines}"
                shown += 1
    assert commands >= 10
    assert shown >= 15


def _output(session: Session, line: str) -> str:
    """What a command of the page writes."""
    words = shlex.split(line)
    if words[0] == "harness":
        return session.run(*words[1:]).stdout
    if words[:2] == ["pip", "install"]:
        # What it depends on is installed, and nothing is to be downloaded.
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps"]
        folder = words[-1].partition("[")[0]
        words = [*pip, "--no-build-isolation", "--target", str(session.path), folder]
    else:
        assert words[0] == "python"
        words[0] = sys.executable
    env = session.env | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(words, cwd=session.folder, env=env, check=True, capture_output=True, text=True).stdout


def _within(shown: list[str], found: list[str]) -> bool:
    """Whether all words of a shown line stand in a line that was found, in this order."""
    rest = iter(found)
    return all(any(_same(word, other) for other in rest) for word in shown)


def _same(shown: str, found: str) -> bool:
    try:
        return math.isclose(float(shown), float(found), rel_tol=0.02, abs_tol=0.006)
    except ValueError:
        return shown == found


@pytest.mark.parametrize(
    ("shown", "found", "same"),
    [
        ("jpeg 10 0.560", "jpeg 10 0.561 [0.5, 0.6] 0.1", True),
        ("jpeg 10 0.560", "jpeg 10 0.7", False),
        ("jpeg 10", "10 jpeg", False),
        ("none 1.0", "none", False),
    ],
)
def test_lines_are_compared_by_their_words(shown: str, found: str, same: bool) -> None:
    assert _within(shown.split(), found.split()) is same
