"""Preflight: checks every plugin, file of weights, dataset, encoder and output location before any device time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING

from harness.discovery.stores import recorded_file, store_of
from harness.errors import (
    HarnessError,
    NoResultsError,
    PluginError,
    PreflightError,
    StoreError,
    UsageError,
    plain_text,
)
from harness.keep.before import answered
from harness.planning.batches import outlines, twins
from harness.planning.given import check_classes, check_ids, named
from harness.planning.plan import Plan, make_plan
from harness.planning.resolve import resolve

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.discovery.registry import Registry
    from harness.model import Model
    from harness.planning.grid import Grid
    from harness.planning.request import Request
    from harness.store import Store
    from harness.unit import Subject

__all__ = ["check_samples", "check_weights", "prepare"]


def prepare(
    request: Request,
    plugins: Plugins,
    registry: Registry,
    database: str,
    write: bool,
    sized: Callable[[Grid], Grid] | None = None,
) -> tuple[Plan, Store | None]:
    """Check a request; return the plan and the opened store, or raise all problems together.

    Args:
        request: the user's request.
        plugins: the installed plugins.
        registry: the registry.
        database: the database's URL or file.
        write: whether the store must be writable. If not, the returned store is None when there is no database.
        sized: gives the grid's subjects the batch sizes of `--batch auto`; is called if the request asks for them.

    Raises:
        PreflightError: there are problems; the error has all of them.
    """
    problems: list[str] = []
    plan = Plan(())
    store: Store | None = None
    plugins.recall = partial(recorded_file, database, plugins)
    try:
        grid = resolve(request, plugins, registry)
        if request.batch == "auto":
            if sized is None:
                raise UsageError("--batch auto: nothing measures batch sizes here. Give a number.")
            grid = sized(grid)
        plan = make_plan(grid)
    except PreflightError as error:
        problems += error.problems
    except HarnessError as error:
        problems.append(str(error))
    try:
        found = store_of(database, plugins)
        if why := found.why_not_writable():  # a plan refuses what a run would refuse
            raise StoreError(why)
        # After a problem nothing will be written, so no new database is created.
        found.open(write=write and not problems)
        store = found
    except NoResultsError:
        store = None
    except StoreError as error:
        problems.append(str(error))
    if problems:
        if store:
            store.close()
        raise PreflightError(problems)
    return plan, store


def check_samples(plan: Plan, found: Collection[str]) -> None:
    """Check that no two samples of a dataset have one id. A pass whose experiments are all finished is not checked.

    Args:
        plan: the plan.
        found: the keys of the experiments that are finished already.

    Raises:
        PreflightError: there are such samples.
    """
    problems: list[str] = []
    for a_pass in plan.passes:
        subject = a_pass.subject
        if all(cell.experiment.key in found for cell in a_pass.cells):
            continue
        try:
            check_ids(subject, twins(outlines(subject.dataset, subject.indices)))
        except PluginError as error:
            problems.append(str(error))
    if problems:
        raise PreflightError(list(dict.fromkeys(problems)))


def check_weights(plan: Plan, found: Collection[str]) -> None:
    """Check that the weights of every model load; load them on the CPU and release them.

    A pass whose experiments are all finished is not checked.

    Args:
        plan: the plan.
        found: the keys of the experiments that are finished already.

    Raises:
        PreflightError: weights do not fit their network, or have no class in common with the dataset.
    """
    problems: list[str] = []
    for a_pass in plan.passes:
        subject = a_pass.subject
        if all(cell.experiment.key in found for cell in a_pass.cells):
            continue
        model = copy.copy(subject.model)
        try:
            _load(subject, model)
            check_classes(subject, model.classes)
            subject.task.translator(model.classes, subject.dataset_name)
            if subject.weights.key is not None and subject.weights.key not in subject.weights.keys_read:
                problems.append(
                    f"model {subject.model_name} does not heed key={subject.weights.key} of weights "
                    f"{subject.weights.path}: its plugin opens the file by itself. Give it a file of these tensors "
                    "alone; its author can call harness.weights.load_state(weights)."
                )
        except HarnessError as error:
            problems.append(str(error))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - any error of a plugin becomes a problem
            problems.append(f"model {subject.model_name}: {type(error).__name__}: {plain_text(error)}")
    if problems:
        raise PreflightError(list(dict.fromkeys(problems)))


def _load(subject: Subject, model: Model) -> None:
    """Load the weights of a model on the CPU."""
    answered(named("model", subject), "load()", lambda: model.load(subject.weights, subject.dataset.classes, "cpu"))
