"""Worker processes that run ahead of the device (torch's data loader)."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from harness.engine.worker import PreparedBatch, prepared_batches, start_worker
from harness.unit import Settings, Unit

__all__ = ["loader"]

PREFETCH = 4
"""Batches that each worker has ready ahead of the device."""


class _Batches(IterableDataset[Any]):
    """Worker w of n takes every n-th batch; the loader asks the workers in turn, so the order is fixed."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit

    def __iter__(self) -> Iterator[PreparedBatch]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        return prepared_batches(self.unit, self.unit.todo[first::step])


def loader(unit: Unit, settings: Settings) -> DataLoader[Any]:
    """The unit's batches, coded and prepared in `settings.workers` processes."""
    if settings.workers == 0:
        return DataLoader(_Batches(unit), batch_size=None, collate_fn=_same)
    return DataLoader(
        _Batches(unit),
        batch_size=None,
        collate_fn=_same,
        num_workers=min(settings.workers, len(unit.todo)),
        prefetch_factor=PREFETCH,
        pin_memory=settings.device.startswith("cuda"),
        worker_init_fn=start_worker,
        # Forked workers share what the parent has read and start at once; elsewhere the platform's own way is used.
        multiprocessing_context=multiprocessing.get_context("fork" if sys.platform == "linux" else None),
    )


def _same(value: Any) -> Any:
    return value
