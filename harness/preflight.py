"""Before any device time: every plugin, weight file, dataset, encoder and output location is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import HarnessError, PreflightError, StoreError
from harness.plan import Plan, make_plan
from harness.resolve import resolve
from harness.stores import open_store

if TYPE_CHECKING:
    from harness.plugin_manager import Plugins
    from harness.registry import Registry
    from harness.request import Request
    from harness.store import Store

__all__ = ["prepare"]


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
