"""`harness.load`: views as pandas frames, with types that hold whatever the database has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import harness
from harness.errors import StoreError
from harness.results.frames import DTYPES, typed_frame
from harness.results.view_columns import view_columns
from harness_plugins.sql_store import SqlStore
from kit.command import Session
from kit.report import made_results
from kit.store_rows import put_results

VIEWS = ("results", "curves", "recovery", "seeds", "per_sample", "superseded")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    return made_results(tmp_path_factory.getbasetemp(), cache)


def dtypes(view: str) -> dict[str, str]:
    return {name: DTYPES[column.type] for name, column in view_columns()[view].items()}


@pytest.mark.parametrize("view", VIEWS)
def test_columns_have_their_types_whatever_is_in_them(session: Session, view: str, tmp_path: Path) -> None:
    frame = getattr(harness.load(session.database), view)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == dtypes(view)
    store = SqlStore(str(tmp_path / "small.db"))
    store.open()
    put_results(store)
    columns = store.view(view)[0]
    store.close()
    small = getattr(harness.load(tmp_path / "small.db"), view)
    assert {name: str(kind) for name, kind in small.dtypes.items()} == dtypes(view)
    nothing = typed_frame(view, columns, [(None,) * len(columns)] * 2)
    assert {name: str(kind) for name, kind in nothing.dtypes.items()} == dtypes(view)
    assert nothing.isna().all().all()


def test_values_are_those_of_the_database(session: Session) -> None:
    frames = harness.load(str(session.database))
    for view in VIEWS:
        assert len(getattr(frames, view)) == session.select(f"SELECT count(*) FROM {view}")[0][0]
    curve = frames.curves.query("task == 'detection' and codec == 'jpeg' and is_primary and training == 'pretrained'")
    found = dict(zip(curve["level"], curve["drop"], strict=True))
    query = "SELECT level, \"drop\" FROM curves WHERE task = 'detection' AND codec = 'jpeg' AND is_primary"
    assert found == dict(session.select(f"{query} AND training = 'pretrained'"))
    assert str(frames.results["finished_at"].dt.tz) == "UTC"
    assert frames.results["level"].isna().sum() > 0  # `none` has no level: missing, not 0
    key = frames.results["experiment"].iloc[0]
    assert set(frames.samples_of([key])["experiment"]) == {key}
    assert len(frames.samples_of([])) == 0
    with pytest.raises(TypeError, match="a list of keys"):
        frames.samples_of(key)


def test_a_database_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no results database"):
        harness.load(tmp_path / "no.db")


def test_importing_the_harness_imports_no_pandas() -> None:
    code = "import sys, harness; harness.load; print('pandas' in sys.modules, 'numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


def test_without_pandas_the_command_that_installs_it_is_told() -> None:
    code = (
        "import sys; sys.modules['pandas'] = None\nimport harness\nfrom harness.errors import HarnessError\n"
        "try:\n    harness.load('x.db')\nexcept HarnessError as error:\n    print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'codec-harness[frames]'" in found.stdout


def test_frames_can_be_worked_with(session: Session) -> None:
    frame = harness.load(session.database).curves
    table = frame[frame["is_primary"]].pivot_table(
        index="level", columns=["task", "codec"], values="value", aggfunc="mean"
    )
    assert isinstance(table, pd.DataFrame)
    assert not table.empty
