"""Measures of the decoded picture beside PSNR: MS-SSIM and VMAF, made anew on a few samples.

MS-SSIM: Wang, Simoncelli, Bovik, "Multiscale structural similarity for image quality assessment" (Asilomar 2003), by
TorchMetrics, on RGB, the mean over channels and frames; pictures need 161 pixels a side. VMAF: Netflix's, by the filter
libvmaf of an ffmpeg, with its default model, on 4:2:0; of single images it has no motion to judge. The ffmpeg is the
first with that filter of the environment's `HARNESS_FFMPEG`, that on the path, and that of imageio-ffmpeg.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.codec import Frames
    from harness.results.cells import ResultCell
    from harness.show.remake import Remade

__all__ = ["MEASURES", "measured", "missing_measures", "ms_ssim", "vmaf"]

_SMALLEST = 161
_SECONDS = 600


def ms_ssim(source: Frames, decoded: Frames, fps: float | None = None) -> float:
    """MS-SSIM of decoded frames, the mean over frames; 1 where nothing was lost.

    Args:
        source: uint8[T, H, W, 3], RGB.
        decoded: likewise.
        fps: not needed.

    Raises:
        HarnessError: the frames are too small for five scales.
    """
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as measure

    if min(source.shape[1:3]) < _SMALLEST:
        size = f"{source.shape[2]}x{source.shape[1]}"
        raise HarnessError(f"MS-SSIM needs pictures of {_SMALLEST} pixels a side at least; these have {size}.")
    values = []
    for one, other in zip(source, decoded, strict=True):
        first, second = (torch.tensor(frame).permute(2, 0, 1)[None].float() for frame in (one, other))
        values.append(float(measure(second, first, data_range=255.0)))
    return sum(values) / len(values)


def vmaf(source: Frames, decoded: Frames, fps: float | None = None) -> float:
    """VMAF of decoded frames, the mean over frames, 0 to 100.

    Args:
        source: uint8[T, H, W, 3], RGB.
        decoded: likewise.
        fps: frames a second; None for an image.

    Raises:
        HarnessError: no ffmpeg has libvmaf, or it fails; the message has its words.
    """
    program = _ffmpeg()
    if program is None:
        raise HarnessError(_NO_VMAF)
    _, height, width, _ = source.shape
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps or 25:g}"]
    graph = "[0:v]format=yuv420p[a];[1:v]format=yuv420p[b];[a][b]libvmaf=log_fmt=json:log_path=vmaf.json"
    with tempfile.TemporaryDirectory() as folder:
        for name, frames in (("decoded.rgb", decoded), ("source.rgb", source)):
            (Path(folder) / name).write_bytes(frames.tobytes())
        inputs = [*raw, "-i", "decoded.rgb", *raw, "-i", "source.rgb"]
        command = [program, "-nostdin", "-v", "error", *inputs, "-lavfi", graph, "-f", "null", "-"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise HarnessError(f"VMAF: {program} took longer than {_SECONDS} s.") from error
        if done.returncode:
            raise HarnessError(f"VMAF: {program} failed: {done.stderr.strip()[-300:]}")
        found = json.loads((Path(folder) / "vmaf.json").read_text("utf-8"))
    return float(found["pooled_metrics"]["vmaf"]["mean"])


MEASURES: Mapping[str, Callable[[Frames, Frames, float | None], float]] = {"ms-ssim": ms_ssim, "vmaf": vmaf}
"""By the names that the command line has for them."""

_NO_VMAF = (
    "VMAF needs an ffmpeg with the filter libvmaf, and there is none here (pip install imageio-ffmpeg brings one)."
)


def missing_measures(name: str) -> str | None:
    """Why a measure cannot be had on this machine; None where it can."""
    if name == "vmaf":
        return None if _ffmpeg() else _NO_VMAF
    try:
        import torchmetrics  # noqa: F401
    except ImportError:
        return "MS-SSIM needs TorchMetrics: pip install torchmetrics"
    return None


def measured(
    remade: Remade, cells: Sequence[ResultCell], samples: Sequence[int], names: Sequence[str]
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Code some samples anew at every level, and measure what comes back.

    Args:
        remade: what carries the experiments out.
        cells: experiments of levels.
        samples: indices.
        names: of `MEASURES`.

    Returns:
        the mean over the samples of each measure, by the digest of an experiment's cell; and why some are missing.
    """
    values: dict[str, dict[str, list[float]]] = {}
    problems: dict[str, None] = {}
    for index in samples:
        try:
            sample = remade.subject.dataset[index]
            sample.frames.setflags(write=False)
            for cell in cells:
                planned = remade.cells[cell.facts["experiment"]]
                decoded = planned.codec.decode(planned.codec.encode(sample.frames, planned.level, sample.fps))
                for name in names:
                    value = MEASURES[name](sample.frames, decoded, sample.fps)
                    values.setdefault(cell.facts["cell"], {}).setdefault(name, []).append(value)
        except HarnessError as error:
            problems[str(error)] = None
    means = {
        cell: {name: sum(some) / len(some) for name, some in found.items() if len(some) == len(samples)}
        for cell, found in values.items()
    }
    return means, list(problems)


@cache
def _ffmpeg() -> str | None:
    """The program, if one has libvmaf."""
    found = [os.environ.get("HARNESS_FFMPEG"), shutil.which("ffmpeg"), _bundled()]
    return next((program for program in found if program and _has_vmaf(program)), None)


def _bundled() -> str | None:
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def _has_vmaf(program: str) -> bool:
    try:
        done = subprocess.run([program, "-hide_banner", "-filters"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return any(line.split()[1:2] == ["libvmaf"] for line in done.stdout.splitlines())
