"""Pictures to code: a real photograph where HARNESS_TEST_DATA has one, and made ones that need no data."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image


def data_root() -> Path | None:
    """The folder of real test data, or None."""
    root = os.environ.get("HARNESS_TEST_DATA")
    return Path(root) if root else None


def textured(height: int, width: int, seed: int = 1) -> np.ndarray:
    """Random texture uint8[H, W, 3]: amplitudes fall as 1 / f ** 1.3, channels are correlated, as in photographs."""
    rng = np.random.default_rng(seed)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(height, width))
    spectrum = np.fft.fft2(rng.standard_normal((4, height, width))) / frequency**1.3
    common, *own = (layer / layer.std() for layer in np.fft.ifft2(spectrum).real)
    channels = np.stack([common + 0.2 * layer for layer in own], axis=-1)
    return np.clip(128 + 45 * channels, 0, 255).astype(np.uint8)


def photograph() -> np.ndarray:
    """A photograph uint8[H, W, 3] of odd height and width (texture without HARNESS_TEST_DATA)."""
    root = data_root()
    if root is None:
        return textured(239, 319)
    path = sorted((root / "coco_mini" / "train2017").glob("*.jpg"))[3]
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))[:399, :479]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Uniform noise uint8 of a shape."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """An image uint8[H, W, 3] through Pillow's JPEG, 4:2:0."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))
