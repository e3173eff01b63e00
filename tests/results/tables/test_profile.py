"""`harness results --profile`: the seconds of stages as a table for people, and all numbers for programs."""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import closing
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import StoreError
from harness.keep.processes import this_process
from harness.records import Claim, Placed, Totals
from harness.results.cells import read_cells
from harness.results.tables.profile import profile_table
from harness.store import STAGES, Filters, Store
from harness_plugins.sql_store import SqlStore
from kit.command import run
from kit.store_rows import INFO, cell, metric

SECONDS = {"read": 2.0, "encode": 30.0, "decode": 8.0, "wait": 7.5, "predict": 2.0, "score": 0.25, "wall": 10.0}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The baseline and a level were measured; of another level nothing is known, as in results of 0.1.0."""
    store = SqlStore(str(tmp_path / "harness.db"))
    store.open()
    mine = Claim(this_process(), store.begin_run(INFO))
    cells = [cell("none", None), cell(), cell(level=5.0)]
    store.register(cells, mine.run)
    store.claim([one.key for one in cells], mine)
    for one in cells:
        store.finish(one.key, mine, Totals(4, 0, bpp=2.0), [metric("AP", 0.4)])
    store.add_stages(cells[0].key, mine.run, {"predict": 9.6, "wall": 10.0, "workers": 5})
    store.add_stages(cells[1].key, mine.run, {**SECONDS, "workers": 5})
    store.close()
    return tmp_path / "harness.db"


def test_the_table_for_people(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "results", "--db", database, "--profile").splitlines()
    assert lines[0] == "detection: rcnn on streets/test"
    head = ["codec", "quality", "image-levels", "per s", "busy", "read", "encode", "decode", "wait", "predict", "score"]
    assert re.split(r"\s{2,}", lines[1]) == [*head, "wall", "bottleneck"]
    rows = [re.split(r"\s{2,}", line) for line in lines[2:4]]
    assert rows[0] == ["none", "4", "0.4", "96%", "9.6", "10", "device"]
    assert rows[1] == ["jpeg", "50", "4", "0.4", "20%", "2", "30", "8", "7.5", "2", "0.25", "10", "codec"]
    assert lines[4] == (
        "cpu, 5 workers: 0.4 image-levels/s; codec-bound: the device was busy 58% of the time and waited 38% for "
        "workers; the workers are fast enough on average: it waited for first or slow batches."
    )
    assert len(lines) == 6


def test_places_are_named_if_there_are_several(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = cell().key
    with closing(SqlStore(str(database))) as store:
        store.open()
        store.add_places([Placed(key, 1, "", "cpu", 1)])
        assert "Rows by place" not in run(capsys, "results", "--db", database, "--profile")
        store.add_places([Placed(key, 1, "process 2", "cpu", 3), Placed(cell("none", None).key, 1, "", "cpu", 4)])
    text = run(capsys, "results", "--db", database, "--profile")
    assert "Rows by place (device): main process (cpu): 5; process 2 (cpu): 3." in text.splitlines()
    rows = json.loads(run(capsys, "results", "--db", database, "--profile", "--format", "json"))
    assert [one["places"] for one in rows] == ["main process (cpu): 4", "main process (cpu): 1; process 2 (cpu): 3"]


def test_filters_choose_experiments(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "results", "--db", database, "--profile", "--codec", "jpeg")
    assert "16 more cores would keep it busy" in text
    assert "none" not in text


def test_programs_get_every_number(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(run(capsys, "results", "--db", database, "--profile", "--format", "json"))
    assert [(row["codec"], row["level"]) for row in rows] == [("none", None), ("jpeg", 50.0)]
    found = rows[1]
    assert {name: found[f"{name}_seconds"] for name in STAGES if found[f"{name}_seconds"] is not None} == SECONDS
    assert [found[name] for name in ("samples", "workers", "runs", "device")] == [4, 5, 1, "cpu"]
    assert (found["image_levels_per_second"], found["busy_share"], found["cores_lacking"]) == (0.4, 0.2, 16)
    assert found["bottleneck"] == "codec"
    assert found["advice"].startswith("codec-bound: ")
    read = list(csv.DictReader(io.StringIO(run(capsys, "results", "--db", database, "--profile", "--format", "csv"))))
    assert list(read[1]) == list(found)
    assert read[1]["encode_seconds"] == "30.0"


def test_experiments_of_several_tasks_and_devices(database: Path) -> None:
    with closing(SqlStore(str(database))) as store:
        store.open()
        mine = Claim(this_process(), store.begin_run(INFO))
        depth = cell(task="depth", model="midas", baseline=None)
        store.register([depth], mine.run)
        store.claim([depth.key], mine)
        store.add_stages(depth.key, mine.run, {"predict": 1.0, "wall": 1.0, "workers": 1})
        cells = read_cells(store, Filters())
        table = profile_table(store, cells)
        assert table.columns[:2] == ("task", "model")
        assert [row[0] for row in table.rows] == ["depth", "detection", "detection"]
        assert [note.partition(":")[0] for note in table.notes[:2]] == ["cpu, 1 worker", "cpu, 5 workers"]
        assert profile_table(store, []).rows == ()
        assert len(profile_table(store, cells[:1]).rows) == 1


def test_results_of_which_nothing_was_measured_are_told(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(SqlStore(str(database))) as store:
        store.open()
        with store._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM stages")
    with pytest.raises(SystemExit):
        main(["results", "--db", str(database), "--profile"])
    assert capsys.readouterr().err == "no stages were measured of these experiments.\n"
    assert "exclude each other" in run(capsys, "results", "--db", database, "--profile", "--failed", status=2)


def test_a_store_that_keeps_no_seconds(database: Path) -> None:
    """A store of another author has neither the method nor the view."""

    class Older(SqlStore):
        add_stages = Store.add_stages

        def view(self, name: str, filters: Filters = Filters()) -> tuple[list[str], list[tuple[object, ...]]]:  # noqa: B008
            if name == "profile":
                raise StoreError("there is no view 'profile'.")
            return super().view(name, filters)

    with closing(Older(str(database))) as store:
        store.open()
        store.add_stages(cell().key, 1, {"predict": 100.0})
        with pytest.raises(StoreError, match="no view 'profile'"):
            profile_table(store, [])
    with closing(SqlStore(str(database))) as store:
        store.open()
        assert store.select("SELECT SUM(seconds) FROM stages WHERE stage = 'predict'")[1] == [(11.6,)]
