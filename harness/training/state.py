"""What training leaves on disk: checkpoints that are whole or not there, the loss curve, and the exported weights."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BusyError, SampleError, TrainingError
from harness.keep.processes import describe, this_process

if TYPE_CHECKING:
    import torch

    from harness.dataset import Dataset

__all__ = ["LossCurve", "Place", "export", "load_checkpoint", "save_checkpoint", "write_unreadable"]


class Place:
    """The folder of one training.

    Attributes:
        checkpoint: networks, optimizers and average after the last saved iteration.
        curve: the losses, CSV.
        weights: the result, safetensors.
        unreadable: the samples that could not be read, CSV; not there when there were none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoint = folder / "checkpoint.pt"
        self.curve = folder / "curve.csv"
        self.weights = folder / "weights.safetensors"
        self.unreadable = folder / "unreadable.csv"

    def make(self) -> None:
        """Creates the folder.

        Raises:
            TrainingError: it cannot be created or written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"training cannot keep its checkpoints in {self.folder}: {error}.") from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes out of the folder until the block ends.

        The system takes the lock from a process that dies. Where it has no such locks (Windows) nobody is kept out.
        Of the processes that share one training among several devices, the first one holds it for all.

        Raises:
            BusyError: another process is at work in the folder.
        """
        first = {os.environ.get(name, "0") for name in ("LOCAL_RANK", "RANK")} == {"0"}
        if not first or find_spec("fcntl") is None:
            yield
            return
        import fcntl

        path = self.folder / "lock"
        with path.open("a+", encoding="utf-8") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                owner = describe(file.read().strip()) or "another process"
                raise BusyError(
                    f"{owner} is at this training in {self.folder}. Wait until it has ended: the same command then "
                    "continues it, or finds it done."
                ) from error
            file.truncate(0)
            file.write(this_process())
            file.flush()
            yield


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Writes tensors and plain values so that a kill at any moment leaves the old file or the new one."""
    import torch

    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load_checkpoint(path: Path, key: str) -> dict[str, Any] | None:
    """The checkpoint of the training with that key; None when there is none. Executes no code from the file.

    Raises:
        TrainingError: the file is damaged, or belongs to another training.
    """
    import pickle

    import torch

    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found = state["key"]
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise TrainingError(f"checkpoint {path} cannot be read ({error}). Delete it to train anew.") from error
    if found != key:
        raise TrainingError(f"checkpoint {path} belongs to another training ({found[:12]}). Delete it or its folder.")
    return state


def write_unreadable(path: Path, dataset: Dataset, counts: Mapping[int, int]) -> None:
    """Writes the samples that could not be read: index, id ("" where not even that is known), and how often asked."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("index", "sample", "times"))
        for index in sorted(counts):
            try:
                name = dataset.outline(index).id
            except SampleError:
                name = ""
            writer.writerow((index, name, counts[index]))


class LossCurve:
    """The losses of a training, a CSV row for every few iterations: iteration, part, loss, value.

    Rows after the checkpoint that training goes on from are dropped, so that none is there twice.
    """

    COLUMNS = ("iteration", "part", "loss", "value")

    def __init__(self, path: Path, begin: int) -> None:
        self._path = path
        rows = []
        if begin and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if int(row["iteration"]) <= begin]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.COLUMNS)
            writer.writeheader()
            writer.writerows(rows)

    def add(self, iteration: int, rows: Sequence[tuple[str, str, float]]) -> None:
        """Appends (part, loss, mean value since the last rows) of an iteration (from 1)."""
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            for part, loss, value in rows:
                writer.writerow((iteration, part, loss, f"{value:.6g}"))


def export(
    path: Path, state: Mapping[str, torch.Tensor], classes: tuple[str, ...], half: bool, facts: Mapping[str, str]
) -> str:
    """Writes the weights as safetensors, and says their SHA-256 (hex).

    Args:
        path: the file.
        state: named tensors.
        classes: names of the classes, written into the metadata.
        half: whether floating-point tensors are stored in fp16.
        facts: further metadata.
    """
    import torch

    from harness.weights import save_state

    stored = {
        name: tensor.to(torch.float16) if half and tensor.dtype == torch.float32 else tensor
        for name, tensor in state.items()
    }
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    save_state(part, stored, classes, **facts)
    content = _ordered(part.read_bytes())
    part.write_bytes(content)
    part.replace(path)
    return hashlib.sha256(content).hexdigest()


def _ordered(content: bytes) -> bytes:
    """A safetensors file with its header in a fixed order: the library's own order differs from run to run."""
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]
