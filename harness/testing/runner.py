"""Runs a class of the kit without pytest, and says for each promise whether it is kept."""

from __future__ import annotations

import time
import unittest
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from harness.errors import HarnessError, plain_text
from harness.testing.tools.base import Promises
from harness.testing.tools.broken import BrokenPromiseError

__all__ = ["Outcome", "outcomes"]


@dataclass(frozen=True)
class Outcome:
    """What became of one promise.

    Args:
        promise: the promise's name: that of its method, without `test_`.
        told: the promise, in a sentence.
        status: "kept", "broken", or "skipped".
        reason: what was found and what to do, or why it was skipped; "" if the promise is kept.
        seconds: how long it took.
    """

    promise: str
    told: str
    status: Literal["kept", "broken", "skipped"]
    reason: str
    seconds: float


def outcomes(promises: type[Promises], only: Collection[str] | None = None) -> Iterator[Outcome]:
    """Try the promises of a class, each with an object of its own, as pytest does.

    Args:
        promises: a class of the kit that names its plugin (`spec`, or `make`).
        only: the promises to try; None for all.
    """
    promises.setup_class()
    try:
        for name in promises.names():
            if only is None or name in only:
                begun = time.perf_counter()
                status, reason = _tried(promises, name)
                yield Outcome(name, promises.told(name), status, reason, time.perf_counter() - begun)
    finally:
        promises.teardown_class()


def _tried(promises: type[Promises], name: str) -> tuple[Literal["kept", "broken", "skipped"], str]:
    one = promises()
    one.setup_method()
    try:
        getattr(one, f"test_{name}")()
    except unittest.SkipTest as reason:
        return "skipped", str(reason)
    except BrokenPromiseError as error:
        return "broken", str(error)
    except HarnessError as error:
        return "broken", f"{plain_text(error)} ({promises.told(name)})"
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plugin raises breaks the promise
        return "broken", f"it raised {type(error).__name__}: {plain_text(error)} ({promises.told(name)})"
    finally:
        one.teardown_method()
    return "kept", ""
