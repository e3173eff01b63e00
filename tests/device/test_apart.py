"""Functions that would start CUDA run in a process of their own."""

from __future__ import annotations

import os
import sys

import pytest

from harness.device.apart import in_own_process
from harness.errors import HarnessError, UsageError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")


def test_only_cuda_has_its_own_process() -> None:
    assert in_own_process("cpu", os.getpid) == os.getpid()
    assert in_own_process("cuda:0", os.getpid) != os.getpid()


def test_what_it_raises_is_raised_here() -> None:
    def fails() -> None:
        raise UsageError("no compiler")

    with pytest.raises(UsageError, match="no compiler"):
        in_own_process("cuda", fails)


def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(HarnessError, match=r"the process that used cuda:0 ended with exit status 3"):
        in_own_process("cuda:0", lambda: os._exit(3))
