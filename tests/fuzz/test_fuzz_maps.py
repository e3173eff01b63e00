"""Label maps and depth maps, damaged at random: a target of the picture's size, or a sentence with the file."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from harness.dataset import Dataset
from harness_tasks.depth.datasets.rgbd import Rgbd
from harness_tasks.segmentation.datasets.camvid import CamVid
from harness_tasks.segmentation.types import IGNORE
from kit.fuzzing import damaged, fuzz, outcome

SHAPE = (12, 16)
NUMBERS = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE)


def png(mode: str) -> bytes:
    image = Image.fromarray((NUMBERS % 12).astype(np.uint8))
    if mode == "P":
        image = image.convert("P")
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


def deep_png() -> bytes:
    done, data = cv2.imencode(".png", (NUMBERS * 10).astype(np.uint16))
    assert done
    return data.tobytes()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, NUMBERS.astype(np.float32))
    return buffer.getvalue()


def camvid(root: Path, _: str) -> Dataset:
    return CamVid("segmentation", None, root)


def rgbd(root: Path, suffix: str) -> Dataset:
    return Rgbd("depth", None, root, images="test/*.png", depths=f"testannot/*.{suffix}", scale=0.01)


@pytest.mark.parametrize(
    ("create", "suffix", "valid"),
    [(camvid, "png", png("L")), (camvid, "png", png("P")), (rgbd, "png", deep_png()), (rgbd, "npy", npy())],
    ids=["labels", "palette", "depth-png", "depth-npy"],
)
def test_maps(tmp_path: Path, create: Callable[[Path, str], Dataset], suffix: str, valid: bytes) -> None:
    for part in ("test", "testannot"):
        (tmp_path / part).mkdir()
    for name in ("0001TP_1", "0001TP_2"):
        Image.new("RGB", SHAPE[::-1]).save(tmp_path / "test" / f"{name}.png")
        (tmp_path / "testannot" / f"{name}.{suffix}").write_bytes(valid)
    (tmp_path / "test.txt").write_text("".join(f"test/{n}.png testannot/{n}.png\n" for n in ("0001TP_1", "0001TP_2")))
    dataset = create(tmp_path, suffix)
    dataset.open()
    truth = dataset[1].targets[0]
    read = refused = 0

    def check(content: bytes) -> None:
        nonlocal read, refused
        (tmp_path / "testannot" / f"0001TP_1.{suffix}").write_bytes(content)
        dataset.open()  # a damaged first file costs one sample
        assert np.array_equal(dataset[1].targets[0], truth, equal_nan=create is rgbd)
        sample, told = outcome(lambda: dataset[0])
        if sample is None:
            assert f"0001TP_1.{suffix}" in told, told
            refused += 1
            return
        target = sample.targets[0]
        assert (target.shape, target.dtype) == (SHAPE, truth.dtype)
        if suffix == "png":
            assert np.array_equal(target, truth, equal_nan=create is rgbd), "other numbers, and no word"
        if create is camvid:
            assert set(np.unique(target).tolist()) <= {*range(11), IGNORE}
        else:
            assert (np.isnan(target) | (target > 0)).all()
        read += 1

    fuzz(st.just(valid) | damaged(valid), check)
    assert read or suffix == "png", "the checksums of a PNG find nearly all"
    assert refused
