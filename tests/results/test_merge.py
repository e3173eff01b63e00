"""`harness results merge`: several machines' databases as one, equal to what one machine alone would have."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.finish.finisher import METHOD
from harness.keep.processes import this_process
from harness.records import Claim, Placed, Totals
from harness_plugins.sql_store import SqlStore
from kit.command import EACH_BATCH, Session, kill_after_rows
from kit.store_rows import INFO, cell, metric, row

FEW = ("--limit", "8", "--quiet", "--resamples", "100", "--threads", "1")
DETECTION = ("--task", "detection", *FEW)
SHORT = ("--set", "iterations=2", "--set", "batch=2", "--set", "checkpoint=2", "--set", "warmup=1")
Everything = dict[tuple[object, ...], tuple[object, ...]]
MERGE = ("results", "merge", "--resamples", "100")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    """whole.db: a ladder, with a retraining. a.db: the baseline and a level. b.db: the other level, without a baseline,
    and the retrained model at it."""
    session = Session(tmp_path_factory.mktemp("machines"), cache)
    retrain = ("--retrain", "matched", "--retrain", "clean", *SHORT)
    session.run("run", "--codec", "jpeg@60,5", *DETECTION, "--db", "whole.db", *retrain)
    session.run("run", "--codec", "jpeg@60", *DETECTION, "--db", "a.db")
    session.run("run", "--codec", "jpeg@60,5", *DETECTION, "--no-baseline", "--db", "b.db", *retrain)
    return session


def everything(session: Session, file: str) -> Everything:
    """All that was measured, and all that was compared."""
    with closing(sqlite3.connect(session.folder / file)) as connection:
        values = connection.execute(
            'SELECT r.experiment, r.metric, r.value, r.ci_low, r.ci_high, r.bpp, r.samples, r.status, c."drop",'
            " c.drop_ci_low, c.drop_ci_high FROM results r LEFT JOIN curves c USING (experiment, metric)"
        ).fetchall()
        compared = connection.execute(
            "SELECT experiment, other, metric, kind, value, ci_low, ci_high FROM comparisons"
        ).fetchall()
        samples = connection.execute("SELECT experiment, sample, bytes, psnr, score, status FROM per_sample").fetchall()
    found = {row[:2]: row[2:] for row in values} | {row[:4]: row[4:] for row in compared}
    return found | {row[:2]: row[2:] for row in samples}


def shared(whole: Everything, part: Everything) -> Everything:
    """What of the whole is of a part's experiments: retrained models on uncompressed frames are not in the halves."""
    keys = {key[0] for key in part}
    return {key: value for key, value in whole.items() if key[0] in keys and (len(key) < 4 or key[1] in keys)}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_results_of_an_older_method_get_the_intervals_of_the_present_one(files: Session) -> None:
    shutil.copy(files.folder / "whole.db", files.folder / "old.db")
    with closing(sqlite3.connect(files.folder / "old.db")) as connection:
        connection.execute("UPDATE experiments SET interval_method = 'delete-d jackknife', resamples = 50")
        connection.execute("UPDATE metrics SET ci_low = value, ci_high = value")
        connection.execute("UPDATE comparisons SET ci_low = value, ci_high = value")
        connection.commit()
    count = len({key[0] for key in everything(files, "old.db") if len(key) == 4 or key[1] == "AP"})
    refresh = ("results", "refresh", "--resamples", "100", "--db", "old.db")
    assert f"{count} experiments have new intervals" in files.run(*refresh).stdout
    assert everything(files, "old.db") == everything(files, "whole.db")
    with closing(sqlite3.connect(files.folder / "old.db")) as connection:
        methods = connection.execute("SELECT DISTINCT interval_method, resamples FROM experiments").fetchall()
    assert methods == [(METHOD, 100)]
    assert "0 experiments have new intervals" in files.run(*refresh).stdout


def test_two_halves_are_the_whole(files: Session) -> None:
    before = [digest(files.folder / name) for name in ("a.db", "b.db")]
    out = files.run_process(*MERGE, "a.db", "b.db", "-o", "merged.db")
    assert "b.db: " in out.stdout
    assert "1 were finished already" in out.stdout
    assert "warning" not in out.stderr
    whole, merged = everything(files, "whole.db"), everything(files, "merged.db")
    assert merged == shared(whole, merged)
    assert len(merged) > 400
    assert any("net_recovery" in key for key in merged)
    assert [digest(files.folder / name) for name in ("a.db", "b.db")] == before
    text = files.run(
        "run", "--codec", "jpeg@60,5", *[w for w in DETECTION if w != "--quiet"], "--db", "merged.db"
    ).stderr
    assert "all found in the database" in text


def test_merging_again_or_with_itself_changes_nothing(files: Session) -> None:
    files.run(*MERGE, "a.db", "b.db", "a.db", "-o", "three.db")
    before = everything(files, "three.db")
    shutil.copy(files.folder / "three.db", files.folder / "copy.db")
    out = files.run(*MERGE, "copy.db", "b.db", "-o", "three.db", "--into").stdout
    assert "0 experiments taken" in out
    assert everything(files, "three.db") == before == shared(everything(files, "whole.db"), before)
    with closing(sqlite3.connect(files.folder / "three.db")) as connection:
        runs = connection.execute("SELECT command, started_at, host, process FROM runs").fetchall()
        assert len(runs) == len(set(runs))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_finished_cell_wins_and_an_unfinished_one_can_be_continued(files: Session) -> None:
    part = Session(files.folder / "part", Path(files.env["HARNESS_CACHE"]))
    part.folder.mkdir()
    slowly = EACH_BATCH.replace("sleep(0.2)", "sleep(1.3)")
    process = part.start("run", "--codec", "jpeg@60,5", *DETECTION, "--workers", "0", before=slowly)
    kill_after_rows(part, process, 3)
    process.communicate(timeout=60)
    files.run(*MERGE, "part/harness.db", "-o", "unfinished.db")
    states = {status for (status,) in part.select("SELECT DISTINCT status FROM results")}
    assert "finished" not in states
    for order in (("unfinished.db", "a.db"), ("a.db", "unfinished.db")):
        files.run(*MERGE, *order, "-o", f"{order[0]}-first.db")
        with closing(sqlite3.connect(files.folder / f"{order[0]}-first.db")) as connection:
            found = dict(connection.execute("SELECT COALESCE(level, 0), status FROM results"))
        assert found[0] == found[60.0] == "finished"
        assert found.get(5.0) in ("interrupted", None)
    files.run("run", "--codec", "jpeg@60,5", *DETECTION, "--db", "unfinished.db-first.db")
    done = everything(files, "unfinished.db-first.db")
    whole = everything(files, "whole.db")
    assert {key: value for key, value in whole.items() if key in done} == done


def test_doubles_that_differ_are_told(files: Session) -> None:
    shutil.copy(files.folder / "a.db", files.folder / "other.db")
    with closing(sqlite3.connect(files.folder / "other.db")) as connection, connection:
        connection.execute("UPDATE metrics SET value = value + 0.25 WHERE metric = 'AP50'")
    out = files.run(*MERGE, "a.db", "other.db", "-o", "differ.db")
    assert out.stderr.count("AP50 is ") == 2
    assert everything(files, "differ.db") == everything(files, "a.db")


def test_drops_and_recoveries_stand_on_the_results_that_are_kept(files: Session) -> None:
    shutil.copy(files.folder / "whole.db", files.folder / "shifted.db")
    with closing(sqlite3.connect(files.folder / "shifted.db")) as connection, connection:
        (none,) = connection.execute("SELECT key FROM experiments WHERE baseline IS NULL AND codec = 'none'").fetchone()
        connection.execute("UPDATE metrics SET value = value + 0.25 WHERE experiment = ?", (none,))
        connection.execute("UPDATE comparisons SET value = value + 0.25")
    out = files.run(*MERGE, "a.db", "shifted.db", "-o", "kept.db")
    assert f"experiment {none[:12]}: " in out.stderr
    assert everything(files, "kept.db") == everything(files, "whole.db")


def test_seconds_of_stages_come_with_their_experiments(tmp_path: Path) -> None:
    """The merged file has the seconds of the experiment that is kept, under the runs that spent them."""
    kept, finished = cell(), cell("none", None)
    for name, runs, done in (("a", 1, 0), ("b", 3, 2)):
        with closing(SqlStore(str(tmp_path / f"{name}.db"))) as store:
            store.open()
            numbers = [store.begin_run(replace(INFO, command=f"{name}{number}")) for number in range(runs)]
            mine = Claim(this_process(), numbers[-1])
            store.register([kept, finished], numbers[-1])
            store.claim([kept.key, finished.key], mine)
            store.finish(finished.key, mine, Totals(4, 0), [metric("AP", 0.5)])
            store.add_stages(finished.key, numbers[-1], {"wall": float(runs)})
            store.write([row(kept.key, index) for index in range(done)], mine)
            for number in numbers:
                store.add_stages(kept.key, number, {"encode": float(number), "workers": 2})
            store.release([kept.key], mine, "interrupted")
    SqlStore.merge([f"{tmp_path}/a.db", f"{tmp_path}/b.db"], f"{tmp_path}/whole.db", False, nothing_more)
    with closing(SqlStore(str(tmp_path / "whole.db"))) as store:
        store.open()
        found = store.select(
            "SELECT e.codec, r.command, s.stage, s.seconds FROM stages s JOIN runs r ON r.id = s.run"
            " JOIN experiments e ON e.key = s.experiment ORDER BY e.codec, r.command, s.stage"
        )[1]
    encoding = [("jpeg", f"b{n}", *fact) for n in range(3) for fact in (("encode", n + 1.0), ("workers", 2.0))]
    assert found == [*encoding, ("none", "a0", "wall", 1.0)]


def test_what_runs_noted_of_a_joined_experiment_comes_from_both(tmp_path: Path) -> None:
    """Two databases have each a part of one experiment: the seconds and places of both, once, however often merged."""
    parted = cell(baseline=None)
    for part, name in enumerate(("a", "b")):
        with closing(SqlStore(str(tmp_path / f"{name}.db"))) as store:
            store.open()
            run = store.begin_run(replace(INFO, command=name, host=f"host {name}"))
            mine = Claim(this_process(), run)
            store.register([parted], run)
            store.claim([parted.key], mine)
            store.write([row(parted.key, 2 * part), row(parted.key, 2 * part + 1)], mine)
            store.add_stages(parted.key, run, {"wall": part + 1.0})
            store.add_places([Placed(parted.key, run, f"process {part + 1}", "cpu", 2)])
            store.release([parted.key], mine, "partial")
    a, b, whole = f"{tmp_path}/a.db", f"{tmp_path}/b.db", f"{tmp_path}/whole.db"
    SqlStore.merge([a, b], whole, False, nothing_more)
    SqlStore.merge([b, a], whole, True, nothing_more)
    with closing(SqlStore(whole)) as store:
        store.open()
        assert store.done(parted.key) == {0, 1, 2, 3}
        commands = {one.id: one.info.command for one in store.runs()}
        found = [(commands[one.run], one.place, one.device, one.rows) for one in store.places([parted.key])]
        assert sorted(found) == [("a", "process 1", "cpu", 2), ("b", "process 2", "cpu", 2)]
        seconds = "SELECT r.command, s.seconds FROM stages s JOIN runs r ON r.id = s.run ORDER BY r.command"
        assert store.select(seconds)[1] == [("a", 1.0), ("b", 2.0)]
        assert list(store.check()) == []


def nothing_more(store: SqlStore) -> None:
    """Nothing follows from what met."""


def test_a_target_that_is_written_to_meanwhile_is_left_alone(files: Session) -> None:
    target = files.folder / "busy.db"
    shutil.copy(files.folder / "a.db", target)
    before = everything(files, "busy.db")
    with closing(sqlite3.connect(target)) as run:

        def write(store: SqlStore) -> None:
            run.execute("UPDATE runs SET host = 'elsewhere'")
            run.commit()

        with pytest.raises(StoreError, match="was written to meanwhile"):
            SqlStore.merge([f"{files.folder}/b.db"], str(target), True, write)
        assert everything(files, "busy.db") == before
        assert run.execute("SELECT DISTINCT host FROM runs").fetchall() == [("elsewhere",)]


def test_who_has_the_target_open_reads_and_writes_the_merged_one(files: Session) -> None:
    target = files.folder / "open.db"
    shutil.copy(files.folder / "a.db", target)
    with closing(sqlite3.connect(target)) as run:
        count = run.execute("SELECT count(*) FROM experiments").fetchone()[0]
        SqlStore.merge([f"{files.folder}/b.db"], str(target), True, nothing_more)
        assert run.execute("SELECT count(*) FROM experiments").fetchone()[0] > count
        run.execute("UPDATE runs SET host = 'elsewhere'")
        run.commit()
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT DISTINCT host FROM runs").fetchall() == [("elsewhere",)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_what_cannot_be_merged_is_told_and_leaves_everything_as_it_was(files: Session) -> None:
    (files.folder / "text.db").write_text("not a database at all, but long enough to look like one " * 40)
    with closing(sqlite3.connect(files.folder / "foreign.db")) as connection, connection:
        connection.execute("CREATE TABLE songs (name)")
    (files.folder / "empty.db").touch()
    before = digest(files.folder / "a.db")
    nowhere = files.run(*MERGE, "a.db", "-o", "no/bad.db", status=2).stderr
    assert f"{files.folder}/no is no folder that may be written into" in nowhere
    for sources, words in (
        (("a.db", "text.db"), "text.db"),
        (("a.db", "foreign.db"), "foreign.db is a database, but not one of results"),
        (("a.db", "missing.db"), "there is no such file"),
        (("a.db", "empty.db"), "empty.db is empty"),
    ):
        assert words in files.run(*MERGE, *sources, "-o", "bad.db", status=2).stderr
        assert not (files.folder / "bad.db").exists()
    assert "it is there already" in files.run(*MERGE, "b.db", "-o", "a.db", status=2).stderr
    assert "no such database" in files.run(*MERGE, "b.db", "-o", "new.db", "--into", status=2).stderr
    assert "others are taken into" in files.run(*MERGE, "a.db", "-o", "a.db", "--into", status=2).stderr
    for target in ("text.db", "foreign.db"):
        as_it_was = digest(files.folder / target)
        assert target in files.run(*MERGE, "b.db", "-o", target, "--into", status=2).stderr
        assert digest(files.folder / target) == as_it_was
    assert digest(files.folder / "a.db") == before
    assert not [path for path in files.folder.iterdir() if path.name.startswith(".merge")]


def superseding(folder: Path) -> tuple[Path, Path]:
    """Two databases of one experiment and its baseline; in the second the experiment was computed again."""
    first, second = folder / "first.db", folder / "second.db"
    none, jpeg = cell("none", None), cell()
    with closing(SqlStore(str(first))) as store:
        store.open()
        claim = Claim(this_process(), store.begin_run(INFO))
        store.register([none, jpeg], claim.run)
        store.claim([none.key, jpeg.key], claim)
        for one, value in ((none, 0.5), (jpeg, 0.4)):
            store.write([row(one.key, 0)], claim)
            store.finish(one.key, claim, Totals(1, 0), [metric("AP", value)])
    with closing(sqlite3.connect(first)) as connection, connection:
        connection.execute("update experiments set finished_at = '2026-01-01T00:00:00Z'")
    shutil.copy(first, second)
    with closing(SqlStore(str(second))) as store:
        store.open()
        claim = Claim(this_process(), store.begin_run(INFO))
        begun = store.begin_again([jpeg.key, none.key])
        store.claim(list(begun.values()), claim)
        store.write([row(begun[jpeg.key], index, bits=5) for index in range(2)], claim)
        store.finish(begun[jpeg.key], claim, Totals(2, 0), [metric("AP", 0.3)])
        assert len(store.supersede([jpeg.key])) == 1
        store.release([begun[none.key]], claim, "interrupted")
    return first, second


def merged_values(path: Path) -> tuple[list[object], list[object], list[object]]:
    with closing(sqlite3.connect(path)) as connection:
        results = connection.execute("select codec, value from results order by codec").fetchall()
        superseded = connection.execute("select codec, value, samples from superseded").fetchall()
        samples = connection.execute(
            "select codec, count(*) from per_sample join results using (experiment) group by 1"
        )
        return results, superseded, samples.fetchall()


@pytest.mark.parametrize("order", [("first", "second"), ("second", "first"), ("second", "second"), ("first", "first")])
@pytest.mark.parametrize("into", [False, True])
def test_a_superseded_record_stays_superseded(tmp_path: Path, order: tuple[str, str], into: bool) -> None:
    first, second = superseding(tmp_path)
    files = {"first": first, "second": second}
    if into:
        target = Path(shutil.copy(files[order[0]], tmp_path / "all.db"))
        merged = list(SqlStore.merge([str(files[order[1]])], str(target), True, lambda store: None))
    else:
        target = tmp_path / "all.db"
        merged = list(SqlStore.merge([str(files[name]) for name in order], str(target), False, lambda store: None))
    if "second" in order:
        assert merged_values(target) == (
            [("jpeg", 0.3), ("none", 0.5)],
            [("jpeg", 0.4, 1)],
            [("jpeg", 2), ("none", 1)],
        )
    else:
        assert merged_values(target) == ([("jpeg", 0.4), ("none", 0.5)], [], [("jpeg", 1), ("none", 1)])
    assert not any(one.differing for one in merged), "one of them is the record of before of the other"
    if order == ("first", "second"):
        assert merged[-1].taken == 1
        assert merged[-1].doubles == 1
    with closing(SqlStore(str(target))) as store:
        store.open()
        begun = store.begin_again([cell("none", None).key])
        assert len(begun) == 1, "what was begun in another file is begun anew"


def test_records_that_superseded_the_same_one_on_two_machines_are_told_apart(tmp_path: Path) -> None:
    _, second = superseding(tmp_path)
    with closing(sqlite3.connect(shutil.copy(second, tmp_path / "third.db"))) as connection, connection:
        connection.execute("update runs set host = 'there' where id = 2")
        connection.execute("update metrics set value = 0.2 where value = 0.3")
    target = tmp_path / "all.db"
    merged = SqlStore.merge([str(second), f"{tmp_path}/third.db"], str(target), False, lambda store: None)
    assert merged_values(target)[:2] == ([("jpeg", 0.3), ("none", 0.5)], [("jpeg", 0.4, 1)])
    assert [values[1:] for values in merged[-1].differing] == [("AP", 0.3, 0.2)]
