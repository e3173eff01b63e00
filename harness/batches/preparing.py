"""The work of worker processes: read each sample once, then code it and prepare it for every cell that needs it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.batches.checking import check_sample, check_targets
from harness.batches.coding import code_at_once, encode_decode
from harness.batches.desk import Step, WorkerFaultError, enter
from harness.batches.keeper import Keeper
from harness.batches.read_sample import ReadSample, frames_mark
from harness.batches.start import plugin_errors
from harness.dataset import Outline
from harness.errors import ContentError, HarnessError
from harness.files import told_damage
from harness.keep.texts import storable, storable_message
from harness.media.levers import at_phase, unseen_frames
from harness.model import NoMemo
from harness.planning.given import check_outline, difference, named
from harness.planning.hints import prepare
from harness.records import SampleRow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.codec import Codec
    from harness.dataset import Sample
    from harness.task import Task
    from harness.unit import Todo, Unit

__all__ = [
    "REFERENCE",
    "STAGES",
    "WROTE",
    "PreparedBatch",
    "prepared_batches",
    "unseen_targets",
]


REFERENCE = -1
"""The value of `PreparedBatch.cell` for uncompressed frames, whose predictions become the targets."""
STAGES = ("read", "encode", "decode", "prepare", "score")
"""The stages of a batch before it is predicted, whose times are measured."""
_Shapes: TypeAlias = "dict[tuple[int, ...], list[tuple[SampleRow, list[Any], Any, NDArray[np.uint8]]]]"
"""Prepared shape -> the samples that have it: row, targets, network's input, decoded frames."""
WROTE = "encode or decode wrote to the frames that it was given, which other codecs need as they are."
MEMORY_AGAIN = (
    "decode gave an array that it had given before, for another sample of the batch, whose frames are lost by that: a "
    "codec has to return a new array each time."
)


@dataclass
class PreparedBatch:
    """One batch of one cell, ready for the device.

    Args:
        cell: the cell, as its position in the unit's cells; `REFERENCE` for the uncompressed frames whose predictions
            become the targets.
        inputs: the collated input of the network; None if every sample failed.
        rows: a row for each sample in `inputs`, in the same order, still without statistics.
        targets: for each sample, the target of each scored frame; for a sample without targets, a text that says why.
        failed: the rows of the samples that failed.
        seconds: the time that each stage took, in seconds: read, encode, decode, prepare, and score (here the squared
            error). A sample's own times for coding are in its row.
        notes: warnings of the worker for the user.
        batch: the number of the planned batch that these samples belong to.
        unseen: sample index -> how many of its first targets are not judged (`unseen_targets`); 0 for a sample that it
            lacks. They stay in the batch, so that a cell with `fps=` has the batches that were planned.
        outlines: sample index -> the facts about the sample, as it was read.
    """

    cell: int
    inputs: Any
    rows: list[SampleRow]
    targets: Sequence[list[Any] | str]
    failed: list[SampleRow]
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    batch: int = 0
    unseen: Mapping[int, int] = field(default_factory=dict)
    outlines: Mapping[int, Outline] = field(default_factory=dict)


def prepared_batches(unit: Unit, todo: Iterable[Todo]) -> Iterator[PreparedBatch]:
    """Read, code, decode and prepare batches. Each sample is read once for all cells.

    Args:
        unit: the unit of work.
        todo: the batches to prepare, each with its cells.

    Yields:
        Each batch for each of its cells; in a unit with `reference`, first the batch's uncompressed frames. A batch of
        a cell is split if its samples do not have the planned shapes.
    """
    keeper = Keeper()
    for entry in todo:
        started = time.perf_counter()
        sources: list[ReadSample] = []
        unreadable: list[SampleRow] = []
        for index in entry.batch.indices:
            source = _read(unit, index)
            if isinstance(source, ReadSample):
                sources.append(source)
            else:
                unreadable.append(source)
        read = (time.perf_counter() - started) / len(entry.cells)
        if unit.reference:
            for coded in reference_inputs(unit, sources):
                yield replace(coded, batch=entry.batch.number)
        for cell in entry.cells:
            key = unit.cells[cell].experiment.key
            failed = [replace(row, key=key) for row in unreadable]
            for coded in _code(unit, cell, sources, failed, read, keeper):
                coded.notes, coded.batch = [*keeper.problems(), *told_damage()], entry.batch.number
                yield coded


def _read(unit: Unit, index: int) -> ReadSample | SampleRow:
    """Read a sample; if it cannot be read, return its row with the error."""
    subject = unit.subject
    row = SampleRow(key="", index=index, id=str(index), group=str(index), status="failed")
    try:
        enter(Step.OUTLINE, REFERENCE, index)
        outline = check_outline(subject.dataset.outline(index))
        row = replace(row, id=storable(outline.id), group=storable(outline.group or outline.id))
        enter(Step.READ, REFERENCE, index)
        sample = check_sample(subject.dataset[index])
        count, height, width, _ = sample.frames.shape
        scored = tuple(sorted(sample.targets))
        if differs := difference(outline, Outline(sample.id, height, width, count, scored)):
            raise ContentError(differs)
        outline = Outline(row.id, height, width, count, scored, row.group)
        if subject.dataset.labelled and not unit.reference:
            enter(Step.SCORE, REFERENCE, index)
            check_targets(subject, outline, sample.targets)
    except ContentError as error:
        return replace(row, error=reason(f"{named('dataset', subject)}: sample {row.id!r}", error))
    except plugin_errors() as error:  # an error of a dataset fails one sample, and is recorded
        return replace(row, error=reason("reading the source", error))
    row = replace(
        row,
        status="ok",
        pixels=count * height * width,
        duration=count / sample.fps if sample.fps else None,
        frames=count,
        source_bytes=sample.source.bytes,
        source_format=sample.source.format,
        source_quality=sample.source.quality,
    )
    sample.frames.setflags(write=False)
    return ReadSample(sample, row, outline, frames_mark(sample.frames))


def _read_again(unit: Unit, source: ReadSample) -> ReadSample:
    """Read a sample again, whose frames a plugin has spoilt for the cells that are still to come."""
    again = _read(unit, source.row.index)
    return again if isinstance(again, ReadSample) else replace(source, lost=again.error)


def _code(
    unit: Unit, cell: int, sources: list[ReadSample], failed: list[SampleRow], read: float, keeper: Keeper
) -> Iterator[PreparedBatch]:
    """Yield one batch of one cell, coded and prepared.

    It is split into several batches if the samples do not all have the planned shape.

    Args:
        unit: the unit of work.
        cell: the cell, as its position in the unit's cells.
        sources: the samples that could be read.
        failed: the rows of the samples that could not be read.
        read: the time for reading the batch, in seconds.
        keeper: the worker's cache.
    """
    chosen = unit.cells[cell]
    model = unit.subject.model
    shapes: _Shapes = {}
    outlines = {source.row.index: source.outline for source in sources}
    seconds = dict.fromkeys(STAGES, 0.0) | {"read": read}
    unseen: dict[int, int] = {}

    def tell(count: int, error: BaseException) -> None:
        why = reason(f"codec {chosen.codec.name}: {count} samples at once", error)
        keeper.tell(f"{why.rstrip('.')}. Each of them was coded alone.")

    coded = code_at_once(cell, chosen, sources, unit.phases, seconds, tell)
    for place, source in enumerate(sources):
        facts: dict[str, Any] = {"key": chosen.experiment.key}
        active, index = f"codec {chosen.codec.name}", source.row.index
        try:
            if source.lost:
                raise HarnessError(source.lost)
            phase = unit.phases.get(index, 0.0)
            phased = replace(chosen, codec=at_phase(chosen.codec, phase)) if unit.phases else chosen
            try:
                frames = encode_decode(cell, phased, source, facts, keeper, seconds, coded.pop(place, None))
            finally:
                if source.is_changed:
                    sources[place] = _read_again(unit, source)
                    raise HarnessError(WROTE)
            if lost := _taken_again(frames, shapes):
                failed += [row.as_failed(f"codec {chosen.codec.name}: {MEMORY_AGAIN}") for row in lost]
                raise HarnessError(MEMORY_AGAIN)
            unseen[index] = unseen_targets(unit.subject.task, chosen.codec, source.sample)
            active = f"model {model.name}"
            started = time.perf_counter()
            enter(Step.PREPARE, cell, index)
            memo = keeper.memo(phased, source)
            prepared = prepare(model, unit.subject.task, frames, source.outline, source.sample.targets, memo)
            seconds["prepare"] += time.perf_counter() - started
            shape = model.prepared_shape(source.outline)
        except plugin_errors() as error:  # an error of a plugin fails one sample, and is recorded
            failed.append(replace(source.row, **facts).as_failed(reason(active, error)))
            continue
        targets = [source.sample.targets[frame] for frame in source.scored]
        # The frames are kept until the batch is collated: what was prepared may lie in their memory.
        shapes.setdefault(shape, []).append((replace(source.row, **facts), targets, prepared, frames))
    groups = [group for group in shapes.values() if group]
    if not groups:
        yield PreparedBatch(cell, None, [], [], failed, seconds)
    for group in groups:
        started = time.perf_counter()
        try:
            enter(Step.COLLATE, cell, group[0][0].index)
            inputs = model.collate([prepared for _, _, prepared, _ in group])
        except plugin_errors() as error:  # as above
            rows = [r.as_failed(reason(f"model {model.name}", error)) for r, *_ in group]
            yield PreparedBatch(cell, None, [], [], [*failed, *rows], seconds)
        else:
            seconds["prepare"] += time.perf_counter() - started
            rows, targets = [r for r, *_ in group], [t for _, t, *_ in group]
            yield PreparedBatch(cell, inputs, rows, targets, failed, seconds, unseen=unseen, outlines=outlines)
        failed, seconds = [], dict.fromkeys(STAGES, 0.0)


def reference_inputs(unit: Unit, sources: list[ReadSample]) -> Iterator[PreparedBatch]:
    """Yield the uncompressed frames of a batch, prepared for the model.

    The rows of samples that the model cannot prepare are in `failed`; their errors say why there is no reference.
    """
    model = unit.subject.model
    shapes: dict[tuple[int, ...], list[tuple[SampleRow, Any]]] = {}
    failed: list[SampleRow] = []
    outlines = {source.row.index: source.outline for source in sources}
    started = time.perf_counter()
    for place, source in enumerate(sources):
        try:
            enter(Step.PREPARE, REFERENCE, source.row.index)
            sample = source.sample
            prepared = prepare(model, unit.subject.task, sample.frames, source.outline, sample.targets, NoMemo())
            shape = model.prepared_shape(source.outline)
            if source.is_changed:
                sources[place] = _read_again(unit, source)
                raise HarnessError("prepare wrote to the frames that it was given, which codecs need as they are.")
        except plugin_errors() as error:  # an error of a model fails one sample, and is recorded
            failed.append(source.row.as_failed(reason(f"model {model.name}", error)))
            continue
        shapes.setdefault(shape, []).append((source.row, prepared))
    for group in shapes.values():
        try:
            enter(Step.COLLATE, REFERENCE, group[0][0].index)
            inputs = model.collate([prepared for _, prepared in group])
        except plugin_errors() as error:  # as above
            failed += [row.as_failed(reason(f"model {model.name}", error)) for row, _ in group]
            continue
        seconds = {"prepare": time.perf_counter() - started}
        yield PreparedBatch(REFERENCE, inputs, [row for row, _ in group], [], [], seconds, outlines=outlines)
        started = time.perf_counter()
    if failed:
        yield PreparedBatch(REFERENCE, None, [], [], failed)


def unseen_targets(task: Task, codec: Codec, sample: Sample) -> int:
    """Return how many of a sample's first targets are not judged, because `fps=` may have sent no frame before them.

    The target of a whole clip is always judged, although it is stored at frame 0.

    Args:
        task: the task.
        codec: the codec, including its levers.
        sample: the sample, uncompressed.
    """
    if task.judges == "clips":
        return 0
    unseen = unseen_frames(codec, len(sample.frames), sample.fps)
    return sum(frame < unseen for frame in sample.targets)


def _taken_again(frames: NDArray[np.uint8], shapes: _Shapes) -> list[SampleRow]:
    """Remove the samples of a batch whose frames lie in the same memory as these; return their rows."""
    import numpy as np

    lost = []
    for shape, group in shapes.items():
        kept = [entry for entry in group if not np.may_share_memory(entry[3], frames)]
        lost += [entry[0] for entry in group if np.may_share_memory(entry[3], frames)]
        shapes[shape] = kept
    return lost


def reason(where: str, error: BaseException) -> str:
    """Describe an error in one sentence, for the database, which keeps texts of any content but not of any length."""
    if isinstance(error, WorkerFaultError):  # which says itself where it happened
        return str(error)
    if not isinstance(error, HarnessError):
        return f"{where}: {type(error).__name__}: {storable_message(error)}"
    name = where.rpartition(" ")[2]  # "codec jpeg": an error of the codec's own may begin with its name, too
    return f"{where}: {storable_message(error).removeprefix(f'{where}: ').removeprefix(f'{name}: ')}"
