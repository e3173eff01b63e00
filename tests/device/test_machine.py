"""The device is found without touching it: workers are forked from the process that asks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.device import machine
from harness.device.machine import Accelerators, device_words, find_device
from harness.errors import HarnessError, UsageError


def test_the_devices_are_torchs_own() -> None:
    import torch

    found = machine.accelerators()
    assert len(found.cuda) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)
    assert found.mps == torch.backends.mps.is_available()


def test_asking_imports_no_torch_here() -> None:
    code = (
        "import sys, harness.device.machine as m; m._may_have_accelerator = lambda: True; m.find_device(None); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_may_have_accelerator", lambda: True)
    monkeypatch.setattr(machine, "accelerators", lambda: Accelerators(("NVIDIA H200", "NVIDIA L4"), False))


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("asked", "found", "words"),
    [
        (None, "cuda:0", "cuda:0 (NVIDIA H200)"),
        ("cuda", "cuda:0", "cuda:0 (NVIDIA H200)"),
        ("cuda:1", "cuda:1", "cuda:1 (NVIDIA L4)"),
    ],
)
def test_a_gpu_and_its_name(asked: str | None, found: str, words: str) -> None:
    assert find_device(asked) == found
    assert device_words(found) == words


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("asked", ["cuda:2", "mps", "cuda:x", "cpu:1", "tpu"])
def test_a_device_that_is_not_there_is_told_with_those_that_are(asked: str) -> None:
    with pytest.raises(UsageError, match=r"is not there. There is: cpu, cuda:0, cuda:1\."):
        find_device(asked)


def test_torch_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_ASK_TORCH", "raise OSError('libcudart.so: cannot open')")
    machine.accelerators.cache_clear()
    with pytest.raises(HarnessError, match=r"torch was asked for its devices and failed: OSError: libcudart\.so"):
        machine.accelerators()
    machine.accelerators.cache_clear()
