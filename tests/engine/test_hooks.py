"""What a logger hears of a run, and that its faults cost the run nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.discovery.events import Events
from harness.discovery.plugins import Plugins
from harness.engine.telling import Telling
from harness.engine.trainer import Trainer
from harness.errors import TrainingError
from harness.progress import Silence
from harness.records import RunInfo
from harness.unit import Settings
from harness_plugins.sql_store import SqlStore
from kit.command import Session
from kit.counting import write_counting
from kit.small_training import RECIPE, job

LOGGER = """
import json
import harness

def note(hook, **facts):
    with open("log.jsonl", "a") as file:
        file.write(json.dumps({"hook": hook, **facts}) + "\\n")

@harness.hookimpl
def harness_run_started(run, info, experiments):
    note("run_started", run=run, experiments=experiments)

@harness.hookimpl
def harness_experiment_found(run, experiment):
    note("experiment_found", run=run, key=experiment.key, label=experiment.label)

@harness.hookimpl
def harness_experiment_finished(run, experiment, status, totals, metrics, drops):
    note("experiment_finished", run=run, key=experiment.key, codec=experiment.codec, status=status,
         samples=totals.samples, metrics={m.metric: m.value for m in metrics}, drops={d.metric: d.value for d in drops})

@harness.hookimpl
def harness_training_started(run, key, label, begin, end):
    note("training_started", run=run, key=key, label=label, iterations=[begin, end])

@harness.hookimpl
def harness_training_finished(run, key, label, status, weights):
    note("training_finished", run=run, key=key, label=label, status=status, weights=weights)

@harness.hookimpl
def harness_run_finished(run, status):
    note("run_finished", run=run, status=status)
"""
RUN = ("run", "--codec", "coarse", "--task", "counting", "--resamples", "100")


@pytest.fixture
def session(tmp_path: Path, cache: Path) -> Session:
    write_counting(tmp_path)
    (tmp_path / "logger.py").write_text(LOGGER)
    session = Session(tmp_path, cache)
    session.env["HARNESS_PLUGINS"] = "counting.py:logger.py"
    return session


def heard(session: Session) -> list[dict[str, Any]]:
    file = session.folder / "log.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def stored_drops(session: Session) -> dict[str, float]:
    query = "select experiment, value from comparisons where metric = 'mae' and kind = 'drop'"
    return {row[0]: row[1] for row in session.select(query)}


@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_experiment_is_told_once_with_the_drops_that_the_database_has(session: Session, workers: str) -> None:
    session.run(*RUN, "--workers", workers)
    lines = heard(session)
    assert [line["hook"] for line in lines] == ["run_started", *["experiment_finished"] * 3, "run_finished"]
    assert lines[0]["experiments"] == 3
    told = {line["key"]: line["drops"]["mae"] for line in lines[1:-1] if line["codec"] == "coarse"}
    assert told == stored_drops(session)
    assert sorted(told.values()) == [0, 3]
    (baseline,) = [line for line in lines[1:-1] if line["codec"] == "none"]
    assert (baseline["drops"], baseline["metrics"], baseline["samples"]) == ({}, {"mae": 0}, 5)


def test_drops_that_come_at_the_end_of_the_run_are_waited_for(session: Session) -> None:
    session.run(*RUN, "--no-baseline")
    assert [line["drops"] for line in heard(session)[1:-1]] == [{}, {}]
    session.run(*RUN)
    lines = heard(session)
    assert [line["hook"] for line in lines] == [
        *("run_started", "experiment_found", "experiment_found", "experiment_finished", "run_finished")
    ]
    assert lines[3]["codec"] == "none"
    session.run(*RUN)  # all are there: no run begins
    assert heard(session) == []


def test_a_hook_that_raises_costs_a_warning_which_the_run_records(session: Session) -> None:
    session.run(*RUN)
    good = session.run("results").stdout
    (session.folder / "harness.db").unlink()
    failing = LOGGER.replace(
        'note("experiment_finished"', 'raise SystemExit("disk full")\n    note("experiment_finished"'
    )
    failing = failing.replace('note("run_finished"', 'raise OSError("gone")\n    note("run_finished"')
    (session.folder / "logger.py").write_text(failing)
    ran = session.run(*RUN)
    texts = [
        f"plugin file:{session.folder}/logger.py: harness_experiment_finished: SystemExit: disk full",
        f"plugin file:{session.folder}/logger.py: harness_run_finished: OSError: gone",
    ]
    for text in texts:
        assert ran.stderr.count(text) == 1  # three experiments, one sentence
    assert session.run("results").stdout == good
    ((settings,),) = session.select("select settings from runs")
    assert json.loads(settings)["warnings"] == texts
    assert "Nothing differs" in session.run("doctor", "--database").stdout


class Recorded(Plugins):
    """No plugins; the events are kept."""

    def __init__(self) -> None:
        super().__init__(points=(), files=())
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def emit(self, event: str, arguments: Mapping[str, Any]) -> list[str]:
        self.heard.append((event, dict(arguments)))
        return super().emit(event, arguments)


def test_trainings_are_told_when_they_begin_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    store = SqlStore(str(tmp_path / "a.db"))
    store.open()
    run = store.begin_run(RunInfo("", "", "", {}, None))
    plugins = Recorded()
    telling = Telling(Silence(), Events(plugins, Silence(), run))
    trainer = Trainer(store, Settings("cpu", "fp32", 0, 1), telling, run)
    one = job()
    weights = trainer.weights(one, "slope")
    facts = {"run": run, "key": one.key(), "label": "slope"}
    began = ("harness_training_started", {**facts, "begin": 0, "end": RECIPE.iterations})
    ended = ("harness_training_finished", {**facts, "status": "finished", "weights": str(weights.path)})
    assert plugins.heard == [began, ended]
    trainer.weights(one, "slope")  # it is there
    assert plugins.heard == [began, ended]
    wild = replace(job(), recipe=replace(RECIPE, lr=1e30, clip=0.0))
    with pytest.raises(TrainingError):
        trainer.weights(wild, "wild")
    assert [name for name, _ in plugins.heard[2:]] == ["harness_training_started", "harness_training_finished"]
    assert plugins.heard[3][1] == {
        **{"run": run, "key": wild.key(), "label": "wild"},
        **{"status": "failed", "weights": None},
    }
    store.close()
