"""What `harness plugins test` tries a plugin with, and what it refuses before it tries anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.testing.chosen import promises_for
from kit.command import Session


def test_a_dataset_that_reads_files_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="dataset camvid reads files: give a folder with some by --data-root"):
        promises_for("camvid")
    found: Any = promises_for("camvid", root=tmp_path)
    assert found.root == tmp_path


def test_names_of_the_registry_are_known() -> None:
    found: Any = promises_for("torchvision:arch=ssdlite320_mobilenet_v3_large", "model", dataset="demo")
    assert found.dataset == "demo-world"


def test_a_package_that_is_not_installed_is_told(tmp_path: Path, cache: Path) -> None:
    told = Session(tmp_path, cache).run("plugins", "test", "nothing-of-that-name", status=2).stderr
    assert "Install its package first (pip install -e .), or give its file with --plugin." in told
