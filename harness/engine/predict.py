"""Carries out one unit of work: workers run ahead, the device predicts, the task scores."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

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
    """Carry out a unit.

    Yields:
        the rows of one batch of one cell.

    Raises:
        WeightsError: the weights do not fit the network.
    """
    import torch

    from harness.engine.loader import loader

    set_up_torch(settings)
    subject = unit.subject
    progress.status(f"loading model {subject.model_name}")
    # The workers start first: they read and code while the network is loaded, and hold no copy of it.
    batches = iter(loader(unit, settings))
    subject.model.load(subject.weights, subject.dataset.classes, settings.device, settings.precision)
    translate = subject.task.translator(subject.model.classes, subject.dataset_name)
    for note in subject.task.translation_notes(subject.model.classes, subject.dataset_name):
        progress.warning(note)
    device = torch.device(settings.device)
    progress.status("")
    told: set[str] = set()
    references = References(subject.task, translate)
    for coded in batches:
        for note in coded.notes:
            if note not in told:
                told.add(note)
                progress.warning(note)
        if coded.cell == REFERENCE:
            references.keep(coded, *_predicted(unit, coded, device)[:2])
            continue
        if unit.reference:
            coded = replace(coded, targets=references.targets(coded))
        known = references.predictions(coded) if unit.reference and unit.cells[coded.cell].exact else None
        yield [*coded.failed, *_score(unit, coded, device, translate, known)]
        if coded.last:
            references.forget(coded.batch)


def set_up_torch(settings: Settings) -> None:
    """fp32 is fp32 on a GPU too, where torch's default for convolutions is TF32; and the same algorithm each time."""
    import torch

    torch.set_num_threads(settings.threads)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False


def _predicted(unit: Unit, coded: PreparedBatch, device: Any) -> tuple[list[list[Any]] | None, str | None, float]:
    """For each sample of a batch, for each scored frame, a prediction in the model's classes; or why there is none.

    The third is the seconds that it took.
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
    except Exception as error:  # noqa: BLE001 - whatever a model raises costs its batch, and is recorded
        return None, reason(f"model {model.name}", error), 0.0
    return predictions, None, time.perf_counter() - started


def _score(
    unit: Unit,
    coded: PreparedBatch,
    device: Any,
    translate: Callable[[Any], Any],
    known: list[list[Any]] | None = None,
) -> list[SampleRow]:
    """The rows of a batch, predicted (unless its predictions are known) and scored."""
    if not coded.rows:
        return []
    task = unit.subject.task
    predictions, why, spent = (known, None, 0.0) if known is not None else _predicted(unit, coded, device)
    if predictions is None:
        return [replace(row, status="failed", error=why) for row in coded.rows]
    # Each sample's share of the batch; its own encoding and decoding are added below.
    shared = (spent + coded.seconds.get("read", 0) + coded.seconds.get("prepare", 0)) / len(coded.rows)
    rows = []
    for row, targets, predicted in zip(coded.rows, coded.targets, predictions, strict=True):
        if isinstance(targets, str):
            rows.append(replace(row, status="failed", error=targets))
            continue
        begun = time.perf_counter()
        try:
            statistics = [task.score(translate(p), t) for p, t in zip(predicted, targets, strict=True)]
            score = task.sample_score(statistics)
        except Exception as error:  # noqa: BLE001 - as above
            rows.append(replace(row, status="failed", error=reason(f"task {task.name}", error)))
            continue
        coding = ((row.encode_ms or 0) + (row.decode_ms or 0)) / 1000
        seconds = shared + coding + time.perf_counter() - begun
        rows.append(replace(row, statistics=statistics, score=score, seconds=seconds))
    return rows
