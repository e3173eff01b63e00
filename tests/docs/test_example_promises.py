"""The tests that come with the examples: they inherit from the kit, and pass."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

import harness
from harness.testing import CodecPromises, TaskPromises

EXAMPLES = Path(harness.__file__).parents[1] / "docs" / "examples"
TESTS = sorted(EXAMPLES.glob("*/test_*.py"))
for _file in TESTS:
    sys.path.append(str(_file.parent))  # for good: the promises import the modules in other processes too
    _module = importlib.import_module(_file.stem)
    globals().update({name: thing for name, thing in vars(_module).items() if name.startswith("Test")})


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_they_inherit_from_the_kit(file: Path) -> None:
    found = [value for name, value in globals().items() if name.startswith("Test")]
    assert found
    assert all(issubclass(value, CodecPromises | TaskPromises) for value in found)
    assert "harness.testing" in file.read_text("utf-8")
