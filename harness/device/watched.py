"""Watches over what is done in the process that owns the device, from another thread than the one that does it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Generic, TypeVar

from harness.batches.coding import codes_batches
from harness.batches.desk import DESK, Doing, Step
from harness.batches.preparing import REFERENCE
from harness.device.device import DEVICE_THREAD
from harness.errors import HungModelError
from harness.workers.clock import Clock

if TYPE_CHECKING:
    from harness.unit import Unit

__all__ = ["watched"]

Made = TypeVar("Made")

_WORDS = {
    Step.OUTLINE: "dataset {dataset} took longer than {limit:g} s to describe",
    Step.READ: "dataset {dataset} took longer than {limit:g} s to read",
    Step.ENCODE: "codec {codec} took longer than {limit:g} s to encode",
    Step.DECODE: "codec {codec} took longer than {limit:g} s to decode",
    Step.PREPARE: "model {model} took longer than {limit:g} s to prepare",
    Step.COLLATE: "model {model} took longer than {limit:g} s to collate the batch of",
    Step.SCORE: "task {task} took longer than {limit:g} s to score",
    Step.PREDICT: "model {model} took longer than {limit:g} s to predict",
}


def watched(make: Callable[[], Generator[Made]], unit: Unit, limit: float, patience: float) -> Generator[Made]:
    """Yield what a generator yields that runs in a thread of its own, in step with the caller.

    Args:
        make: makes the generator, in that thread.
        unit: the unit of work that it does, for the message.
        limit: how many seconds a step of one sample may take; 0 for as long as it likes.
        patience: how many seconds a step that is under way has to end, if the caller is interrupted.

    Raises:
        HungModelError: a step takes longer. The thread cannot be ended; its cells are those of that step.
    """
    worker, clock = _Worker(make), Clock(limit)
    worker.thread.start()
    try:
        while True:
            try:
                made = worker.made.get(timeout=clock.tick)
            except queue.Empty:
                doing = DESK.doing()
                if clock.due() and doing.step and clock.late(doing.since, _samples(unit, doing)):
                    raise HungModelError(_words(unit, doing, limit), _cells(unit, doing)) from None
                continue
            if isinstance(made, _Ended):
                if made.error is not None:
                    raise made.error
                return
            yield made
            worker.wanted.release()
    finally:
        worker.stopped = True
        worker.wanted.release()
        worker.thread.join(0 if limit and DESK.doing().step and clock.late(DESK.doing().since) else patience)


class _Ended:
    """The generator has come to its end, or has raised an error."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Worker(Generic[Made]):
    """Runs a generator in a thread. It makes the next thing when the one before was used."""

    def __init__(self, make: Callable[[], Generator[Made]]) -> None:
        self.made: queue.SimpleQueue[Made | _Ended] = queue.SimpleQueue()
        self.wanted = threading.Semaphore(0)
        self.stopped = False
        self.thread = threading.Thread(target=self._run, args=(make,), name=DEVICE_THREAD, daemon=True)

    def _run(self, make: Callable[[], Generator[Made]]) -> None:
        try:
            for one in make():
                self.made.put(one)
                self.wanted.acquire()
                if self.stopped:
                    break
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            self.made.put(_Ended(error))
        else:
            self.made.put(_Ended())


def _samples(unit: Unit, doing: Doing) -> int:
    """Return how many samples a step may be about."""
    if doing.step == Step.PREDICT:
        return unit.subject.batch
    at_once = doing.step in (Step.ENCODE, Step.DECODE) and codes_batches(unit.cells[doing.cell].codec)
    return unit.subject.batch if at_once else 1


def _cells(unit: Unit, doing: Doing) -> range | tuple[int, ...]:
    return range(len(unit.cells)) if doing.cell == REFERENCE else (doing.cell,)


def _words(unit: Unit, doing: Doing, limit: float) -> str:
    subject = unit.subject
    codec = "" if doing.cell == REFERENCE else unit.cells[doing.cell].codec.name
    names = {"dataset": subject.dataset_name, "model": subject.model_name, "task": subject.task.name, "codec": codec}
    what = _WORDS[doing.step].format(**names, limit=limit)
    where = "" if doing.cell == REFERENCE else f" of {unit.cells[doing.cell].experiment.label}"
    place = f"{'batch' if doing.step == Step.PREDICT else 'sample'} {doing.index}"
    several = f" for each of up to {count} samples" if (count := _samples(unit, doing)) > 1 else ""
    return f"{what} {place}{where}{several} (--sample-timeout)"
