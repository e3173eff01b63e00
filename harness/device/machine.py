"""Facts about this machine, and the numbers of workers and threads, which depend on its cores but not on its load."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.errors import HarnessError, UsageError
from harness.model import Precision
from harness.unit import SAMPLE_TIMEOUT, Settings

__all__ = [
    "Accelerators",
    "accelerators",
    "check_precision",
    "choose",
    "device_words",
    "find_device",
    "git_revision",
    "host",
    "library_versions",
    "set_tf32",
]

_LIBRARIES = ("codec-harness", "torch", "torchvision", "numpy", "pillow", "av", "opencv-python-headless", "sqlalchemy")


def cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find_device(asked: str | None) -> str:
    """Return the torch device to use: the requested one; without a request CUDA, else MPS, else the CPU.

    On a system without an accelerator torch is not imported, because that takes seconds.

    Args:
        asked: the requested device; None for no request.

    Raises:
        UsageError: the requested device does not exist.
    """
    if asked == "cpu" or not _may_have_accelerator():
        if asked in (None, "cpu"):
            return "cpu"
        raise UsageError(f"device {asked!r} is not there. There is: cpu.")
    found = accelerators()
    count = len(found.cuda)
    if asked is None:
        return "cuda:0" if count else "mps" if found.mps else "cpu"
    kind, _, number = asked.partition(":")
    if kind == "cpu" and not number:
        return "cpu"
    if kind == "mps" and found.mps:
        return "mps"
    if kind == "cuda" and (number or "0").isdigit() and int(number or 0) < count:
        return f"cuda:{number or 0}"
    available = ["cpu", *(f"cuda:{n}" for n in range(count)), *(["mps"] if found.mps else [])]
    raise UsageError(f"device {asked!r} is not there. There is: {', '.join(available)}.")


@dataclass(frozen=True)
class Accelerators:
    """The devices that torch finds beside the CPU.

    Args:
        cuda: the name of each GPU, in torch's order.
        mps: whether there is an Apple GPU.
        tf32: for each GPU, whether it has TF32 (NVIDIA's, from Ampere on).
    """

    cuda: tuple[str, ...]
    mps: bool
    tf32: tuple[bool, ...] = ()


_ASK_TORCH = """
import json, torch
gpus = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
names = [torch.cuda.get_device_name(n) for n in gpus]
tf32 = [torch.version.hip is None and torch.cuda.get_device_capability(n)[0] >= 8 for n in gpus]
print(json.dumps([names, torch.backends.mps.is_available(), tf32]))
"""


@cache
def accelerators() -> Accelerators:
    """Ask torch for its devices, in a process of its own.

    To ask for a GPU's name starts CUDA. Worker processes are forked from this one later, and CUDA does not work in a
    process that was forked after CUDA had started.

    Raises:
        HarnessError: torch cannot be imported, or fails.
    """
    asked = subprocess.run([sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, check=False)
    if asked.returncode:
        last = (asked.stderr.strip().splitlines() or [f"exit status {asked.returncode}"])[-1]
        raise HarnessError(f"torch was asked for its devices and failed: {last}")
    names, mps, tf32 = json.loads(asked.stdout.splitlines()[-1])
    return Accelerators(tuple(names), bool(mps), tuple(tf32))


def _may_have_accelerator() -> bool:
    """Return whether torch has to be imported to find out; on Linux, whether a GPU's device node or library exists."""
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
    """Describe a device for the provenance of a run: its torch name and its hardware."""
    if device.startswith("cuda"):
        return f"{device} ({accelerators().cuda[_number(device)]})"
    return f"{device} ({platform.processor() or platform.machine()}, {cores()} cores)"


def check_precision(device: str, precision: Precision) -> None:
    """Check that torch can compute in a precision on a device; otherwise torch would fall back to fp32, or fail.

    Args:
        device: the torch device.
        precision: the precision of the forward pass.

    Raises:
        UsageError: it cannot.
    """
    if precision == "fp32":
        return
    refused = f"--precision {precision}: {device} does not have it"
    kind = device.partition(":")[0]
    if precision == "tf32" and kind != "cuda":
        raise UsageError(f"{refused}, only NVIDIA's GPUs from Ampere on do. Leave --precision away for fp32.")
    if precision == "tf32":
        if not accelerators().tf32[_number(device)]:
            raise UsageError(f"{refused}, only NVIDIA's GPUs from Ampere on do. Leave --precision away for fp32.")
        return
    if kind == "cuda":
        return  # every GPU that torch supports has autocast in both precisions, and CUDA must not start here
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # torch warns, and computes in fp32
            torch.autocast(kind, torch.bfloat16 if precision == "bf16" else torch.float16)
    except (RuntimeError, UserWarning) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"{refused}: {reason} Leave --precision away for fp32.") from error


def set_tf32(enabled: bool) -> None:
    """Set whether a GPU may round the factors of fp32 products to TF32, in this process.

    torch's own default is that it may in convolutions only.
    """
    import torch

    torch.set_float32_matmul_precision("high" if enabled else "highest")
    torch.backends.cudnn.allow_tf32 = enabled


def _number(device: str) -> int:
    """Return the number of a GPU: 1 for "cuda:1", 0 for "cuda"."""
    return int(device.partition(":")[2] or 0)


def choose(
    device: str,
    precision: Precision,
    workers: int | None = None,
    threads: int | None = None,
    compiled: bool = False,
    sample_timeout: float = SAMPLE_TIMEOUT,
) -> Settings:
    """Choose the numbers of workers and threads for this machine.

    With a GPU, all cores except one get a worker. Without a GPU, a quarter of the cores get a worker and the others
    predict, because more threads than free cores can be many times slower: the threads wait for each other in busy
    loops (the command line lets them sleep instead). With two or more cores there are at least two workers: they pause
    while they are ahead, and coding a video takes longer than predicting. The number of threads does not depend on
    `workers`, because it may change the last bits of a result. In training, workers have little work compared with the
    network, which gets all cores.

    Args:
        device: the torch device.
        precision: the precision of the forward pass.
        workers: the number of workers that the user requested; None to choose it.
        threads: the number of threads that the user requested; None to choose it.
        compiled: whether torch compiles the network.
        sample_timeout: how many seconds a step of one sample may take; 0 for as long as it likes.

    Raises:
        UsageError: the number of workers is negative, or the device does not have the precision.
    """
    check_precision(device, precision)
    count = cores()
    quarter = max(1, count // 4)
    coding = max(quarter, min(2, count)) if device == "cpu" else max(1, count - 1)
    if workers is not None and workers < 0:
        raise UsageError(f"--workers {workers}: at least 0.")
    predicting = max(1, count - quarter) if device == "cpu" else 1
    coding = coding if workers is None else workers
    return Settings(device, precision, coding, threads or predicting, threads or count, compiled, sample_timeout)


def host() -> str:
    """Return the machine's name."""
    return socket.gethostname()


def library_versions(more: Iterable[str] = ()) -> dict[str, str]:
    """Return distribution -> version for Python, the libraries that can affect results, and `more`, if installed."""
    versions = {"python": platform.python_version()}
    for name in (*_LIBRARIES, *more):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def git_revision() -> str | None:
    """Return the git revision of the harness's checkout, with "+dirty" if files were changed; None if installed."""
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
