"""What the video codecs cost, against a plain PyAV loop with the same settings.

    python tests/benchmarks/video.py [--clip FILE] [--frames 60] [--rounds 5]

Codes a clip in two ways, in turn, in this process with one thread:

- the codec: `encode` and `decode` of frames uint8[T, H, W, 3], with all checks;
- the loop that a user would write with PyAV: `VideoFrame.from_ndarray`, `reformat`, `encode`; `decode`, `to_ndarray`.
  The encoder gets the same options. The conversions are PyAV's own: they resample chroma in another way, faster and
  less exactly.

Prints CPU milliseconds a frame for encoding and decoding, and the median over the rounds of the ratio of the sums.
Without a file the clip is made.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TypeVar

import av
import cv2
import numpy as np

from harness.codec import Frames
from harness_codecs.av_codec import AvCodec
from harness_codecs.av_family import H264, Av1, Hevc, Mpeg2, Vp9

T = TypeVar("T")
FPS = 25
CASES: tuple[tuple[AvCodec, float], ...] = (
    (H264(), 23),
    (H264(), 40),
    (H264(preset="ultrafast"), 30),
    (Mpeg2(), 4),
    (Hevc(), 31),
    (Vp9(), 47),
    (Av1(), 46),
)


def made(count: int) -> Frames:
    """A clip of 320x240 that pans over shades and edges, with a little noise of its own in each frame."""
    rng = np.random.default_rng(0)
    wide = (320 + 3 * count, 240 + 2 * count)
    layers = [cv2.resize(rng.uniform(0, 255, (wide[1] // n, wide[0] // n, 3)), wide) for n in (4, 16, 80)]
    scene = 0.2 * layers[0] + 0.8 * np.mean(layers[1:], axis=0)
    frames = [scene[2 * n : 2 * n + 240, 3 * n : 3 * n + 320] + rng.normal(0, 2, (240, 320, 3)) for n in range(count)]
    return np.clip(np.stack(frames), 0, 255).astype(np.uint8)


def read(path: Path, count: int) -> Frames:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), count)])


def plain_encode(codec: AvCodec, frames: Frames, level: float) -> list[bytes]:
    context = av.CodecContext.create(codec.encoder.name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.height, context.width = frames.shape[1:3]
    context.pix_fmt, context.thread_count = "yuv420p", 1
    context.framerate, context.time_base = Fraction(FPS), Fraction(1, FPS)
    context.options = {**codec.parameters(level), "g": str(codec.option("gop"))}
    packets: list[bytes] = []
    for number, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p", dst_colorspace="ITU709")
        frame.pts, frame.time_base = number, context.time_base
        packets += map(bytes, context.encode(frame))
    return [*packets, *map(bytes, context.encode(None))]


def plain_decode(codec: AvCodec, packets: list[bytes]) -> Frames:
    context = av.CodecContext.create(codec.decoder, "r")
    assert isinstance(context, av.VideoCodecContext)
    context.thread_count = 1
    frames = [f.to_ndarray(format="rgb24") for packet in packets if packet for f in context.decode(av.Packet(packet))]
    return np.stack([*frames, *(f.to_ndarray(format="rgb24") for f in context.decode(None))])


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of some work, and its result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def one_round(codec: AvCodec, level: float, frames: Frames) -> tuple[float, float, float, float]:
    """CPU milliseconds a frame: the codec's encoding and decoding, then the plain loop's."""
    encoding, encoded = timed(lambda: codec.encode(frames, level, float(FPS)))
    decoding, decoded = timed(lambda: codec.decode(encoded))
    plain_encoding, packets = timed(lambda: plain_encode(codec, frames, level))
    plain_decoding, plain = timed(lambda: plain_decode(codec, packets))
    assert decoded.shape == plain.shape == frames.shape
    first, second, third, fourth = (
        1000 * s / len(frames) for s in (encoding, decoding, plain_encoding, plain_decoding)
    )
    return first, second, third, fourth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    frames = read(arguments.clip, arguments.frames) if arguments.clip else made(arguments.frames)
    for codec, level in CASES:
        one_round(codec, level, frames[:4])  # loads the libraries
        rounds = [one_round(codec, level, frames) for _ in range(arguments.rounds)]
        encoding, decoding, plain_encoding, plain_decoding = (statistics.median(c) for c in zip(*rounds, strict=True))
        ratio = statistics.median((a + b) / (c + d) for a, b, c, d in rounds)
        name = " ".join([codec.name, *([str(codec.config["preset"])] if "preset" in codec.config else [])])
        print(
            f"{name} at {level:g}: encode {encoding:.2f} ms a frame (plain {plain_encoding:.2f}), "
            f"decode {decoding:.2f} ({plain_decoding:.2f}), ratio of the sums {ratio:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
