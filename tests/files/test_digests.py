"""Digests of files: right, remembered, and never remembered wrongly."""

import hashlib
import multiprocessing
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from harness.files import cache_dir, digest_files, digests, sha256_file


@pytest.fixture
def memo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "files.sqlite"


def settle(path: Path) -> None:
    """Wait until the file is no longer new."""
    while time.time() - path.stat().st_ctime < 2.05:
        time.sleep(0.05)


def rows(memo: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(memo)
    found = connection.execute("select * from digests").fetchall()
    connection.close()
    return found


def change(memo: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(memo)) as connection, connection:
        connection.execute(sql, values)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "x"))
    assert cache_dir() == tmp_path / "x"
    monkeypatch.delenv("HARNESS_CACHE")
    assert cache_dir().name == "codec-harness"


def test_a_settled_file_is_hashed_once(tmp_path: Path, memo: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    assert sha256_file(path) == digest(b"one")
    assert rows(memo) == []  # too new to be remembered
    settle(path)
    assert sha256_file(path) == digest(b"one")
    [(*facts, _, _)] = rows(memo)
    update = "update digests set sha256 = ?, seal = ?"
    change(memo, update, "remembered", digests._seal(tuple(facts), "remembered"))
    assert sha256_file(path) == "remembered"


def test_a_row_that_was_altered_is_not_believed(tmp_path: Path, memo: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    settle(path)
    sha256_file(path)
    change(memo, "update digests set sha256 = ?", digest(b"two"))
    assert sha256_file(path) == digest(b"one")
    change(memo, "update digests set seal = ?", b"")
    assert sha256_file(path) == digest(b"one")
    assert rows(memo)[0][-2:] == (digest(b"one"), digests._seal(rows(memo)[0][:-2], digest(b"one")))  # type: ignore[arg-type]


def test_a_change_that_keeps_size_and_mtime_is_noticed(tmp_path: Path, memo: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    settle(path)
    sha256_file(path)
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    settle(path)
    assert sha256_file(path) == digest(b"two")
    assert len(rows(memo)) == 1


def test_a_file_changed_twice_at_once(tmp_path: Path, memo: Path) -> None:
    path = tmp_path / "a"
    for number in range(200):
        path.write_bytes(b"%3d" % number)
        assert sha256_file(path) == digest(b"%3d" % number)


def test_digest_of_many_keeps_order_and_names_but_no_folder(tmp_path: Path, memo: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            (tmp_path / folder / name).write_bytes(name.encode())
    first = [tmp_path / "one" / name for name in ("a", "b")]
    assert digest_files(first) == digest_files([tmp_path / "two" / name for name in ("a", "b")])
    assert digest_files(first) != digest_files(first[::-1])
    assert digest_files(first) != digest_files(first[:1])
    with pytest.raises(FileNotFoundError):
        digest_files([tmp_path / "absent"])


def test_names_that_are_no_text(tmp_path: Path, memo: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    try:
        path.write_bytes(b"one")
    except OSError:
        pytest.skip("this file system has no such names")
    settle(path)
    assert sha256_file(path) == sha256_file(path) == digest(b"one")
    assert len(digest_files([path])) == 64
    assert len(rows(memo)) == 1


def test_a_damaged_memo_is_done_without(tmp_path: Path, memo: Path) -> None:
    memo.parent.mkdir()
    memo.write_bytes(b"this is no database, and longer than a header of one hundred bytes" * 3)
    path = tmp_path / "a"
    path.write_bytes(b"one")
    settle(path)
    assert sha256_file(path) == digest(b"one")
    assert not memo.exists()
    assert sha256_file(path) == digest(b"one")
    assert len(rows(memo)) == 1


def test_a_cache_that_cannot_be_made_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"one")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "a" / "below"))
    assert sha256_file(tmp_path / "a") == digest(b"one")


def test_processes_share_the_memo(tmp_path: Path, memo: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number:03}").write_bytes(bytes([number % 256]) * number)
    settle(folder / "299")
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = set(pool.map(digest_files, [sorted(folder.iterdir())] * 8))
    assert len(found) == 1
    assert len(rows(memo)) == 300
