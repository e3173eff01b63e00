"""The store of JSON lines: the contract, several writers, kills, torn and damaged lines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import kit
from harness.errors import NoResultsError, StoreError
from harness.keep.processes import this_process
from harness.records import Claim, Placed, Totals
from harness_plugins.jsonl_store import JsonlStore
from harness_plugins.sql_store.schema import REVISION
from kit.store_cases import StoreCases
from kit.store_rows import INFO, cell, metric, put_results, row, rows_of

CHUNK = 7
CELL = cell(baseline=None)
WRITER = f"""
import sys
from harness.keep.processes import this_process
from harness.records import Claim
from harness_plugins.jsonl_store import JsonlStore
from kit.store_rows import INFO, cell, row
store = JsonlStore(sys.argv[1])
store.open()
mine = Claim(this_process(), store.begin_run(INFO))
key = cell(level=float(sys.argv[2]), baseline=None).key
store.register([cell(level=float(sys.argv[2]), baseline=None)], mine.run)
assert store.claim([key], mine) == {{key}}
for start in range(0, int(sys.argv[3]), {CHUNK}):
    store.write([row(key, index) for index in range(start, start + {CHUNK})], mine)
    print(start, flush=True)
"""


def writer(url: str, level: int, rows: int) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(Path(kit.__file__).parents[1]), *sys.path])
    words = [sys.executable, "-c", WRITER, url, str(level), str(rows)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})


class TestJsonl(StoreCases):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"jsonl:///{tmp_path}/results"

    @pytest.fixture
    def store(self, url: str) -> Iterator[JsonlStore]:
        made = JsonlStore(url)
        made.open()
        yield made
        made.close()

    def test_what_was_written_is_there_when_opened_again(self, store: JsonlStore, url: str) -> None:
        put_results(store)
        expected = {name: store.view(name) for name in ("results", "curves", "profile", "per_sample")}
        for write in (True, False):
            again = JsonlStore(url)
            again.open(write)
            assert {name: again.view(name) for name in expected} == expected
            assert list(again.check()) == []
            again.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def store(folder: Path) -> Iterator[JsonlStore]:
    made = JsonlStore(f"jsonl:///{folder}")
    made.open()
    yield made
    made.close()


def opened(folder: Path, write: bool = False) -> JsonlStore:
    made = JsonlStore(f"jsonl:///{folder}")
    made.open(write)
    return made


def test_files_only_grow_and_a_renewed_claim_is_a_short_line(store: JsonlStore, folder: Path) -> None:
    mine = Claim(this_process(), store.begin_run(INFO))
    store.register([CELL], mine.run)
    (file,) = folder.glob("*.jsonl")
    before = file.read_bytes()
    store.claim([CELL.key], mine)
    middle = file.read_bytes()
    assert middle.startswith(before)
    store.renew(mine)
    after = file.read_bytes()
    assert after.startswith(middle)
    assert len(after) - len(middle) < 200
    store.states([CELL.key])
    assert file.read_bytes() == after


def test_each_writer_has_a_file_and_readers_merge(store: JsonlStore, folder: Path) -> None:
    other = opened(folder, write=True)
    first, second = (Claim(f"{this_process()}{end}", one.begin_run(INFO)) for one, end in ((store, "a"), (other, "b")))
    assert (first.run, second.run) == (1, 2)
    reader = opened(folder)
    one, two = cell(level=10.0, baseline=None), cell(level=20.0, baseline=None)
    for writing, claim, mine in ((store, first, one), (other, second, two)):
        writing.register([one, two], claim.run)
        assert writing.claim([mine.key], claim) == {mine.key}
    assert store.claim([two.key], first) == set()
    for index in range(5):
        store.write([row(one.key, index)], first)
        other.write([row(two.key, index)], second)
    for writing, claim, mine in ((store, first, one), (other, second, two)):
        writing.finish(mine.key, claim, Totals(5, 0), [metric("AP", 0.5)])
    assert store.view("results") == other.view("results") == reader.view("results")
    assert len(rows_of(reader.view("results"))) == 2
    assert [len(reader.done(each.key)) for each in (one, two)] == [5, 5]
    assert len(list(folder.glob("*.jsonl"))) == 2
    with pytest.raises(StoreError, match="to read only"):
        reader.begin_run(INFO)
    reader.close()
    other.close()


def test_processes_write_at_the_same_time(store: JsonlStore, folder: Path) -> None:
    processes = [writer(store.url, level, 8 * CHUNK) for level in (1, 2)]
    assert [process.communicate()[0].count("\n") for process in processes] == [8] * 2
    assert [process.returncode for process in processes] == [0] * 2
    for level in (1, 2):
        assert store.done(cell(level=float(level), baseline=None).key) == set(range(8 * CHUNK))
    assert len(list(folder.glob("*.jsonl"))) == 2
    assert list(store.check()) == []


def test_a_killed_writer_leaves_whole_chunks(store: JsonlStore, folder: Path) -> None:
    key = cell(level=1.0, baseline=None).key
    for attempt in range(2):
        before = len(store.done(key)) if attempt else 0
        with writer(store.url, 1, 10**6) if not attempt else writer_again(store.url) as process:
            assert process.stdout is not None
            for _ in range(3):
                assert process.stdout.readline()
            time.sleep(0.01 * attempt)
            process.send_signal(signal.SIGKILL)
        done = store.done(key)
        assert len(done) >= before + 3 * CHUNK
        assert done == set(range(len(done)))
        assert len(done) % CHUNK == 0
        assert store.states([key])[key].status == "interrupted"
    assert [row.index for row in store.rows(key)] == [one.index for one in store.statistics(key)] == sorted(done)


def writer_again(url: str) -> subprocess.Popen[str]:
    """A writer that goes on where the one before was killed."""
    path = os.pathsep.join([str(Path(kit.__file__).parents[1]), *sys.path])
    code = WRITER.replace("range(0, ", "range(len(store.done(key)), ")
    words = [sys.executable, "-c", code, url, "1", "1000000"]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_a_torn_last_line_is_ignored_and_told(store: JsonlStore, folder: Path, kept: int) -> None:
    mine = Claim("somebody else", store.begin_run(INFO))
    store.register([CELL], mine.run)
    store.claim([CELL.key], mine)
    store.write([row(CELL.key, 0)], mine)
    store.write([row(CELL.key, 1)], mine)
    store.close()
    (file,) = folder.glob("*.jsonl")
    *whole, last = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(whole) + last[:kept])
    again = opened(folder, write=True)
    assert again.done(CELL.key) == {0}
    (told,) = again.check()
    assert f"{file} ends with a line that is cut short ({len(last[:kept])} bytes)" in told
    again.write([row(CELL.key, 1)], mine)
    reader = opened(folder)
    assert reader.done(CELL.key) == again.done(CELL.key) == {0, 1}
    reader.close()
    again.close()


def test_damage_is_told_and_nothing_is_written(store: JsonlStore, folder: Path) -> None:
    put_results(store)
    store.close()
    (file,) = folder.glob("*.jsonl")
    sound = file.read_bytes()
    lines = sound.splitlines(keepends=True)
    for spoilt, told in (
        ([*lines[:2], *lines[3:]], "line 2 is missing"),
        ([*lines[:2], b"nonsense\n", *lines[3:]], "a line that is none of results: b'nonsense'"),
        ([*lines, lines[-1]], "two lines have the number"),
        ([b'{"a": 1}\n', *lines[1:]], "its first line says something else"),
        ([lines[0].replace(b'"schema": "', b'"schema": "9'), *lines[1:]], "has schema version 9"),
        ([*lines[:2], lines[2].replace(b'"runs"', b'"wrong"').replace(b'"experiments"', b'"wrong"'), *lines[3:]],
         "does not fit those before it"),
    ):  # fmt: skip
        file.write_bytes(b"".join(spoilt))
        for write in (True, False):
            with pytest.raises(StoreError, match=told):
                opened(folder, write)
        assert file.read_bytes() == b"".join(spoilt)
    file.write_bytes(sound)
    opened(folder).close()


def test_files_of_the_schema_before_are_read_and_continued(store: JsonlStore, folder: Path) -> None:
    none, jpeg = put_results(store)
    before = store.view("results")
    store.close()
    (file,) = folder.glob("*.jsonl")
    file.write_text(file.read_text().replace(f'"schema": "{REVISION}"', '"schema": "0010"', 1))
    again = opened(folder, write=True)
    assert again.view("results") == before
    placed = [Placed(jpeg.key, 1, "process 1", "cpu", 4)]
    again.add_places(placed)
    again.close()
    reader = opened(folder)
    assert reader.places([none.key, jpeg.key]) == placed
    assert list(reader.check()) == []
    reader.close()


def test_an_altered_number_is_found(store: JsonlStore, folder: Path) -> None:
    put_results(store)
    store.close()
    (file,) = folder.glob("*.jsonl")
    file.write_text(file.read_text().replace('"value":0.4,', '"value":0.45,', 1))
    again = opened(folder)
    assert any("not as they were written" in text for text in again.check())
    again.close()


def test_a_full_disk_loses_nothing(store: JsonlStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Claim(this_process(), store.begin_run(INFO))
    store.register([CELL], mine.run)
    store.claim([CELL.key], mine)
    write = os.write

    def some(file: int, data: memoryview) -> int:
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return write(file, data[: len(data) // 2])

    with monkeypatch.context() as full:
        full.setattr("os.write", some)
        with pytest.raises(StoreError, match="could not be written: No space left"):
            store.write([row(CELL.key, 0)], mine)
    assert store.done(CELL.key) == set()
    store.write([row(CELL.key, 0)], mine)
    again = opened(folder)
    assert again.done(CELL.key) == {0}
    assert list(again.check()) == []
    again.close()


def test_places_that_hold_no_results(tmp_path: Path) -> None:
    with pytest.raises(NoResultsError, match="no such folder"):
        opened(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoResultsError, match="nothing was ever written"):
        opened(tmp_path / "empty")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="is a file"):
        opened(tmp_path / "file", write=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_text("mine")
    with pytest.raises(StoreError, match="something else than results"):
        opened(tmp_path / "photos", write=True)
    with pytest.raises(StoreError, match="does not exist"):
        opened(tmp_path / "no" / "such", write=True)
    for url in ("jsonl://", "jsonl:///", "jsonl://host/folder"):
        with pytest.raises(StoreError, match="names no folder"):
            JsonlStore(url).open()


def test_what_stands_in_the_lines_is_plain_json(store: JsonlStore, folder: Path) -> None:
    put_results(store)
    (file,) = folder.glob("*.jsonl")
    header, *lines = [json.loads(line, parse_constant=pytest.fail) for line in file.read_text().splitlines()]
    assert header["format"] == "codec-harness results"
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    names = {change[1] for line in lines for change in line["changes"]}
    assert {"runs", "experiments", "metrics", "comparisons"} <= names
