"""Libraries have an identity however they come onto Python's path: as a distribution, or as a folder of sources."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.discovery.plugins import installed
from harness.errors import PluginError
from harness.model import Model
from harness_tasks.library import library_version, packaged_version
from harness_tasks.opencv import opencv_version

SMP = ("segmentation-models-pytorch", "segmentation_models_pytorch")


def location(module: str) -> Path:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def in_a_process(folder: Path, expression: str) -> str:
    """The value of an expression in a process with a folder at the front of Python's path."""
    code = f"from harness_tasks.library import *\nfrom harness_tasks.opencv import *\nprint({expression})"
    path = os.pathsep.join([str(folder), *sys.path])
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


def test_an_installed_distribution_goes_by_its_version() -> None:
    for name, module in (("torch", None), ("pillow", "PIL"), SMP):
        assert library_version(name, module) == version(name)


def test_sources_on_the_path_go_by_their_content(tmp_path: Path) -> None:
    asked = f"library_version{SMP!r}"
    first, second = tmp_path / "first" / SMP[1], tmp_path / "second" / SMP[1]
    for copy in (first, second):
        shutil.copytree(location(SMP[1]), copy, ignore=shutil.ignore_patterns("__pycache__"))
    found = in_a_process(first.parent, asked)
    assert ", files sha256:" in found, "although a distribution of this name is installed"
    (first / "__pycache__").mkdir(exist_ok=True)
    (first / "__pycache__" / "a.pyc").write_bytes(b"1")
    assert in_a_process(first.parent, asked) == found, "what Python compiles is no part of it"
    assert in_a_process(second.parent, asked) == found, "nor is the place"
    changed = second / "base" / "model.py"
    changed.write_text(changed.read_text() + "\n")
    assert in_a_process(second.parent, asked) != found
    changed.write_text(changed.read_text()[:-1])
    assert in_a_process(second.parent, asked) == found
    changed.rename(changed.with_name("other.py"))
    assert in_a_process(second.parent, asked) != found


def test_a_single_module_and_one_without_a_version(tmp_path: Path) -> None:
    (tmp_path / "lonely_module.py").write_text("a = 1\n")
    assert in_a_process(tmp_path, "library_version('lonely_module')").startswith("version not stated, files sha256:")
    (tmp_path / "lonely_module.py").unlink()
    (tmp_path / "lonely_module").mkdir()
    (tmp_path / "lonely_module" / "__init__.py").write_text('__version__ = "0.7"\n')
    assert in_a_process(tmp_path, "library_version('lonely_module')").startswith("0.7, files sha256:")


def test_opencv_that_was_not_installed_as_a_package(tmp_path: Path) -> None:
    import cv2

    assert opencv_version().split()[1] == version(opencv_version().split()[0])
    (tmp_path / "cv2").symlink_to(location("cv2"))
    found = in_a_process(tmp_path, "opencv_version()")
    assert found.startswith(f"{cv2.__version__}, files sha256:")


def test_a_missing_library_is_said() -> None:
    assert packaged_version("no-such-library") is None
    with pytest.raises(PluginError, match="no_such_library is not installed"):
        library_version("no-such-library", "no_such_library")


def test_every_model_that_can_run_says_what_identifies_it() -> None:
    plugins = installed()
    models: list[type[Model]] = [plugins.get("model", name) for name in plugins.names("model")]
    usable = [model for model in (cls() for cls in models) if model.available() is None]
    assert len(usable) > 8
    for model in usable:
        facts = model.fingerprint()
        assert facts
        assert None not in facts.values(), model.name
