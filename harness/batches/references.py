"""Targets from the model's own predictions on uncompressed frames, for the batches that are being processed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.batches.checking import check_predictions
from harness.batches.desk import Step, enter
from harness.batches.preparing import REFERENCE, reason
from harness.batches.start import plugin_errors
from harness.errors import ContentError
from harness.keep.texts import storable_message

if TYPE_CHECKING:
    from harness.batches.preparing import PreparedBatch
    from harness.unit import Subject

__all__ = ["References"]


class References:
    """The predictions on uncompressed frames, and the targets made of them.

    The entries of a batch are kept until the batch is scored for its last cell.

    Args:
        subject: task, model and dataset. The task's `as_target` converts a prediction to a target.
        classes: the number of the model's classes.
        translate: converts a prediction from the model's classes to the dataset's.
    """

    def __init__(self, subject: Subject, classes: int, translate: Callable[[Any], Any]) -> None:
        self._subject, self._classes, self._translate = subject, classes, translate
        self._known: dict[int, dict[int, list[Any]]] = {}
        self._targets: dict[int, dict[int, list[Any] | str]] = {}

    def keep(self, coded: PreparedBatch, predictions: Sequence[list[Any]] | None, why: str | None) -> None:
        """Store the predictions on the uncompressed frames of a batch, and make targets of them.

        Args:
            coded: the prepared batch of uncompressed frames.
            predictions: for each sample, one prediction for each scored frame; None if the model failed.
            why: the reason of the failure; None without failure.
        """
        known = self._known.setdefault(coded.batch, {})
        targets = self._targets.setdefault(coded.batch, {})
        for row in coded.failed:
            targets[row.index] = _no_reference(row.error)
        if predictions is None:
            targets.update({row.index: _no_reference(why) for row in coded.rows})
            return
        for row, predicted in zip(coded.rows, predictions, strict=True):
            task = self._subject.task
            try:
                enter(Step.SCORE, REFERENCE, row.index)
                check_predictions(self._subject, self._classes, coded.outlines[row.index], predicted)
                predicted = copy.deepcopy(predicted)  # the model may use it again, which wrote it in this process
                targets[row.index] = [task.as_target(self._translate(prediction)) for prediction in predicted]
            except ContentError as error:
                targets[row.index] = _no_reference(storable_message(error))
            except plugin_errors() as error:  # an error of a task fails one sample, and is recorded
                targets[row.index] = _no_reference(reason(f"task {task.name}", error))
            else:
                known[row.index] = predicted

    def targets(self, coded: PreparedBatch) -> list[list[Any] | str]:
        """Return the targets of each sample in a batch; for a sample without targets, a text that says why."""
        targets = self._targets.get(coded.batch, {})
        return [targets.get(row.index, _no_reference(None)) for row in coded.rows]

    def predictions(self, coded: PreparedBatch) -> list[list[Any]] | None:
        """Return the stored predictions for an uncompressed batch; None if a sample of the batch has none.

        The baseline's frames are the uncompressed frames, so they do not have to be predicted again.
        """
        known = self._known.get(coded.batch, {})
        return [known[row.index] for row in coded.rows] if all(row.index in known for row in coded.rows) else None

    def forget(self, batch: int) -> None:
        """Remove the predictions and targets of a batch."""
        self._known.pop(batch, None)
        self._targets.pop(batch, None)


def _no_reference(why: str | None) -> str:
    return f"no prediction on the uncompressed frames to compare with: {why or 'it was not made'}"
