"""Runs one unit of work: workers prepare batches in advance, the device predicts, and the task scores."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.engine import machine
from harness.engine.compiling import compile_network
from harness.engine.references import References
from harness.engine.worker import REFERENCE, PreparedBatch, reason
from harness.errors import PluginError
from harness.records import SampleRow
from harness.training.transfer import to_device
from harness.unit import Settings, Unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.progress import Progress

__all__ = ["run_unit", "set_up_torch"]


def run_unit(unit: Unit, settings: Settings, progress: Progress) -> Iterator[Sequence[SampleRow]]:
    """Run a unit of work.

    Args:
        unit: the unit.
        settings: device, precision, numbers of workers and threads.
        progress: receives progress and warnings.

    Yields:
        The sample rows of one batch of one cell.

    Raises:
        WeightsError: the weights do not fit the network.
    """
    import torch

    from harness.engine.loader import loader

    set_up_torch(settings)
    subject = unit.subject
    progress.status(f"loading model {subject.model_name}")
    # Workers start before the network is loaded: they work meanwhile, and do not get a copy of the network.
    batches = iter(loader(unit, settings))
    subject.model.load(subject.weights, subject.dataset.classes, settings.device, settings.precision)
    if settings.compiled:
        compile_network(subject.model)
    translate = subject.task.translator(subject.model.classes, subject.dataset_name)
    notes = subject.task.translation_notes(subject.model.classes, subject.dataset_name)
    for note in [*subject.weights.notes, *notes]:
        progress.warning(note)
    device = torch.device(settings.device)
    progress.status("")
    reported: set[str] = set()
    references = References(subject.task, translate)
    for coded in batches:
        for note in coded.notes:
            if note not in reported:
                reported.add(note)
                progress.warning(note)
        if coded.cell == REFERENCE:
            references.keep(coded, *_predict(unit, coded, device)[:2])
            continue
        if unit.reference:
            coded = replace(coded, targets=references.targets(coded))
        known = references.predictions(coded) if unit.reference and unit.cells[coded.cell].exact else None
        yield [*coded.failed, *_score(unit, coded, device, translate, known)]
        if coded.last:
            references.forget(coded.batch)


def set_up_torch(settings: Settings) -> None:
    """Set torch's threads and precision.

    On a GPU, TF32 is enabled only if it is asked for, so that fp32 is exact fp32 (torch's default for convolutions is
    TF32). The search for the fastest convolution algorithm is disabled, so that the same algorithm is used each time.
    """
    import torch

    torch.set_num_threads(settings.threads)
    machine.set_tf32(settings.precision == "tf32")
    torch.backends.cudnn.benchmark = False


def _predict(unit: Unit, coded: PreparedBatch, device: Any) -> tuple[list[list[Any]] | None, str | None, float]:
    """Predict a batch.

    Returns:
        For each sample a list with one prediction for each scored frame, in the model's classes (None if the model
        failed); the reason of the failure (None without failure); and the duration in seconds.
    """
    if not coded.rows:
        return [], None, 0.0
    import torch

    model = unit.subject.model
    started = time.perf_counter()
    try:
        with torch.inference_mode():
            predictions = model.predict(to_device(coded.inputs, device))
        if len(predictions) != len(coded.rows):
            raise PluginError(f"{len(coded.rows)} samples went in, {len(predictions)} predictions came back")
    except Exception as error:  # noqa: BLE001 - an error of a model fails its batch, and is recorded
        return None, reason(f"model {model.name}", error), 0.0
    return predictions, None, time.perf_counter() - started


def _score(
    unit: Unit,
    coded: PreparedBatch,
    device: Any,
    translate: Callable[[Any], Any],
    known: list[list[Any]] | None = None,
) -> list[SampleRow]:
    """Predict and score a batch; return the rows of its samples.

    Args:
        unit: the unit of work.
        coded: the prepared batch.
        device: the torch device.
        translate: converts a prediction from the model's classes to the dataset's.
        known: the predictions, if they are already known; None to predict.
    """
    if not coded.rows:
        return []
    task = unit.subject.task
    predictions, failure, duration = (known, None, 0.0) if known is not None else _predict(unit, coded, device)
    if predictions is None:
        return [row.as_failed(failure) for row in coded.rows]
    # The sample's share of the batch's time. The sample's own encoding and decoding times are added below.
    shared = (duration + coded.seconds.get("read", 0) + coded.seconds.get("prepare", 0)) / len(coded.rows)
    rows = []
    for row, targets, predicted in zip(coded.rows, coded.targets, predictions, strict=True):
        if isinstance(targets, str):
            rows.append(row.as_failed(targets))
            continue
        begun = time.perf_counter()
        try:
            unseen = coded.unseen.get(row.index, 0)
            judged = list(zip(predicted, targets, strict=True))[unseen:]
            statistics = [task.score(translate(p), t) for p, t in judged]
            score = task.sample_score(statistics) if statistics or not unseen else None
        except Exception as error:  # noqa: BLE001 - as above
            rows.append(row.as_failed(reason(f"task {task.name}", error)))
            continue
        coding = ((row.encode_ms or 0) + (row.decode_ms or 0)) / 1000
        seconds = shared + coding + time.perf_counter() - begun
        rows.append(replace(row, statistics=statistics, score=score, seconds=seconds))
    return rows
