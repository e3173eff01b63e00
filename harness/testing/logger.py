"""What every logger promises: a plugin that is told what happens in a run (`harness.hookspecs`)."""

from __future__ import annotations

import copy
import os
import tempfile
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.records import RunInfo, Totals
from harness.testing.tools.base import Promises
from harness.testing.tools.broken import broken, promise, skip
from harness.testing.tools.store_rows import cell, metric
from harness.testing.tools.watch import watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.experiment import Experiment
    from harness.records import MetricValue, Status

__all__ = ["LoggerPromises"]

EVENTS = (
    *("harness_run_started", "harness_experiment_found", "harness_experiment_finished", "harness_training_started"),
    *("harness_training_finished", "harness_run_finished"),
)


class LoggerPromises(Promises):
    """What every logger promises. A class of tests of a logger derives from it::

        from harness.testing import LoggerPromises

        class TestMyLogger(LoggerPromises):
            spec = "my-logger"          # the entry point; or override make() to give the module

            def logged(self, folder):   # optional: what it has written, as a text
                return (folder / "log.txt").read_text()

    Each promise is tried in an empty working directory.

    Class attributes:
        silent: whether it is to write nothing to the standard streams.
    """

    kind = "logger"
    silent: ClassVar[bool] = False

    def make(self) -> Any:
        """Return the module or the object that has the hooks."""
        from harness.discovery.plugins import installed

        for label, plugin in installed().plugins.items():
            if plugin.origin.entry_point == self.spec:
                return installed().module(label)
        raise TypeError(f"no plugin has the entry point {self.spec!r}.")

    def logged(self, folder: Path) -> str | None:
        """Return what was logged in a working directory, as a text; None if it cannot be told."""
        return None

    @cached_property
    def hooks(self) -> dict[str, Any]:
        """The logger's hooks by their names, each as a function that takes all arguments by name."""
        import pluggy

        from harness import hookspecs

        manager = pluggy.PluginManager("harness")
        manager.add_hookspecs(hookspecs)
        made = self.make()
        manager.register(made)
        names = [caller.name for caller in manager.get_hookcallers(made) or ()]
        return {name: getattr(manager.hook, name) for name in EVENTS if name in names}

    @contextmanager
    def place(self) -> Iterator[Path]:
        """An empty folder, which is the working directory."""
        before = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                yield Path(folder)
            finally:
                os.chdir(before)

    def tell(self, event: str, **arguments: Any) -> None:
        """Call a hook, if the logger has it."""
        if event in self.hooks:
            self.hooks[event](**arguments)

    def run(self, number: int, status: Status = "finished", metrics: Any = None, count: int = 2) -> None:
        """Tell of a whole run."""
        self.tell("harness_run_started", run=number, info=info(), experiments=count)
        training = {"run": number, "key": "0" * 64, "label": "detection, demo-detector, clean"}
        self.tell("harness_training_started", **training, begin=0, end=100)
        self.tell(
            "harness_training_finished", **training, status="finished", weights="/cache/training/last.safetensors"
        )
        self.tell("harness_experiment_found", run=number, experiment=experiments(1)[0])
        for experiment in experiments(count):
            self.tell(
                "harness_experiment_finished",
                run=number,
                experiment=experiment,
                status=status if status in ("finished", "failed") else "finished",
                totals=totals(),
                metrics=values() if metrics is None else metrics,
                drops=[],
            )
        self.tell("harness_run_finished", run=number, status=status)

    def _whole(self, how: str, **arguments: Any) -> None:
        try:
            self.run(**arguments)
        except Exception as error:  # noqa: BLE001 - whatever a logger raises breaks the promise
            broken(f"{how} raises {type(error).__name__}: {error}. A logger has to take what a run gives.")

    def test_it_says_what_it_is(self) -> None:
        """It has at least one hook of a run, with the arguments that the hook has."""
        promise(self.hooks, f"there is no hook of a run: mark one of {', '.join(EVENTS)} with harness.hookimpl.")

    def test_it_imports_quickly(self) -> None:
        """Its module imports no deep-learning library, which would make every command seconds slower."""
        made = self.make()
        if not hasattr(made, "__file__") or made.__name__ == type(self).__module__:
            skip("the logger is no module of its own")
        from harness.testing.tools.elsewhere import slow_imports

        if slow := slow_imports(made.__name__):
            broken(f"the module imports {', '.join(slow)} when it is imported: move the import into the hooks.")

    def test_a_run_is_logged(self) -> None:
        """A run that is told in order is taken without an error, and its experiments are in the log."""
        with self.place() as folder:
            self._whole("a run", number=1)
            text = self.logged(folder)
        if text is not None:
            lost = [one.codec for one in experiments(2) if one.codec not in text]
            promise(not lost, f"the log has nothing of {lost}: log each experiment when it finishes.")
            promise("0.125" in text, "the log does not have the value 0.125 of the main metric.")

    def test_order_is_kept_in_the_log(self) -> None:
        """Experiments stand in the log in the order in which they finished."""
        with self.place() as folder:
            self._whole("a run", number=1)
            text = self.logged(folder)
        if text is None:
            skip("the test does not say what is logged: override logged()")
        places = [text.find(one.codec) for one in experiments(2)]
        promise(places == sorted(places) and -1 not in places, "the log has the experiments in another order.")

    def test_a_later_run_adds_to_the_log(self) -> None:
        """A second run in the same place leaves what was logged of the first."""
        with self.place() as folder:
            self._whole("a run", number=1)
            first = self.logged(folder)
            self._whole("a second run", number=2)
            second = self.logged(folder)
        if first is None or second is None:
            skip("the test does not say what is logged: override logged()")
        promise(len(second) > len(first), "a second run replaces the log of the first: append to it.")

    def test_metrics_without_a_value_are_taken(self) -> None:
        """Metrics that are undefined, an empty list of them, and totals with gaps cost no error."""
        with self.place():
            self._whole("a metric without a value", number=1, metrics=[metric("AP", None)])
            self._whole("an experiment without metrics", number=2, metrics=[])

    def test_every_end_is_taken(self) -> None:
        """Experiments and runs that fail or are interrupted, and runs of none, cost no error."""
        with self.place():
            for number, status in enumerate(("failed", "interrupted", "finished")):
                self._whole(f"a run that is {status}", number=number, status=status)
            self._whole("a run of no experiments", number=9, count=0)

    def test_an_end_without_a_beginning_is_taken(self) -> None:
        """Hooks that come without the beginning of the run (a plugin that is new to a run) cost no error."""
        with self.place():
            try:
                self.tell("harness_run_finished", run=77, status="finished")
            except Exception as error:  # noqa: BLE001 - whatever a logger raises breaks the promise
                broken(f"harness_run_finished of a run that was not begun raises {type(error).__name__}: {error}.")

    def test_arguments_are_untouched(self) -> None:
        """Nothing that is told is changed: other loggers are told the same objects."""
        facts, found = info(), values()
        before = copy.deepcopy((facts.versions, facts.settings, found))
        with self.place():
            self.tell("harness_run_started", run=1, info=facts, experiments=1)
            self.tell(
                "harness_experiment_finished",
                run=1,
                experiment=experiments(1)[0],
                status="finished",
                totals=totals(),
                metrics=found,
                drops=[],
            )
            self.tell("harness_run_finished", run=1, status="finished")
        promise(before == (facts.versions, facts.settings, found), "a hook changes what it is told: work on a copy.")

    def test_it_closes_what_it_opens(self) -> None:
        """After a run no file, thread or process is left open."""
        with self.place():
            self.run(1)
            with watched() as left:
                self.run(2)
            if left:
                broken(f"the logger leaves behind {', '.join(left[:3])}: close it when the run has finished.")


def info() -> RunInfo:
    """What a run says of itself."""
    return RunInfo("harness run", "here", "cpu", {"codec-harness": "0.1"}, None, {"workers": 2})


def experiments(count: int) -> list[Experiment]:
    """Some experiments, the baseline first."""
    return [cell("none", None), cell("jpeg", 50.0), cell("webp", 10.0)][:count]


def totals() -> Totals:
    """Totals of an experiment, with gaps."""
    return Totals(4, 0, 801, 400, 2.0)


def values() -> list[MetricValue]:
    """Metrics of an experiment; one of them has no value."""
    return [metric("AP", 0.125, 0.1, 0.15), metric("AP_large", None)]
