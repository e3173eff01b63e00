"""What the image codecs cost, against Pillow's own calls.

    python tests/benchmarks/images.py [--images FOLDER] [--rounds 5]

Codes pictures at each level of a codec's ladder in two ways, in turn, in this process with one thread:

- the codec: `encode` and `decode` of frames uint8[1, H, W, 3], with all checks;
- Pillow: `Image.fromarray`, `save` into memory, `Image.open`, `np.asarray`.

Prints CPU milliseconds for each way, and the median over the rounds of their ratio; then the cost of the squared error.
The bytes and pixels of both ways are compared. Without a folder the pictures are made.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.codec import ImageCodec
from harness.media.quality import squared_error
from harness_codecs.pillow_family import Avif, Jpeg, Jpeg2000, PillowCodec, Webp

Picture = NDArray[np.uint8]
Way = Callable[[Any, Picture, float], tuple[bytes, Picture]]
CODECS: tuple[PillowCodec, ...] = (
    Jpeg(),
    Jpeg(subsampling="4:4:4"),
    Jpeg(progressive=True),
    Webp(),
    Jpeg2000(),
    Avif(),
)


def made(count: int) -> list[Picture]:
    """Pictures of 640x480: shades, edges and some noise."""
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(count):
        layers = [cv2.resize(rng.uniform(0, 255, (480 // n, 640 // n, 3)), (640, 480)) for n in (4, 16, 80, 160)]
        pictures.append(np.clip(0.15 * layers[0] + 0.85 * np.mean(layers[1:], axis=0), 0, 255).astype(np.uint8))
    return pictures


def read(folder: Path, count: int) -> list[Picture]:
    """The first pictures of a folder, in RGB."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths[:count]]


def by_pillow(codec: PillowCodec, picture: Picture, level: float) -> tuple[bytes, Picture]:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, codec.file_format, **codec.arguments(level))
    return buffer.getvalue(), np.asarray(Image.open(buffer).convert("RGB"))


def by_codec(codec: ImageCodec, picture: Picture, level: float) -> tuple[bytes, Picture]:
    encoded = codec.encode(picture[None], level)
    return encoded.data[8:], codec.decode(encoded)[0]


def milliseconds(way: Way, codec: PillowCodec, pictures: list[Picture]) -> float:
    """CPU milliseconds for a picture and level."""
    assert codec.scale is not None
    started = time.process_time()
    for picture in pictures:
        for level in codec.scale.ladder:
            way(codec, picture, level)
    return 1000 * (time.process_time() - started) / len(pictures) / len(codec.scale.ladder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pictures = read(arguments.images, arguments.count) if arguments.images else made(arguments.count)
    for codec in CODECS:
        assert codec.scale is not None
        few = pictures[:1] if codec.costly else pictures
        for picture in few:  # the first calls also load the libraries, and test whether OpenCV may code
            for level in codec.scale.ladder:
                (data, pixels), (file, opened) = (way(codec, picture, level) for way in (by_codec, by_pillow))
                assert data == file
                np.testing.assert_array_equal(pixels, opened)
        ways: tuple[Way, Way] = (by_codec, by_pillow)
        rounds = [tuple(milliseconds(way, codec, few) for way in ways) for _ in range(arguments.rounds)]
        own, pillow = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratio = statistics.median(a / b for a, b in rounds)
        print(f"{codec!r}: {own:.2f} ms, Pillow {pillow:.2f} ms, ratio {ratio:.2f}; {codec.implementation() or ''}")
    pairs = [(picture[None], 255 - picture[None]) for picture in pictures]
    started = time.process_time()
    for source, other in pairs * 20:
        squared_error(source, other)
    print(f"squared error: {1000 * (time.process_time() - started) / 20 / len(pairs):.3f} ms a picture")


if __name__ == "__main__":
    main()
