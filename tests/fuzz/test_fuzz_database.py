"""One bit of a results database is changed: reading commands answer or say a sentence, and no other answer is believed.

A command that gives another answer than before is allowed only where `harness doctor --database` finds the change.
"""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from kit.command import Session
from kit.disks import flipped
from kit.fuzzing import MINUTES

FLIPS = 6
"""Changed bits without HARNESS_FUZZ_MINUTES. Each takes ten commands."""
COMMANDS = (
    ("results", "--all-metrics", "--format", "csv"),
    ("results", "--profile", "--format", "csv"),
    ("results", "--failed"),
    ("results", "export", "-f", "csv", "-o", "tables"),
    ("results", "sql", "select * from curves order by experiment, metric", "--format", "json"),
    ("results", "tables"),
    ("recommend", "--max-drop", "2%", "--json", "--resamples", "100"),
    ("compare", "--task", "detection", "jpeg", "webp", "--json", "--resamples", "100"),
    ("plan", "--codec", "jpeg@50,10", "--task", "detection", "--limit", "3"),
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    made = Session(tmp_path_factory.mktemp("flips"), cache)
    run = ("run", "--codec", "jpeg@50,10", "--codec", "webp@50,10", "--task", "detection", "--limit", "3")
    made.run(*run, "--resamples", "100")
    shutil.copy(made.database, made.folder / "whole.db")
    return made


def answers(session: Session) -> list[tuple[int, str, str]]:
    """Exit status, what was written to the standard output and to files, and the standard error, of each command."""
    found = []
    for command in COMMANDS:
        shutil.rmtree(session.folder / "tables", ignore_errors=True)
        done = session.run(*command, status=None)
        written = [path.read_text("utf-8") for path in sorted(session.folder.glob("tables/*"))]
        found.append((done.returncode, "\n".join([done.stdout, *written]), done.stderr))
    return found


def put(session: Session, content: bytes) -> None:
    for path in session.folder.glob("harness.db*"):
        path.unlink()
    session.database.write_bytes(content)


def test_no_changed_bit_is_believed(session: Session) -> None:
    whole = (session.folder / "whole.db").read_bytes()
    put(session, whole)
    right = answers(session)
    assert [status for status, _, _ in right][:6] == [0] * 6
    assert session.run("doctor", "--database").stdout.endswith("Nothing differs.\n")
    draw = random.Random(0 if not MINUTES else None)
    tried: Counter[str] = Counter()
    end = time.monotonic() + 60 * MINUTES
    while sum(tried.values()) < FLIPS or time.monotonic() < end:
        changed = flipped(whole, draw)
        put(session, changed)
        where = next(n for n, (one, other) in enumerate(zip(whole, changed, strict=True)) if one != other)
        found = answers(session)
        doctor = session.run("doctor", "--database", status=None)
        for said in (doctor.stderr, *(error for _, _, error in found)):
            assert "Traceback" not in said, f"byte {where}: {said}"
        refused = [status == 2 and "error: " in error for status, _, error in found]
        other = [
            command
            for command, before, after, told in zip(COMMANDS, right, found, refused, strict=True)
            if not told and before[:2] != after[:2]
        ]
        assert not other or doctor.returncode, (
            f"byte {where}: {other} gave another answer, and the doctor found nothing"
        )
        tried["another answer, found by the doctor" if other else "refused" if any(refused) else "no change"] += 1
    print(dict(tried))


def test_a_foreign_group_is_named(session: Session) -> None:
    """Two experiments whose samples have other groups cannot be compared: once, this ended in a traceback."""
    put(session, (session.folder / "whole.db").read_bytes())
    with sqlite3.connect(session.database) as connection:
        connection.execute(
            "update samples set \"group\" = 'other' where sample_index = (select min(sample_index) from samples) "
            "and experiment_id = (select id from experiments where codec = 'jpeg' and level = 50)"
        )
    connection.close()
    told = session.run("recommend", "--max-drop", "2%", "--resamples", "100", status=2).stderr
    assert "is damaged: experiment " in told
    assert "harness doctor --database" in told
    told = session.run("doctor", "--database", status=1).stdout
    assert "its row, its metrics or its samples are not as they were written" in told
    assert "has another name or group than in its baseline" in told


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("update experiments set bits = bits + 80 where codec = 'webp'", r"(webp): bytes is \d+, its samples give"),
        (
            "update experiments set psnr = psnr * 1.001 where codec = 'webp'",
            r"(webp): psnr is [\d.]+, its samples give",
        ),
        ("update samples set bits = bits + 8 where sample_index > 0", r": bytes is \d+, its samples give \d+"),
        ("update metrics set value = value + 0.001 where metric = 'AP50'", r": AP50 is [\d.]+, its statistics give"),
        ("update comparisons set value = -value where metric = 'AP'", r": the drop of AP is [-\d.]+, its statistics"),
        ("update metrics set metric = 'AP51' where metric = 'AP50'", r": AP51 is [\d.]+, its statistics give None"),
        ("update statistics set data = x'00'", r"it cannot be computed again: the database's statistics of a sample"),
        ("delete from statistics where sample_index > 0", r": AP is [\d.]+, its statistics give|the drop of AP is"),
    ],
)
def test_rows_without_digests_are_computed_again(session: Session, sql: str, told: str) -> None:
    """A database of an earlier version has no digests."""
    put(session, (session.folder / "whole.db").read_bytes())
    with closing(sqlite3.connect(session.database)) as connection, connection:
        for table in ("experiments", "comparisons", "runs", "stages", "places", "checkpoints"):
            connection.execute(f"update {table} set digest = null")
    assert "Nothing differs." in session.run("doctor", "--database").stdout
    with closing(sqlite3.connect(session.database)) as connection, connection:
        assert connection.execute(sql).rowcount
    done = session.run("doctor", "--database", status=1)
    assert re.search(told.replace("(webp)", r"\(webp\)"), done.stdout), done.stdout
    assert "things differ. Restore the file from a copy" in done.stderr


def test_the_doctor_needs_a_database(session: Session) -> None:
    assert "there is no results database" in session.run("doctor", "--database", "--db", "none.db", status=2).stderr


def test_a_merge_tells_what_is_wrong_with_its_sources(session: Session) -> None:
    put(session, (session.folder / "whole.db").read_bytes())
    with closing(sqlite3.connect(session.database)) as connection, connection:
        connection.execute("update metrics set value = value + 0.01")
    merge = ("results", "merge", "harness.db", "-o")
    told = session.run(*merge, "merged.db", "--resamples", "100").stderr
    assert "warning: harness.db: experiment" in told
    assert "are not as they were written" in told
    assert session.run("doctor", "--database", "--db", "merged.db", status=1).stdout.count("as they were written") == 5
    with closing(sqlite3.connect(session.database)) as connection, connection:
        connection.execute("update experiments set identity = 'no JSON'")
    told = session.run(*merge, "other.db", "--resamples", "100", status=2).stderr
    assert "error: harness.db is damaged, and cannot be" in told
    assert not (session.folder / "other.db").exists()
