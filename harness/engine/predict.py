"""Runs one unit of work: workers prepare batches in advance, the device predicts, and the workers score.

Each of these has a process or a thread of its own, and none waits for another one while it has something to do:

- worker processes read, code and prepare, and score what was predicted (`harness.workers.process`);
- two threads exchange messages with them (`harness.workers.pool`);
- the device's thread only moves batches to the device and predicts (`harness.device.device`);
- the caller's thread gets the rows, and writes them.

Cells whose codecs want the device come after the others: they are coded, predicted and scored in this process, by a
thread that another one watches.
"""

from __future__ import annotations

import atexit
import contextlib
import queue
import time
import weakref
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from harness.batches.desk import DESK, Step, enter
from harness.batches.device_codecs import beside_the_model, in_workers, moved
from harness.batches.preparing import REFERENCE, prepared_batches
from harness.batches.scoring import Scorer
from harness.device.device import Device, DeviceThread
from harness.device.trace import trace
from harness.device.watched import watched
from harness.errors import HungModelError
from harness.records import SampleRow
from harness.unit import RowBatch, Settings, Unit
from harness.workers.partner import Lost
from harness.workers.pool import Pool

if TYPE_CHECKING:
    from harness.progress import Progress

__all__ = ["run_unit"]

_LAST_WORDS = 10.0
"""How many seconds the batch on the device has, if the run is interrupted."""
_Yielded: TypeAlias = "tuple[RowBatch | None, Sequence[str]]"
"""The rows of a batch, None when the network is loaded, and warnings for the user."""
_open: weakref.WeakSet[Generator[_Yielded]] = weakref.WeakSet()


def run_unit(
    unit: Unit, settings: Settings, progress: Progress, pool: Pool | None = None
) -> Iterator[Sequence[SampleRow]]:
    """Run a unit of work.

    Args:
        unit: the unit.
        settings: device, precision, numbers of workers and threads.
        progress: receives progress and warnings.
        pool: the unit's workers, if they have been started already; they are ended with the unit.

    Yields:
        The sample rows of one batch of one cell (`RowBatch`).

    Raises:
        WeightsError: the weights do not fit the network.
        PluginError: worker processes die whatever they do.
        HungModelError: the model does not come back from predicting.
    """
    progress.status(f"loading model {unit.subject.model_name}")
    rows = _both_sides(unit, settings, progress, pool) if settings.workers else _alone(unit, settings)
    _open.add(rows)
    reported: set[str] = set()
    with contextlib.closing(rows):
        for batch, notes in rows:
            for note in notes:
                if note not in reported:
                    reported.add(note)
                    progress.warning(note)
            if batch is None:
                progress.status("")
            else:
                yield batch


@atexit.register
def _close_all() -> None:
    """End the units that nobody has ended: Python would end their threads in the middle of torch, which aborts."""
    for rows in list(_open):
        rows.close()


def _both_sides(unit: Unit, settings: Settings, progress: Progress, pool: Pool | None) -> Generator[_Yielded]:
    """Yield the rows of the cells whose codecs run in workers, then of those whose codecs run here, on the device."""
    others, here = in_workers(unit), beside_the_model(unit)
    if others.todo:
        yield from _with_workers(unit, settings, progress, pool)
    elif pool is not None:
        pool.close()
    if here.todo:
        # torch compiles when it predicts first, and that takes as long as it takes.
        limit = 0.0 if settings.compiled else settings.sample_timeout
        yield from watched(lambda: _alone(here, settings), here, limit, _LAST_WORDS)


def _with_workers(unit: Unit, settings: Settings, progress: Progress, pool: Pool | None) -> Generator[_Yielded]:
    """Yield the rows of each batch, with warnings for the user."""
    # Workers start before the network is loaded: they work meanwhile, and do not get a copy of the network.
    with contextlib.closing(pool or Pool(unit, settings)) as started:
        thread = DeviceThread(unit, settings, started)
        try:
            thread.start()
            for note in thread.loaded():
                progress.warning(note)
            progress.status("")
            while True:
                thread.check()
                try:
                    result = started.results.get(timeout=thread.tick)
                except queue.Empty:
                    continue
                if result is None:
                    break
                if isinstance(result, BaseException):
                    raise result
                if isinstance(result, Lost):
                    progress.warning(result.note)
                    thread.written(result.batches)
                    continue
                for batch in result.batches:
                    if batch.on_device:
                        thread.written()
                    yield batch.rows, batch.notes
        except (HungModelError, KeyboardInterrupt, GeneratorExit):
            thread.stop(_LAST_WORDS)
            raise
        except BaseException:
            thread.stop()
            raise
        thread.stop()


def _alone(unit: Unit, settings: Settings) -> Generator[_Yielded]:
    """Do everything in this thread, one thing after the other. Yield what `_with_workers` yields."""
    DESK.rest()
    device = Device(unit, settings)
    unit, refused = moved(unit, settings.device)
    yield None, [*device.notes, *refused]
    if (traced := trace()) is not None:
        traced.begin(unit, alone=True)
    scorer = Scorer(unit, unit.subject.model.classes)
    number: int | None = None
    free = resumed = time.perf_counter()
    for coded in prepared_batches(unit, unit.todo):
        if number is not None and number != coded.batch:
            scorer.references.forget(number)
        number = coded.batch
        enter(Step.PREDICT, coded.cell, coded.batch)
        predicted = scorer.known(coded) or device.predict(coded.inputs, len(coded.rows))
        if coded.cell == REFERENCE:
            scorer.keep(coded, predicted)
            continue
        rows = scorer.rows(coded, predicted)
        ended = time.perf_counter()
        # The device waits for everything that this process does besides. The rest of the wall time is the caller's.
        wait = max(0.0, ended - resumed - rows.seconds.get("predict", 0.0))
        stages = {**rows.seconds, "wall": ended - free, "wait": wait}
        free = ended
        DESK.rest()
        yield replace(rows, seconds=stages), coded.notes
        resumed = time.perf_counter()
