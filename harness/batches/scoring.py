"""Scores predictions: turns what a model predicted for a batch into the rows of its samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.batches.checking import check_predictions, check_statistics, sample_score
from harness.batches.desk import Step, enter
from harness.batches.preparing import PreparedBatch, reason
from harness.batches.references import References
from harness.batches.start import plugin_errors
from harness.dataset import KeptFrame
from harness.errors import ContentError
from harness.keep.predictions import arrays_of, keep_predictions
from harness.keep.texts import storable_message
from harness.planning.given import named
from harness.records import SampleRow
from harness.statistics.packing import Packed
from harness.unit import RowBatch

if TYPE_CHECKING:
    from harness.unit import Unit

__all__ = ["Predicted", "Scorer"]


@dataclass(frozen=True)
class Predicted:
    """What came of one batch on the device.

    Args:
        predictions: for each sample a list with one prediction for each scored frame, in the model's classes; None if
            the model failed.
        failure: why the model failed; None if it did not.
        seconds: stage -> its time in seconds (hand_over, wait, predict, wall).
    """

    predictions: Sequence[list[Any]] | None
    failure: str | None = None
    seconds: dict[str, float] | None = None


class Scorer:
    """Scores the batches of a unit.

    Args:
        unit: the unit of work.
        classes: the classes of the loaded model.

    Attributes:
        references: the predictions on uncompressed frames, for a unit that has them as targets.

    Raises:
        WeightsError: the model's classes and the dataset's have nothing in common.
    """

    def __init__(self, unit: Unit, classes: tuple[str, ...]) -> None:
        self._unit = unit
        self._task = unit.subject.task
        self._classes = len(classes)
        self._translate: Callable[[Any], Any] = self._task.translator(classes, unit.subject.dataset_name)
        self.references = References(unit.subject, self._classes, self._translate)
        self._seconds: dict[int, dict[str, float]] = {}

    def keep(self, coded: PreparedBatch, predicted: Predicted) -> None:
        """Keep predictions on uncompressed frames as references. Their time counts with the next rows of the batch."""
        self.references.keep(coded, predicted.predictions, predicted.failure)
        _add(self._seconds.setdefault(coded.batch, {}), coded.seconds, predicted.seconds or {})

    def known(self, coded: PreparedBatch) -> Predicted | None:
        """Return the predictions of a batch if they need not be made.

        The baseline's frames are the uncompressed frames, so its predictions may be there already. A batch of which
        every sample failed has nothing to predict.
        """
        if not coded.rows:
            return Predicted([])
        if self._unit.reference and self._unit.cells[coded.cell].exact:
            predictions = self.references.predictions(coded)
            return None if predictions is None else Predicted(predictions)
        return None

    def rows(self, coded: PreparedBatch, predicted: Predicted) -> RowBatch:
        """Score a batch, and return the rows of all its samples."""
        started = time.perf_counter()
        own = coded.seconds | (predicted.seconds or {})
        targets = self.references.targets(coded) if self._unit.reference else coded.targets
        if predicted.predictions is None:
            rows = [row.as_failed(predicted.failure) for row in coded.rows]
        else:
            # A sample's share of its batch's time. Its own times for encoding and decoding are added below.
            shared = sum(own.get(stage, 0.0) for stage in ("predict", "read", "prepare")) / max(1, len(coded.rows))
            rows = [
                self._row(row, coded, target, prediction, shared)
                for row, target, prediction in zip(coded.rows, targets, predicted.predictions, strict=True)
            ]
        seconds = self._seconds.pop(coded.batch, {})
        _add(seconds, own, {"score": time.perf_counter() - started})
        return RowBatch(self._unit.cells[coded.cell].experiment.key, (*coded.failed, *rows), seconds)

    def _row(
        self, row: SampleRow, coded: PreparedBatch, targets: list[Any] | str, predicted: Any, shared: float
    ) -> SampleRow:
        """Score one sample.

        Args:
            row: the sample's row.
            coded: the batch that it belongs to.
            targets: the target of each scored frame, or why there is none.
            predicted: what the model gave for the sample: a list with a prediction for each scored frame.
            shared: the sample's share of the time that its batch took, in seconds.
        """
        if isinstance(targets, str):
            return row.as_failed(targets)
        begun = time.perf_counter()
        subject, unseen = self._unit.subject, coded.unseen.get(row.index, 0)
        try:
            enter(Step.SCORE, coded.cell, row.index)
            check_predictions(subject, self._classes, coded.outlines[row.index], predicted, unseen)
            judged = list(zip(predicted, targets, strict=True))[unseen:]
            try:
                translated = [self._translate(p) for p, _ in judged]
                statistics = [self._task.score(p, t) for p, (_, t) in zip(translated, judged, strict=True)]
            except ContentError as error:
                raise ContentError(f"{named('model', subject)}: sample {row.id!r}: {error}") from error
            check_statistics(statistics)
            score = sample_score(self._task.sample_score(statistics)) if statistics or not unseen else None
            packed = Packed.of(statistics)
            if self._unit.cells[coded.cell].keep:
                self._keep(row, coded, unseen, translated)
        except ContentError as error:
            return row.as_failed(storable_message(error))
        except plugin_errors() as error:  # an error of a task fails one sample, and is recorded
            return row.as_failed(reason(f"task {self._task.name}", error))
        coding = ((row.encode_ms or 0) + (row.decode_ms or 0)) / 1000
        took = shared + coding + time.perf_counter() - begun
        return replace(row, statistics=packed, score=score, seconds=took)

    def _keep(self, row: SampleRow, coded: PreparedBatch, unseen: int, predictions: Sequence[Any]) -> None:
        """Keep the predictions of one sample on its judged frames."""
        outline, dataset = coded.outlines[row.index], self._unit.subject.dataset
        facts = (dataset.still, (outline.height, outline.width))
        frames = [
            KeptFrame(outline.id, frame, *facts, arrays_of(prediction), dataset.class_numbers)
            for frame, prediction in zip(outline.scored[unseen:], predictions, strict=True)
        ]
        keep_predictions(row.key, row.index, frames)


def _add(sums: dict[str, float], *more: Mapping[str, float]) -> None:
    """Add seconds of stages to others."""
    for seconds in more:
        for stage, duration in seconds.items():
            sums[stage] = sums.get(stage, 0.0) + duration
