"""torchvision's Keypoint R-CNN through the harness: the same persons, its weights, mirrored examples, training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import get_model

from harness.model import NoMemo
from harness.weights import save_state
from harness_tasks.networks.torchvision_weights import members
from harness_tasks.pose.models.torchvision import TorchvisionKeypoints
from harness_tasks.pose.types import KEYPOINTS, Persons

IMAGE = np.random.default_rng(0).integers(0, 256, (1, 90, 120, 3), dtype=np.uint8)
SIZES = {"min_size": 64, "max_size": 96}
LIGHT = {**SIZES, "backbone": "resnet18", "head_channels": 64, "head_layers": 2, "samples": 32}


def persons() -> Persons:
    keypoints = np.zeros((3, 17, 3))
    keypoints[:2, :, 0], keypoints[:2, :, 1] = np.arange(20, 54, 2), np.arange(10, 78, 4)
    keypoints[:2, :, 2] = 2
    keypoints[0, 0] = 0
    boxes = np.array([[18.0, 8, 60, 80], [5, 5, 70, 80], [30, 30, 50, 60]])
    return Persons(keypoints, boxes, np.full(3, 900.0), np.array([False, True, False]))


def test_persons_equal_torchvisions(tmp_path: Path) -> None:
    torch.manual_seed(0)
    settings = {"box_score_thresh": 0.0, "box_detections_per_img": 8}
    own = get_model("keypointrcnn_resnet50_fpn", weights=None, weights_backbone=None, **settings, **SIZES)
    torch.save(own.state_dict(), tmp_path / "w.pth")
    with torch.no_grad():
        wanted = own.eval()([torch.from_numpy(IMAGE[0]).permute(2, 0, 1) / 255])[0]
    model = TorchvisionKeypoints(score_thresh=0.0, detections=8, **SIZES)
    model.load(model.resolve_weights(str(tmp_path / "w.pth"), ()), (), "cpu")
    found = model.predict(model.collate([model.prepare(IMAGE, (0,), NoMemo())]))[0][0]
    assert model.classes == ()
    assert len(found.scores) == len(wanted["scores"]) == 8
    assert np.array_equal(found.scores, wanted["scores"].numpy())
    assert np.array_equal(found.keypoints[:, :, :2], wanted["keypoints"][:, :, :2].numpy())
    assert found.keypoints[:, :, 2] == pytest.approx(wanted["keypoints_scores"].sigmoid().numpy())
    assert (found.keypoints.dtype, found.scores.dtype) == (np.float32, np.float32)


def test_has_torchvisions_own_weights() -> None:
    model = TorchvisionKeypoints()
    assert {"COCO_V1", "COCO_LEGACY"} <= set(members(model.arch()))
    with torch.device("meta"):
        own = get_model("keypointrcnn_resnet50_fpn", weights=None, weights_backbone=None)
        assert model.make(2).state_dict().keys() == own.state_dict().keys()


def test_examples_are_mirrored_with_sides_exchanged() -> None:
    model, target = TorchvisionKeypoints(), persons()
    plain, mirrored = {}, {}
    for seed in range(20):
        example = model.prepare_train(IMAGE, {0: target}, np.random.default_rng(seed))
        assert len(example["boxes"]) == len(example["labels"]) == len(example["keypoints"]) == 2  # no crowd
        same = np.array_equal(example["image"].permute(1, 2, 0).numpy(), IMAGE[0])
        (plain if same else mirrored).update(example)
    left, right = KEYPOINTS.index("left_wrist"), KEYPOINTS.index("right_wrist")
    assert np.array_equal(mirrored["image"].numpy(), plain["image"].flip(2).numpy())
    assert mirrored["keypoints"][0, left].tolist() == [119 - plain["keypoints"][0, right, 0], 50, 2]
    assert mirrored["keypoints"][0, 0].tolist() == [0, 0, 0]
    assert mirrored["boxes"][0].tolist() == [60, 8, 102, 80]


def test_training_lowers_the_losses(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = TorchvisionKeypoints(**LIGHT)
    network = model.build(()).to(memory_format=torch.channels_last)  # as the recipes have it
    network.train()
    moved = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)
    batch = model.collate_train([model.prepare_train(IMAGE, {0: persons()}, np.random.default_rng(0))] * 2)
    history = []
    for _ in range(6):
        losses = model.losses(batch, "model")
        total = torch.stack(list(losses.values())).sum()
        moved.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        moved.step()
        history.append({name: float(loss.detach()) for name, loss in losses.items()})
    assert history[-1]["loss_keypoint"] < history[0]["loss_keypoint"]
    assert sum(history[-1].values()) < sum(history[0].values())
    save_state(tmp_path / "w.safetensors", network.state_dict(), model.classes)
    again = TorchvisionKeypoints(**LIGHT)
    again.load(again.resolve_weights(str(tmp_path / "w.safetensors"), ()), (), "cpu")
    started = TorchvisionKeypoints(**LIGHT)
    started.build((), again.resolve_weights(str(tmp_path / "w.safetensors"), ()))
    assert started.classes == ()
