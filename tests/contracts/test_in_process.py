"""Commands that tests run in their own process do what they do in a process of theirs, and leave nothing behind."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import pytest

from harness.discovery.plugins import installed
from kit.command import Session
from kit.plugins import write_distribution

LOUD = """
import os, sys, warnings
from harness import hookimpl
from harness_codecs.pillow_family import Jpeg

warnings.warn("this is loud")
warnings.warn("nobody sees this", DeprecationWarning)

class Loud(Jpeg):
    name = "loud"
    def encode_image(self, image, level):
        os.write(2, b"written by the coder itself\\n")
        return super().encode_image(image, level)

@hookimpl
def harness_codecs():
    return [Loud]
"""


@pytest.mark.parametrize("arguments", [("list", "codecs"), ("rum",), ("results",), ("plan", "--codec", "jpeg@0")])
def test_a_command_says_what_it_says_in_a_process_of_its_own(
    arguments: tuple[str, ...], tmp_path: Path, cache: Path
) -> None:
    session = Session(tmp_path, cache)
    own, here = session.run_process(*arguments, status=None), session.run(*arguments, status=None)
    assert (here.returncode, here.stdout, here.stderr) == (own.returncode, own.stdout, own.stderr)


def test_plugins_warnings_and_workers_are_those_of_a_process_and_are_forgotten(tmp_path: Path, cache: Path) -> None:
    found = {}
    for name in ("own", "here"):
        folder, plugins = tmp_path / name, tmp_path / f"{name}-plugins"
        folder.mkdir()
        plugins.mkdir()
        write_distribution(plugins, "loud", "plugged_loud", LOUD)
        session = Session(folder, cache, path=plugins)
        before = dict(os.environ), Path.cwd(), list(sys.path), sys.stdout, list(warnings.filters)
        run = session.run_process if name == "own" else session.run
        command = ("run", "--task", "detection", "--codec", "loud@50", "--limit", "2", "--resamples", "100", "--quiet")
        done = run(*command, "--workers", "1")
        assert (dict(os.environ), Path.cwd(), list(sys.path), sys.stdout, list(warnings.filters)) == before
        told = done.stderr.replace(str(plugins), "")
        assert "UserWarning: this is loud" in told
        assert "nobody" not in told
        assert told.count("written by the coder itself") == 2
        found[name] = (done.stdout, sorted(told.splitlines()), session.values())
    assert found["own"] == found["here"]
    assert "plugged_loud" not in sys.modules
    assert "loud" not in [provided.name for provided in installed().all("codec")]
