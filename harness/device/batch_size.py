"""Measures the batch size with which a model is fastest on a device, for `--batch auto`, and keeps the choice.

The batch size is a part of every experiment's key. So a choice is measured once and kept in the cache folder, and later
runs find their experiments.
"""

from __future__ import annotations

import copy
import gc
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.dataset import Outline
from harness.device import machine
from harness.device.apart import in_own_process
from harness.device.compiling import compile_network
from harness.device.device import set_up_torch
from harness.errors import HarnessError, UsageError
from harness.experiment import canonical, key_of
from harness.files import cache_dir, note_damage, read_sealed, write_sealed
from harness.model import NoMemo
from harness.planning.batches import outlines
from harness.planning.hints import prepare
from harness.training.transfer import to_device

if TYPE_CHECKING:
    from pathlib import Path

    from harness.model import Model
    from harness.planning.grid import Grid
    from harness.unit import Settings, Subject

__all__ = ["BatchChoice", "choose_size", "sized"]

MOST = 256
"""The largest batch that is tried."""
LEAST_GAIN = 1.05
"""Doubling the batch must make the device so many times faster, or the smaller batch is taken."""
SAMPLES = 4
"""How many different samples a measured batch is made of; they are repeated to fill it."""
SECONDS = 1.0
"""How long each size is measured at least, after one prediction to warm up."""
PASSES = 5
"""How many predictions of each size are measured at least."""


@dataclass(frozen=True)
class BatchChoice:
    """The batch size of a model on a device.

    Args:
        batch: the number of samples in a batch.
        speeds: pairs of batch size and samples per second, as they were measured.
    """

    batch: int
    speeds: tuple[tuple[int, float], ...]


def sized(grid: Grid, settings: Settings, say: Callable[[str], None], measure: bool = True) -> Grid:
    """Return a grid whose subjects have the batch sizes that were measured for their models.

    What was measured before for the same model, device, precision and shape of samples is not measured again.

    Args:
        grid: the grid, with any batch sizes.
        settings: the device, precision and threads.
        say: is called with a sentence for each subject.
        measure: whether to measure what was not measured before.

    Raises:
        UsageError: a size was not measured before, and `measure` is false.
        HarnessError: the model fails, or the device's memory does not suffice for a single sample.
    """
    known: dict[str, BatchChoice] = {}
    subjects = []
    for subject in grid.subjects:
        largest, indices = _largest(subject)
        facts = _facts(subject.model, largest, settings)
        key, name = key_of(facts), f"model {subject.model_name} on {subject.dataset_name}"
        path = cache_dir() / "batches" / key
        choice, told = known.get(key) or _kept(path), "as measured before"
        if choice is None:
            if not measure:
                raise UsageError(
                    f"--batch auto: nothing was measured yet for {name}, and this command runs nothing. harness run "
                    "measures it; or give a number."
                )
            measure_it = partial(_measured, subject, indices, settings)
            choice, told = in_own_process(settings.device, measure_it), "measured now"
            choice = _kept(path) or choice  # another run may have been faster, and its experiments have its size
            _keep(path, choice, facts)
        known[key] = choice
        speeds = ", ".join(f"{speed:.3g} with {size}" for size, speed in choice.speeds)
        say(f"batch {choice.batch} for {name}, {told} (samples/s: {speeds}).")
        subjects.append(replace(subject, batch=choice.batch))
    return replace(grid, subjects=subjects)


def choose_size(speed_of: Callable[[int], float | None]) -> BatchChoice | None:
    """Double the batch while that makes the device at least 5% faster, and while its memory suffices.

    Args:
        speed_of: returns the samples per second for a batch size; None if the memory does not suffice.

    Returns:
        The last size that was worth it; None if the memory does not suffice for a single sample.

    >>> choose_size({1: 10.0, 2: 19.0, 4: 19.5}.get)
    BatchChoice(batch=2, speeds=((1, 10.0), (2, 19.0), (4, 19.5)))
    >>> choose_size({1: 10.0, 2: 19.0, 4: 30.0}.get).batch
    4
    """
    speeds: list[tuple[int, float]] = []
    chosen, fastest = 0, 0.0
    size = 1
    while size <= MOST and (speed := speed_of(size)) is not None:
        speeds.append((size, speed))
        if speed < fastest * LEAST_GAIN:
            break
        chosen, fastest = size, speed
        size *= 2
    return BatchChoice(chosen, tuple(speeds)) if speeds else None


def _largest(subject: Subject) -> tuple[tuple[int, ...], list[int]]:
    """Return the largest prepared shape of the dataset, and the samples that have it.

    It is that of the whole dataset, so that a subset (`--limit`) gets the same batch size, and the largest, so that no
    batch of the run needs more memory than the measured one.

    Raises:
        HarnessError: no sample of the dataset can be read.
    """
    shapes: dict[tuple[int, ...], list[int]] = {}
    known: dict[int, Outline | None] = outlines(subject.dataset, range(len(subject.dataset)))
    for index, outline in known.items():
        if outline is not None:
            shapes.setdefault(tuple(subject.model.prepared_shape(outline)), []).append(index)
    if not shapes:
        raise HarnessError(f"--batch auto: no sample of {subject.dataset_name} can be read.")
    return max(shapes.items(), key=lambda item: (_volume(item[0]), item[0]))


def _volume(shape: Sequence[int]) -> int:
    volume = 1
    for length in shape:
        volume *= length
    return volume


def _facts(model: Model, shape: Sequence[int], settings: Settings) -> dict[str, Any]:
    """Return what a choice depends on: the model, the hardware, the precision, and the shape of the samples."""
    return {
        "model": model.name,
        "options": model.deciding_config("prediction"),
        "fingerprint": dict(model.fingerprint()),
        "device": machine.device_words(settings.device).partition(" ")[2],  # without its number
        "precision": settings.precision,
        "compiled": settings.compiled,
        "shape": list(shape),
    }


def _measured(subject: Subject, indices: Sequence[int], settings: Settings) -> BatchChoice:
    """Load the model and measure batches of uncompressed samples of one shape.

    Raises:
        HarnessError: the model fails, or the memory does not suffice for a single sample.
    """
    import torch

    set_up_torch(settings)
    model = copy.copy(subject.model)
    prepared = _prepared(subject, indices)
    try:
        model.load(subject.weights, subject.dataset.classes, settings.device, settings.precision)
    except HarnessError:
        raise
    except Exception as error:
        raise HarnessError(f"--batch auto: model {subject.model_name}: {error}") from error
    if settings.compiled:
        compile_network(model)
    device = torch.device(settings.device)

    def speed_of(size: int) -> float | None:
        try:
            return _speed(model, list(itertools.islice(itertools.cycle(prepared), size)), device)
        except Exception as error:
            if not _is_out_of_memory(error):
                raise HarnessError(f"--batch auto: model {subject.model_name}, batch {size}: {error}") from error
            return None
        finally:
            gc.collect()
            if device.type == "cuda":
                torch.cuda.empty_cache()

    choice = choose_size(speed_of)
    if choice is None:
        raise HarnessError(f"--batch auto: model {subject.model_name} needs more memory for one sample than there is.")
    return choice


def _prepared(subject: Subject, indices: Sequence[int]) -> list[Any]:
    """Read and prepare the first samples that can be, uncompressed.

    Raises:
        HarnessError: of the first samples none can be read and prepared; the message has the last one's error.
    """
    prepared: list[Any] = []
    problem = ""
    for index in indices[: 4 * SAMPLES]:
        try:
            sample = subject.dataset[index]
            count, height, width, _ = sample.frames.shape
            outline = Outline(sample.id, height, width, count, tuple(sorted(sample.targets)))
            facts = (sample.frames, outline, sample.targets, NoMemo())
            prepared.append(prepare(subject.model, subject.task, *facts))
        except Exception as error:  # noqa: BLE001 - in the run, an error fails one sample, and is recorded
            problem = str(error)
        if len(prepared) == SAMPLES:
            break
    if not prepared:
        raise HarnessError(f"--batch auto: no sample of {subject.dataset_name} can be prepared: {problem}")
    return prepared


def _speed(model: Model, prepared: list[Any], device: Any) -> float:
    """Return the samples per second of a batch: of the fastest prediction, because other programs only delay it."""
    import torch

    batch = model.collate(prepared)
    fastest = float("inf")
    with torch.inference_mode():
        model.predict(to_device(batch, device))
        begun, passes = time.perf_counter(), 0
        while passes < PASSES or time.perf_counter() - begun < SECONDS:
            started = time.perf_counter()
            model.predict(to_device(batch, device))  # its predictions are on the CPU: the device has finished
            fastest = min(fastest, time.perf_counter() - started)
            passes += 1
    return len(prepared) / fastest


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory does not suffice. Only CUDA has a class for it."""
    import torch

    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(w in str(error).lower() for w in words)


def _kept(path: Path) -> BatchChoice | None:
    """Return the choice that is kept in a file; None if there is none, or if the file is damaged."""
    try:
        sealed = read_sealed(path)
        if sealed is None:
            note_damage(path, "a measured batch size", path.parent)
        content = json.loads(bytes(sealed or b"null"))
        speeds = tuple((int(size), float(speed)) for size, speed in content["samples_per_second"])
        batch = int(content["batch"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return BatchChoice(batch, speeds) if batch >= 1 else None


def _keep(path: Path, choice: BatchChoice, facts: Mapping[str, Any]) -> None:
    """Keep a choice, with what it depends on.

    Raises:
        HarnessError: the cache folder cannot be written.
    """
    content = {"batch": choice.batch, "samples_per_second": choice.speeds, "of": json.loads(canonical(facts))}
    try:
        write_sealed(path, json.dumps(content).encode())
    except OSError as error:
        raise HarnessError(
            f"--batch auto: {path} cannot be written ({error.strerror}), and a later run would not find these "
            "experiments. Give a number, or make the folder writable."
        ) from error
