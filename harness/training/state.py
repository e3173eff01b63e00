"""The files of a training: checkpoints, the loss curve, and the exported weights."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BusyError, SampleError, TrainingError
from harness.files import read_sealed, write_sealed, write_whole
from harness.keep.processes import describe, this_process

if TYPE_CHECKING:
    import torch

    from harness.dataset import Dataset

__all__ = [
    "LossCurve",
    "Place",
    "export_weights",
    "exported_digest",
    "load_checkpoint",
    "save_checkpoint",
    "write_unreadable",
]


class Place:
    """The folder of one training.

    Attributes:
        checkpoint: the file with network, optimizers and moving average after the last saved iteration.
        curve: the file with the losses, CSV.
        weights: the file with the resulting weights, safetensors.
        unreadable: the file that lists samples that could not be read, CSV. It exists only if there were such samples.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoint = folder / "checkpoint.pt"
        self.curve = folder / "curve.csv"
        self.weights = folder / "weights.safetensors"
        self.unreadable = folder / "unreadable.csv"

    def make(self) -> None:
        """Create the folder.

        Raises:
            TrainingError: the folder cannot be created.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"training cannot keep its checkpoints in {self.folder}: {error}.") from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder for this process until the block ends.

        If the process dies, the operating system releases the lock. On systems without such locks (Windows) nothing is
        locked. If several processes share one training (one for each device), only the first of them takes the lock.

        Raises:
            BusyError: another process has locked the folder.
        """
        first = {os.environ.get(name, "0") for name in ("LOCAL_RANK", "RANK")} == {"0"}
        if not first or find_spec("fcntl") is None:
            yield
            return
        import fcntl

        path = self.folder / "lock"
        with _writing(path):
            opened = path.open("a+", encoding="utf-8", errors="replace")
        with opened as file:
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


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """A context in which a file of a training is written; an error of the disk becomes a sentence.

    Raises:
        TrainingError: the file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"training cannot write {path}: {error.strerror or error}. The last checkpoint is kept: make room, or make "
            "the folder writable, and run the same command again."
        ) from error


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint. If the process is killed at any moment, a complete file remains, the old or the new one.

    Raises:
        TrainingError: the file cannot be written; the old one remains.
    """
    import torch

    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    with _writing(path):
        write_sealed(path, buffer.getbuffer(), durable=True)


def load_checkpoint(path: Path, key: str) -> dict[str, Any] | None:
    """Read a checkpoint, without executing code from the file; None if there is no file.

    Args:
        path: the file.
        key: the key of the training to which the checkpoint must belong.

    Raises:
        TrainingError: the file is damaged, or it belongs to another training.
    """
    import pickle

    import torch

    if not path.is_file():
        return None
    try:
        content = read_sealed(path)
        if content is None:
            raise ValueError("it is damaged, or was written by an earlier version")
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        owner = state["key"]
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise TrainingError(f"checkpoint {path} cannot be read ({error}). Delete it to train anew.") from error
    if owner != key:
        raise TrainingError(f"checkpoint {path} belongs to another training ({owner[:12]}). Delete it or its folder.")
    return state


def write_unreadable(path: Path, dataset: Dataset, counts: Mapping[int, int]) -> None:
    """Write the list of samples that could not be read, as CSV: index, id ("" if unknown), and number of attempts.

    Args:
        path: the file.
        dataset: the dataset of the samples.
        counts: index of a sample -> number of attempts to read it.

    Raises:
        TrainingError: the file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("index", "sample", "times"))
    for index in sorted(counts):
        try:
            name = dataset.outline(index).id
        except SampleError:
            name = ""
        writer.writerow((index, name, counts[index]))
    with _writing(path):
        write_whole(path, text.getvalue().encode("utf-8", "backslashreplace"))


class LossCurve:
    """Writes the losses of a training to a CSV file: iteration, part, loss, value.

    The rows are a part of the checkpoint too, and the file is written from it when a training continues. So it has no
    row twice, and nothing that was changed in it is believed.

    Attributes:
        rows: all rows, with the values as text.
    """

    COLUMNS = ("iteration", "part", "loss", "value")

    def __init__(self, path: Path, rows: Iterable[tuple[int, str, str, str]] = ()) -> None:
        self._path = path
        self.rows = [tuple(row) for row in rows]
        text = io.StringIO(newline="")
        csv.writer(text).writerows([self.COLUMNS, *self.rows])
        with _writing(path):
            write_whole(path, text.getvalue().encode())

    def add(self, iteration: int, rows: Sequence[tuple[str, str, float]]) -> None:
        """Append rows for an iteration.

        Args:
            iteration: the iteration, counted from 1.
            rows: part, name of the loss, and the loss's mean value since the previous rows.

        Raises:
            TrainingError: the file cannot be written.
        """
        new = [(iteration, part, loss, f"{value:.6g}") for part, loss, value in rows]
        self.rows += new
        with _writing(self._path), self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(new)


def export_weights(
    path: Path, state: Mapping[str, torch.Tensor], classes: tuple[str, ...], half: bool, facts: Mapping[str, str]
) -> str:
    """Write weights as a safetensors file and return the file's SHA-256 (hex).

    Args:
        path: the file.
        state: the named tensors.
        classes: the names of the classes, written to the metadata.
        half: whether fp32 tensors are stored as fp16.
        facts: further metadata.

    Raises:
        TrainingError: the file cannot be written.
    """
    import torch

    from harness.weights import packed_state

    stored = {
        name: tensor.to(torch.float16) if half and tensor.dtype == torch.float32 else tensor
        for name, tensor in state.items()
    }
    content = _ordered(packed_state(stored, classes, **facts))
    digest = hashlib.sha256(content).hexdigest()
    with _writing(path):
        write_whole(path, content, durable=True)
        write_whole(_digest_file(path), f"{digest}  {path.name}\n".encode())
    return digest


def exported_digest(path: Path) -> str | None:
    """Return the SHA-256 (hex) of exported weights; None if it is not the one that stands in the file beside them.

    The file of weights itself has no seal, because other programs read it. The one beside it, `NAME.sha256`, is as
    the program `sha256sum` writes it.

    Raises:
        TrainingError: a file is there, and cannot be read.
    """
    try:
        stated = _digest_file(path).read_bytes()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrainingError(f"weights {path} cannot be read: {error.strerror or error}.") from error
    return digest if stated == f"{digest}  {path.name}\n".encode() else None


def _digest_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _ordered(content: bytes) -> bytes:
    """Return a safetensors file with its header in a fixed order; the library's own order differs from run to run."""
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]
