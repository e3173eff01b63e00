"""Plugins that die, leave or hang in one step of one sample at one level; and what the harness has to say of it."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.codec import Encoded
from harness.dataset import Sample
from harness.unit import Unit
from harness_codecs.pillow_family import Jpeg
from kit.units import Brightness, Difference, Numbered, unit

__all__ = ["LEVEL", "STEPS", "WAYS", "Faulty", "disturbed_unit", "hang"]

LEVEL = 5.0
"""The level at which codec and model fail."""
STEPS = ("read", "encode", "decode", "prepare", "score")


def raises(error: BaseException) -> None:
    raise error


def segfault() -> None:
    faulthandler.disable()
    ctypes.string_at(0)


def hang() -> None:
    while True:
        time.sleep(60)


WAYS: Mapping[str, tuple[Callable[[], object], str]] = {
    "segfault": (segfault, "the worker was killed by signal 11"),
    "exit": (lambda: os._exit(3), "the worker ended with exit status 3"),
    "kill": (lambda: os.kill(os.getpid(), signal.SIGKILL), "the worker was killed by signal 9"),
    "SystemExit": (lambda: raises(SystemExit(4)), "SystemExit: 4"),
    "KeyboardInterrupt": (lambda: raises(KeyboardInterrupt("no")), "KeyboardInterrupt: no"),
}
"""Name -> how a process ends, and what is said of it."""

_now: tuple[int, float | None] = (-1, None)
"""Which sample this process codes, and at which level: a model is not told."""


class Faulty:
    """When what goes wrong.

    Args:
        faults: step and sample -> what happens there.
        main: the process in which nothing goes wrong.
    """

    def __init__(self, faults: Mapping[tuple[str, int], Callable[[], object]], main: int | None = None) -> None:
        self.faults, self.main = dict(faults), main

    def at(self, step: str, index: int) -> None:
        if os.getpid() != self.main and (step, index) in self.faults:
            self.faults[step, index]()

    @staticmethod
    def once(file: Path, happens: Callable[[], object]) -> Callable[[], object]:
        """What happens the first time only, in whichever process."""

        def first() -> None:
            if not file.exists():
                file.touch()
                happens()

        return first


class FaultyData(Numbered):
    def __init__(self, count: int, faulty: Faulty) -> None:
        super().__init__(count)
        self.faulty = faulty

    def __getitem__(self, index: int) -> Sample:
        self.faulty.at("read", index)
        return super().__getitem__(index)


class FaultyCodec(Jpeg):
    """Knows the samples by their frames."""

    faulty: Faulty
    known: Mapping[bytes, int]

    def encode(self, frames: np.ndarray, level: Any, fps: float | None = None) -> Encoded:
        global _now
        _now = self.known[frames.tobytes()], level
        if level == LEVEL:
            self.faulty.at("encode", _now[0])
        return super().encode(frames, level, fps)

    def decode(self, encoded: Encoded) -> np.ndarray:
        if _now[1] == LEVEL:
            self.faulty.at("decode", _now[0])
        return super().decode(encoded)


class FaultyModel(Brightness):
    def __init__(self, faulty: Faulty) -> None:
        super().__init__()
        self.faulty = faulty

    def prepare(self, frames: np.ndarray, scored: tuple[int, ...], memo: Any) -> torch.Tensor:
        global _now
        if _now[1] == LEVEL:
            self.faulty.at("prepare", _now[0])
        _now = -1, None
        return super().prepare(frames, scored, memo)


class FaultyTask(Difference):
    """Fails on the uncompressed frames."""

    faulty: Faulty
    means: Mapping[int, float]

    def score(self, prediction: Any, target: int) -> Mapping[str, np.ndarray]:
        if prediction == self.means.get(target):
            self.faulty.at("score", target)
        return super().score(prediction, target)


def disturbed_unit(count: int, faulty: Faulty, reference: bool = False) -> Unit:
    """A unit of `kit.units` of which codec, dataset, model and task are faulty."""
    plain = unit(count, reference=reference)
    frames = [plain.subject.dataset[index].frames for index in range(count)]
    task = FaultyTask(("light",))
    task.faulty = faulty
    task.means = {index: float(torch.from_numpy(one[0]).double().mean()) for index, one in enumerate(frames)}
    work = unit(count, FaultyModel(faulty), reference=reference, dataset=FaultyData(count, faulty), task=task)
    codec = FaultyCodec()
    codec.faulty, codec.known = faulty, {one.tobytes(): index for index, one in enumerate(frames)}
    cells = tuple(cell if cell.exact else type(cell)(cell.experiment, codec, cell.level, False) for cell in work.cells)
    return Unit(work.subject, cells, work.todo, reference)
