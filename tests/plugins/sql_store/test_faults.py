"""The SQL store under faults, each the real thing: killed processes, locks, damaged and foreign files, odd queries."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import kit
from harness.errors import StoreError
from harness.keep.processes import describe, is_gone, this_process
from harness.records import Claim, Totals
from harness_plugins.sql_store import SqlStore, database
from kit.store_rows import INFO, cell, metric, put_results, row

KIT = Path(kit.__file__).parents[1]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = SqlStore(str(tmp_path_factory.mktemp("empty") / "harness.db"))
    made.open()
    made.close()
    return Path(made.url)


@pytest.fixture
def file(empty: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(empty, tmp_path / "harness.db"))


@pytest.fixture
def store(file: Path) -> Iterator[SqlStore]:
    made = SqlStore(str(file))
    made.open()
    yield made
    made.close()


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that runs some code with `tests` on its path, and says a line when it has begun."""
    prelude = f"import sys; sys.path.insert(0, {str(KIT)!r})\n"
    command = [sys.executable, "-c", prelude + code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


WRITER = """
import kit
from harness.keep.processes import this_process
from harness.records import Claim
from kit.store_rows import *
from harness.errors import StoreError
from harness_plugins.sql_store import SqlStore
store = SqlStore(sys.argv[1]); store.open()
run = store.begin_run(INFO); claim = Claim(this_process(), run)
store.register([cell()], run); assert store.claim([cell().key], claim)
for chunk in range(100000):
    store.write([row(cell().key, chunk * 50 + i) for i in range(50)], claim)
    print(chunk + 1, flush=True)
"""


def test_kill_9_loses_no_chunk_and_leaves_no_half_of_one(file: Path) -> None:
    draw = random.Random(1)
    for round_ in range(2):
        part = Path(shutil.copy(file, file.with_name(f"{round_}.db")))
        process = start(WRITER, part)
        told = 0
        for _ in range(draw.randint(1, 20)):
            told = int(line_of(process))
        process.kill()
        process.wait()
        assert process.stdout is not None
        told = max([told, *(int(text) for text in process.stdout.read().split("\n")[:-1] if text)])
        process.stdout.close()
        store = SqlStore(str(part))
        store.open()
        done = store.done(cell().key)
        assert done == set(range(len(done)))
        assert len(done) % 50 == 0
        assert told * 50 <= len(done) <= told * 50 + 50
        assert len(list(store.statistics(cell().key))) == len(done)
        state = store.states([cell().key])[cell().key]
        assert state.status == "interrupted"
        assert state.owner is not None
        assert describe(state.owner).startswith(f"process {process.pid} on ")
        assert store.claim([cell().key], Claim(this_process(), 1)) == {cell().key}
        store.begin_run(INFO)
        assert store.select("SELECT status FROM runs ORDER BY id")[1] == [("interrupted",), ("running",)]
        store.close()


CLAIMER = """
import json, time
import kit
from harness.keep.processes import this_process
from harness.records import Claim
from kit.store_rows import *
from harness.errors import StoreError
from harness_plugins.sql_store import SqlStore
store = SqlStore(sys.argv[1]); store.open()
cells = [cell(level=float(n)) for n in range(50)]
run = store.begin_run(INFO); claim = Claim(this_process(), run)
store.register(cells, run)
print("ready", flush=True); sys.stdin.readline()
mine = []
for one in cells:
    mine += store.claim([one.key], claim)
print(json.dumps(mine), flush=True)
time.sleep(30)
"""


def test_processes_that_claim_at_once_never_share_a_key(file: Path) -> None:
    prelude = f"import sys; sys.path.insert(0, {str(KIT)!r})\n"
    command = [sys.executable, "-c", prelude + CLAIMER, str(file)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        assert [line_of(process) for process in processes] == ["ready"] * 3
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        claimed = [json.loads(line_of(process)) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    keys = [key for mine in claimed for key in mine]
    assert len(keys) == len(set(keys)) == 50


def test_a_process_that_died_frees_its_claims_at_once(store: SqlStore, file: Path) -> None:
    process = start(WRITER, file)
    line_of(process)
    key = cell().key
    mine = Claim(this_process(), store.begin_run(INFO))
    assert store.claim([key], mine) == set()
    process.kill()
    process.communicate()
    columns, rows = store.view("results")
    assert rows[0][columns.index("status")] == "interrupted"
    assert store.claim([key], mine) == {key}


def test_names_of_processes() -> None:
    name = this_process()
    assert not is_gone(name)
    host, pid, start_, boot, namespace, nonce = name.split(":")
    assert int(pid) == os.getpid()
    assert is_gone(f"{host}:{pid}:1:{boot}:{namespace}:{nonce}")  # the number was given to another process since
    assert not is_gone(f"elsewhere:{pid}:1:{boot}:{namespace}:{nonce}")
    assert not is_gone(f"{host}:{pid}:1:another boot:{namespace}:{nonce}")
    assert not is_gone(f"{host}:{pid}:1:{boot}:another container:{nonce}")
    assert not is_gone("anything at all")
    assert start_


def test_sigkill_while_the_file_is_made_leaves_nothing_half_made(tmp_path: Path) -> None:
    code = "from harness_plugins.sql_store import SqlStore\nprint('go', flush=True); SqlStore(sys.argv[1]).open()\n"
    for delay in (0.05, 0.3):
        file = tmp_path / f"{delay}.db"
        process = start(code, file)
        line_of(process)
        try:
            process.wait(delay + 0.01)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate()
        store = SqlStore(str(file))
        store.open()
        put_results(store)
        assert store.select("SELECT count(*) > 0 FROM results")[1] == [(1,)]
        store.close()


def test_many_processes_make_the_same_file_at_once(tmp_path: Path) -> None:
    code = (
        "from harness.keep.processes import this_process\nfrom harness.records import Claim\n"
        "from kit.store_rows import *\nfrom harness_plugins.sql_store import SqlStore\n"
        "store = SqlStore(sys.argv[1]); store.open(); store.begin_run(INFO); store.close()\n"
    )
    processes = [start(code, tmp_path / "harness.db") for _ in range(3)]
    assert [process.wait() for process in processes] == [0] * 3
    with closing(sqlite3.connect(tmp_path / "harness.db")) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchall() == [(3,)]
    for process in processes:
        process.communicate()


def test_a_locked_file_waits_then_says_who(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT", 0.3)
    code = (
        "import sqlite3, time\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('BEGIN IMMEDIATE')\nprint('locked', flush=True)\ntime.sleep(60)\n"
    )
    process = start(code, file)
    line_of(process)
    try:
        store = SqlStore(str(file))
        store.open()
        with pytest.raises(StoreError, match=rf"is locked: waited 0.3 s for process {process.pid} \(.*python"):
            store.begin_run(INFO)
        store.close()
    finally:
        process.kill()
        process.communicate()
    store = SqlStore(str(file))
    store.open()
    assert store.begin_run(INFO) == 1
    store.close()


def test_a_lock_that_ends_in_time_is_waited_for(file: Path) -> None:
    code = (
        "import sqlite3, time\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('BEGIN IMMEDIATE')\nprint('locked', flush=True)\ntime.sleep(0.5)\n"
    )
    process = start(code, file)
    line_of(process)
    store = SqlStore(str(file))
    store.open()
    assert store.begin_run(INFO) == 1
    store.close()
    process.communicate()


def test_readers_go_on_while_somebody_writes(store: SqlStore, file: Path) -> None:
    put_results(store)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM metrics")
        assert len(store.view("results")[1]) == 5
        assert store.select("SELECT count(*) FROM metrics")[1] == [(5,)]
        reader = SqlStore(str(file))
        reader.open(write=False)
        assert len(reader.view("results")[1]) == 5
        reader.close()


HOSTILE = [
    "ATTACH '{0}/stolen.db' AS x",
    "ATTACH 'file:{0}/stolen.db?mode=rwc' AS x",
    "VACUUM INTO '{0}/stolen.db'",
    "VACUUM",
    "PRAGMA writable_schema = 1",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA user_version = 7",
    "PRAGMA wal_checkpoint",
    "PRAGMA query_only = 0",
    "SELECT load_extension('{0}/evil.so')",
    "SELECT writefile('{0}/stolen.db', 'x')",
    "CREATE TEMP TABLE t (a)",
    "CREATE VIRTUAL TABLE t USING fts5(a)",
    "INSERT INTO runs (id) VALUES (9) RETURNING id",
    "WITH x AS (SELECT 1) DELETE FROM runs RETURNING id",
    "UPDATE sqlite_master SET sql = ''",
    "REINDEX",
    "ANALYZE",
    "SAVEPOINT a",
    "SELECT zeroblob(1000000000)",
    "SELECT 1 -- \x00 hidden",
]


@pytest.mark.parametrize("sql", HOSTILE)
def test_a_query_changes_no_byte_and_makes_no_file(file: Path, sql: str) -> None:
    store = SqlStore(str(file))
    store.open()
    put_results(store)
    store.close()
    before = file.read_bytes()
    reader = SqlStore(str(file))
    reader.open(write=False)
    with pytest.raises(StoreError, match="the query"):
        reader.select(sql.format(file.parent))
    assert len(reader.view("results")[1]) == 5
    reader.close()
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["harness.db"]


def test_reading_queries_of_every_kind_are_answered(store: SqlStore) -> None:
    put_results(store)
    for sql in (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT sum(i) FROM n",
        "SELECT json_extract(codec_options, '$.x') FROM results",
        "SELECT * FROM runs, json_each(runs.versions)",
        "SELECT avg(value) OVER (PARTITION BY metric) FROM results",
        "EXPLAIN QUERY PLAN SELECT * FROM curves",
        "PRAGMA table_info(results)",
        "SELECT name FROM pragma_table_info('results')",
        "SELECT name FROM sqlite_master",
    ):
        assert store.select(sql)[1]


def test_reading_leaves_a_killed_writers_rows_and_file_alone(file: Path) -> None:
    process = start(WRITER, file)
    for _ in range(3):
        line_of(process)
    process.kill()
    process.communicate()
    before = file.read_bytes()
    reader = SqlStore(str(file))
    reader.open(write=False)
    count = len(reader.done(cell().key))
    assert count >= 150
    assert reader.select("SELECT count(*) FROM per_sample")[1] == [(count,)]
    reader.close()
    assert file.read_bytes() == before


def test_a_missing_file_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no results database"):
        SqlStore(str(tmp_path / "harness.db")).open(write=False)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "harness.db").touch()
    with pytest.raises(StoreError, match="is empty"):
        SqlStore(str(tmp_path / "harness.db")).open(write=False)
    store = SqlStore(str(tmp_path / "harness.db"))
    store.open()
    store.close()


@pytest.mark.parametrize("repeated", [1, 500])
@pytest.mark.parametrize("write", [True, False])
def test_what_is_no_database_is_left_as_it_is(tmp_path: Path, write: bool, repeated: int) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("not a database" * repeated)
    with pytest.raises(StoreError, match=r"is no SQLite database\. It was left as it is"):
        SqlStore(str(notes)).open(write)
    assert notes.read_text() == "not a database" * repeated
    with pytest.raises(StoreError, match="is a folder"):
        SqlStore(str(tmp_path)).open(write)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("write", [True, False])
def test_another_programs_database_is_left_as_it_is(tmp_path: Path, write: bool) -> None:
    file = tmp_path / "bookmarks.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
        connection.commit()
    with pytest.raises(StoreError, match=r"not one of results.*bookmarks"):
        SqlStore(str(file)).open(write)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no folder .*nowhere"):
        SqlStore(str(tmp_path / "nowhere" / "harness.db")).open()


def as_nobody(work: Callable[[], object]) -> str:
    """What `work` returns in a child process that is not root, which no permission would stop."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.write(writer, str(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as found:
        text = found.read()
    os.waitpid(child, 0)
    return text


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_place_is_named_and_can_be_read(empty: Path, what: str) -> None:
    folder = Path("/tmp") / f"harness-read-only-{os.getpid()}"  # one that another user may enter
    folder.mkdir()
    file = Path(shutil.copy(empty, folder / "harness.db"))
    store = SqlStore(str(file))
    store.open()
    put_results(store)
    store.close()
    folder.chmod(0o555 if what == "folder" else 0o777)
    file.chmod(0o444 if what == "file" else 0o666)

    def write() -> str:
        try:
            store.open()
        except StoreError as error:
            return str(error)
        return "opened"

    def read() -> tuple[object, ...]:
        store.open(write=False)
        found = len(store.view("results")[1]), store.select("SELECT count(*) FROM metrics")[1]
        store.close()
        return (*found, len(list(folder.iterdir())) if what == "folder" else 1)

    try:
        kind = "folder of the results database" if what == "folder" else "results database"
        assert as_nobody(write).startswith(f"the {kind} {folder if what == 'folder' else file} is read-only")
        assert as_nobody(read) == "(5, [(5,)], 1)"
    finally:
        folder.chmod(0o777)
        shutil.rmtree(folder)


def test_a_full_disk_keeps_what_was_written(store: SqlStore) -> None:
    run = store.begin_run(INFO)
    claim = Claim(this_process(), run)
    store.register([cell()], run)
    store.claim([cell().key], claim)
    store.write([row(cell().key, 0)], claim)
    connections = [store._database._engine.raw_connection() for _ in range(5)]
    for connection in connections:  # a limit on pages is what a full disk looks like to SQLite
        pages = connection.driver_connection.execute("PRAGMA page_count").fetchone()[0]
        connection.driver_connection.execute(f"PRAGMA max_page_count = {pages}")
    for connection in connections:
        connection.close()
    more = [row(cell().key, i) for i in range(1, 5001)]
    with pytest.raises(StoreError, match=r"full.*What was written before is kept"):
        store.write(more, claim)
    assert store.done(cell().key) == {0}


def test_altered_bytes_give_words_not_a_traceback(file: Path) -> None:
    store = SqlStore(str(file))
    store.open()
    none, jpeg = put_results(store)
    store.close()
    whole = file.read_bytes()
    draw = random.Random(0)
    outcomes = {"words": 0, "read": 0}
    for _ in range(60):
        altered = bytearray(whole)
        for _ in range(draw.choice([1, 20, 400])):
            altered[draw.randrange(16, len(altered))] = draw.randrange(256)
        file.write_bytes(altered[: draw.choice([len(altered), draw.randrange(100, len(altered))])])
        reader = SqlStore(str(file))
        try:
            reader.open(write=False)
            reader.view("results")
            reader.view("curves")
            reader.states([none.key, jpeg.key])
            list(reader.rows(jpeg.key))
            list(reader.statistics(jpeg.key))
            reader.select("SELECT * FROM per_sample")
            outcomes["read"] += 1
        except StoreError:
            outcomes["words"] += 1
        finally:
            reader.close()
            for path in file.parent.iterdir():
                path.unlink()
    assert outcomes["words"] > 10


def test_finish_is_written_whole_or_not_at_all(store: SqlStore) -> None:
    run = store.begin_run(INFO)
    claim = Claim(this_process(), run)
    store.register([cell()], run)
    store.claim([cell().key], claim)
    with pytest.raises(StoreError):
        store.finish(cell().key, claim, Totals(4, 0), [metric("AP", 0.5), metric("AP", 0.6)])
    assert store.states([cell().key])[cell().key].status == "running"
    assert store.select("SELECT count(*) FROM metrics")[1] == [(0,)]
