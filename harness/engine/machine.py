"""What this machine is, and how many workers and threads it gets: chosen from its cores, never from its load."""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.errors import UsageError
from harness.model import Precision
from harness.unit import Settings

__all__ = ["choose", "device_words", "find_device", "git_revision", "host", "library_versions"]

_LIBRARIES = ("codec-harness", "torch", "torchvision", "numpy", "pillow", "av", "opencv-python-headless", "sqlalchemy")


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find_device(asked: str | None) -> str:
    """The torch device to use: the one asked for, else CUDA, else MPS, else the CPU.

    Where the system has no accelerator, that is told without importing torch, which takes seconds.

    Raises:
        UsageError: the device asked for is not there.
    """
    if asked == "cpu" or not _may_have_accelerator():
        if asked in (None, "cpu"):
            return "cpu"
        raise UsageError(f"device {asked!r} is not there. There is: cpu.")
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if asked is None:
        return "cuda:0" if cuda else "mps" if mps else "cpu"
    kind, _, number = asked.partition(":")
    count = torch.cuda.device_count() if cuda else 0
    if kind == "cpu" and not number:
        return "cpu"
    if kind == "mps" and mps:
        return "mps"
    if kind == "cuda" and (number or "0").isdigit() and int(number or 0) < count:
        return f"cuda:{number or 0}"
    there = ["cpu", *(f"cuda:{n}" for n in range(count)), *(["mps"] if mps else [])]
    raise UsageError(f"device {asked!r} is not there. There is: {', '.join(there)}.")


def _may_have_accelerator() -> bool:
    """Whether it is worth importing torch to ask; on Linux the driver's device nodes or library tell."""
    if platform.system() != "Linux":
        return True
    nodes = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd", "/dev/nvhost-ctrl")
    return any(Path(node).exists() for node in nodes) or _has_library("libcuda.so.1")


def _has_library(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def device_words(device: str) -> str:
    """The device as provenance: its torch name and what it is."""
    if device.startswith("cuda"):
        import torch

        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({platform.processor() or platform.machine()}, {cores()} cores)"


def choose(device: str, precision: Precision, workers: int | None = None, threads: int | None = None) -> Settings:
    """Workers and threads for this machine.

    On a GPU every core but one codes. On the CPU a quarter of the cores codes and the others predict: more threads
    than free cores can cost many times the work of one, where they wait for each other by spinning (the command line
    lets them sleep). Where there are two cores or more, two workers code all the same: they stand still while they are
    ahead, and video takes longer to code than to predict. The number of threads does not follow from `workers`, because
    it may change the last bits of a result. In training, workers have little to do beside the network, which gets all
    cores.
    """
    count = cores()
    quarter = max(1, count // 4)
    coding = max(quarter, min(2, count)) if device == "cpu" else max(1, count - 1)
    if workers is not None and workers < 0:
        raise UsageError(f"--workers {workers}: at least 0.")
    predicting = max(1, count - quarter) if device == "cpu" else 1
    coding = coding if workers is None else workers
    return Settings(device, precision, coding, threads or predicting, threads or count)


def host() -> str:
    """The machine's name."""
    return socket.gethostname()


def library_versions(more: Iterable[str] = ()) -> dict[str, str]:
    """Distribution -> version of the libraries that matter, where they are installed."""
    found = {"python": platform.python_version()}
    for name in (*_LIBRARIES, *more):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_revision() -> str | None:
    """The revision of the checkout that the harness runs from, with "+dirty" if it was changed; None if installed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        revision = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return revision + ("+dirty" if changed else "")
