"""The tests that come with the examples: they inherit from the kit, and pass."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

import harness
from harness.testing import CodecPromises, TaskPromises

EXAMPLES = Path(harness.__file__).parents[1] / "docs" / "examples"
TESTS = sorted(EXAMPLES.glob("*/test_*.py"))
for _file in TESTS:
    sys.path.insert(0, str(_file.parent))
    try:
        _spec = importlib.util.spec_from_file_location(f"example_{_file.stem}", _file)
        assert _spec is not None
        assert _spec.loader is not None
        _module = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(_module)
    finally:
        sys.path.remove(str(_file.parent))
    globals().update({name: thing for name, thing in vars(_module).items() if name.startswith("Test")})


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_they_inherit_from_the_kit(file: Path) -> None:
    found = [value for name, value in globals().items() if name.startswith("Test")]
    assert found
    assert all(issubclass(value, CodecPromises | TaskPromises) for value in found)
    assert "harness.testing" in file.read_text("utf-8")
