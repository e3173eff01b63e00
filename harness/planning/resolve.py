"""Turns a request into a grid: looks up every name, finds every file and opens every dataset, before any work.

Problems are collected instead of raising the first one, so that the user gets the whole list at once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from harness.dataset import Dataset
from harness.discovery.declared import check_metrics, checked_fingerprint, plain_facts
from harness.discovery.plugins import Plugins
from harness.discovery.registry import Registry
from harness.errors import (
    HarnessError,
    PreflightError,
    TrainingError,
    UsageError,
    WeightsError,
    in_words,
    plain_text,
)
from harness.keep.before import answered
from harness.model import Model, Weights
from harness.planning.batches import outlines, stratified_subset
from harness.planning.codecs import choose_codec, refused_images, refused_rates, unjudged_clips
from harness.planning.grammar import parse
from harness.planning.grid import CodecChoice, Grid, TrainingSetup
from harness.planning.hints import check_hints
from harness.planning.names import Names
from harness.planning.reference import coded_sources, known_classes, reference_problems
from harness.planning.request import Request
from harness.planning.retraining import retrainings
from harness.statistics.agreement import Agreement
from harness.task import Task
from harness.training.recipe import Recipe
from harness.unit import Subject

__all__ = ["Resolver", "default_batch", "resolve"]

P = ParamSpec("P")
T = TypeVar("T")

BASELINE = "none"
MOST_IN_BATCH = 2**31 - 1
"""A larger number fits in no database, and in no memory."""


def resolve(request: Request, plugins: Plugins, registry: Registry) -> Grid:
    """Return the grid that a request describes.

    Raises:
        PreflightError: there are problems; the error has all of them.
    """
    return Resolver(request, plugins, registry).grid()


class Resolver(Names):
    """Creates the grid of a request and collects the problems of the request."""

    def __init__(self, request: Request, plugins: Plugins, registry: Registry) -> None:
        super().__init__(request, plugins, registry)
        self.problems: list[str] = []
        self.notes: list[str] = []

    def grid(self) -> Grid:
        """Return the grid of the request.

        Raises:
            PreflightError: there are problems; the error has all of them.
        """
        request = self.request
        codecs = [choice for text in self._codec_texts() if (choice := self._try(self.codec, text))]
        tasks = [name for name in self._task_names() if self._try(self.plugins.get, "task", name)]
        if request.weights is not None and not self._finds_weights(tasks):
            raise PreflightError(list(dict.fromkeys(self.problems)))
        pairs = [pair for name in tasks for pair in self._subjects(name)]
        subjects = [subject for subject, _ in pairs]
        setups = [setup for _, setup in pairs]
        tested = [c.codec for c in codecs], [(s.dataset_name, s.dataset) for s in subjects]
        self.problems += [*refused_images(*tested), *refused_rates(*tested)]
        self.problems += unjudged_clips(tested[0], subjects)
        self.problems += reference_problems(request, subjects)
        if request.limit is not None and request.limit < 1:
            self.problems.append(f"--limit {request.limit}: at least 1.")
        if isinstance(request.batch, int) and request.batch < 1:
            self.problems.append(f"--batch {request.batch}: at least 1.")
        if isinstance(request.batch, int) and request.batch > MOST_IN_BATCH:
            self.problems.append(f"--batch {plain_text(request.batch, 40)}: at most {MOST_IN_BATCH}.")
        retrained = (self._try(retrainings, request.retrain, codecs, self.codec) if codecs else None) or ()
        train_codecs = [retraining.data.codec for retraining in retrained if retraining.data.codec]
        trained_on = [(subject.dataset_name, setup.dataset) for subject, setup in pairs if setup]
        self.problems += [*refused_images(train_codecs, trained_on), *refused_rates(train_codecs, trained_on)]
        if self.problems:
            raise PreflightError(list(dict.fromkeys(self.problems)))
        notes = tuple(dict.fromkeys(self.notes))
        return Grid(
            subjects,
            codecs,
            request.precision,
            request.limit,
            request.seed,
            retrained,
            request.seeds,
            notes,
            request.reference,
            setups,
            request.compiled,
        )

    def _try(self, action: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | None:
        """Call an action and return its result; if it raises an error, record a problem and return None."""
        try:
            return action(*arguments, **named)
        except HarnessError as error:
            self.problems.append(str(error))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - any error of a plugin becomes a problem
            self.problems.append(f"{arguments_text(arguments)}: {in_words(error)}")
        return None

    # Codecs

    def _codec_texts(self) -> list[str]:
        texts = list(dict.fromkeys(self.request.codecs))
        return [BASELINE, *(t for t in texts if t != BASELINE)] if self.request.baseline else texts

    def codec(self, text: str) -> CodecChoice:
        """Create the codec that a text names, with its levels.

        Raises:
            UsageError: the codec, the profile, an option or a level is unknown, or this machine cannot run the codec.
        """
        return choose_codec(text, self.plugins, self.registry)

    # Tasks, models, datasets

    def _task_names(self) -> list[str]:
        if "all" in self.request.tasks:
            return [task for task in self.plugins.names("task") if not self._lacks(task)]
        return list(self._task_options())

    def _lacks(self, task: str) -> list[str]:
        """Return what a task lacks to be one of `--task all`: a default that the request does not replace."""
        asked = {"model": self.request.models, "dataset": self.request.datasets}
        lacking = [kind for kind in asked if not asked[kind] and kind not in self.registry.entry("tasks", task)]
        if lacking:
            self.notes.append(f"task {task} is not among --task all: it has no default {' and '.join(lacking)}.")
        return lacking

    def _task_options(self) -> dict[str, dict[str, str]]:
        """Return the options of each task that the request names: name -> options."""
        tasks = [self._try(parse, text, levels=False) for text in self.request.tasks if text != "all"]
        options: dict[str, dict[str, str]] = {}
        for task in tasks:
            if task and options.setdefault(task.name, task.options) != task.options:
                self.problems.append(f"task {task.name} is asked for twice, with different options: run it twice.")
        return options

    def _subjects(self, task: str) -> list[tuple[Subject, TrainingSetup | None]]:
        """Return each model of the task on each of its datasets, with the settings of its retraining (None without)."""
        models = self._named(task, "model", self.request.models)
        datasets = self._named(task, "dataset", self.request.datasets)
        pairs = []
        for dataset_text in datasets:
            dataset = self._try(self.dataset, dataset_text, task)
            for model_text in models if dataset else ():
                assert dataset is not None
                if pair := self._try(self._subject, task, model_text, dataset_text, dataset):
                    pairs.append(pair)
        return pairs

    def _finds_weights(self, tasks: Sequence[str]) -> bool:
        """Return whether every model finds the weights of `--weights`. This runs before any dataset is opened."""
        texts = [text for task in tasks for text in self._named(task, "model", self.request.models)]
        return None not in [self._try(self._given_weights, text) for text in dict.fromkeys(texts)]

    def _given_weights(self, text: str) -> Weights:
        """Return the weights of `--weights` for the model that a text names."""
        return self.model(text)[0].resolve_weights(self.request.weights, ())

    def _named(self, task: str, kind: str, texts: Sequence[str]) -> list[str]:
        """Return the texts that name a model or dataset for the task; without any text, the task's default.

        Args:
            task: the task's name.
            kind: "model" or "dataset".
            texts: the texts of the request; empty if the user gave none.
        """
        if not texts:
            default = self.registry.entry("tasks", task).get(kind)
            if default is None:
                self.problems.append(f"task {task} has no default {kind}: name one with --{kind}.")
            return [default] if default else []
        fitting, tasks = [], self._task_names()
        for text in texts:
            serves = self._try(self.serves, kind, text)
            if serves is None:
                continue
            if task in serves:
                fitting.append(text)
            elif not set(serves) & set(tasks):
                self.problems.append(f"{kind} {text} serves {', '.join(serves)}, not {', '.join(tasks)}.")
        if not fitting and not self.problems:
            self.problems.append(f"none of the {kind}s asked for ({', '.join(texts)}) serves task {task}.")
        return fitting

    def _subject(
        self, task_name: str, model_text: str, dataset_text: str, dataset: Dataset
    ) -> tuple[Subject, TrainingSetup | None]:
        """Create the subject of one model on one dataset, with the settings of its retraining (None without)."""
        request = self.request
        options = self._task_options().get(task_name, {})
        model, model_name = self.model(model_text)
        if request.precision not in model.precisions:
            raise UsageError(
                f"--precision {request.precision}: model {model_name} has {', '.join(model.precisions)}. Its plugin "
                "lists more in `precisions` if it can."
            )
        weights = self.weights(model, model_name, dataset)
        if not dataset.labelled:
            kind = self.plugins.get("task", task_name)
            dataset = copy.copy(dataset)
            dataset.classes = known_classes(weights, kind(classes=("any",), **options), model_name)
        task: Task = self.plugins.get("task", task_name)(classes=dataset.classes, **options)
        check_metrics(task)
        self.notes += check_hints(model, model_name, task, dataset, request.reference)
        plain_facts("model", model, "fingerprint", "identity_config")
        plain_facts("dataset", dataset, "decoders")
        if request.reference == "predictions":
            task = Agreement(task)
            self.notes += coded_sources(dataset, self.called("dataset", dataset_text, dataset))
        if weights.classes:
            try:
                task.translator(weights.classes, dataset.name)
            except WeightsError as error:
                raise WeightsError(f"{error}{self._default_model_hint(task_name, model_name)}") from error
        if dataset.needs_root and self.is_of_rendered(model_name, weights):
            place = self.called("dataset", dataset_text, dataset)
            self.notes.append(
                f"model {model_name} was trained on rendered scenes: what it scores on {place} says little of models "
                f"that were trained on such data.{self._default_model_hint(task_name, model_name)}"
            )
        kinds = [("task", task_name), ("model", model.name), ("dataset", dataset.name)]
        provided = {kind: self.plugins.provided(kind, name) for kind, name in kinds}
        setup = self._setup(task_name, model, model_name, dataset_text, weights) if request.retrain else None
        subject = Subject(
            task=task,
            model=model,
            model_name=self.called("model", model_text, model),
            weights=weights,
            dataset=dataset,
            dataset_name=self.called("dataset", dataset_text, dataset),
            fingerprint=answered(
                self._who("dataset", dataset.name), "fingerprint()", lambda: checked_fingerprint(dataset), endless=True
            ),
            indices=stratified_subset(strata(dataset), request.limit, request.seed)
            if request.limit
            else tuple(range(len(dataset))),
            batch=request.batch if isinstance(request.batch, int) else default_batch(model),
            plugins=tuple({str(one.origin) for one in provided.values()}),
            origins={kind: str(one.origin) for kind, one in provided.items()},
            sources={kind: source for kind, one in provided.items() if (source := one.source)},
        )
        return subject, setup

    def _default_model_hint(self, task: str, model: str) -> str:
        """Return a sentence that says that the task's default model is used; "" if the user named a model."""
        if self.request.models:
            return ""
        return (
            f" No --model was given: {model} is the default of task {task}. Name another with --model; `harness list "
            "models` has them."
        )

    def _setup(self, task: str, model: Model, model_name: str, dataset_text: str, weights: Weights) -> TrainingSetup:
        """Return the settings for retraining a model on the training split of its dataset.

        Raises:
            UsageError: no recipe is given, a `--set` value does not fit, or the model lacks a part to be trained.
            RegistryError: the recipe is unknown, or has a value that does not fit.
            TrainingError: the model cannot be trained.
        """
        request = self.request
        if not model.trainable:
            raise TrainingError(f"--retrain: model {model_name} cannot be trained.")
        name = request.recipe or self.registry.entry("tasks", task).get("retrain")
        if name is None:
            raise UsageError(f"task {task} has no default recipe for retraining: name one with --recipe.")
        recipe = Recipe.of(self.registry.recipe(task, name), f"recipe {task}.{name}").changed(request.settings)
        if unknown := [part for part in (*request.parts, *(recipe.parts or {})) if part not in model.parts]:
            raise UsageError(f"model {model_name} has no part {unknown[0]!r}. There is: {', '.join(model.parts)}.")
        dataset = self.dataset(dataset_text, task, recipe.split)
        return TrainingSetup(dataset, recipe, None if request.scratch else weights, request.parts)


def default_batch(model: Model | type[Model]) -> int:
    """Return the number of samples in a batch of a model, which is the same on every device.

    >>> class OfThreeDevices:
    ...     default_batch = {"cpu": 2, "cuda": 8, "mps": 4}
    >>> default_batch(OfThreeDevices())
    2
    """
    given = model.default_batch
    return given if isinstance(given, int) else int(given.get("cpu", 1))


def strata(dataset: Dataset) -> list[str]:
    """Return the stratum of each sample; samples whose outline cannot be read form a stratum of their own."""
    known = outlines(dataset, range(len(dataset)))
    return [outline.stratum if outline else "unreadable" for outline in known.values()]


def arguments_text(arguments: Sequence[object]) -> str:
    """Describe a failed action in an error message by the texts among its arguments.

    >>> arguments_text(("detection", "demo-detector", 3))
    'detection demo-detector'
    """
    return " ".join(a for a in arguments if isinstance(a, str)) or "plugin"
