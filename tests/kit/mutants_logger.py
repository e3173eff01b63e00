"""A sound logger, which appends lines to a file, and loggers that have one fault each."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import harness
from harness.testing import LoggerPromises

LOG = "log.jsonl"


class SoundLogger:
    """Appends a line to a file for each event."""

    mode = "a"

    def line(self, **facts: Any) -> None:
        with Path(LOG).open(self.mode) as file:
            file.write(json.dumps(facts) + "\n")

    @harness.hookimpl
    def harness_run_started(self, run: int, info: Any, experiments: int) -> None:
        self.line(run=run, command=info.command)

    @harness.hookimpl
    def harness_experiment_finished(self, run: int, experiment: Any, status: str, metrics: Any) -> None:
        self.line(run=run, codec=experiment.codec, status=status, **{one.metric: one.value for one in metrics})

    @harness.hookimpl
    def harness_run_finished(self, run: int, status: str) -> None:
        self.line(run=run, status=status)


class LinesPromises(LoggerPromises):
    """How the sound logger and its mutants are tested."""

    def logged(self, folder: Path) -> str | None:
        path = folder / LOG
        return path.read_text() if path.exists() else ""


class NoHooks:
    """Has no hook of a run."""

    broken = "it_says_what_it_is"

    @harness.hookimpl
    def harness_codecs(self) -> list[Any]:
        return []


class LosesExperiments(SoundLogger):
    """Logs the beginning and the end of a run, and no experiment."""

    broken = "a_run_is_logged"

    @harness.hookimpl
    def harness_experiment_finished(self, run: int) -> None:
        pass


class LogsNoValues(SoundLogger):
    """Logs experiments without their metrics."""

    broken = "a_run_is_logged"

    @harness.hookimpl
    def harness_experiment_finished(self, run: int, experiment: Any) -> None:
        self.line(run=run, codec=experiment.codec)


class LastFirst(SoundLogger):
    """Writes the last event first."""

    broken = "order_is_kept_in_the_log"

    def line(self, **facts: Any) -> None:
        path = Path(LOG)
        path.write_text(json.dumps(facts) + "\n" + (path.read_text() if path.exists() else ""))


class ReplacesTheLog(SoundLogger):
    """Replaces the log of the run before."""

    broken = "a_later_run_adds_to_the_log"

    @harness.hookimpl
    def harness_run_started(self, run: int, info: Any, experiments: int) -> None:
        Path(LOG).unlink(missing_ok=True)
        super().harness_run_started(run, info, experiments)


class RoundsNone(SoundLogger):
    """Rounds metrics, also those without a value."""

    broken = "metrics_without_a_value_are_taken"

    @harness.hookimpl
    def harness_experiment_finished(self, run: int, experiment: Any, status: str, metrics: Any) -> None:
        self.line(codec=experiment.codec, **{one.metric: round(one.value, 3) for one in metrics})


class NeedsAMetric(SoundLogger):
    """Takes the first metric, also where there is none."""

    broken = "metrics_without_a_value_are_taken"

    @harness.hookimpl
    def harness_experiment_finished(self, run: int, experiment: Any, status: str, metrics: Any) -> None:
        self.line(codec=experiment.codec, value=metrics[0].value)


class KnowsTwoEnds(SoundLogger):
    """Knows runs that are finished or failed, and no others."""

    broken = "every_end_is_taken"

    @harness.hookimpl
    def harness_run_finished(self, run: int, status: str) -> None:
        self.line(end={"finished": 0, "failed": 1}[status])


class NeedsABeginning(SoundLogger):
    """Needs the beginning of a run at its end."""

    broken = "an_end_without_a_beginning_is_taken"
    begun: dict[int, str] = {}

    @harness.hookimpl
    def harness_run_started(self, run: int, info: Any, experiments: int) -> None:
        self.begun[run] = info.command

    @harness.hookimpl
    def harness_run_finished(self, run: int, status: str) -> None:
        self.line(command=self.begun[run])


class ChangesMetrics(SoundLogger):
    """Sorts the list of metrics that all loggers are told."""

    broken = "arguments_are_untouched"

    @harness.hookimpl
    def harness_experiment_finished(self, run: int, experiment: Any, status: str, metrics: Any) -> None:
        metrics.sort(key=lambda one: one.metric, reverse=True)


class HoldsTheLogOpen(SoundLogger):
    """Opens a file for each run, and does not close it."""

    broken = "it_closes_what_it_opens"

    @harness.hookimpl
    def harness_run_started(self, run: int, info: Any, experiments: int) -> None:
        os.open(LOG, os.O_CREAT | os.O_RDWR)


MUTANTS = [NoHooks, *SoundLogger.__subclasses__()]
