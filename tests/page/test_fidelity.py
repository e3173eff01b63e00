"""Measures of the picture: MS-SSIM against another implementation, VMAF by a real ffmpeg."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from harness.errors import HarnessError
from harness.page import fidelity
from harness.page.fidelity import ms_ssim, vmaf


def pictures(size: int = 192) -> np.ndarray:
    """uint8[2, size, size, 3]: smooth shades with some texture."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    base = 127 + 60 * np.sin(x / 17)[..., None] * np.cos(y[..., None] / np.array([11, 23, 31]))
    return np.stack([np.clip(base + rng.normal(0, 12, base.shape), 0, 255) for _ in range(2)]).astype(np.uint8)


def jpeg(frames: np.ndarray, quality: int) -> np.ndarray:
    decoded = []
    for frame in frames:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "jpeg", quality=quality)
        decoded.append(np.asarray(Image.open(buffer)))
    return np.stack(decoded)


def test_ms_ssim_equals_an_independent_computation() -> None:
    cv2 = pytest.importorskip("cv2")
    source = pictures()
    decoded = jpeg(source, 10)

    def window(image: np.ndarray) -> np.ndarray:
        kernel = cv2.getGaussianKernel(11, 1.5)
        return cv2.sepFilter2D(image, cv2.CV_64F, kernel, kernel)[5:-5, 5:-5]

    def plain(first: np.ndarray, second: np.ndarray) -> float:
        # Wang et al. 2003, section 3: contrast and structure at five scales, luminance at the last.
        weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
        product, c1, c2 = 1.0, (0.01 * 255) ** 2, (0.03 * 255) ** 2
        for scale, weight in enumerate(weights):
            one, two = window(first), window(second)
            variances = window(first * first) - one**2, window(second * second) - two**2
            both = window(first * second) - one * two
            structure = (2 * both + c2) / (variances[0] + variances[1] + c2)
            luminance = (2 * one * two + c1) / (one**2 + two**2 + c1)
            product *= float((structure * luminance if scale == 4 else structure).mean()) ** weight
            first, second = (
                image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
                .reshape(image.shape[0] // 2, 2, -1, 2)
                .mean((1, 3))
                for image in (first, second)
            )
        return product

    pairs = [
        (a[..., n].astype(float), b[..., n].astype(float))
        for a, b in zip(source, decoded, strict=True)
        for n in range(3)
    ]
    # TorchMetrics averages structure over the channels before it is raised to its power: equal to the third decimal.
    assert ms_ssim(source, decoded) == pytest.approx(np.mean([plain(*pair) for pair in pairs]), abs=2e-3)
    assert ms_ssim(source, source) == pytest.approx(1.0, abs=1e-6)
    assert ms_ssim(source, jpeg(source, 80)) > ms_ssim(source, decoded)


def test_small_pictures_are_refused_in_words() -> None:
    with pytest.raises(HarnessError, match="161 pixels a side at least; these have 64x64"):
        ms_ssim(pictures(64), pictures(64))


def test_vmaf_is_high_for_the_source_and_falls_with_quality() -> None:
    if why := fidelity.unavailable_reason("vmaf"):
        pytest.skip(why)
    source = pictures()
    values = [vmaf(source, decoded, 25.0) for decoded in (source, jpeg(source, 50), jpeg(source, 5))]
    assert values == sorted(values, reverse=True)
    assert values[0] > 95
    assert values[2] < values[0] - 10


def test_an_ffmpeg_without_vmaf_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fidelity._ffmpeg.cache_clear()
    monkeypatch.setattr(fidelity, "_has_vmaf", lambda program: False)
    assert "libvmaf" in str(fidelity.unavailable_reason("vmaf"))
    with pytest.raises(HarnessError, match="libvmaf"):
        vmaf(pictures(), pictures())
    fidelity._ffmpeg.cache_clear()
