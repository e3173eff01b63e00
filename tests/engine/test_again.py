"""`harness run --again`: what the database has is computed again; what differs is said, and the old record is kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness_plugins.sql_store import SqlStore
from kit.command import EACH_BATCH, Session, kill_after_rows
from kit.plugins import write_distribution

FROM_FILE = """
from pathlib import Path
import harness
from harness_codecs.pillow_family import Jpeg

class Tuned(Jpeg):
    name = "tuned"
    costly = True
    def encode_image(self, image, level):
        shift = Path(__file__).with_name("shift.txt")
        return super().encode_image(image, level + int(shift.read_text()))

@harness.hookimpl
def harness_codecs():
    yield Tuned
"""
"""A codec with a data file, which its key does not know of."""

RUN = ("run", "--task", "detection", "--limit", "6", "--resamples", "100", "--workers", "0", "--batch", "2")
TUNED = (*RUN, "--codec", "tuned@50,10")


@pytest.fixture
def session(tmp_path: Path, cache: Path) -> Session:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    # The folder is in the source, so that no test takes streams that another one kept.
    write_distribution(plugins, "tuned-codec", "tuned_codec", f"{FROM_FILE}\nPLACE = {str(tmp_path)!r}\n")
    (plugins / "shift.txt").write_text("0")
    return Session(tmp_path, cache, plugins)


def again(said: str) -> dict[str, str]:
    """What a run says of each experiment, by its codec, task and training."""
    found = re.findall(r"^again: (\S+ detection) demo-detector(.*?) \[\w{8}\]: (.*)$", said, re.MULTILINE)
    return {f"{name}{training}": text for name, training, text in found}


def records(session: Session) -> tuple[list[Any], list[Any]]:
    """The values of `results` and of `superseded`."""
    columns = "experiment, codec, level, metric, value, ci_low, ci_high, bytes, samples"
    return tuple(session.select(f"select {columns} from {view} order by 1, 4") for view in ("results", "superseded"))


def test_the_same_again_is_equal_in_every_digit(session: Session) -> None:
    first = session.run(*RUN, "--codec", "jpeg@50,10")
    before, values = records(session)[0], session.values()
    ids = session.select("select key, id, finished_at from experiments order by id")
    done = session.run(*RUN, "--codec", "jpeg@50,10", "--again")
    labels = ("none detection", "jpeg@50 detection", "jpeg@10 detection")
    assert again(done.stderr) == dict.fromkeys(labels, "equal in every digit (6 samples)")
    assert session.values() == values
    assert records(session) == (before, before), "the old record is as it was"
    now = session.select("select key, id, finished_at from experiments where original is null order by id")
    assert {key for key, _, _ in now} == {key for key, _, _ in ids}
    assert not {number for _, number, _ in now} & {number for _, number, _ in ids}, "they were computed again"
    assert first.stdout == done.stdout
    assert "3 experiments, all found in the database." in session.run(*RUN, "--codec", "jpeg@50,10").stderr
    session.run(*RUN, "--codec", "jpeg@50", "--again")
    assert len(session.select("select distinct record from superseded")) == 5, "each record of before is kept"
    assert session.select("select count(*) from experiments where digest is null") == [(0,)]
    assert "altered" not in session.run("doctor", "--database").stdout


def test_what_differs_is_said_and_compared_anew(session: Session) -> None:
    session.run(*TUNED)
    before, values = records(session)[0], session.values()
    (session.folder / "plugins/shift.txt").write_text("-8")
    assert "all found" in session.run(*TUNED).stderr, "the key does not know the file"
    said = again(session.run(*TUNED, "--again").stderr)
    assert said.pop("none detection") == "equal in every digit (6 samples)"
    assert set(said) == {"tuned@50 detection", "tuned@10 detection"}
    for words in said.values():
        assert re.search(r"(^|; )6 of 6 samples differ \(.*bits 6", words), words
    now, superseded = records(session)
    assert superseded == before
    assert [row[:4] for row in now] == [row[:4] for row in before]
    changed = [(old[7], new[7]) for old, new in zip(before, now, strict=True) if old[1] == "tuned"]
    assert all(new < old for old, new in changed), "streams are not taken from the cache"
    fresh = Session(session.folder / "fresh", Path(session.env["HARNESS_CACHE"]), session.path)
    fresh.folder.mkdir()
    fresh.run(*TUNED)
    assert session.values() == fresh.values(), "metrics, intervals and drops are those of a database of its own"
    assert session.values() != values
    moved = re.compile(r"AP50? 0\.\d+ -> 0\.\d+")
    differing = {old[3] for old, new in zip(before, now, strict=True) if old[4] != new[4]}
    assert differing
    assert any(moved.search(words) for words in said.values())


def test_drops_of_experiments_outside_the_plan_follow_a_baseline_that_changed(session: Session) -> None:
    session.run(*RUN, "--codec", "jpeg@50,10")
    session.run(*RUN, "--codec", "webp@50")
    values = session.values()
    drops = 'select count(*) from curves where "drop" is null'
    count = session.select(drops)
    session.run(*RUN, "--codec", "none", "--again")
    assert session.values() == values
    assert session.select(drops) == count


def test_a_killed_run_leaves_the_old_record_and_is_continued(session: Session) -> None:
    session.run(*TUNED)
    before, values = records(session), session.values()
    held = session.select("select count(*) from samples")[0][0]
    (session.folder / "plugins/shift.txt").write_text("-8")
    process = session.start(*TUNED, "--again", before=EACH_BATCH)
    kill_after_rows(session, process, held + 4)
    process.communicate()
    assert records(session) == before, "the old records are as they were, and nothing is superseded yet"
    assert session.values() == values
    found = session.run(*TUNED)
    assert "all found" in found.stderr
    whole = "select original, status, (select count(*) from samples where experiment_id = id) from experiments"
    begun = {key: (status, rows) for key, status, rows in session.select(whole) if key}
    assert len(begun) == 3
    kept = sum(rows for _, rows in begun.values())
    assert 4 <= kept < 3 * 6
    said = session.run(*TUNED, "--again")
    assert re.search(r"^none detection .* and \d more: continued, ", said.stderr, re.MULTILINE)
    assert set(again(said.stderr)) == {"none detection", "tuned@50 detection", "tuned@10 detection"}
    assert records(session)[1] == before[0]
    fresh = Session(session.folder / "fresh", Path(session.env["HARNESS_CACHE"]), session.path)
    fresh.folder.mkdir()
    fresh.run(*TUNED)
    assert session.values() == fresh.values()


def test_an_edited_plugin_is_computed_and_its_old_results_are_marked(session: Session) -> None:
    session.run(*TUNED)
    old = {row[0] for row in session.select("select experiment from results where codec = 'tuned'")}
    source = session.folder / "plugins/tuned_codec.py"
    text = source.read_text()
    source.write_text(text + "\n# a comment\n")
    assert "all found" in session.run(*TUNED).stderr
    source.write_text(text.replace("level + int", "level - 3 + int"))
    planned = session.run("plan", "--task", "detection", "--limit", "6", "--batch", "2", "--codec", "tuned@50,10")
    assert "3 experiments, 2 to do" in planned.stdout
    session.run(*TUNED)
    now = {row[0] for row in session.select("select experiment from results where codec = 'tuned'")}
    assert old < now
    assert len(now) == 2 * len(old)
    told = session.run("results").stderr
    assert re.search(
        r"2 experiments of a superseded revision \(codec tuned of tuned-codec 1\.0: source \w{8} \(now", told
    )


def test_a_store_without_superseded_records_is_refused() -> None:
    from harness.errors import StoreError
    from harness.store import Store

    class Plain(SqlStore):
        begin_again = Store.begin_again

    with pytest.raises(StoreError, match="store sql keeps no superseded records"):
        Plain("nothing.db").begin_again([])


def test_what_fails_leaves_the_old_record_and_is_tried_again(session: Session) -> None:
    session.run(*TUNED)
    before, values = records(session), session.values()
    shift = session.folder / "plugins/shift.txt"
    shift.write_text("no number")
    failed = session.run(*TUNED, "--again", status=1)
    assert set(again(failed.stderr)) == {"none detection"}, "only what is whole takes the place of its record"
    assert re.search(r"^failed: tuned@50 detection .*: 6 of 6 samples failed", failed.stderr, re.MULTILINE)
    assert records(session)[0] == before[0]
    assert session.values() == values
    assert {row[1] for row in records(session)[1]} == {"none"}
    shift.write_text("0")
    done = session.run(*TUNED, "--again")
    assert again(done.stderr) == dict.fromkeys(
        ("none detection", "tuned@50 detection", "tuned@10 detection"), "equal in every digit (6 samples)"
    )
    assert session.values() == values


def test_retrained_models_and_what_they_recover(session: Session) -> None:
    """The trainings are not run again, and every comparison of the database is as it was."""
    short = ("--set", "iterations=2", "--set", "batch=2", "--set", "checkpoint=2", "--set", "warmup=1")
    run = ("run", "--codec", "jpeg@60,5", "--task", "detection", "--limit", "6", "--resamples", "100")
    asked = (*run, "--retrain", "matched", "--retrain", "clean", *short)
    session.run(*asked)
    compared = (
        "select experiment, other, metric, kind, value, ci_low, ci_high, n, reason from comparisons order by 1, 2, 3, 4"
    )
    before, values = session.select(compared), session.values()
    said = session.run(*asked, "--again")
    told = again(said.stderr)
    assert len(told) == len(session.select("select distinct experiment from results"))
    assert set(told.values()) == {"equal in every digit (6 samples)"}
    assert any("retrained jpeg@5" in label for label in told)
    assert session.values() == values
    current = {key for (key,) in session.select("select distinct experiment from results")}
    assert [row for row in session.select(compared) if row[0] in current] == before
    assert any(row[3] == "net_recovery" for row in before)
