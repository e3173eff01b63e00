"""Which precisions a device has: what torch would silently compute in fp32 is refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.device import machine
from harness.device.device import set_up_torch
from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.engine.trainer import Trainer
from harness.errors import UsageError
from harness.model import PRECISIONS, Precision
from harness.planning.plan import make_plan
from harness.planning.request import Request
from harness.planning.resolve import resolve
from harness.progress import Silence
from harness.unit import Settings
from harness_plugins.sql_store import SqlStore


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_cpu_has(precision: Precision) -> None:
    assert machine.choose("cpu", precision).precision == precision


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_tf32_is_of_nvidia_s_gpus(device: str) -> None:
    with pytest.raises(UsageError, match=rf"--precision tf32: {device} does not have it, only NVIDIA's GPUs"):
        machine.choose(device, "tf32")


@pytest.mark.parametrize("has", [False, True])
def test_tf32_came_with_ampere(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "accelerators", lambda: machine.Accelerators(("a GPU",), False, (has,)))
    if has:
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


def test_a_training_is_not_rounded_because_the_run_is(tmp_path: Path, cache: Path) -> None:
    """The training's key does not have the run's precision, so neither may its weights."""
    seen: list[tuple[Any, ...]] = []

    class StopError(Exception):
        pass

    def train(*_: Any) -> None:
        seen.append((torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32))
        raise StopError

    request = Request(codecs=("none",), tasks=("detection",), limit=2, retrain=("clean",))
    plan = make_plan(resolve(request, installed(), load_registry(())))
    (job,) = [a_pass.job for a_pass in plan.passes if a_pass.job]
    machine.set_tf32(True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("harness.training.loop.train", train)
        trainer = Trainer(SqlStore(str(tmp_path / "a.db")), Settings("cuda:0", "tf32", 0, 1), Silence(), 1)
        with pytest.raises(StopError):
            trainer.weights(job, "it")
    assert seen == [("highest", False)]


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
