"""The training loop. It uses Lightning Fabric for devices, precision and gradient exchange between devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from harness.errors import TrainingError
from harness.media.opencv import end_threads
from harness.training.examples import Collate, Examples, Order, set_up_worker
from harness.training.learner import Average, Learner, optimizer
from harness.training.state import (
    LossCurve,
    Place,
    export_weights,
    exported_digest,
    load_checkpoint,
    save_checkpoint,
    write_unreadable,
)

if TYPE_CHECKING:
    from harness.training.job import Job

__all__ = ["Runtime", "TrainingResult", "Watcher", "train"]

_REPORT = 20


@dataclass(frozen=True)
class Runtime:
    """Where a training runs. On one kind of machine, none of these settings changes the result.

    Args:
        device: cpu, cuda, cuda:N or mps.
        devices: the number of devices; several devices share each batch.
        workers: the number of processes that read and augment examples.
    """

    device: str = "cpu"
    devices: int = 1
    workers: int = 1


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training.

    Args:
        weights: the file with the resulting weights, safetensors.
        sha256: the file's SHA-256 (hex).
        curve: the file with the losses, CSV.
        iterations: the number of iterations that this call ran; 0 if the result existed already.
        unreadable: the number of samples that could not be read; other samples replaced them.
    """

    weights: Path
    sha256: str
    curve: Path
    iterations: int
    unreadable: int = 0


class Watcher(Protocol):
    """Receives reports on the progress of a training."""

    def started(self, begin: int, end: int) -> None:
        """The training starts at iteration `begin` (0, unless it continues from a checkpoint) and ends at `end`."""

    def stepped(self, iteration: int) -> None:
        """`iteration` iterations are done. Called after each iteration."""

    def advanced(self, iteration: int, losses: Mapping[str, float]) -> None:
        """`iteration` iterations are done; `losses` has the mean losses since the last call.

        Called every few iterations.
        """

    def warning(self, text: str) -> None:
        """A warning for the user."""


def train(job: Job, place: Place, runtime: Runtime, watcher: Watcher) -> TrainingResult:
    """Run a training; continue from the last checkpoint if there is one.

    Args:
        job: the training.
        place: the folder for checkpoints and results.
        runtime: devices and workers.
        watcher: receives reports on the progress.

    Raises:
        TrainingError: the training cannot start or continue, or a loss became infinite or NaN.
        BusyError: another process is running the same training.
        WeightsError: the initial weights do not fit the network.
    """
    job.check()
    place.make()
    with place.held():
        return _train(job, place, runtime, watcher)


def _train(job: Job, place: Place, runtime: Runtime, watcher: Watcher) -> TrainingResult:
    key = job.key()
    state = load_checkpoint(place.checkpoint, key)
    end = job.recipe.iterations
    mends = state is not None and state["iteration"] == end and place.weights.is_file()
    if state is not None and mends and (known := exported_digest(place.weights)) is not None:
        LossCurve(place.curve, state["curve"])
        return TrainingResult(place.weights, known, place.curve, 0, len(state["unreadable"]))
    session = _Session(job, key, runtime)
    begin = session.restore(state) if state is not None else 0
    watcher.started(begin, end)
    for note in job.initial.notes if job.initial else ():
        watcher.warning(note)
    curve = LossCurve(place.curve, state["curve"] if state else ()) if session.first else None
    tally = _Tally()
    for iteration, batch in session.batches(begin, end) if begin < end else ():
        tally.add(session.step(iteration, batch))
        done = iteration + 1
        watcher.stepped(done)
        _report_problems(session, watcher)
        due = done % job.recipe.checkpoint == 0 or done == end
        if due or done % _REPORT == 0:
            rows = tally.take()
            _check_finite(rows, done)
            if curve is not None:
                curve.add(done, rows)
            watcher.advanced(done, {f"{part} {loss}".removeprefix("model "): value for part, loss, value in rows})
        if due:
            _report_unreadable(session, place, watcher)
        if due and curve is not None:
            save_checkpoint(place.checkpoint, {**session.state(done), "curve": curve.rows})
    digest = session.export(place) if session.first else ""
    if mends and session.first:
        watcher.warning(f"weights {place.weights} or their digest were damaged; the checkpoint gave them anew.")
    return TrainingResult(place.weights, digest, place.curve, end - begin, len(session.unreadable))


def _report_problems(session: _Session, watcher: Watcher) -> None:
    """Report the problems of the workers since the last call as warnings."""
    while session.problems:
        text = session.problems.pop(0)
        if session.first:
            watcher.warning(text)


def _report_unreadable(session: _Session, place: Place, watcher: Watcher) -> None:
    """Write the list of all samples that could not be read, and warn if there are new ones."""
    before = len(session.unreadable)
    session.share_unreadable()
    count = len(session.unreadable)
    if not count or not session.first:
        return
    dataset = session.job.dataset
    write_unreadable(place.unreadable, dataset, session.unreadable)
    if count > before:
        watcher.warning(
            f"{count} of {len(dataset)} samples of dataset {dataset.name} could not be read; the next ones took their "
            f"places in {sum(session.unreadable.values())} examples. They are listed in {place.unreadable}."
        )


def _check_finite(rows: list[tuple[str, str, float]], iteration: int) -> None:
    """Raise a TrainingError if a loss is infinite or NaN."""
    for part, loss, value in rows:
        if not abs(value) < float("inf"):
            raise TrainingError(
                f"the loss {loss} of part {part} is {value} after iteration {iteration}. A lower learning rate "
                "(--set lr=...), a longer warm-up or clipping helps."
            )


class _Tally:
    """Accumulates the losses of several iterations; `take` returns their means and starts again from zero."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], torch.Tensor] = {}
        self._count = 0

    def add(self, losses: Mapping[tuple[str, str], torch.Tensor]) -> None:
        self._count += 1
        for name, value in losses.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def take(self) -> list[tuple[str, str, float]]:
        rows = [(part, loss, float(total) / self._count) for (part, loss), total in self._sums.items()]
        self._sums, self._count = {}, 0
        return rows


class _Session:
    """The objects of a running training: the network, its optimizers and the moving average of its weights."""

    def __init__(self, job: Job, key: str, runtime: Runtime) -> None:
        from lightning_fabric import Fabric

        self.job, self.key, self.runtime = job, key, runtime
        self.kind, _, number = runtime.device.partition(":")
        devices = [int(number)] if number and runtime.devices == 1 else runtime.devices
        precision = "bf16-mixed" if job.recipe.precision == "bf16" else "32-true"
        self.fabric = Fabric(accelerator=self.kind, devices=devices, precision=precision)
        self.fabric.launch()
        self.first = bool(self.fabric.is_global_zero)
        torch.manual_seed(job.seed)
        self.reader = copy(job.model)  # a copy without the network, because it is sent to worker processes
        network = job.model.build(job.dataset.classes, job.initial)
        if job.recipe.channels_last:
            network.to(memory_format=torch.channels_last)
        network.train()
        parts = job.trained_parts
        self.parameters = {part: job.model.parameters(part) for part in parts}
        self.plain = {p: optimizer(self.parameters[p], job.recipe, job.recipe.rate(p)) for p in parts}
        self.learner, *optimizers = self.fabric.setup(Learner(job.model), *self.plain.values())
        self.optimizers = dict(zip(parts, optimizers, strict=True))
        self.average = Average(network, job.recipe.average)
        self.network = network
        self.unreadable: dict[int, int] = {}
        """Index of a sample that could not be read -> number of attempts, on all devices, up to the last exchange."""
        self._new_unreadable = torch.zeros(len(job.dataset), dtype=torch.int64)
        self.problems: list[str] = []
        """Problems of the workers that have not been reported yet."""
        self._known_problems: set[str] = set()

    def restore(self, state: Mapping[str, Any]) -> int:
        """Load the state from a checkpoint; return the number of iterations that are done."""
        self.network.load_state_dict(state["network"])
        for part, plain in self.plain.items():
            plain.load_state_dict(state["optimizers"][part])
        self.average.restore(state["average"])
        self.unreadable = dict(state["unreadable"])
        return int(state["iteration"])

    def state(self, done: int) -> dict[str, Any]:
        """Return the state for a checkpoint after `done` iterations."""
        return {
            "key": self.key,
            "iteration": done,
            "network": dict(self.network.state_dict()),
            "optimizers": {part: plain.state_dict() for part, plain in self.plain.items()},
            "average": dict(self.average.state),
            "unreadable": dict(self.unreadable),
        }

    def share_unreadable(self) -> None:
        """Add the unreadable samples of all devices since the last call to `unreadable`.

        The processes of all devices must call this at the same time.
        """
        total = self.fabric.all_reduce(self._new_unreadable.to(self.fabric.device), reduce_op="sum")
        counts = total.cpu()
        for index in counts.nonzero().flatten().tolist():
            self.unreadable[index] = self.unreadable.get(index, 0) + int(counts[index])
        self._new_unreadable.zero_()

    def batches(self, begin: int, end: int) -> Iterator[tuple[int, Any]]:
        """Yield the iterations from `begin` up to `end` with their batches; workers prepare them in advance."""
        from torch.utils.data import DataLoader

        from harness.training.transfer import to_device

        job, workers = self.job, self.runtime.workers
        world, rank = self.fabric.world_size, self.fabric.global_rank
        if job.recipe.batch % world:
            raise TrainingError(f"a batch of {job.recipe.batch} cannot be shared by {world} devices.")
        order = Order(len(job.dataset), job.recipe.batch, job.seed, begin, end)
        own_slots = [slots[rank::world] for slots in order] if world > 1 else order
        if workers:
            end_threads()
        loader: DataLoader[Any] = DataLoader(
            Examples(job.dataset, self.reader, job.seed, job.through),
            batch_sampler=own_slots,
            collate_fn=Collate(job.model),
            num_workers=workers,
            worker_init_fn=set_up_worker if workers else None,
            pin_memory=self.kind == "cuda",
            multiprocessing_context="spawn" if workers and self.kind != "cpu" else None,
        )
        for iteration, batch in zip(range(begin, end), loader, strict=True):
            for index in batch.unreadable:
                self._new_unreadable[index] += 1
            self.problems += [problem for problem in batch.problems if problem not in self._known_problems]
            self._known_problems.update(batch.problems)
            yield iteration, to_device(batch.content, self.fabric.device)

    def step(self, iteration: int, batch: Any) -> dict[tuple[str, str], torch.Tensor]:
        """Run one iteration: for each part in turn, compute its losses and update its weights. Return the losses."""
        recipe = self.job.recipe
        all_losses: dict[tuple[str, str], torch.Tensor] = {}
        for number, part in enumerate(self.optimizers):
            torch.manual_seed((self.job.seed * 1_000_003 + iteration) * 16 + number)
            part_optimizer = self.optimizers[part]
            for group in self.plain[part].param_groups:
                group["lr"] = recipe.rate(part) * recipe.factor(iteration)
            losses = self.learner(batch, part)
            part_optimizer.zero_grad()
            self.fabric.backward(torch.stack([loss.float() for loss in losses.values()]).sum())
            if recipe.clip:
                torch.nn.utils.clip_grad_norm_(self.parameters[part], recipe.clip)
            part_optimizer.step()
            all_losses.update({(part, name): value.detach().float() for name, value in losses.items()})
        self.average.update(iteration)
        return all_losses

    def export(self, place: Place) -> str:
        """Write the resulting weights to their file; return its SHA-256."""
        recipe = self.job.recipe
        facts = {"training": self.key, "seed": str(self.job.seed), "dataset": self.job.dataset.name}
        if self.unreadable:
            facts["unreadable_samples"] = str(len(self.unreadable))
            facts["replaced_examples"] = str(sum(self.unreadable.values()))
        classes = self.job.model.classes
        return export_weights(place.weights, self.average.result(), classes, recipe.export == "fp16", facts)
