"""What optical flow costs a two-stream model, and what a second run saves that finds it in the cache folder.

    python tests/benchmarks/flow.py [--clip FILE] [--frames 120] [--rounds 3]

Codes a clip with h264 at CRF 30, and prepares it for `two-stream` and `demo-two-stream` as a worker does:

- without a memo: the flow is computed;
- first run: it is computed, compressed and stored;
- second run: it is read.

Prints CPU milliseconds of each, next to those of encoding and decoding the clip, and the size of what was stored. The
inputs of all three ways are compared. Without a file the clip is made.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import torch

from harness.batches.keeper import Keeper
from harness.batches.read_sample import ReadSample
from harness.dataset import Outline, Sample
from harness.keep.kept import size_of
from harness.model import Memo, NoMemo
from harness.records import SampleRow
from harness_codecs.av_family import H264
from harness_tasks.action.models.demo import DemoTwoStream
from harness_tasks.action.models.two_stream import TwoStreamModel
from video import FPS, made, read

LEVEL = 30.0


def milliseconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU milliseconds of some work, and its result."""
    started = time.process_time()
    result = work()
    return 1000 * (time.process_time() - started), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    frames = read(arguments.clip, arguments.frames) if arguments.clip else made(arguments.frames)
    codec = H264()
    codec.decode(codec.encode(frames[:4], LEVEL, float(FPS)))  # loads the libraries
    encoding, encoded = milliseconds(lambda: codec.encode(frames, LEVEL, float(FPS)))
    decoding, decoded = milliseconds(lambda: codec.decode(encoded))
    size = f"{frames.shape[2]}x{frames.shape[1]}"
    print(f"{len(frames)} frames of {size}: encode {encoding:.0f} ms, decode {decoding:.0f} ms")
    for model in (TwoStreamModel(), DemoTwoStream()):
        model.prepare(decoded[:3], (0,), NoMemo())
        found: dict[str, list[float]] = {"without a memo": [], "first run": [], "second run": []}
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory() as folder:
                os.environ["HARNESS_CACHE"] = folder
                inputs = []
                for way, spent in found.items():
                    memo = NoMemo() if way == "without a memo" else memory(codec, frames)
                    took, prepared = milliseconds(partial(model.prepare, decoded, (0,), memo))
                    spent.append(took)
                    inputs.append(prepared)
                assert all(torch.equal(inputs[0][part], other[part]) for other in inputs for part in model.parts)
                stored = size_of(Path(folder) / "derived")
        words = ", ".join(f"{way} {statistics.median(spent):.0f} ms" for way, spent in found.items())
        print(f"{model.name}: {words}; stored {stored / 1e6:.2f} MB")


def memory(codec: H264, frames: Any) -> Memo:
    """The memo that a worker of a new run gives to the model for this clip."""
    experiment = SimpleNamespace(identity={"codec": "h264@30"})
    cell: Any = SimpleNamespace(codec=codec, level=LEVEL, experiment=experiment, fresh=False)
    row = SampleRow(key="", index=0, id="clip", group="clip", status="ok")
    return Keeper().memo(
        cell, ReadSample(Sample("clip", frames, {0: 0}, fps=float(FPS)), row, Outline("clip", *frames.shape[1:3]), b"")
    )


if __name__ == "__main__":
    main()
