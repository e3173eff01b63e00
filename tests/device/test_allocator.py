"""The allocator keeps freed memory, so that the kernel need not clear it each time it is taken again."""

import os
import platform
import resource
import subprocess
import sys

import pytest

from harness.device.allocator import KEPT, LARGEST

BLOCK, COUNT, ROUNDS = 3 << 20, 70, 5
"""NumPy asks for huge pages, which give few faults, from 4 MiB on."""

CODE = f"""
import resource
import numpy as np
for _ in range({{rounds}}):
    blocks = [np.ones({BLOCK}, np.uint8) for _ in range({COUNT})]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""
KEEP = "from harness.device.allocator import keep_memory\nassert keep_memory() is {changed}\n"

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")


def faults_of_a_round(before: str, **env: str) -> float:
    """The page faults, over the number of pages, of taking and freeing blocks once more."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}

    def faults(rounds: int) -> int:
        command = [sys.executable, "-c", before + CODE.format(rounds=rounds)]
        return int(subprocess.run(command, env={**plain, **env}, capture_output=True, text=True, check=True).stdout)

    pages = (ROUNDS - 1) * BLOCK * COUNT / resource.getpagesize()
    return (faults(ROUNDS) - faults(1)) / pages


def test_memory_is_taken_again_without_faults() -> None:
    assert BLOCK < LARGEST
    assert BLOCK * COUNT < KEPT
    assert faults_of_a_round(KEEP.format(changed=True)) < 0.05
    assert faults_of_a_round("") > 0.5  # what it is without the settings


def test_what_the_user_sets_stays() -> None:
    assert faults_of_a_round(KEEP.format(changed=False), MALLOC_MMAP_THRESHOLD_="131072") > 0.5
