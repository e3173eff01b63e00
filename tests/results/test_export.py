"""`harness results export`: what is read back from the files is what the views have."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.results.view_columns import view_columns
from kit.command import Session
from kit.report import made_results

VIEWS = ("results", "curves", "recovery", "seeds", "per_sample", "profile", "superseded")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    return made_results(tmp_path_factory.getbasetemp(), cache)


@pytest.fixture(scope="module")
def folder(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All views in all formats."""
    found = tmp_path_factory.mktemp("export")
    for form in ("parquet", "csv", "json"):
        run = session.run_process if form == "parquet" else session.run
        out = run("results", "export", "--format", form, "-o", str(found / form)).stdout
        assert out.count(" rows") == len(VIEWS)
    return found


def rows(session: Session, view: str) -> list[dict[str, Any]]:
    names = list(view_columns()[view])
    quoted = ", ".join(f'"{name}"' for name in names)
    found = session.select(f"SELECT {quoted} FROM {view}")
    return [dict(zip(names, row, strict=True)) for row in found]


def key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in row.values())


@pytest.mark.parametrize("view", VIEWS)
def test_json_and_csv_have_what_the_view_has(session: Session, folder: Path, view: str) -> None:
    wanted = rows(session, view)
    bools = {name for name, column in view_columns()[view].items() if column.type == "bool"}
    for row in wanted:
        row.update({name: None if row[name] is None else bool(row[name]) for name in bools})
    found = json.loads((folder / f"json/{view}.json").read_text("utf-8"))
    assert sorted(found, key=key) == sorted(wanted, key=key)
    with (folder / f"csv/{view}.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    texts = [{name: "" if value is None else str(value) for name, value in row.items()} for row in wanted]
    assert sorted(read, key=key) == sorted(texts, key=key)


@pytest.mark.parametrize("view", VIEWS)
def test_parquet_has_values_types_units_and_descriptions(session: Session, folder: Path, view: str) -> None:
    table = pq.read_table(folder / f"parquet/{view}.parquet")
    types = {"text": "string", "int": "int64", "real": "double", "bool": "bool", "time": "timestamp[ms, tz=UTC]"}
    for field in table.schema:
        column = view_columns()[view][field.name]
        assert str(field.type) in (types[column.type], "timestamp[s, tz=UTC]")
        told = {name.decode(): text.decode() for name, text in (field.metadata or {}).items()}
        assert told["description"] == column.about
        assert told.get("unit", "") == column.unit
    wanted = rows(session, view)
    assert table.num_rows == len(wanted)
    found = table.to_pylist()
    for row in found:
        for name, column in view_columns()[view].items():
            if column.type == "time" and row[name] is not None:
                row[name] = row[name].strftime("%Y-%m-%dT%H:%M:%SZ")
    for row in wanted:
        for name, column in view_columns()[view].items():
            if column.type == "bool" and row[name] is not None:
                row[name] = bool(row[name])
    assert sorted(found, key=key) == sorted(wanted, key=key)


def test_filters_choose_experiments_in_every_view(session: Session, tmp_path: Path) -> None:
    session.run("results", "export", "-f", "json", "--task", "segmentation", "-o", str(tmp_path / "some"))
    results = json.loads((tmp_path / "some/results.json").read_text())
    samples = json.loads((tmp_path / "some/per_sample.json").read_text())
    assert {row["task"] for row in results} == {"segmentation"}
    assert {row["experiment"] for row in samples} == {row["experiment"] for row in results}
    assert json.loads((tmp_path / "some/recovery.json").read_text())


def test_filters_that_fit_nothing_together_choose_nothing(session: Session, tmp_path: Path) -> None:
    session.run("results", "export", "-f", "json", "--task", "segmentation", "--codec", "webp", "-o", str(tmp_path))
    for view in ("results", "curves", "recovery", "seeds", "per_sample"):
        assert json.loads((tmp_path / f"{view}.json").read_text()) == []


def test_one_view_into_one_file_which_is_replaced_whole(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "curves.csv"
    target.write_text("old")
    session.run("results", "export", "-f", "csv", "--view", "curves", "-o", str(target))
    assert target.read_text().startswith("experiment,")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.csv"]


def test_wrong_places_are_told(session: Session, tmp_path: Path) -> None:
    export = ("results", "export", "-f", "csv")
    assert "one file for 7 views" in session.run(*export, "-o", str(tmp_path / "x.csv"), status=2).stderr
    other = session.run(*export, "--view", "seeds", "-o", str(tmp_path / "x.parquet"), status=2).stderr
    assert "its ending is not that of --format csv" in other
    (tmp_path / "file").write_text("mine")
    assert "a file is in the way" in session.run(*export, "-o", str(tmp_path / "file"), status=2).stderr
    missing = session.run(*export, "-o", str(tmp_path / "new"), "--db", str(tmp_path / "no.db"), status=2).stderr
    assert "there is no results database" in missing
    assert [path.name for path in tmp_path.iterdir()] == ["file"]  # nothing is left of what failed
    assert "no folder" in session.run(*export, "--view", "seeds", "-o", str(tmp_path / "no/x.csv"), status=2).stderr
    assert "no results of task" in session.run(*export, "--task", "pose", "-o", str(tmp_path), status=2).stderr
