"""The demo world: the same pixels everywhere, and no easy world."""

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness_plugins.demo_world.classes import CLASSES, FIRST_OBJECT, SEGMENTS
from harness_plugins.demo_world.compositor import Scene
from harness_plugins.demo_world.dataset import DemoWorld
from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import cos_sin, hull
from harness_plugins.demo_world.raster import draw
from harness_plugins.demo_world.scene import SPLITS, render

SHOWN = (("train", 0), ("train", 17), ("train", 3599), ("val", 5), ("test", 0), ("test", 101), ("test", 199))
DIGEST = "db097f39c61821695ecbf9b55e1245366a12404ef90783d6f90a9322392cffea"
"""SHA-256 over image, boxes, labels, class map and depth of the scenes above. Changes only with `scene.VERSION`."""

PHOTOGRAPHS = {95: 4.10, 10: 0.487}
"""Bits per pixel of photographs by JPEG quality (Pillow, 4:2:0): the 164 landscape images of a 200-image subset of the
PASCAL VOC 2007 test set, cropped to 4:3 around the middle and scaled to 256x192 (Lanczos)."""

SCRIPT = """
import hashlib, sys
from harness_plugins.demo_world.scene import render
whole = hashlib.sha256()
for text in sys.argv[1:]:
    split, index = text.split(":")
    scene = render(split, int(index))
    for array in (scene.image, scene.boxes, scene.labels, scene.classes, scene.depth):
        whole.update(array.tobytes())
print(whole.hexdigest())
"""


def features_to_disable() -> list[str]:
    """Settings of NPY_DISABLE_CPU_FEATURES: none, and two sets that this NumPy and processor accept."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    present = [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]
    return ["", " ".join(present[len(present) // 2 :]), " ".join(present)]


@pytest.mark.parametrize("choice", range(3))
def test_same_pixels_whatever_the_processor_can_do(choice: int) -> None:
    disabled = features_to_disable()[choice]
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": disabled}
    if not disabled:
        del environment["NPY_DISABLE_CPU_FEATURES"]
    arguments = [f"{split}:{index}" for split, index in SHOWN]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == DIGEST


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [render("test", index) for index in range(70)]


def bpp(images: list[Image.Image], quality: int) -> float:
    bits = 0
    for image in images:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, subsampling="4:2:0")
        bits += 8 * file.tell()
    return bits / sum(image.width * image.height for image in images)


def test_a_quarter_of_the_boxes_is_small(scenes: list[Scene]) -> None:
    boxes = np.concatenate([scene.boxes for scene in scenes])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    assert len(boxes) > 5 * len(scenes)
    assert (areas < 32 * 32).mean() >= 0.25


def test_every_class_is_there_and_objects_hide_each_other(scenes: list[Scene]) -> None:
    labels = np.concatenate([scene.labels for scene in scenes])
    assert all((labels == label).sum() >= 20 for label in range(len(CLASSES)))
    visible = np.concatenate([scene.visible for scene in scenes])
    assert (visible < 0.8).mean() > 0.15


@pytest.mark.parametrize("quality", [95, 10])
def test_costs_as_many_bits_as_photographs(scenes: list[Scene], quality: int) -> None:
    ratio = bpp([Image.fromarray(scene.image) for scene in scenes], quality) / PHOTOGRAPHS[quality]
    assert 0.7 <= ratio <= 1.3


@pytest.mark.parametrize("quality", [95, 10])
def test_costs_as_many_bits_as_the_photographs_at_hand(scenes: list[Scene], quality: int) -> None:
    root = os.environ.get("HARNESS_TEST_DATA")
    if not root:
        pytest.skip("HARNESS_TEST_DATA is not set: no photographs to compare with")
    photographs = [
        photograph
        for path in sorted(Path(root).glob("voc2007*/**/JPEGImages/*.jpg"))
        if (photograph := cropped(path)) is not None
    ]
    if not photographs:
        pytest.skip("there is no VOC 2007 under HARNESS_TEST_DATA")
    ratio = bpp([Image.fromarray(scene.image) for scene in scenes], quality) / bpp(photographs, quality)
    assert 0.7 <= ratio <= 1.3


def cropped(path: Path) -> Image.Image | None:
    """The middle of a landscape photograph, 4:3, at 256x192."""
    with Image.open(path) as file:
        image = file.convert("RGB")
    width, height = image.size
    if width < height:
        return None
    wide, tall = min(width, height * 4 // 3), min(height, width * 3 // 4)
    left, top = (width - wide) // 2, (height - tall) // 2
    return image.crop((left, top, left + wide, top + tall)).resize((256, 192), Image.Resampling.LANCZOS)


def test_truth_fits_the_image(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert scene.image.shape == (192, 256, 3)
        assert scene.image.dtype == np.uint8
        assert scene.classes.max() < len(SEGMENTS)
        assert scene.depth.shape == (192, 256)
        assert scene.depth.min() > 0.5
        assert (scene.boxes[:, :2] >= 0).all()
        assert (scene.boxes[:, 2] <= 256).all()
        assert (scene.boxes[:, 3] <= 192).all()
        assert len(scene.boxes) == len(scene.labels) == len(scene.areas) == len(scene.keypoints)
        for box, label in zip(scene.boxes, scene.labels, strict=True):
            x1, y1, x2, y2 = (round(float(value)) for value in box)
            inside = scene.classes[y1:y2, x1:x2] == label + FIRST_OBJECT
            assert inside.mean() > 0.05


def test_key_points_belong_to_persons(scenes: list[Scene]) -> None:
    person = CLASSES.index("person")
    for scene in scenes:
        known = (scene.keypoints[:, :, 2] > 0).any(axis=1)
        assert not known[scene.labels != person].any()
        for box, points in zip(scene.boxes[known], scene.keypoints[known], strict=True):
            seen = points[points[:, 2] == 2]
            assert (seen[:, 0] >= box[0] - 1).all()
            assert (seen[:, 0] <= box[2] + 1).all()


def test_splits_are_disjoint() -> None:
    first = {split: hashlib.sha256(render(split, 3).image.tobytes()).digest() for split in SPLITS}
    assert len(set(first.values())) == 3
    with pytest.raises(IndexError, match="there are 200"):
        render("test", 200)


def test_sine_and_cosine_are_close_enough() -> None:
    for step in range(-40, 41):
        cosine, sine = cos_sin(step / 37)
        assert abs(cosine - np.cos(step / 37 * 2 * np.pi)) < 1e-6
        assert abs(sine - np.sin(step / 37 * 2 * np.pi)) < 1e-6


def test_a_polygon_covers_the_pixels_whose_centres_it_holds() -> None:
    drawn = draw([[(1.0, 1.0), (4.0, 1.0), (4.0, 3.0), (1.0, 3.0)], [(2.0, 2.0), (9.0, 2.0), (9.0, 9.0)]], (0, 0, 5, 6))
    assert drawn.tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 2, 2, 2, 2],
        [0, 0, 0, 2, 2, 2],
        [0, 0, 0, 0, 2, 2],
    ]


def test_a_hull_has_no_inner_points() -> None:
    assert sorted(hull([(0.0, 0.0), (4.0, 0.0), (2.0, 1.0), (4.0, 4.0), (0.0, 4.0)])) == [
        (0.0, 0.0),
        (0.0, 4.0),
        (4.0, 0.0),
        (4.0, 4.0),
    ]


def test_draws_never_change() -> None:
    draws = RandomDraws(1, 2)
    assert [draws.below(1000) for _ in range(4)] == [461, 313, 623, 226]
    assert RandomDraws(1, 2).bytes(2, 3).tolist() == [[194, 187, 172], [164, 183, 85]]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    return tmp_path


def test_scenes_are_rendered_once_and_kept(cache: Path) -> None:
    dataset = DemoWorld("detection", "val")
    dataset.open()
    assert len(dataset) == 200
    assert dataset.classes == CLASSES
    sample = dataset[7]
    assert sample.frames.shape == (1, 192, 256, 3)
    assert sample.id == dataset.outline(7).id
    [kept] = list(cache.rglob("*.scene"))
    before = kept.stat().st_mtime_ns
    again = dataset[7]
    assert (again.frames == sample.frames).all()
    assert (again.targets[0].boxes == sample.targets[0].boxes).all()
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("content", [b"", b"no file of NumPy's", b"PK\x03\x04 cut short"])
def test_a_damaged_cache_is_mended(cache: Path, content: bytes) -> None:
    dataset = DemoWorld("detection", "val")
    dataset.open()
    whole = dataset[7].frames
    [kept] = list(cache.rglob("*.scene"))
    kept.write_bytes(content)
    assert (dataset[7].frames == whole).all()
    assert (dataset[7].frames == whole).all()
    assert kept.stat().st_size > whole.nbytes


def test_fingerprints_differ_between_splits() -> None:
    found = set()
    for split in SPLITS:
        dataset = DemoWorld("detection", split)
        dataset.open()
        found.add(dataset.fingerprint())
    assert len(found) == 3
