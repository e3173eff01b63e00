"""Before any device time: every plugin, weight file, dataset, encoder and output location is checked."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import TYPE_CHECKING

from harness.discovery.stores import open_store
from harness.errors import HarnessError, PreflightError, StoreError
from harness.planning.plan import Plan, make_plan
from harness.planning.resolve import resolve

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.discovery.registry import Registry
    from harness.planning.request import Request
    from harness.store import Store

__all__ = ["check_weights", "prepare"]


def prepare(
    request: Request, plugins: Plugins, registry: Registry, database: str, write: bool
) -> tuple[Plan, Store | None]:
    """Preflight: the plan and the opened store, or everything that is wrong, at once.

    Args:
        request: what was asked for.
        plugins: of this environment.
        registry: merged.
        database: URL or file.
        write: whether the store must be writable; without, a missing one is None.

    Raises:
        PreflightError: all problems together.
    """
    problems: list[str] = []
    plan = Plan(())
    store: Store | None = None
    try:
        plan = make_plan(resolve(request, plugins, registry))
    except PreflightError as error:
        problems += error.problems
    except HarnessError as error:
        problems.append(str(error))
    try:
        # With nothing to write into it, a new database is not made.
        store = open_store(database, plugins, write=write and not problems)
    except StoreError as error:
        if write and not problems:
            problems.append(str(error))
    if problems:
        if store:
            store.close()
        raise PreflightError(problems)
    return plan, store


def check_weights(plan: Plan, found: Collection[str]) -> None:
    """Load the weights of every model that has something to do, on the CPU, and let them go again.

    Args:
        plan: what was planned.
        found: keys of the experiments that are done: what they used is not looked at again.

    Raises:
        PreflightError: weights that do not fit their network, or know none of the dataset's classes.
    """
    problems: list[str] = []
    for a_pass in plan.passes:
        subject = a_pass.subject
        if all(cell.experiment.key in found for cell in a_pass.cells):
            continue
        model = copy.copy(subject.model)
        try:
            model.load(subject.weights, subject.dataset.classes, "cpu")
            subject.task.translator(model.classes, subject.dataset_name)
        except HarnessError as error:
            problems.append(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is one of the problems
            problems.append(f"model {subject.model_name}: {type(error).__name__}: {error}")
    if problems:
        raise PreflightError(list(dict.fromkeys(problems)))
