"""Carries out orders: one in this process, or all that are ready by an executor that runs one unit at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.batches.preparing import reason
from harness.engine.collecting import guarded
from harness.engine.predict import run_unit
from harness.engine.trainer import train_job
from harness.errors import HarnessError, PluginError, StoreError
from harness.executor import Report

if TYPE_CHECKING:
    from harness.executor import Executor, Order, Ready
    from harness.progress import Progress
    from harness.unit import Settings

__all__ = ["one_at_a_time", "run_order"]


def run_order(order: Order, settings: Settings, progress: Progress) -> Iterator[Report]:
    """Carry an order out, in any process that can import the plugins.

    Args:
        order: the order.
        settings: device, precision, numbers of workers and threads.
        progress: receives progress and warnings.

    Yields:
        its reports. An error is reported too, and not raised.
    """
    if order.unit is None:
        yield _trained(order, settings, progress)
        return
    try:
        for rows in run_unit(order.unit, settings, progress):
            yield Report(order.number, rows=rows)
    except HarnessError as error:
        yield Report(order.number, error=error, done=True)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an error of a model fails its cells, and is recorded
        where = f"model {order.unit.subject.model_name}"
        yield Report(order.number, error=PluginError(reason(where, error)), done=True)
    else:
        yield Report(order.number, done=True)


def one_at_a_time(executor: Executor, ready: Ready, settings: Settings, progress: Progress) -> Iterator[Report]:
    """Carry out what is ready by an executor that has `run`: one order after the other, and trainings here.

    When only the rows of batches are missing that the workers have begun, the next unit is prepared.
    """
    order = ready.take()
    while order is not None:
        following: Order | None = None
        if order.unit is None:
            yield _trained(order, settings, progress)
        else:
            unit, rows = order.unit, 0
            begun = unit.size - settings.workers * unit.subject.batch * len(unit.cells)
            asked, error = False, None
            try:
                for batch in guarded(executor.run([unit], settings, progress), executor.name):
                    yield Report(order.number, rows=batch)
                    rows += len(batch)
                    if rows >= begun and not asked:
                        asked, following = True, ready.take()
                        _prepare(executor, following, settings, progress)
            except StoreError:
                raise  # of `take`: the run ends
            except HarnessError as found:
                error = found
            yield Report(order.number, error=error, done=True)
        order = following or ready.take()


def _prepare(executor: Executor, order: Order | None, settings: Settings, progress: Progress) -> None:
    """Let the executor begin with the unit after this one."""
    if order is None or order.unit is None:
        return
    try:
        executor.prepare(order.unit, settings)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the unit is begun later, and an error that stays fails it then
        progress.warning(reason(f"{order.label} was not begun ahead", error))


def _trained(order: Order, settings: Settings, progress: Progress) -> Report:
    try:
        trained = train_job(order.job, order.label, settings, progress)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an error of a model fails its cells, and is recorded
        return Report(order.number, error=PluginError(reason("training", error)), done=True)
    return Report(order.number, trained=trained, done=True)
