"""Progress of a run: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from harness.cli.progress.lines import PlainLines
from harness.experiment import Experiment
from harness.progress import Silence
from harness.records import MetricValue, Totals
from harness.results.tables.text import clean

__all__ = ["RunBars", "RunLines", "make_progress"]


def make_progress(console: Console) -> RunBars | RunLines:
    """Return progress bars if the console is a terminal, else progress as lines."""
    return RunBars(console) if console.is_terminal else RunLines(console)


class _Speed(ProgressColumn):
    """A column with the number of samples per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s")


class _Counts(Silence):
    """The experiments of a run, with the number of finished and failed samples of each."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.experiments: dict[str, Experiment] = {}
        self.done: dict[str, int] = {}
        self.failed: dict[str, int] = {}
        self.continued: list[Experiment] = []

    def planned(self, experiments: Sequence[Experiment], found: Sequence[str]) -> None:
        self.experiments = {e.key: e for e in experiments if e.key not in set(found)}
        self.done = dict.fromkeys(self.experiments, 0)
        self.failed = dict.fromkeys(self.experiments, 0)
        total, left = len(experiments), len(self.experiments)
        self.console.print(f"{total} experiments: {total - left} found in the database, {left} to do.", highlight=False)

    def resumed(self, experiment: Experiment, samples: int) -> None:
        self.done[experiment.key] = samples
        self.continued.append(experiment)

    def _say_what_continues(self) -> None:
        """Write one line about all experiments that were continued since the last such line."""
        if not self.continued:
            return
        first, more = self.continued[0], len(self.continued) - 1
        name = first.label + (f" and {more} more" if more else "")
        done = sum(self.done[e.key] for e in self.continued)
        planned = sum(e.samples for e in self.continued)
        self.continued = []
        text = f"{name}: continued, {done} of {planned} samples were done."
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def advanced(self, key: str, samples: int, failed: int) -> None:
        self._say_what_continues()
        self.done[key] += samples
        self.failed[key] += failed

    def finished(self, experiment: Experiment, totals: Totals, metrics: Sequence[MetricValue]) -> None:
        self._say_what_continues()
        primary = next((m for m in metrics if m.is_primary), None)
        value = "" if primary is None or primary.value is None else f", {primary.metric} {primary.value:.4f}"
        failures = f", {totals.failed} failed" if totals.failed else ""
        self.console.print(
            f"{experiment.label}: {totals.samples} samples{failures}{value}", highlight=False, markup=False
        )

    def warning(self, text: str) -> None:
        self._say_what_continues()
        self.console.print(f"warning: {clean(text)}", style="yellow", highlight=False, markup=False)


class RunLines(_Counts):
    """Progress of a run as lines of text, one every few seconds."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.lines = PlainLines(console)
        self.begun = time.monotonic()
        self.fresh = 0
        self.works: set[str] = set()

    def __enter__(self) -> RunLines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None

    def advanced(self, key: str, samples: int, failed: int) -> None:
        super().advanced(key, samples, failed)
        if not self.fresh:
            self.begun = self.lines.last = time.monotonic()
        self.fresh += samples
        if self.lines.is_due():
            done, total = sum(self.done.values()), sum(e.samples for e in self.experiments.values())
            speed = self.fresh / (time.monotonic() - self.begun)
            left = (total - done) / speed if speed else 0
            self.lines.write(f"{done} of {total} samples ({done / total:.0%}), {speed:.1f}/s, {left:.0f} s left")

    def status(self, text: str) -> None:
        work = text.partition(":")[0]
        begun = work not in self.works  # several can be under way at once
        self.works.add(work)
        if text.startswith("waiting") or (text.startswith("training") and (begun or self.lines.is_due())):
            self.lines.write(text)


class RunBars(_Counts):
    """Progress of a run as bars: one for the whole run, and one for each running experiment."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Speed(),
            TimeRemainingColumn(),
            console=console,
        )
        self.overall = self.progress.add_task("all experiments", total=None, visible=False)
        self.bars: dict[str, TaskID] = {}

    def __enter__(self) -> RunBars:
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.progress.stop()

    def planned(self, experiments: Sequence[Experiment], found: Sequence[str]) -> None:
        super().planned(experiments, found)
        total = sum(e.samples for e in self.experiments.values())
        self.progress.update(self.overall, total=total, visible=bool(total))

    def resumed(self, experiment: Experiment, samples: int) -> None:
        super().resumed(experiment, samples)
        self.progress.update(self.overall, completed=sum(self.done.values()))

    def advanced(self, key: str, samples: int, failed: int) -> None:
        super().advanced(key, samples, failed)
        if key not in self.bars:
            experiment = self.experiments[key]
            self.bars[key] = self.progress.add_task(escape(experiment.label), total=experiment.samples)
        self.progress.update(self.bars[key], completed=self.done[key])
        self.progress.advance(self.overall, samples)

    def finished(self, experiment: Experiment, totals: Totals, metrics: Sequence[MetricValue]) -> None:
        super().finished(experiment, totals, metrics)
        if experiment.key in self.bars:
            self.progress.remove_task(self.bars.pop(experiment.key))

    def status(self, text: str) -> None:
        self.progress.update(self.overall, description=escape(text) or "all experiments")
