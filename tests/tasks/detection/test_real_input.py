"""`harness run` on real photographs in VOC's and COCO's format, with detectors that have learned them.

The detectors are trained on the images they are evaluated on (`kit.real_detector`): AP far from 0, and no claim about
them.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from harness_tasks.detection.datasets.voc import VOC_CLASSES, Voc
from kit.command import Session
from kit.real_detector import (
    DETECTRON2_CONFIG,
    TORCHVISION_MODEL,
    coco_part,
    trained_detectron2,
    trained_torchvision,
    voc_part,
)

RUN = ("run", "--codec", "jpeg@95,50,10,5", "--task", "detection", "--split", "part", "--resamples", "200")


@pytest.fixture(scope="module")
def photographs(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return voc_part(data_root, tmp_path_factory.mktemp("photographs") / "voc")


@pytest.fixture(scope="module")
def weights(photographs: Path, pytestconfig: pytest.Config) -> Path:
    return trained_torchvision(photographs, pytestconfig.cache.mkdir("real-detector"))


@pytest.fixture(scope="module")
def voc_session(photographs: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The whole job on VOC-format photographs."""
    session = Session(tmp_path_factory.mktemp("voc-run"), tmp_path_factory.mktemp("cache"))
    session.run(*RUN, "--dataset", "voc", "--data-root", str(photographs), *model(weights))
    return session


def model(weights: Path) -> tuple[str, ...]:
    return ("--model", TORCHVISION_MODEL, "--weights", str(weights))


def as_coco(root: Path, folder: Path) -> Path:
    """The VOC-format photographs once more, in COCO's format."""
    dataset = Voc("detection", "part", root)
    dataset.open()
    (folder / "annotations").mkdir(parents=True)
    (folder / "part").mkdir()
    images, annotations = [], []
    for index in range(len(dataset)):
        sample = dataset[index]
        name = f"{sample.id}.jpg"
        (source,) = root.rglob(name)
        (folder / "part" / name).write_bytes(source.read_bytes())
        height, width = sample.frames.shape[1:3]
        images.append({"id": index + 1, "file_name": name, "height": height, "width": width})
        boxes = sample.targets[0]
        for box, label, difficult in zip(boxes.boxes, boxes.labels, boxes.difficult, strict=True):
            assert not difficult, "COCO's format has no word for it"
            x1, y1, x2, y2 = box.tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index + 1,
                    "category_id": int(label) + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(VOC_CLASSES, 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations" / "instances_part.json").write_text(json.dumps(content))
    return folder


def metrics(session: Session) -> dict[tuple[float | None, str], float | None]:
    return {(level, name): value for level, name, value in session.select("select level, metric, value from results")}


def test_voc_photographs_lose_ap_under_strong_compression(voc_session: Session) -> None:
    values = metrics(voc_session)
    assert values[None, "AP50"] > 0.5
    assert values[5.0, "AP50"] < values[None, "AP50"]
    rates = voc_session.select("select distinct level, bpp, source_bpp from curves order by bpp desc")
    assert [level for level, _, _ in rates] == [None, 95, 50, 10, 5]
    assert all(0 < source < 24 for _, _, source in rates)  # real JPEG files on disk
    assert voc_session.select("select distinct samples, failed_samples from results") == [(12, 0)]


def test_the_same_photographs_in_coco_s_format_give_the_same_numbers(
    voc_session: Session, photographs: Path, weights: Path, tmp_path: Path
) -> None:
    session = Session(tmp_path, tmp_path / "cache")
    root = as_coco(photographs, tmp_path / "coco")
    session.run(*RUN, "--dataset", "coco", "--data-root", str(root), *model(weights))
    coco, voc = metrics(session), metrics(voc_session)
    assert coco.keys() == voc.keys()
    # The samples are in another order and the classes are the same; ties aside, every metric is equal.
    for key, value in coco.items():
        assert value == pytest.approx(voc[key], abs=1e-9), key


def test_ap_through_the_harness_is_that_of_a_loop_with_pycocotools(
    voc_session: Session, photographs: Path, weights: Path, tmp_path: Path
) -> None:
    """An independent evaluation: Pillow, torchvision, COCOeval; nothing of the harness but the weights."""
    import io

    import torch
    import torchvision
    from PIL import Image
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    from safetensors.torch import load_file

    torch.set_num_threads(1)
    network = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=21, min_size=128, max_size=192
    )
    network.load_state_dict(load_file(weights))
    network.eval()
    root = as_coco(photographs, tmp_path / "coco")
    truth = COCO(str(root / "annotations" / "instances_part.json"))
    for level in (None, 10):
        found = []
        for entry in truth.dataset["images"]:
            image = Image.open(root / "part" / entry["file_name"]).convert("RGB")
            if level:
                buffer = io.BytesIO()
                image.save(buffer, "JPEG", quality=level)
                image = Image.open(buffer).convert("RGB")
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
            with torch.inference_mode():
                (result,) = network([pixels])
            for box, label, score in zip(*(result[k].tolist() for k in ("boxes", "labels", "scores")), strict=True):
                x1, y1, x2, y2 = box
                found.append(
                    {"image_id": entry["id"], "category_id": label, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}
                )
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        for name, expected in zip(("AP", "AP50", "AP75"), evaluation.stats, strict=False):
            assert metrics(voc_session)[level, name] == pytest.approx(expected, abs=1e-6)


@pytest.mark.skipif(find_spec("detectron2") is None, reason="detectron2 is not installed")
def test_coco_photographs_with_detectron2(data_root: Path, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    (tmp_path / "coco").mkdir()
    root = coco_part(data_root, tmp_path / "coco")
    config = tmp_path / "rcnn.yaml"
    config.write_text(DETECTRON2_CONFIG)
    weights = trained_detectron2(root, config, pytestconfig.cache.mkdir("real-detector"))
    session = Session(tmp_path, tmp_path / "cache")
    session.run(
        *("run", "--codec", "jpeg@50,5", "--task", "detection", "--dataset", "coco", "--data-root", str(root)),
        *("--split", "part", "--model", f"detectron2:config={config}", "--weights", str(weights), "--resamples", "200"),
    )
    values = metrics(session)
    assert values[None, "AP"] > 0.05
    assert values[5.0, "AP"] < values[None, "AP"]
