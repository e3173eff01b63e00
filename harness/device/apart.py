"""Runs a function in a process of its own, if it would start CUDA here."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from harness.errors import HarnessError
from harness.keep.processes import how_ended
from harness.workers.transport import portable

__all__ = ["in_own_process"]

T = TypeVar("T")


def in_own_process(device: str, compute: Callable[[], T]) -> T:
    """Return what a function returns; for a CUDA device it runs in a forked process.

    Worker processes are forked from this process later, and CUDA does not work in a process that was forked after CUDA
    had started.

    Args:
        device: the torch device that the function uses.
        compute: the function. What it returns or raises must be possible to pickle.

    Raises:
        HarnessError: the process has died.
        Exception: what the function raised.
    """
    if not device.startswith("cuda") or sys.platform != "linux":
        return compute()
    context = multiprocessing.get_context("fork")
    mine, its = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(compute, its))
    process.start()
    its.close()
    with mine:
        try:
            returned, value = mine.recv()
        except EOFError:
            process.join()
            raise HarnessError(f"the process that used {device} {how_ended(process.exitcode)}") from None
        process.join()
    if not returned:
        raise value
    result: T = value
    return result


def _answer(compute: Callable[[], Any], connection: Connection) -> None:
    answer: tuple[bool, Any]
    try:
        answer = (True, compute())
    except Exception as error:  # noqa: BLE001 - the main process raises it
        answer = (False, portable(error))
    connection.send(answer)
