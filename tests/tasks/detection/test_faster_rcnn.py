"""Faster R-CNN by backbone: torchvision's own networks, ImageNet weights, training."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torchvision.models import get_model
from torchvision.ops import FrozenBatchNorm2d

from harness.errors import UsageError, WeightsError
from harness.model import NoMemo
from harness.weights import save_state
from harness_tasks.detection.models.faster_rcnn import FasterRCNN
from harness_tasks.detection.types import Boxes

CLASSES = ("cat", "dog")
IMAGE = np.random.default_rng(0).integers(0, 256, (1, 90, 120, 3), dtype=np.uint8)
SMALL = {"min_size": 90, "max_size": 120, "anchor": 8}


def shapes(network: torch.nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize(
    ("backbone", "arch"),
    [("resnet50", "fasterrcnn_resnet50_fpn"), ("mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_fpn")],
)
def test_it_is_torchvisions_network(backbone: str, arch: str) -> None:
    with torch.device("meta"):
        made = FasterRCNN(backbone=backbone).make(4)
        own = get_model(arch, weights=None, weights_backbone=None, num_classes=4)
    assert shapes(made) == shapes(own)
    assert made.rpn.anchor_generator.sizes == own.rpn.anchor_generator.sizes
    assert all(parameter.requires_grad for parameter in made.parameters())


@pytest.mark.parametrize("backbone", FasterRCNN.options[0].choices)
def test_every_backbone_makes_a_network(backbone: str) -> None:
    with torch.device("meta"):
        network = FasterRCNN(backbone=backbone, norm="frozen", trainable_layers=2).make(3)
    kinds = {type(m) for m in network.get_submodule("backbone.body").modules()}
    assert FrozenBatchNorm2d in kinds
    assert torch.nn.BatchNorm2d not in kinds
    learning = [p.requires_grad for p in network.get_submodule("backbone.body").parameters()]
    assert True in learning
    assert False in learning


def test_it_learns_and_comes_back_from_its_file(tmp_path: Path) -> None:
    backbone = "mobilenet_v2"
    torch.manual_seed(0)
    model = FasterRCNN(backbone=backbone, **SMALL)
    network = model.build(CLASSES).train()
    network.rpn._pre_nms_top_n["training"] = network.rpn._post_nms_top_n["training"] = 50
    optimizer = torch.optim.SGD(model.parameters("model"), lr=0.01)
    example = model.prepare_train(IMAGE, {0: Boxes.of([[10, 10, 70, 60]], [1])}, np.random.default_rng(0))
    sums = []
    for _ in range(3):
        total = torch.stack(list(model.losses(model.collate_train([example]), "model").values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        sums.append(total.item())
    assert sums[-1] < sums[0]
    save_state(tmp_path / "w.safetensors", network.state_dict(), CLASSES)
    again = FasterRCNN(backbone=backbone, score_thresh=0.0, **SMALL)
    again.load(again.resolve_weights(str(tmp_path / "w.safetensors"), ()), (), "cpu")
    ((found,),) = again.predict(again.collate([again.prepare(IMAGE, (0,), NoMemo())]))
    assert again.classes == CLASSES
    assert 0 < len(found.boxes) <= 100
    other = FasterRCNN(backbone="resnet34", **SMALL)
    with pytest.raises(WeightsError, match="do not fit"):
        other.load(other.resolve_weights(str(tmp_path / "w.safetensors"), ()), (), "cpu")


@pytest.mark.parametrize(("backbone", "norm"), [("resnet18", "frozen"), ("mobilenet_v3_small", "batch")])
def test_the_backbone_starts_from_a_classifiers_file(tmp_path: Path, backbone: str, norm: str) -> None:
    torch.manual_seed(0)
    classifier = getattr(torchvision.models, backbone)(weights=None)
    torch.save(classifier.state_dict(), tmp_path / "imagenet.pth")
    options = {"backbone": backbone, "norm": norm, **SMALL}
    model = FasterRCNN(backbone_weights=str(tmp_path / "imagenet.pth"), **options)
    body = model.build(CLASSES).eval().get_submodule("backbone.body")
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        features = list(body(image).values())[-1]
        layers = list(classifier.eval().children())[:-2] if "resnet" in backbone else [classifier.eval().features]
        wanted = torch.nn.Sequential(*layers)(image)
    assert torch.allclose(features, wanted, atol=1e-4)
    identity = model.identity_config()
    assert len(str(identity["backbone_weights"])) == 64
    assert model.config["backbone_weights"] != identity["backbone_weights"]
    with pytest.raises(WeightsError, match="of the tensors of torchvision's resnet34 are missing"):
        FasterRCNN(backbone="resnet34", backbone_weights=str(tmp_path / "imagenet.pth")).build(CLASSES)


def test_more_stages_than_there_are() -> None:
    with pytest.raises(UsageError, match="resnet18 has fewer stages"), torch.device("meta"):
        FasterRCNN(backbone="resnet18", trainable_layers=9).make(3)
