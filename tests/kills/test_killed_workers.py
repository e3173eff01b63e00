"""Workers that somebody kills at any time: all rows come, once each, and are those of an undisturbed run.

`HARNESS_KILLS=40 pytest tests/kills -s` does that in forty runs.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.engine.predict import run_unit
from harness.progress import Silence
from harness.records import SampleRow
from harness.unit import Settings
from kit.units import Brightness, unit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux")

TIMES = int(os.environ.get("HARNESS_KILLS", "3"))


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def slow(batch: torch.Tensor) -> list[list[Any]]:
    time.sleep(0.01)
    return [[float(image.double().mean())] for image in batch]


def values(found: list[SampleRow]) -> list[Any]:
    return sorted(
        (row.key, row.index, row.status, row.error, row.bits, [one["value"].tolist() for one in row.statistics])
        for row in found
    )


def test_workers_that_are_killed_at_any_time_cost_nothing() -> None:
    draw, killed = random.Random(1), 0
    for number in range(TIMES):
        reference = number % 2 == 1
        alone = run_unit(unit(40, reference=reference), Settings("cpu", "fp32", 0, 1), Silence())
        right = values([row for batch in alone for row in batch])
        over = threading.Event()

        def kill(over: threading.Event = over) -> None:
            nonlocal killed
            while not over.wait(draw.uniform(0.2, 0.6)):
                workers = [worker for nursery in children(os.getpid()) for worker in children(nursery)]
                if workers:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(draw.choice(workers), signal.SIGKILL)
                        killed += 1

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            work = unit(40, Brightness(slow), reference=reference)
            found = [row for batch in run_unit(work, Settings("cpu", "fp32", 3, 1), Silence()) for row in batch]
        finally:
            over.set()
            killer.join()
        assert values(found) == right
    assert killed
