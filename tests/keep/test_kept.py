"""What is kept in the cache: streams and derived arrays, found again, and not believed when damaged."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.batches.keeper import Keeper
from harness.batches.read_sample import ReadSample
from harness.codec import Encoded
from harness.errors import UsageError
from harness.files import cache_dir
from harness.keep.kept import Kept, frames_digest
from harness_codecs.pillow_family import Jpeg
from kit.command import Session
from kit.units import coded_cell, read_sample

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3)).astype(np.uint8)


def source(frames: Any = FRAMES) -> ReadSample:
    return read_sample(frames)


def test_an_entry_that_was_altered_or_cut_short_is_none() -> None:
    kept = Kept("things")
    kept.put("ab12", b"content")
    assert kept.get("ab12") == b"content"
    path = kept.folder / "ab" / "ab12"
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:-1] + b"?", b"", whole[:10]):
        path.write_bytes(damaged)
        assert kept.get("ab12") is None
    assert not list(kept.folder.rglob("*.part"))


def test_a_folder_that_cannot_be_written_is_told_once_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = cache_dir() / "blocked"
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file where the folder should be")
    kept = Kept("blocked")
    kept.put("ab12", b"content")
    assert kept.problem is not None
    assert str(blocked) in kept.problem
    assert kept.get("ab12") is None


def test_no_more_is_kept_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.setenv("HARNESS_CACHE_LIMIT", "1e-6")
    kept = Kept("things")
    kept.put("ab12", bytes(900))
    kept.put("cd34", bytes(900))
    assert kept.get("ab12") is not None
    assert kept.get("cd34") is None
    assert "HARNESS_CACHE_LIMIT" in str(kept.problem)
    another = Kept("things")  # counts what is there
    another.put("ef56", bytes(200))
    assert another.get("ef56") is None
    monkeypatch.setenv("HARNESS_CACHE_LIMIT", "much")
    with pytest.raises(UsageError, match="'much': gigabytes"):
        Kept("things")


class Counting(Jpeg):
    costly = True
    calls = 0

    def encode(self, frames: Any, level: Any, fps: Any = None) -> Encoded:
        Counting.calls += 1
        return super().encode(frames, level, fps)


def test_a_costly_codec_encodes_the_same_frames_once_and_tells_the_time_of_that() -> None:
    Counting.calls = 0
    codec = Counting()
    first, first_ms = Keeper().encode(coded_cell(codec, 50), source())
    again, again_ms = Keeper().encode(coded_cell(codec, 50), source())
    assert (again, again_ms) == (first, first_ms)
    assert Counting.calls == 1
    Keeper().encode(coded_cell(codec, 40), source())
    Keeper().encode(coded_cell(Counting(subsampling="4:4:4"), 50), source())
    Keeper().encode(coded_cell(codec, 50), source(FRAMES[:1]))
    assert Counting.calls == 4
    assert frames_digest(FRAMES, 10.0) != frames_digest(FRAMES, 12.0)


def test_a_cheap_codec_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    Keeper().encode(coded_cell(Jpeg(), 50), source())
    assert not (tmp_path / "encoded").exists()
    Keeper().encode(coded_cell(Counting(), 50), source())
    assert (tmp_path / "encoded").is_dir()


def test_a_memo_keeps_what_was_slow_under_frames_codec_level_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []

    def slow(name: str) -> Any:
        computed.append(name)
        return np.arange(6.0).reshape(2, 3)

    def memo(level: float, frames: Any = FRAMES) -> Any:
        return Keeper().memo(coded_cell(Jpeg(), level), source(frames))

    monkeypatch.setattr("harness.batches.keeper.WORTH", 1e12)
    for level in (50, 50, 40):
        found = memo(level)("flow", lambda: slow("flow"))
        np.testing.assert_array_equal(found, np.arange(6.0).reshape(2, 3))
    memo(50, FRAMES[:1])("flow", lambda: slow("flow"))
    memo(50)("edges", lambda: slow("edges"))
    assert computed == ["flow", "flow", "flow", "edges"]
    monkeypatch.setattr("harness.batches.keeper.WORTH", 0.0)
    memo(10)("flow", lambda: slow("quick"))
    memo(10)("flow", lambda: slow("quick"))
    assert computed[-2:] == ["quick", "quick"]


def test_a_run_with_kept_streams_gives_the_same_rows(tmp_path: Path) -> None:
    """AVIF is costly: a second database, with the cache of the first, has the same results; damaged entries too."""

    def rows(database: Path) -> list[Any]:
        query = "select sample, bytes, psnr, score from per_sample order by experiment, sample"
        with sqlite3.connect(database) as connection:
            return connection.execute(query).fetchall()

    cache = tmp_path / "cache"
    session = Session(tmp_path, cache)
    arguments = ("run", "-c", "avif@60", "-t", "detection", "--limit", "2", "--resamples", "100")
    session.run(*arguments)
    streams = [path for path in (cache / "encoded").rglob("*") if path.is_file()]
    assert len(streams) == 2
    scene = next(path for path in (cache / "demo-world").rglob("*") if path.is_file())
    spoilt = {streams[0]: "encoded data", scene: "rendered frames", cache / "files.sqlite": "digests of files"}
    streams[0].write_bytes(streams[0].read_bytes()[:-5])
    scene.write_bytes(scene.read_bytes()[:-1] + b"?")
    with sqlite3.connect(cache / "files.sqlite") as connection:
        assert connection.execute("update digests set seal = x'00'").rowcount
    told = session.run(*arguments, "--db", str(tmp_path / "second.db")).stderr
    for path, what in spoilt.items():
        line = f"warning: {path} is damaged ({what}), or of an earlier version: it is not used, and made anew."
        assert "".join(told.split()).count("".join(line.split())) == 1, told
    assert "is damaged" not in session.run(*arguments, "--db", str(tmp_path / "third.db")).stderr
    assert rows(tmp_path / "harness.db") == rows(tmp_path / "second.db")
    assert len(rows(tmp_path / "second.db")) == 4
