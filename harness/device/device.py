"""The device: loads a unit's network there, and predicts, one batch after the other."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.batches.checking import check_batch
from harness.batches.preparing import REFERENCE, reason
from harness.batches.scoring import Predicted
from harness.batches.start import plugin_errors
from harness.device import machine
from harness.device.compiling import compile_network
from harness.device.trace import trace
from harness.errors import ContentError, HungModelError, PluginError
from harness.planning.given import check_classes, named, order_note
from harness.training.transfer import to_device
from harness.workers.clock import Clock
from harness.workers.process import HELD_ROWS

if TYPE_CHECKING:
    from harness.unit import Settings, Unit
    from harness.workers.partner import Arrived
    from harness.workers.pool import Pool

__all__ = ["DEVICE_THREAD", "Device", "DeviceThread", "left_alone", "set_up_torch"]

UNWRITTEN = 256
"""With this many batches of rows that are not written yet, the device waits, so that rows do not fill the memory.

With many workers it is twice the number that they may hold back."""

DEVICE_THREAD = "device"
"""The name of the thread that predicts."""


def set_up_torch(settings: Settings) -> None:
    """Set torch's threads and precision.

    On a GPU, TF32 is enabled only if it is asked for, so that fp32 is exact fp32 (torch's default for convolutions is
    TF32). The search for the fastest convolution algorithm is disabled, so that the same algorithm is used each time.
    """
    import torch

    torch.set_num_threads(settings.threads)
    machine.set_tf32(settings.precision == "tf32")
    torch.backends.cudnn.benchmark = False


def left_alone() -> bool:
    """Whether a model is still predicting for a unit that has ended. Python then cannot exit in order."""
    return any(thread.name == DEVICE_THREAD for thread in threading.enumerate())


class Device:
    """A unit's network on its device. It belongs to the thread that made it.

    Args:
        unit: the unit of work.
        settings: device, precision and threads.

    Attributes:
        notes: warnings for the user on the weights and their classes.

    Raises:
        WeightsError: the weights do not fit the network, or its classes do not fit the dataset's.
    """

    def __init__(self, unit: Unit, settings: Settings) -> None:
        import torch

        set_up_torch(settings)
        subject = unit.subject
        self._model, self._named = subject.model, named("model", subject)
        self._device = torch.device(settings.device)
        self._model.load(subject.weights, subject.dataset.classes, settings.device, settings.precision)
        if settings.compiled:
            compile_network(self._model)
        check_classes(subject, self._model.classes)
        subject.task.translator(self._model.classes, subject.dataset_name)  # raises if the classes do not fit
        notes = subject.task.translation_notes(self._model.classes, subject.dataset_name)
        self.notes = [*subject.weights.notes, *order_note(subject, self._model.classes), *notes]

    def predict(self, inputs: Any, samples: int) -> Predicted:
        """Predict a batch.

        Args:
            inputs: the collated input of the network.
            samples: the number of samples in it.
        """
        import torch

        started = time.perf_counter()
        try:
            with torch.inference_mode():
                predictions = self._model.predict(to_device(inputs, self._device))
            check_batch(predictions, samples)
        except ContentError as error:
            return Predicted(None, reason(self._named, error))
        except plugin_errors() as error:  # an error of a model fails its batch, and is recorded
            return Predicted(None, reason(f"model {self._model.name}", error))
        return Predicted(predictions, seconds={"predict": time.perf_counter() - started})


class DeviceThread:
    """The thread that loads the network and predicts. It does nothing else, so that the device need not wait for it.

    Args:
        unit: the unit of work.
        settings: device, precision and threads.
        pool: the workers, whose batches it predicts.

    Attributes:
        tick: `check` has to be called once in so many seconds.
    """

    def __init__(self, unit: Unit, settings: Settings, pool: Pool) -> None:
        self._unit, self._settings, self._pool = unit, settings, pool
        self._loaded: queue.SimpleQueue[list[str] | BaseException] = queue.SimpleQueue()
        self._unwritten = threading.Semaphore(max(UNWRITTEN, 2 * HELD_ROWS * settings.workers))
        self._stopped = False
        self._trace = trace()
        self._predicting: tuple[Arrived, float] | None = None
        # torch compiles when it predicts first, and that takes as long as it takes.
        self._clock = Clock(0.0 if settings.compiled else settings.sample_timeout)
        self.tick = self._clock.tick
        self._thread = threading.Thread(target=self._run, name=DEVICE_THREAD, daemon=True)

    def start(self) -> None:
        """Start to load the network."""
        if self._trace is not None:
            self._trace.begin(self._unit, alone=False)
        self._thread.start()

    def loaded(self) -> list[str]:
        """Wait until the network is loaded; return warnings for the user.

        Raises:
            WeightsError: the weights do not fit the network, or its classes do not fit the dataset's.
        """
        result = self._loaded.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def written(self, batches: int = 1) -> None:
        """Note that the rows of so many batches that were predicted were taken, or will never come."""
        if batches:
            self._unwritten.release(batches)

    def check(self) -> None:
        """See whether the model comes back from predicting.

        Raises:
            HungModelError: it has taken longer than is allowed.
        """
        predicting = self._predicting
        if not self._clock.due() or predicting is None:
            return
        arrived, since = predicting
        if self._clock.late(since, arrived.samples):
            limit = self._settings.sample_timeout
            samples = f" for each of its {arrived.samples} samples" if arrived.samples > 1 else ""
            reference = arrived.cell == REFERENCE
            cells = range(len(self._unit.cells)) if reference else (arrived.cell,)
            what = "the uncompressed frames" if reference else self._unit.cells[arrived.cell].experiment.label
            raise HungModelError(
                f"model {self._unit.subject.model_name} took longer than {limit:g} s{samples} (--sample-timeout) to "
                f"predict batch {arrived.batch} of {what}",
                cells,
            )

    def stop(self, patience: float | None = None) -> None:
        """End the thread, after the batch that it predicts.

        A model that does not come back is left alone: the thread cannot be ended. `left_alone` tells.

        Args:
            patience: how many seconds to wait for that batch; None to wait as long as it may take.

        Raises:
            HungModelError: the batch has taken longer than is allowed.
        """
        self._stopped = True
        self._unwritten.release()
        self._pool.inputs.put(None)
        if self._thread.ident is None:
            return
        if patience is not None:
            self._thread.join(patience)
            return
        while self._thread.is_alive():
            self._thread.join(self.tick)
            self.check()

    def _run(self) -> None:
        try:
            device = Device(self._unit, self._settings)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self._loaded.put(error)
            return
        self._loaded.put(device.notes)
        try:
            self._pool.loaded(self._unit.subject.model.classes)
            self._predict(device)
        except Exception as error:  # noqa: BLE001 - as above
            self._pool.results.put(error)
        except BaseException as error:  # noqa: BLE001 - a plugin that ends its thread fails its cells, not the run
            self._pool.results.put(PluginError(reason(f"model {self._unit.subject.model.name}", error)))

    def _predict(self, device: Device) -> None:
        """Predict what arrives, until nothing more does."""
        free = time.perf_counter()
        while True:
            asked = time.perf_counter()
            if (arrived := self._pool.inputs.get()) is None:
                return
            begun = time.perf_counter()
            self._predicting = arrived, time.monotonic()
            if self._trace is not None:
                self._trace.predicts(arrived.cell, arrived.batch)
            predicted = device.predict(arrived.inputs, arrived.samples)
            self._predicting = None
            if self._trace is not None:
                self._trace.rest()
            ended = time.perf_counter()
            # The rest of the wall time is waiting for the rows to be written, before the batch was asked for.
            stages = {"hand_over": arrived.hand_over, "wait": begun - asked, "wall": ended - free}
            stages |= predicted.seconds or {}
            self._pool.answer(arrived, replace(predicted, seconds=stages))
            if arrived.cell != REFERENCE:  # of which no row is written
                self._unwritten.acquire()
            del arrived  # its memory may be used again
            free = ended
            if self._stopped:
                return
