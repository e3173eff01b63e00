"""`harness run`, end to end on demo data: what is done is kept, found, continued, and never done twice."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from harness.cli.main import cli, main
from harness_plugins.sql_store import SqlStore
from kit.command import EACH_BATCH, Session, kill_after_rows

RUN = ("run", "--task", "detection", "--resamples", "100")
JPEG = (*RUN, "--codec", "jpeg", "--limit", "12")
EACH_ONCE = "select count(*), count(distinct experiment_id || '/' || sample_index) from samples"
QUICK = (*RUN, "--codec", "jpeg@50", "--limit", "4")


@pytest.fixture
def session(tmp_path: Path, cache: Path) -> Session:
    return Session(tmp_path, cache)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    """The main job, undisturbed, in a process of its own."""
    session = Session(tmp_path_factory.mktemp("undisturbed"), cache)
    session.run_process(*JPEG)
    return session


def test_the_main_job_and_again(undisturbed: Session) -> None:
    rows = undisturbed.select(
        "select codec, level, value, ci_low, ci_high, bpp, samples, status from results where metric = 'AP50'"
        " order by bpp desc"
    )
    assert [(codec, level) for codec, level, *_ in rows] == [
        ("none", None),
        *(("jpeg", q) for q in (95, 75, 50, 15, 10, 5)),
    ]
    rates = [row[5] for row in rows]
    assert rates[0] == 24
    assert all(a > b for a, b in itertools.pairwise(rates))
    for *_, value, low, high, _, samples, status in rows:
        assert low <= value <= high
        assert samples == 12
        assert status == "finished"
    before = undisturbed.database.read_bytes()
    started = time.monotonic()
    again = undisturbed.run(*JPEG)
    assert "all found in the database" in again.stderr
    assert time.monotonic() - started < 10
    assert undisturbed.database.read_bytes() == before
    assert again.stdout.count("jpeg") == 6
    assert undisturbed.select("select count(*) from runs") == [(1,)]


def test_the_run_is_recorded_with_its_provenance(undisturbed: Session) -> None:
    ((command, host, device, versions),) = undisturbed.select("select command, host, device, versions from runs")
    assert "--codec jpeg" in command
    assert host
    assert "cores" in device or "cuda" in device
    for library in ("codec-harness", "torch", "pillow", "jpeg/"):
        assert library in versions


@pytest.mark.parametrize("workers", ["0", "2"])
def test_workers_change_nothing(session: Session, undisturbed: Session, workers: str) -> None:
    session.run(*JPEG, "--workers", workers)
    assert session.values() == undisturbed.values()


def test_where_the_time_went_is_shown_after_a_run(session: Session) -> None:
    session.run(*QUICK)
    with closing(SqlStore(str(session.database))) as store:
        store.open()
        for experiment in store.experiments():
            store.add_stages(experiment.key, 1, {"encode": 8.0, "predict": 4.0, "wait": 90.0, "wall": 100.0})
    out = session.run(*QUICK, "--profile").stdout
    results, _, profile = out.partition("\n\n")
    assert "AP" in results
    assert profile.startswith("detection: demo-detector on demo/test")
    assert "codec-bound" in profile
    assert session.run(*QUICK).stdout.strip() == results.strip()


def test_what_else_was_asked_changes_nothing(session: Session, undisturbed: Session) -> None:
    session.run(*RUN, "--limit", "12", "--codec", "jpeg@10", "--codec", "webp@50")
    mine = session.values()
    shared = [key for key in mine if key in undisturbed.values()]
    assert {key[1] for key in shared if len(key) == 4} == {"none", "jpeg"}
    assert all(mine[key] == undisturbed.values()[key] for key in shared)


def test_a_killed_run_continues_and_gives_the_same_numbers(session: Session, undisturbed: Session) -> None:
    process = session.start(*JPEG, before=EACH_BATCH)
    held = kill_after_rows(session, process, rows=20)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    statuses = session.run_process("results", "--format", "csv", "--failed").stdout
    assert "interrupted" in statuses
    continued = session.run(*JPEG)
    assert len([line for line in continued.stderr.splitlines() if ": continued, " in line]) == 1
    assert held >= 20
    assert session.values() == undisturbed.values()
    assert session.select("select count(*), count(distinct experiment_id || '/' || sample_index) from samples") == [
        (84, 84)
    ]


CUT_OFF = "import os, harness.finish.finisher as f; f.Finisher._write_drops = lambda *a: os._exit(9)"


def test_drops_that_a_dying_run_did_not_write_are_written_by_the_next(session: Session) -> None:
    session.run_process(*QUICK, status=9, before=CUT_OFF)
    assert session.select("select distinct status from results") == [("finished",)]
    assert session.select("select count(*) from comparisons") == [(0,)]
    assert "all found" not in session.run(*QUICK).stderr
    assert session.select("select count(*) from curves where codec = 'jpeg' and \"drop\" is null and value > 0") == [
        (0,)
    ]
    assert "all found" in session.run(*QUICK).stderr


def test_a_baseline_that_comes_later_gives_the_drops(session: Session) -> None:
    session.run(*QUICK, "--no-baseline")
    assert session.select('select codec, "drop" from curves where is_primary') == [("jpeg", None)]
    session.run(*QUICK)
    ((drop,),) = session.select("select \"drop\" from curves where is_primary and codec = 'jpeg'")
    assert drop is not None


@pytest.mark.parametrize(("command", "kept"), [("run", True), ("train", True), ("recommend", False), ("report", False)])
def test_only_what_keeps_something_says_so_when_it_is_interrupted(
    command: str, kept: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    with pytest.raises(SystemExit) as stop:
        main([command])
    assert stop.value.code == 130
    told = capsys.readouterr().err
    assert told.startswith("\ninterrupted")
    assert ("what was done is kept" in told) == kept


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_was_done_and_exits_with_its_signal(
    session: Session, undisturbed: Session, number: int
) -> None:
    process = session.start(*JPEG, before=EACH_BATCH)
    kill_after_rows(session, process, 10, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert "Traceback" not in err
    assert err.index("stopping: ") < err.index("what was done is kept")
    shown = session.run("results").stdout
    assert "interrupted: " in shown
    assert " of 12 samples done" in shown
    assert session.select("select distinct status from experiments where status is not null") == [("interrupted",)]
    session.run(*JPEG)
    assert session.values() == undisturbed.values()


def test_two_runs_at_once_share_the_work(session: Session, undisturbed: Session) -> None:
    both = [session.start(*JPEG) for _ in range(2)]
    outputs = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert session.values() == undisturbed.values()
    assert session.select("select count(*), count(distinct experiment_id || '/' || sample_index) from samples") == [
        (84, 84)
    ]


def test_an_experiment_file_and_the_environment(session: Session) -> None:
    (session.folder / "study.toml").write_text(
        'codec = ["jpeg@50", "webp@50"]\ntask = "detection"\nlimit = 3\nresamples = 100\n'
    )
    session.env["HARNESS_DB"] = f"sqlite:///{session.folder}/other.db"
    session.run("run", "study.toml", "--limit", "2")
    session.database = session.folder / "other.db"
    assert session.select("select codec, samples from results where is_primary order by codec") == [
        ("jpeg", 2),
        ("none", 2),
        ("webp", 2),
    ]
    (session.folder / "bad.toml").write_text('codex = "jpeg"\n')
    assert "Did you mean 'codec'" in session.run("run", "bad.toml", status=2).stderr


def test_plan_runs_nothing_and_tells_what_is_done(session: Session, undisturbed: Session) -> None:
    out = session.run_process("plan", *JPEG[1:3], "--codec", "jpeg", "--limit", "12").stdout
    assert "7 to do" in out
    assert not session.database.exists()
    out = undisturbed.run("plan", *JPEG[1:3], "--codec", "jpeg@50,20", "--limit", "12").stdout
    assert "3 experiments, 1 to do: 12 predictions" in out
    assert "Estimated time: about" in out
    assert re.search(r"The database has [\d.]+ [kM]B, and will grow by about [\d.]+ [kM]B\.", out)
    more = ("--task", "pose", "--limit", "12", "--json")
    known = json.loads(undisturbed.run("plan", *JPEG[1:3], "--codec", "jpeg@50,20", *more).stdout)
    assert known["samples_to_do"] == 12 + 3 * 12
    assert known["samples_not_measured"] == 3 * 12
    assert known["seconds"] is None
    assert known["seconds_of_known"] > 0


def test_plan_counts_the_frames_that_are_judged(session: Session) -> None:
    options = ("--task", "detection", "--dataset", "demo-clips", "--codec", "h264@30", "--limit", "3")
    clips = json.loads(session.run("plan", *options, "--json").stdout)
    assert (clips["samples_to_do"], clips["judged_frames"]) == (2 * 3, 2 * 3 * 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--codec", "jpg", "--task", "detection"), "Did you mean 'jpeg'"),
        (("run", "--codec", "jpeg@0", "--task", "detection"), "from 1 to 100"),
        (("run", "--task", "detection"), "--codec is needed"),
        (("run", "--codec", "jpeg", "--task", "detection", "--device", "cuda:99"), "device 'cuda:99' is not there"),
        (("run", "--codec", "jpeg", "--task", "detection", "--executor", "ry"), "unknown executor 'ry'"),
        (("run", "--codec", "jpeg", "--task", "detection", "--db", "mysql://x"), "no store opens mysql://"),
        (("run", "--codec", "jpeg", "--task", "detection", "--registry", "none.toml"), "none.toml cannot be read"),
        (("run", "nothing.toml"), "there is no such file; looked for /"),
        (
            ("plan", "--codec", "jpeg", "--task", "detection", "--set", "lr=1", "--seeds", "2"),
            "--set, --seeds say how to retrain, and nothing is retrained: add --retrain matched",
        ),
        (("plan", "--codec", "jpeg"), "--task is needed, e.g. harness plan --codec jpeg"),
        (("run", "--codec", "vp9:bframes=0", "--task", "detection"), "no option 'bframes'. Its options: deadline, "),
        (("rum",), "Did you mean 'run'"),
    ],
)
def test_bad_usage_exits_2_with_a_clear_message_and_writes_nothing(
    session: Session, arguments: tuple[str, ...], message: str
) -> None:
    result = session.run(*arguments, status=2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not session.database.exists()


def test_a_database_that_is_none_is_refused_untouched(session: Session) -> None:
    session.database.write_text("these are my notes, not a database\n" * 200)
    before = session.database.read_bytes()
    result = session.run(*QUICK, status=2)
    assert "harness.db" in result.stderr
    assert "Traceback" not in result.stderr
    assert session.database.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(session: Session) -> None:
    session.folder.chmod(0o500)
    try:
        assert "harness.db" in session.run(*QUICK, status=2).stderr
    finally:
        session.folder.chmod(0o700)
