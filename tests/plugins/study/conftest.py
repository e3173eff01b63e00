"""An empty results database for the tests of the study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness_plugins.sql_store import SqlStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    made = SqlStore(str(tmp_path / "study.db"))
    made.open()
    yield made
    made.close()
