"""Starts worker processes that prepare batches ahead of the device, with torch's data loader."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from harness.engine.worker import PreparedBatch, prepared_batches, start_worker
from harness.media.opencv import end_threads
from harness.unit import Settings, Unit

__all__ = ["loader"]

PREFETCH = 4
"""The number of batches that each worker prepares in advance."""


class _Batches(IterableDataset[Any]):
    """The batches of one worker: worker w of n prepares every n-th batch, from batch w on.

    The data loader takes batches from the workers in turn, so the order of the batches is fixed.
    """

    def __init__(self, unit: Unit) -> None:
        self.unit = unit

    def __iter__(self) -> Iterator[PreparedBatch]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        return prepared_batches(self.unit, self.unit.todo[first::step])


def loader(unit: Unit, settings: Settings) -> DataLoader[Any]:
    """Return a data loader for the unit's batches, which are coded and prepared in `settings.workers` processes."""
    if settings.workers == 0:
        return DataLoader(_Batches(unit), batch_size=None, collate_fn=_identity)
    end_threads()
    return DataLoader(
        _Batches(unit),
        batch_size=None,
        collate_fn=_identity,
        num_workers=min(settings.workers, len(unit.todo)),
        prefetch_factor=PREFETCH,
        pin_memory=settings.device.startswith("cuda"),
        worker_init_fn=start_worker,
        # Forked workers start at once and share the parent's data. Other platforms use their own start method.
        multiprocessing_context=multiprocessing.get_context("fork" if sys.platform == "linux" else None),
    )


def _identity(value: Any) -> Any:
    return value
