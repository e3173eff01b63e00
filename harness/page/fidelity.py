"""Measures of picture quality besides PSNR: MS-SSIM and VMAF. They are computed on a few samples, coded again.

MS-SSIM: Wang, Simoncelli, Bovik, "Multiscale structural similarity for image quality assessment" (Asilomar 2003),
computed by TorchMetrics on RGB, as the mean over channels and frames. Each side of a picture needs at least 161 pixels.

VMAF: the measure of Netflix, computed by ffmpeg's filter libvmaf with its default model, on 4:2:0. For a single image
VMAF has no motion to take into account. The ffmpeg is the first of these that has the filter: the program named by the
environment variable `HARNESS_FFMPEG`, the ffmpeg on the path, and the ffmpeg of the package imageio-ffmpeg.
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
from harness.media.contract import check_decoded, check_encoded
from harness.planning.phases import SamplePhases

if TYPE_CHECKING:
    from harness.codec import Frames
    from harness.results.cells import ResultCell
    from harness.show.remake import RemadeExperiments

__all__ = ["MEASURES", "measure_samples", "ms_ssim", "unavailable_reason", "vmaf"]

_SMALLEST = 161
_SECONDS = 600


def ms_ssim(source: Frames, decoded: Frames, fps: float | None = None) -> float:
    """Return the MS-SSIM of decoded frames, the mean over frames; 1 for identical frames.

    Args:
        source: uint8[T, H, W, 3], RGB, the original frames.
        decoded: uint8[T, H, W, 3], RGB, the decoded frames.
        fps: not used; all measures have the same parameters.

    Raises:
        HarnessError: the frames are too small for five scales.
    """
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as measure

    if min(source.shape[1:3]) < _SMALLEST:
        size = f"{source.shape[2]}x{source.shape[1]}"
        raise HarnessError(f"MS-SSIM needs pictures of {_SMALLEST} pixels a side at least; these have {size}.")
    values = []
    for before, after in zip(source, decoded, strict=True):
        original, coded = (torch.tensor(frame).permute(2, 0, 1)[None].float() for frame in (before, after))
        values.append(float(measure(coded, original, data_range=255.0)))
    return sum(values) / len(values)


def vmaf(source: Frames, decoded: Frames, fps: float | None = None) -> float:
    """Return the VMAF of decoded frames, the mean over frames, from 0 to 100.

    Args:
        source: uint8[T, H, W, 3], RGB, the original frames.
        decoded: uint8[T, H, W, 3], RGB, the decoded frames.
        fps: frames per second; None for an image.

    Raises:
        HarnessError: no ffmpeg has libvmaf, or ffmpeg fails; the message then has the end of ffmpeg's error output.
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
"""The measures, by their names on the command line."""

_NO_VMAF = (
    "VMAF needs an ffmpeg with the filter libvmaf, and there is none here (pip install imageio-ffmpeg brings one)."
)


def unavailable_reason(name: str) -> str | None:
    """Return the reason why this machine cannot compute a measure; None if it can."""
    if name == "vmaf":
        return None if _ffmpeg() else _NO_VMAF
    try:
        import torchmetrics  # noqa: F401
    except ImportError:
        return "MS-SSIM needs TorchMetrics: pip install torchmetrics"
    return None


def measure_samples(
    remade: RemadeExperiments, cells: Sequence[ResultCell], samples: Sequence[int], names: Sequence[str]
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Code some samples again at every level, and measure the quality of the decoded frames.

    Args:
        remade: the codecs and the dataset of the experiments.
        cells: the experiments, one for each codec and level.
        samples: the indices of the samples.
        names: the names of the measures, keys of `MEASURES`.

    Returns:
        By the digest of an experiment's cell, the mean of each measure over the samples; and the reasons why some
        measures are missing. A measure that fails on a sample is left out.
    """
    values: dict[str, dict[str, list[float]]] = {}
    problems: dict[str, None] = {}
    phases = SamplePhases(remade.subject)
    for index in samples:
        try:
            sample = remade.subject.dataset[index]
            sample.frames.setflags(write=False)
            for cell in cells:
                planned = remade.cells[cell.facts["experiment"]]
                codec = phases.codec(planned, sample.id)
                encoded = codec.encode(sample.frames, planned.level, sample.fps)
                encoded = check_encoded(encoded, sample.frames, sample.fps, codec.name)
                decoded = check_decoded(codec.decode(encoded), sample.frames, codec.name)
                for name in names:
                    value = MEASURES[name](sample.frames, decoded, sample.fps)
                    values.setdefault(cell.facts["cell"], {}).setdefault(name, []).append(value)
        except HarnessError as error:
            problems[str(error)] = None
    means = {
        cell: {name: sum(scores) / len(scores) for name, scores in by_name.items() if len(scores) == len(samples)}
        for cell, by_name in values.items()
    }
    return means, list(problems)


@cache
def _ffmpeg() -> str | None:
    """Return the path of the first ffmpeg that has libvmaf; None if there is none."""
    candidates = [os.environ.get("HARNESS_FFMPEG"), shutil.which("ffmpeg"), _bundled()]
    return next((program for program in candidates if program and _has_vmaf(program)), None)


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
