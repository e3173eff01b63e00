"""The hooks that a plugin can implement. Mark each implementation with `harness.hookimpl`.

A plugin is a module named by an entry point of the group `harness`::

    [project.entry-points.harness]
    my-codec = "my_package.my_codec"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from harness.codec import Codec
    from harness.dataset import Dataset
    from harness.executor import Executor
    from harness.experiment import Experiment
    from harness.model import Model
    from harness.pages import PageSection
    from harness.records import Comparison, MetricValue, RunInfo, Status, Totals
    from harness.store import Store
    from harness.task import Task

__all__ = [
    "harness_codecs",
    "harness_commands",
    "harness_datasets",
    "harness_executors",
    "harness_experiment_finished",
    "harness_experiment_found",
    "harness_models",
    "harness_report_sections",
    "harness_run_finished",
    "harness_run_started",
    "harness_stores",
    "harness_tasks",
    "harness_training_finished",
    "harness_training_started",
]

hookspec = pluggy.HookspecMarker("harness")


@hookspec
def harness_codecs() -> Iterable[type[Codec]]:
    """Provide codec classes.

    Example::

        import harness
        from harness.codec import ImageCodec, Scale

        class MyCodec(ImageCodec):
            name = "my-codec"
            summary = "my codec"
            scale = Scale("quality", ladder=(90, 50, 10), minimum=1, maximum=100, higher_is_better=True)

            def encode_image(self, image, level):
                return my_library.encode(image, quality=int(level))

            def decode_image(self, data):
                return my_library.decode(data)

            def fingerprint(self):
                return {"my_library": my_library.__version__}

        @harness.hookimpl
        def harness_codecs():
            return [MyCodec]
    """
    raise AssertionError("a specification is never called")


@hookspec
def harness_tasks() -> Iterable[type[Task]]:
    """Provide task classes.

    Example::

        import harness
        import numpy as np
        from harness.task import Metric, Task

        class Counting(Task):
            name = "counting"
            summary = "how many objects there are"
            metrics = (Metric("mae", higher_is_better=False, primary=True),)

            def score(self, prediction, target):
                return {"error": np.array(abs(prediction - target), np.float64)}

            def reduce(self, statistics, weights=None):
                errors = np.array([s["error"] for s in statistics])
                weights = np.ones((1, len(errors))) if weights is None else weights
                return {"mae": weights @ errors / weights.sum(axis=1)}

        @harness.hookimpl
        def harness_tasks():
            return [Counting]
    """
    raise AssertionError("a specification is never called")


@hookspec
def harness_models() -> Iterable[type[Model]]:
    """Provide model classes.

    Example::

        import harness
        from harness.model import Model, Weights

        class Brightness(Model):
            name = "brightness"
            summary = "counts bright pixels"
            task = "counting"

            def resolve_weights(self, asked, dataset_classes):
                return Weights("none", None, "")

            def prepared_shape(self, outline):
                return (outline.height, outline.width)

            def prepare(self, frames, scored, memo):
                return torch.from_numpy(frames[scored[0]])

            def load(self, weights, classes, device, precision="fp32"):
                self.classes = classes

            def predict(self, batch):
                return [[int((image > 200).sum())] for image in batch]

        @harness.hookimpl
        def harness_models():
            return [Brightness]
    """
    raise AssertionError("a specification is never called")


@hookspec
def harness_datasets() -> Iterable[type[Dataset]]:
    """Provide dataset classes.

    Example::

        import harness
        from harness.dataset import Dataset, Outline, Sample
        from harness.files import digest_files
        from harness.images import image_size, read_image

        class Folder(Dataset):
            name = "count-folder"
            summary = "images whose names begin with their number of objects"
            tasks = ("counting",)
            layout = "ROOT/<number>_*.png"

            def open(self):
                self.paths = sorted(self.require_root().glob("*.png"))

            def __len__(self):
                return len(self.paths)

            def outline(self, index):
                height, width = image_size(self.paths[index])
                return Outline(self.paths[index].stem, height=height, width=width)

            def __getitem__(self, index):
                path = self.paths[index]
                frames, source = read_image(path)
                return Sample(path.stem, frames, {0: int(path.stem.split("_")[0])}, source=source)

            def fingerprint(self):
                return digest_files(self.paths)

        @harness.hookimpl
        def harness_datasets():
            return [Folder]
    """
    raise AssertionError("a specification is never called")


@hookspec
def harness_stores() -> Iterable[type[Store]]:
    """Provide stores for results. The scheme of the URL in `--db URL` selects the store.

    Example::

        import harness
        from my_package.lines import LinesStore  # implements every method of harness.store.Store

        @harness.hookimpl
        def harness_stores():
            return [LinesStore]
    """
    raise AssertionError("a specification is never called")


@hookspec
def harness_executors() -> Iterable[type[Executor]]:
    """Provide executor classes. Those that do several things at once have `work` (`harness.executor`).

    Example::

        import harness
        from harness.engine.predict import run_unit
        from harness.executor import Executor

        class Inline(Executor):
            name = "inline"
            summary = "one unit after the other in this process"

            def run(self, units, settings, progress):
                for unit in units:
                    yield from run_unit(unit, settings, progress)

        @harness.hookimpl
        def harness_executors():
            return [Inline]
    """
    raise AssertionError("a specification is never called")


@hookspec
def harness_run_started(run: int, info: RunInfo, experiments: int) -> None:
    """A run was recorded in the database and is about to start.

    Args:
        run: the run's id in the database.
        info: the run's provenance.
        experiments: the number of experiments in the run's plan.

    Example::

        @harness.hookimpl
        def harness_run_started(run, info, experiments):
            print(f"run {run}: {experiments} experiments on {info.device}")
    """


@hookspec
def harness_experiment_found(run: int, experiment: Experiment) -> None:
    """An experiment of the run's plan was finished before, or by another run meanwhile, and is not computed again.

    A run that finds all its experiments does not begin, and calls no hook.

    Example::

        @harness.hookimpl
        def harness_experiment_found(experiment):
            print(experiment.label, "is there already")
    """


@hookspec
def harness_experiment_finished(
    run: int,
    experiment: Experiment,
    status: Status,
    totals: Totals,
    metrics: list[MetricValue],
    drops: list[Comparison],
) -> None:
    """An experiment has finished, or has failed because too many samples failed. Its results are in the database.

    The hook is called when the drops against the baseline are there too, which may be at the end of the run.

    Args:
        run: the run's id in the database.
        experiment: the experiment.
        status: "finished" or "failed".
        totals: the totals over its samples.
        metrics: its metrics with their intervals.
        drops: the drop of each metric; empty for a baseline, and if the baseline has no results.

    Example::

        @harness.hookimpl
        def harness_experiment_finished(experiment, metrics, drops):
            print(experiment.label, {m.metric: m.value for m in metrics}, {d.metric: d.value for d in drops})
    """


@hookspec
def harness_training_started(run: int, key: str, label: str, begin: int, end: int) -> None:
    """A training that experiments of the run need has begun, or goes on. One that was finished before does not begin.

    Args:
        run: the run's id in the database.
        key: the training's key.
        label: the training's name.
        begin: the number of iterations that were done before.
        end: the number of iterations in all.

    Example::

        @harness.hookimpl
        def harness_training_started(label, end):
            print(f"training {label}: {end} iterations")
    """


@hookspec
def harness_training_finished(run: int, key: str, label: str, status: Status, weights: str | None) -> None:
    """A training that began in this run has ended.

    Args:
        run: the run's id in the database.
        key: the training's key.
        label: the training's name.
        status: "finished", "failed" or "interrupted".
        weights: the path of the weights of a finished training; otherwise None.

    Example::

        @harness.hookimpl
        def harness_training_finished(label, status, weights):
            print(f"training {label}: {status}, {weights}")
    """


@hookspec
def harness_run_finished(run: int, status: Status) -> None:
    """A run has ended.

    Example::

        @harness.hookimpl
        def harness_run_finished(run, status):
            print(f"run {run}: {status}")
    """


@hookspec
def harness_commands() -> Mapping[str, click.Command]:
    """Provide commands: "NAME" for `harness NAME`, or "results NAME" for `harness results NAME`.

    The hook is called when commands are listed, or one is given that the harness does not have: import click in it, and
    what the command needs only in the command. Within `harness results`, `click.Context.obj` is the database's URL.

    Example::

        import click
        import harness

        @harness.hookimpl
        def harness_commands():
            @click.command(help="Say how many experiments the database has.")
            @click.pass_obj
            def count(url):
                click.echo(harness.load(url).results["experiment"].nunique())

            return {"results count": count}
    """
    raise AssertionError("a specification is never called")


@hookspec
def harness_report_sections(store: Store, experiments: Sequence[str]) -> Iterable[PageSection]:
    """Provide sections of the report's page, which stand behind the harness's own.

    Args:
        store: the open store, which can only be read.
        experiments: the keys of the experiments on the page.

    Example::

        import harness
        from harness.pages import PageSection

        @harness.hookimpl
        def harness_report_sections(store, experiments):
            return [PageSection("How many", f"The page has {len(experiments)} experiments.")]
    """
    raise AssertionError("a specification is never called")
