"""Tries in a process of its own what has ended runs, so that it is known whether it ends its process itself.

Two runs that ended without a word in one place of a cell prove nothing: they may have been killed there, because a slow
batch takes most of a run's time. A process that ends here, though nobody meant it, does.
"""

from __future__ import annotations

from dataclasses import replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from harness.batches.desk import Step
from harness.device.trace import forget
from harness.engine.predict import run_unit
from harness.engine.work import plan_work
from harness.keep.processes import how_ended
from harness.progress import Silence
from harness.workers.nursery import start_process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.device.trace import Deaths
    from harness.planning.plan import Pass
    from harness.progress import Progress
    from harness.store import Store
    from harness.unit import Cell, Settings, Unit

__all__ = ["fatal_cells", "how_it_ends"]

_LOADING = 600.0
"""How long, in seconds, the network may take to load."""
_STEP = 600.0
"""How long a sample may take where the run has no `--sample-timeout`."""


def fatal_cells(
    a_pass: Pass,
    cells: Sequence[Cell],
    known: Mapping[str, Deaths],
    store: Store,
    settings: Settings,
    progress: Progress,
) -> dict[str, str]:
    """Try the cells that runs have ended at; return why those fail that end their process. The others are forgotten.

    Args:
        a_pass: the pass, with the weights that it is predicted with.
        cells: claimed cells of it.
        known: experiment key -> where runs have ended.
        store: the store, which has what is done of them.
        settings: device, precision and threads.
        progress: is told what is tried.
    """
    fatal = {}
    for cell in cells:
        key, deaths = cell.experiment.key, known.get(cell.experiment.key)
        if deaths is None or not deaths.is_suspect:
            continue
        progress.status(f"trying {cell.experiment.label} in a process of its own, where {deaths.runs} runs ended")
        end = how_it_ends(plan_work(a_pass, [cell], store).unit, deaths, settings)
        progress.status("")
        if end is None:
            forget(key)
        else:
            fatal[key] = deaths.reason(end)
    return fatal


def how_it_ends(unit: Unit, known: Deaths, settings: Settings) -> str | None:
    """Do the batch that runs ended at, in a process of its own; return how that process ended.

    Args:
        unit: the work of one cell that is left.
        known: where runs ended.
        settings: device, precision and threads.

    Returns:
        None if the process came back, if it took too long, or if the batch is done already. An error of a plugin is no
        end of its process: the run meets it again, and records it.
    """
    step, index = known.place
    todo = [
        entry
        for entry in unit.todo
        if (entry.batch.number == index if step == Step.PREDICT else index in entry.batch.indices)
    ]
    if not todo:
        return None
    limit = _LOADING + (settings.sample_timeout or _STEP) * sum(len(entry.batch.indices) for entry in todo)
    connection, process = start_process(_do, (replace(unit, todo=tuple(todo)), replace(settings, workers=0)))
    try:
        if not connection.poll(limit):
            return None
        connection.recv()
    except (EOFError, ConnectionError):
        return how_ended(process.ended())
    finally:
        connection.close()
        process.kill()
        process.ended()
    return None


def _do(work: tuple[Unit, Settings], connection: Connection) -> None:
    """Do a unit of work, and say that this process is still there."""
    unit, settings = work
    try:
        for _ in run_unit(unit, settings, Silence()):
            pass
    except Exception:  # noqa: BLE001 - the run meets the same error, and records it
        pass
    connection.send(True)
