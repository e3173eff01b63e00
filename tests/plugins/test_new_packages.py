"""`harness plugins new`: each package installs, is listed, and passes its own tests untouched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.discovery.templates import KINDS_OF_TEMPLATES, new_package
from harness.testing.chosen import KIT
from kit.command import Session


def test_each_kind_of_the_kit_has_a_template() -> None:
    assert set(KINDS_OF_TEMPLATES) == set(KIT)


@pytest.mark.parametrize("kind", KINDS_OF_TEMPLATES)
def test_nothing_of_the_templates_name_is_left(kind: str) -> None:
    files = new_package(kind, "h264-fast")
    names = {path.as_posix() for path in files}
    assert {"pyproject.toml", "README.md", "src/harness_h264_fast/__init__.py", "tests/test_h264_fast.py"} <= names
    whole = b"\n".join([*files.values(), *(name.encode() for name in names)]).lower()
    for left in (f"my-{kind}", f"my_{kind}", f"my{kind}"):
        assert left.encode() not in whole


@pytest.mark.parametrize("kind", KINDS_OF_TEMPLATES)
def test_a_new_package_passes_its_own_tests(kind: str, tmp_path: Path, cache: Path) -> None:
    site = tmp_path / "site"
    session = Session(tmp_path, cache, path=site)
    told = session.run("plugins", "new", kind, "first-try").stdout
    folder = tmp_path / "harness-first-try"
    assert "pytest harness-first-try" in told
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(site), str(folder)], check=True)
    assert "harness-first-try" in session.run_process("list", "plugins").stdout
    env = session.env | {"PYTHONPATH": os.pathsep.join([str(site), *filter(None, [session.env.get("PYTHONPATH")])])}
    pytest_command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(folder)]
    tests = subprocess.run(pytest_command, cwd=folder, env=env, capture_output=True, text=True)
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert " passed" in tests.stdout


def test_what_is_there_is_left_as_it_is(tmp_path: Path, cache: Path) -> None:
    session = Session(tmp_path, cache)
    (tmp_path / "harness-mine").mkdir()
    (tmp_path / "harness-mine" / "notes.txt").write_text("mine")
    assert "exists already" in session.run("plugins", "new", "codec", "mine", status=2).stderr
    assert [path.name for path in (tmp_path / "harness-mine").iterdir()] == ["notes.txt"]
    assert "there is a codec jpeg already" in session.run("plugins", "new", "codec", "jpeg", status=2).stderr


@pytest.mark.parametrize("name", ["", "Mine", "my_codec", "3d", "a--b", "-a", "a.b", "../a"])
def test_names_that_cannot_be_packages_are_refused(name: str, tmp_path: Path, cache: Path) -> None:
    told = Session(tmp_path, cache).run("plugins", "new", "codec", "--", name, status=2).stderr
    assert "cannot be the name" in told
