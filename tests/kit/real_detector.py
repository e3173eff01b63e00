"""Small detectors briefly trained on a dozen real photographs, and these photographs as datasets of their own.

They are evaluated on what they were trained on: their AP is far from 0, which random weights' is not, and says nothing
about detectors. Weights are kept in a folder that the caller names (pytest's cache), so that they are trained once.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from harness.dataset import Dataset, Sample
from harness.model import Model
from harness.weights import save_state
from harness_tasks.datasets.coco import Coco
from harness_tasks.detection.datasets.voc import VOC_CLASSES, Voc
from harness_tasks.detection.models.torchvision import Torchvision

VOC_IMAGES = (
    "000028", "000100", "000172", "000175", "000183", "000195",
    "000264", "000272", "000335", "000375", "000399", "000418",
)  # fmt: skip
"""Of voc2007_mini's trainval: one or two large objects each, 12 classes."""

COCO_IMAGES = (84533, 163497, 172123, 187334, 194322, 216794, 249346, 281789, 353072, 420862, 432430, 525891)
"""Of coco_mini's train2017: few large objects each."""

TORCHVISION_MODEL = "torchvision:arch=fasterrcnn_mobilenet_v3_large_320_fpn,min_size=128,max_size=192"
"""How the detector of `trained_torchvision` is asked for."""

DETECTRON2_CONFIG = """
MODEL:
  META_ARCHITECTURE: GeneralizedRCNN
  PIXEL_STD: [57.375, 57.120, 58.395]
  BACKBONE: {NAME: build_resnet_fpn_backbone, FREEZE_AT: 0}
  RESNETS: {DEPTH: 18, RES2_OUT_CHANNELS: 64, NORM: GN, OUT_FEATURES: [res2, res3, res4, res5]}
  FPN: {IN_FEATURES: [res2, res3, res4, res5], OUT_CHANNELS: 64, NORM: GN}
  ANCHOR_GENERATOR: {SIZES: [[12], [24], [48], [80], [128]], ASPECT_RATIOS: [[0.5, 1.0, 2.0]]}
  RPN:
    IN_FEATURES: [p2, p3, p4, p5, p6]
    BATCH_SIZE_PER_IMAGE: 64
    PRE_NMS_TOPK_TRAIN: 200
    POST_NMS_TOPK_TRAIN: 200
    PRE_NMS_TOPK_TEST: 200
    POST_NMS_TOPK_TEST: 100
  ROI_HEADS:
    NAME: StandardROIHeads
    IN_FEATURES: [p2, p3, p4, p5]
    BATCH_SIZE_PER_IMAGE: 64
    NUM_CLASSES: 80
  ROI_BOX_HEAD: {NAME: FastRCNNConvFCHead, NUM_FC: 2, FC_DIM: 256, POOLER_RESOLUTION: 7}
INPUT:
  FORMAT: BGR
  MIN_SIZE_TRAIN: [128]
  MAX_SIZE_TRAIN: 192
  MIN_SIZE_TEST: 128
  MAX_SIZE_TEST: 192
VERSION: 2
"""
"""A Faster R-CNN of detectron2 with a ResNet-18 and thin heads, without pretrained parts."""


def voc_part(data_root: Path, folder: Path) -> Path:
    """A dataset in VOC's layout with the split `part`: VOC_IMAGES. Gives its root."""
    source, target = (root / "VOCdevkit" / "VOC2007" for root in (data_root / "voc2007_mini", folder))
    (target / "ImageSets" / "Main").mkdir(parents=True)
    (target / "ImageSets" / "Main" / "part.txt").write_text("".join(f"{name}\n" for name in VOC_IMAGES))
    for kind, suffix in (("Annotations", "xml"), ("JPEGImages", "jpg")):
        (target / kind).mkdir()
        for name in VOC_IMAGES:
            shutil.copy(source / kind / f"{name}.{suffix}", target / kind)
    return folder


def coco_part(data_root: Path, folder: Path) -> Path:
    """A dataset in COCO's format with the split `part`: COCO_IMAGES, all 80 categories. Gives its root."""
    source = data_root / "coco_mini"
    content = json.loads((source / "annotations" / "instances_train2017.json").read_text())
    content["images"] = [entry for entry in content["images"] if entry["id"] in COCO_IMAGES]
    content["annotations"] = [entry for entry in content["annotations"] if entry["image_id"] in COCO_IMAGES]
    (folder / "annotations").mkdir(parents=True)
    (folder / "annotations" / "instances_part.json").write_text(json.dumps(content))
    (folder / "part").mkdir()
    for entry in content["images"]:
        shutil.copy(source / "train2017" / entry["file_name"], folder / "part")
    return folder


def trained_torchvision(root: Path, cache: Path) -> Path:
    """Weights (safetensors with the classes' names) for TORCHVISION_MODEL, trained on `voc_part`."""
    path = cache / f"voc-{_version()}.safetensors"
    if not path.is_file():
        arch, *sizes = TORCHVISION_MODEL.partition(":")[2].split(",")
        model = Torchvision(**dict(option.split("=") for option in (arch, *sizes)))
        state = _fitted(model, VOC_CLASSES, _samples(Voc("detection", "part", root)), iterations=100)
        save_state(path.with_suffix(f".{os.getpid()}"), state, VOC_CLASSES)
        path.with_suffix(f".{os.getpid()}").replace(path)
    return path


def trained_detectron2(root: Path, config: Path, cache: Path) -> Path:
    """Weights (.pth as detectron2 writes it) for DETECTRON2_CONFIG, trained on `coco_part`."""
    from harness_tasks.detection.models.detectron2 import Detectron2

    path = cache / f"coco-{_version()}.pth"
    if not path.is_file():
        dataset = Coco("detection", "part", root)
        samples = _samples(dataset)
        state = _fitted(Detectron2(config=str(config)), dataset.classes, samples, iterations=200)
        torch.save({"model": state}, path.with_suffix(f".{os.getpid()}"))
        path.with_suffix(f".{os.getpid()}").replace(path)
    return path


def _samples(dataset: Dataset) -> list[Sample]:
    dataset.open()
    return [dataset[index] for index in range(len(dataset))]


def _version() -> str:
    """Weights are trained anew when this file changes."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]


def _fitted(
    model: Model, classes: tuple[str, ...], samples: Sequence[Sample], iterations: int
) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = model.build(classes).train()
        _fewer_proposals(network)
        optimizer = torch.optim.AdamW(model.parameters("model"), lr=1e-3, weight_decay=1e-4, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, iterations)
        rng = np.random.default_rng(0)
        for _ in range(iterations):
            chosen = rng.choice(len(samples), 4, replace=False)
            batch = [model.prepare_train(samples[i].frames, samples[i].targets, rng) for i in chosen]
            losses = model.losses(model.collate_train(batch), "model")
            optimizer.zero_grad()
            torch.stack(list(losses.values())).sum().backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
    return network.state_dict()


def _fewer_proposals(network: torch.nn.Module) -> None:
    """torchvision's training draws 512 proposals an image; a tenth is enough here and much faster."""
    if isinstance(getattr(network, "rpn", None), torch.nn.Module):
        network.rpn._pre_nms_top_n["training"] = 200
        network.rpn._post_nms_top_n["training"] = 100
        network.roi_heads.fg_bg_sampler.batch_size_per_image = 32
