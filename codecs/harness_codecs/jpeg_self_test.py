"""The self-test of JPEG: whether OpenCV gives Pillow's bytes and pixels on this machine.

It codes the pictures of `jpeg_pictures` with both libraries and compares every byte and pixel. It runs once on a
machine for each combination of options and each pair of library versions; the outcome is kept in the cache folder.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.keep.kept import Kept, digest_of
from harness_codecs import jpeg_opencv
from harness_codecs.jpeg_opencv import JpegVariant
from harness_codecs.jpeg_pictures import pictures

__all__ = ["JpegCoder", "JpegOutcome", "MaybeCoder", "compare", "libraries", "outcome"]

_LEAST = 100
"""So many tests at least must have given equal bytes."""
_REVISION = 1
"""Raised when the test changes, so that earlier outcomes do not count."""


@dataclass(frozen=True)
class JpegCoder:
    """A way to code JPEG with fixed options.

    Args:
        encode: encodes an image uint8[H, W, 3] (RGB) at a quality.
        decode: decodes a stream to an image uint8[H, W, 3] (RGB).
    """

    encode: Callable[[NDArray[np.uint8], int], bytes]
    decode: Callable[[bytes], NDArray[np.uint8]]


@dataclass(frozen=True)
class MaybeCoder:
    """A way to code JPEG that gives None for what it leaves to another."""

    encode: Callable[[NDArray[np.uint8], int], bytes | None]
    decode: Callable[[bytes], NDArray[np.uint8] | None]


@dataclass(frozen=True)
class JpegOutcome:
    """The outcome of the self-test.

    Args:
        equal: whether OpenCV gives Pillow's bytes and pixels, so that it is used.
        words: what was found, for the user.
    """

    equal: bool
    words: str


_known: dict[JpegVariant, JpegOutcome] = {}
"""The outcomes that this process knows."""


def outcome(variant: JpegVariant) -> JpegOutcome:
    """Return whether OpenCV may code with these options.

    The first call in a process reads the outcome from the cache folder. If it is not there, the call makes the test,
    which takes half a second.
    """
    if variant not in _known:
        _known[variant] = _find(variant)
    return _known[variant]


def _find(variant: JpegVariant) -> JpegOutcome:
    from harness_codecs.pillow_family import Jpeg, PillowCodec

    try:
        versions = libraries()
    except ImportError as error:
        return JpegOutcome(False, f"coded by Pillow: OpenCV cannot be imported ({error})")
    kept = Kept("self-tests")
    key = digest_of("jpeg", _REVISION, asdict(variant), versions)
    if (payload := kept.get(key)) is not None:
        return JpegOutcome(**json.loads(payload))
    codec = Jpeg(**asdict(variant))
    pillow = JpegCoder(partial(PillowCodec.encode_image, codec), partial(PillowCodec.decode_image, codec))
    opencv = MaybeCoder(lambda image, quality: jpeg_opencv.encode(image, quality, variant), jpeg_opencv.decode)
    names = f"OpenCV {versions['opencv']}", f"Pillow {versions['pillow']}"
    found = compare(pictures(), pillow, opencv, *names)
    kept.put(key, json.dumps(asdict(found)).encode())
    return found


def compare(
    tests: Iterable[tuple[NDArray[np.uint8], int]], pillow: JpegCoder, opencv: MaybeCoder, fast: str, slow: str
) -> JpegOutcome:
    """Code and decode pictures with both libraries, and compare. What OpenCV leaves to Pillow is no difference.

    Args:
        tests: pictures uint8[H, W, 3] (RGB), each with a quality.
        pillow: codes with Pillow.
        opencv: codes with OpenCV, with the same options; gives None for what is left to Pillow.
        fast: OpenCV's name and version.
        slow: Pillow's name and version.
    """
    count, bytes_differ, pixels_differ = 0, 0, 0
    for picture, quality in tests:
        coded = opencv.encode(picture, quality)
        if coded is None:
            continue
        expected = pillow.encode(picture, quality)
        decoded = opencv.decode(expected)
        count += 1
        bytes_differ += coded != expected
        pixels_differ += decoded is None or not np.array_equal(decoded, pillow.decode(expected))
    if bytes_differ or pixels_differ or count < _LEAST:
        return JpegOutcome(
            False,
            f"coded by {slow}, which takes longer: in {count} tests {fast} gave other bytes {bytes_differ} times and "
            f"other pixels {pixels_differ} times",
        )
    return JpegOutcome(True, f"coded by {fast}: bytes and pixels are those of {slow} in all of {count} tests")


def libraries() -> dict[str, Any]:
    """Return the versions of both libraries and their libjpeg, and what else could make them code differently.

    Raises:
        ImportError: there is no OpenCV.
    """
    import cv2
    import PIL
    from PIL import _imaging, features

    build = [line.strip() for line in cv2.getBuildInformation().splitlines() if "jpeg" in line.lower()]
    package = Path(cv2.__file__).parent
    files = {Path(_imaging.__file__), *package.glob("cv2*.so"), *package.glob("cv2*.pyd"), *_loaded_libraries()}
    return {
        "opencv": cv2.__version__,
        "opencv_jpeg": build,
        "pillow": PIL.__version__,
        "pillow_jpeg": [features.version("jpg"), features.version("libjpeg_turbo"), bool(features.check("mozjpeg"))],
        "files": sorted([path.name, path.stat().st_size] for path in files),
        "machine": [platform.node(), platform.machine()],
    }


def _loaded_libraries() -> set[Path]:
    """Return the files of libjpeg that Pillow or OpenCV may have loaded, where the system says so (Linux).

    Other packages' wheels bring their own in a folder NAME.libs (torchvision); those are not asked.
    """
    maps = Path("/proc/self/maps")
    text = maps.read_text() if maps.is_file() else ""
    found = {Path(name) for name in re.findall(r"(/\S*libjpeg\S*)$", text, re.MULTILINE)}
    own = ("pillow", "opencv")
    return {
        path
        for path in found
        if path.is_file() and (path.parent.suffix != ".libs" or path.parent.name.lower().startswith(own))
    }
