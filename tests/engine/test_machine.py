"""Which precisions a device has: what torch would silently compute in fp32 is refused."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

from harness.engine import machine
from harness.engine.predict import set_up_torch
from harness.errors import UsageError
from harness.model import PRECISIONS, Precision
from harness.unit import Settings


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_cpu_has(precision: Precision) -> None:
    assert machine.choose("cpu", precision).precision == precision


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_tf32_is_of_nvidia_s_gpus(device: str) -> None:
    with pytest.raises(UsageError, match=rf"--precision tf32: {device} does not have it, only NVIDIA's GPUs"):
        machine.choose(device, "tf32")


@pytest.mark.parametrize(("capability", "fits"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_tf32_came_with_ampere(capability: tuple[int, int], fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    if fits:
        machine.check_precision("cuda:0", "tf32")
    else:
        with pytest.raises(UsageError, match="from Ampere on"):
            machine.check_precision("cuda:0", "tf32")


@pytest.mark.parametrize("problem", ["warning", "error"])
def test_what_torch_warns_of_or_refuses_is_refused(problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def autocast(kind: str, dtype: torch.dtype) -> None:
        if problem == "error":
            raise RuntimeError(f"{kind} has no {dtype}")
        warnings.warn(f"{kind} has no {dtype}. Disabling autocast.", stacklevel=1)

    monkeypatch.setattr(torch, "autocast", autocast)
    with pytest.raises(UsageError, match=r"--precision fp16: mps does not have it: mps has no torch\.float16"):
        machine.check_precision("mps", "fp16")
    machine.check_precision("mps", "fp32")


def test_a_device_without_autocast_is_refused() -> None:
    """torch itself is asked: it refuses autocast on a device that has none."""
    with pytest.raises(UsageError, match="--precision bf16: meta does not have it"):
        machine.check_precision("meta", "bf16")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_tf32_is_set_only_where_it_is_asked_for(precision: Precision) -> None:
    def flags() -> tuple[Any, ...]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    try:
        set_up_torch(Settings("cpu", precision, 0, torch.get_num_threads()))
        assert flags() == (("high", True) if precision == "tf32" else ("highest", False))
    finally:
        set_up_torch(Settings("cpu", "fp32", 0, torch.get_num_threads()))
    assert flags() == ("highest", False)
