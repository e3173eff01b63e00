"""Squared errors are exact to the last unit, and PSNR is what others compute."""

import time

import cv2
import numpy as np
import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio

from harness.media.quality import psnr, psnr_of, squared_error
from kit.pictures import noise, photograph


def exact(a: np.ndarray, b: np.ndarray) -> int:
    return sum(int(((x.astype(np.int64) - y) ** 2).sum()) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 3), (1, 7, 5, 3), (2, 31, 33, 3), (1, 480, 640, 3), (3, 1080, 1920, 3)], ids=str
)
def test_squared_error_is_exact(shape: tuple[int, ...]) -> None:
    black, white = np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)
    one, two = noise(*shape, seed=1), noise(*shape, seed=2)
    for source, decoded in ((one, two), (black, white), (white, black), (one, white)):
        assert squared_error(source, decoded) == (exact(source, decoded), source.size)
    assert squared_error(one, one) == (0, one.size)


def test_squared_error_of_one_value_off_by_one_is_seen_in_a_large_clip() -> None:
    source = noise(4, 1080, 1920, 3)
    decoded = source.copy()
    decoded[3, 1079, 1919, 2] ^= 1
    assert squared_error(source, decoded) == (1, source.size)


def test_squared_error_of_views() -> None:
    source, decoded = noise(1, 40, 60, 6), noise(1, 40, 60, 6, seed=1)
    views = source[:, ::2, ::3, ::-2], decoded[:, ::2, ::3, ::-2]
    assert squared_error(*views) == (exact(*views), 40 // 2 * 60 // 3 * 3)


@pytest.mark.parametrize(
    "decoded", [noise(1, 4, 5, 3), noise(4, 4, 3), noise(1, 4, 4, 3).astype(np.int16)], ids=["size", "shape", "dtype"]
)
def test_squared_error_refuses_what_does_not_fit(decoded: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"not uint8\[1, 4, 4, 3\] and"):
        squared_error(noise(1, 4, 4, 3), decoded)


def test_psnr_is_torchmetrics_and_opencvs() -> None:
    source = photograph()
    decoded = cv2.GaussianBlur(source, (5, 5), 0)
    expected = peak_signal_noise_ratio(torch.tensor(decoded).double(), torch.tensor(source).double(), data_range=255.0)
    assert psnr(source, decoded) == pytest.approx(float(expected), abs=1e-4)
    assert psnr(source, decoded) == pytest.approx(cv2.PSNR(source, decoded), abs=1e-9)


def test_psnr_of_a_set_is_that_of_its_total_error() -> None:
    sources, decoded = [noise(8, 9, 3), noise(30, 20, 3)], [noise(8, 9, 3, seed=5), np.zeros((30, 20, 3), np.uint8)]
    parts = [squared_error(a, b) for a, b in zip(sources, decoded, strict=True)]
    squared, count = (sum(column) for column in zip(*parts, strict=True))
    together = psnr(*(np.concatenate([each.reshape(-1) for each in side]) for side in (sources, decoded)))
    assert psnr_of(squared, count) == pytest.approx(together, abs=1e-12)


def test_nothing_lost_and_nothing_measured_have_no_psnr() -> None:
    image = noise(4, 4, 3)
    assert psnr(image, image) is None
    assert psnr_of(0, 0) is None


def test_squared_error_costs_less_than_a_millisecond() -> None:
    source, decoded = noise(1, 480, 640, 3), noise(1, 480, 640, 3, seed=1)
    squared_error(source, decoded)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        squared_error(source, decoded)
        times.append(time.perf_counter() - start)
    assert min(times) < 1e-3
