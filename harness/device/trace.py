"""What a run leaves behind if it ends without a word: what its main process did when it was killed.

A model that crashes takes the main process with it, so nobody can record that. Therefore each run has a small file in
the cache folder that says what is on the device; it is written like memory. A run that ends in any other way removes
its file. The next run finds the files of runs that are not there any more, and counts how often a cell was in the same
place. After two such ends in a row the cell is suspect, and is tried in a process of its own first (`probe`).

So a run that was killed while it happened to predict costs nothing, however often. What ended with the machine (power,
reboot) is not counted.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import secrets
import struct
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from harness.batches.desk import DESK, FORM, Doing, Step, look
from harness.batches.preparing import REFERENCE
from harness.files import cache_dir
from harness.keep.processes import boot

if TYPE_CHECKING:
    from harness.unit import Unit

__all__ = ["Deaths", "Trace", "deaths", "forget", "open_trace", "trace"]

_RUNS, _DEATHS = "runs", "deaths"
"""Folders of the cache folder: the files of the runs that are under way, and what is known of those that ended."""


@dataclass(frozen=True)
class Deaths:
    """How often runs have ended without a word in one place of a cell.

    Args:
        place: the step, and the batch or the sample.
        runs: how many runs in a row.
        doing: what they did there: "model m predicted batch 7".
    """

    place: tuple[int, int]
    runs: int
    doing: str

    @property
    def is_suspect(self) -> bool:
        """Whether it may be the cell that ends the runs."""
        return self.runs >= 2

    def reason(self, end: str) -> str:
        """Say that it is the cell that ends the runs.

        Args:
            end: how a process of its own ended there: "was killed by signal 11".
        """
        ended = f"{self.runs} runs ended without a word while {self.doing}"
        return f"{ended}; tried in a process of its own, that process {end}"


class Trace:
    """The file of this run. Where no file can be written and locked, it is memory that nobody sees."""

    def __init__(self) -> None:
        self._memory: mmap.mmap | bytearray = bytearray(FORM.size)
        self._file: IO[bytes] | None = None
        # In the name is the process, because a process does not see its own locks.
        self._path = cache_dir() / _RUNS / f"{os.getpid()}-{secrets.token_hex(8)}"
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("x+b", buffering=0)
                self._memory = self._locked(self._file)

    def _locked(self, file: IO[bytes]) -> mmap.mmap:
        import fcntl

        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until this process ends, however that may be
        file.write(bytes(FORM.size))  # a full disk says so now, and does not end this process later
        return mmap.mmap(file.fileno(), FORM.size)

    def begin(self, unit: Unit, alone: bool) -> None:
        """Note which unit of work is being done.

        Args:
            unit: the unit.
            alone: whether this process does everything, so that each step of each sample may end it.
        """
        self.rest()
        DESK.write_to(self._memory if alone else bytearray(FORM.size))
        if self._file is None:
            return
        facts = {
            "boot": boot(),
            "keys": [cell.experiment.key for cell in unit.cells],
            "codecs": [cell.codec.name for cell in unit.cells],
            "model": unit.subject.model_name,
            "task": unit.subject.task.name,
            "dataset": unit.subject.dataset_name,
        }
        with contextlib.suppress(OSError):
            self._file.seek(FORM.size)
            self._file.truncate()
            self._file.write(json.dumps(facts).encode())

    def predicts(self, cell: int, batch: int) -> None:
        """Note that a batch of a cell is on the device."""
        FORM.pack_into(self._memory, 0, time.monotonic(), Step.PREDICT, cell, batch)

    def rest(self) -> None:
        """Note that nothing is being done that is a plugin's."""
        FORM.pack_into(self._memory, 0, 0.0, Step.NOTHING, 0, 0)

    def close(self) -> None:
        """Remove the file: this run has not ended without a word."""
        DESK.write_to(bytearray(FORM.size))
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._file.close()


_open: list[Trace] = []


def trace() -> Trace | None:
    """Return the trace of the run, if there is one."""
    return _open[-1] if _open else None


@contextlib.contextmanager
def open_trace() -> Iterator[None]:
    """A context in which this process leaves a trace."""
    _open.append(Trace())
    try:
        yield
    finally:
        _open.pop().close()


def deaths(keys: Iterable[str]) -> dict[str, Deaths]:
    """Count the runs that have ended without a word since this was asked last; return what is known of some cells.

    Args:
        keys: the keys of the experiments.
    """
    if sys.platform == "win32":
        return {}
    runs = cache_dir() / _RUNS
    with contextlib.suppress(OSError):
        for path in sorted(runs.iterdir()):
            if not path.name.startswith(f"{os.getpid()}-"):
                _count(path)
    known = {key: _read(key) for key in keys}
    return {key: found for key, found in known.items() if found is not None}


def forget(key: str) -> None:
    """Forget what is known of a cell, which is done."""
    with contextlib.suppress(OSError):
        _file_of(key).unlink(missing_ok=True)


def _count(path: Path) -> None:
    """Count the end of a run, if it has ended."""
    import fcntl

    with contextlib.suppress(OSError), path.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused if the run is still there
        content = file.read()
        if not path.exists():
            return  # another run has counted it meanwhile
        # It may be the file of another version, or cut off.
        with contextlib.suppress(ValueError, KeyError, IndexError, TypeError, struct.error):
            doing, facts = look(content), json.loads(content[FORM.size :])
            if doing.step != Step.NOTHING and facts["boot"] == boot():
                _add(doing, facts)
        path.unlink()


def _add(doing: Doing, facts: Mapping[str, Any]) -> None:
    """Count the end of a run for the cells for which it did what it did."""
    place = (int(doing.step), doing.index)
    keys = facts["keys"] if doing.cell == REFERENCE else [facts["keys"][doing.cell]]
    codec = "" if doing.cell == REFERENCE else facts["codecs"][doing.cell]
    words = {
        Step.PREDICT: f"model {facts['model']} predicted batch {doing.index}",
        Step.ENCODE: f"codec {codec} encoded sample {doing.index}",
        Step.DECODE: f"codec {codec} decoded sample {doing.index}",
        Step.SCORE: f"task {facts['task']} scored sample {doing.index}",
        Step.PREPARE: f"model {facts['model']} prepared sample {doing.index}",
        Step.COLLATE: f"model {facts['model']} prepared the batch that begins with sample {doing.index}",
    }
    text = words.get(doing.step, f"dataset {facts['dataset']} read sample {doing.index}")
    for key in keys:
        before = _read(key)
        runs = before.runs + 1 if before is not None and before.place == place else 1
        file = _file_of(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(Deaths(place, runs, text))), encoding="utf-8")


def _read(key: str) -> Deaths | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        fields = json.loads(_file_of(key).read_text(encoding="utf-8"))
        return Deaths(tuple(fields["place"]), fields["runs"], fields["doing"])
    return None


def _file_of(key: str) -> Path:
    return cache_dir() / _DEATHS / f"{key}.json"
