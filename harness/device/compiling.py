"""Compiles a model's network with `torch.compile`, for runs with `--compile`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harness.device.apart import in_own_process
from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from harness.model import Model

__all__ = ["check_compiler", "compile_network"]


def compile_network(model: Model) -> None:
    """Let torch compile the network of a loaded model. The compilation itself happens at the first prediction.

    What was compiled before is forgotten, so that a network's code does not depend on the networks before it.

    The module is compiled in place, so that it stays the module that the model holds, with the same names of weights.
    What a model computes outside of its network's call is not compiled.

    Args:
        model: the model, after `load`.

    Raises:
        HarnessError: the model has no torch module as its network.
    """
    import torch

    try:
        network = model.network
    except RuntimeError as error:
        raise HarnessError(f"--compile: {error}") from error
    if not isinstance(network, torch.nn.Module):
        raise HarnessError(f"--compile: the network of model {model.name} is no torch module.")
    torch.compiler.reset()
    network.compile()


def check_compiler(device: str) -> None:
    """Compile a sum on the device, so that a missing compiler is found before the run.

    `torch.compile` needs a C++ compiler for the CPU, and Triton for a GPU.

    Args:
        device: the torch device.

    Raises:
        UsageError: torch cannot compile for this device; the message has torch's reason.
    """
    in_own_process(device, partial(_compile_sum, device))


def _compile_sum(device: str) -> None:
    import torch

    def total(values: torch.Tensor) -> torch.Tensor:
        return (values * 2).sum()

    try:
        torch.compile(total)(torch.ones(4, device=device)).item()
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise UsageError(
            f"--compile: torch cannot compile for {device}: {type(error).__name__}: {reason[0] if reason else ''} "
            "Install what it needs (a C++ compiler for the CPU, Triton for a GPU), or leave --compile away."
        ) from error
