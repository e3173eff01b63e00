"""The model's own predictions on the uncompressed frames of the batches at work, which their targets are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.engine.worker import reason

if TYPE_CHECKING:
    from harness.engine.worker import PreparedBatch
    from harness.task import Task

__all__ = ["References"]


class References:
    """Kept from the time a batch's uncompressed frames are predicted until its last cell is scored.

    Args:
        task: whose `as_target` makes targets of predictions.
        translate: predictions in the model's classes -> in the dataset's.
    """

    def __init__(self, task: Task, translate: Callable[[Any], Any]) -> None:
        self._task, self._translate = task, translate
        self._known: dict[int, dict[int, list[Any]]] = {}
        self._targets: dict[int, dict[int, list[Any] | str]] = {}

    def keep(self, coded: PreparedBatch, predictions: Sequence[list[Any]] | None, why: str | None) -> None:
        """Take what was predicted on the uncompressed frames of a batch, or why nothing was."""
        known = self._known.setdefault(coded.batch, {})
        targets = self._targets.setdefault(coded.batch, {})
        for row in coded.failed:
            targets[row.index] = _none(row.error)
        if predictions is None:
            targets.update({row.index: _none(why) for row in coded.rows})
            return
        for row, found in zip(coded.rows, predictions, strict=True):
            try:
                targets[row.index] = [self._task.as_target(self._translate(prediction)) for prediction in found]
            except Exception as error:  # noqa: BLE001 - whatever a task raises costs one sample, and is recorded
                targets[row.index] = _none(reason(f"task {self._task.name}", error))
            else:
                known[row.index] = found

    def targets(self, coded: PreparedBatch) -> list[list[Any] | str]:
        """For each sample of a cell's batch, its targets; a text where there are none, which says why."""
        targets = self._targets.get(coded.batch, {})
        return [targets.get(row.index, _none(None)) for row in coded.rows]

    def predictions(self, coded: PreparedBatch) -> list[list[Any]] | None:
        """Those of a batch that is uncompressed itself; None unless each of its samples has some."""
        known = self._known.get(coded.batch, {})
        return [known[row.index] for row in coded.rows] if all(row.index in known for row in coded.rows) else None

    def forget(self, batch: int) -> None:
        """Let go of a batch."""
        self._known.pop(batch, None)
        self._targets.pop(batch, None)


def _none(why: str | None) -> str:
    return f"no prediction on the uncompressed frames to compare with: {why or 'it was not made'}"
