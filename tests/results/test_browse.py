"""`harness results browse`, and the documentation's queries by sqlite3, pandas and Datasette."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import sqlite3
import subprocess
import urllib.request
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pytest

from harness.errors import UsageError
from harness.results.browse import application, metadata
from harness.results.view_columns import queries, view_columns
from kit.command import Session
from kit.report import made_results

T = TypeVar("T")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    return made_results(tmp_path_factory.getbasetemp(), cache)


def done(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


async def asked(file: Path, *paths: str) -> list[Any]:
    app = application(str(file))
    await app.invoke_startup()
    return [await app.client.get(path) for path in paths]


@pytest.mark.parametrize("name", list(queries()))
def test_a_query_gives_the_same_by_sqlite3_pandas_and_datasette(session: Session, name: str) -> None:
    sql = queries()[name].sql
    with closing(sqlite3.connect(f"file:{session.database}?mode=ro", uri=True)) as connection:
        plain = connection.execute(sql).fetchall()
        frame = pd.read_sql_query(sql, connection)
    assert frame.astype(object).where(frame.notna(), None).values.tolist() == [list(row) for row in plain]
    (answer,) = done(asked(session.database, f"/harness/{name}.json?_shape=arrays&_size=max"))
    assert answer.status_code == 200
    assert answer.json()["rows"] == [list(row) for row in plain][:1000]
    if program := shutil.which("sqlite3"):
        out = subprocess.run(
            [program, str(session.database), f"SELECT count(*) FROM ({sql})"], capture_output=True, text=True
        )
        assert out.stderr == ""
        assert int(out.stdout) == len(plain)


def test_the_view_of_seeds_can_be_read_though_sqlite_may_lack_roots(session: Session) -> None:
    (answer,) = done(asked(session.database, "/harness/seeds.json?_shape=array"))
    assert answer.status_code == 200


def test_views_come_with_titles_descriptions_and_units(session: Session) -> None:
    front, results = done(asked(session.database, "/harness", "/harness/results"))
    for view in ("results", "curves", "recovery", "seeds", "per_sample"):
        assert f'href="/harness/{view}"' in front.text
    for query in queries().values():
        assert query.title.replace("'", "&#39;") in front.text
    assert "the experiment&#39;s key: SHA-256" in results.text
    assert "(bit/pixel)" in results.text
    tables = metadata("harness")["databases"]["harness"]["tables"]
    for view, columns in view_columns().items():
        assert set(tables[view]["columns"]) == set(columns)
        assert tables[view]["sort"] in columns
    pages = done(asked(session.database, "/harness/runs", *(f"/harness/{view}" for view in view_columns())))
    for page, name in zip(pages, ("runs", *view_columns()), strict=True):
        assert page.status_code == 200
        assert tables[name]["description"] in page.text
        order = "sorted by started_at descending" if name == "runs" else f"sorted by {tables[name]['sort']}"
        assert order in page.text


def test_nothing_can_be_written_and_the_file_cannot_be_taken(session: Session) -> None:
    before = session.database.read_bytes()

    async def attempts() -> list[int]:
        app = application(str(session.database))
        await app.invoke_startup()
        write = "/harness?sql=" + urllib.request.quote("delete from runs")
        found = [await app.client.get(write), await app.client.get("/harness.db")]
        found.append(await app.client.post("/harness", data={"sql": "delete from runs"}))
        return [answer.status_code for answer in found]

    assert all(status >= 400 for status in done(attempts()))
    assert session.database.read_bytes() == before


def test_hostile_names_are_escaped(session: Session, tmp_path: Path) -> None:
    shutil.copy(session.database, tmp_path / "harness.db")
    with closing(sqlite3.connect(tmp_path / "harness.db")) as connection, connection:
        connection.execute("UPDATE experiments SET model = '<script>alert(1)</script>'")
    (answer,) = done(asked(tmp_path / "harness.db", "/harness/results"))
    assert "<script>alert(1)" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


def test_the_command_serves_on_this_machine_alone_and_ends_quietly(session: Session) -> None:
    process = session.start("results", "browse", "--port", "0")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.match(r"(http://127\.0\.0\.1:(\d+)/)", line)
        assert address, line
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(address[1] + "harness/curves.json?_shape=array&_size=2", timeout=120) as found:
            assert found.read().startswith(b"[")
        listening = Path(f"/proc/{process.pid}/net/tcp")
        if listening.exists():
            port = f":{int(address[2]):04X}"
            places = [row.split()[1] for row in listening.read_text().splitlines()[1:] if row.split()[3] == "0A"]
            assert [place for place in places if place.endswith(port)] == [f"0100007F{port}"]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert "Traceback" not in err
    finally:
        process.kill()
        process.communicate()


def test_what_cannot_be_browsed_is_told(session: Session, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Datasette reads SQLite files"):
        application("postgresql://somebody@somewhere/results")
    assert "there is no results database" in session.run("results", "browse", "--db", "no.db", status=2).stderr
