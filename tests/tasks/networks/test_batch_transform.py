"""The transform of whole batches gives the bits of torchvision's own transform of single images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models import get_model
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from harness.model import NoMemo
from harness.weights import from_file
from harness_tasks.detection.models.torchvision import Torchvision
from harness_tasks.networks.batch_transform import BatchTransform

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
VGG = ([0.48235, 0.45882, 0.40784], [1 / 255.0] * 3)
SETTINGS: dict[str, dict[str, Any]] = {
    "mobilenet 320": {"min_size": 320, "max_size": 640},
    "smaller, several sizes": {"min_size": (64, 37), "max_size": 61},
    "as it is": {"min_size": 33, "max_size": 1333},
    "ssd300": {"min_size": 300, "max_size": 300, "fixed_size": (300, 300), "size_divisible": 1},
    "ssd512": {"min_size": 90, "max_size": 90, "fixed_size": (91, 45), "size_divisible": 1},
}
SIZES = [(33, 47), (480, 640), (241, 319), (97, 33), (33, 33), (7, 5), (1, 2)]


def frames_of(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (count, height, width, 3), np.uint8)


def images_of(frames: np.ndarray) -> list[torch.Tensor]:
    """What torchvision's detectors take: a list of float32[3, H, W], 0-1."""
    return list((torch.from_numpy(frames.transpose(0, 3, 1, 2).copy()).to(torch.float32) / 255).unbind(0))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("setting", SETTINGS)
def test_equals_torchvisions(setting: str, size: tuple[int, int], count: int, precision: str) -> None:
    statistics = VGG if setting.startswith("ssd") else IMAGENET
    theirs = GeneralizedRCNNTransform(image_mean=statistics[0], image_std=statistics[1], **SETTINGS[setting]).eval()
    frames = frames_of(count, *size)
    decoded = torch.from_numpy(frames.copy())
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        expected, _ = theirs(images_of(frames))
        found, targets = BatchTransform.of(theirs)(decoded.permute(0, 3, 1, 2))
    assert found.tensors.dtype == expected.tensors.dtype
    assert found.tensors.stride() == expected.tensors.stride()
    assert torch.equal(found.tensors, expected.tensors)
    assert found.image_sizes == expected.image_sizes
    assert targets is None
    assert torch.equal(decoded, torch.from_numpy(frames)), "the decoded frames were written to"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("setting", SETTINGS)
def test_equals_torchvisions_on_a_gpu(setting: str) -> None:
    """There a batch is resized at once."""
    theirs = GeneralizedRCNNTransform(image_mean=IMAGENET[0], image_std=IMAGENET[1], **SETTINGS[setting]).eval()
    for size in SIZES:
        frames = frames_of(3, *size)
        with torch.inference_mode():
            decoded = torch.from_numpy(frames).to("cuda")
            images = list((decoded.permute(0, 3, 1, 2).contiguous().to(torch.float32) / 255).unbind(0))
            expected, found = theirs(images)[0], BatchTransform.of(theirs)(decoded.permute(0, 3, 1, 2))[0]
        assert torch.equal(found.tensors, expected.tensors), size
        assert found.image_sizes == expected.image_sizes


def test_lists_and_training_are_torchvisions() -> None:
    theirs = GeneralizedRCNNTransform(40, 60, *IMAGENET).train()
    ours, frames = BatchTransform.of(theirs), frames_of(2, 33, 47)
    assert ours.training
    boxes = [{"boxes": torch.tensor([[1.0, 2.0, 30.0, 20.0]])} for _ in frames]
    (found, moved), (expected, wanted) = ours(images_of(frames), boxes), theirs(images_of(frames), boxes)
    assert torch.equal(found.tensors, expected.tensors)
    assert all(torch.equal(a["boxes"], b["boxes"]) for a, b in zip(moved, wanted, strict=True))
    with pytest.raises(TypeError, match=r"uint8\[N, 3, H, W\] is expected, torch.float32\[2, 3, 33, 47\]"):
        ours(torch.zeros(2, 3, 33, 47))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("arch", ["fasterrcnn_mobilenet_v3_large_320_fpn", "ssdlite320_mobilenet_v3_large"])
def test_detections_are_torchvisions(tmp_path: Path, arch: str, precision: Any) -> None:
    """A batch through the model: what torchvision's network finds in a list of the same images, to the bit."""
    torch.manual_seed(0)
    theirs = get_model(arch, weights=None, weights_backbone=None, num_classes=3)
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    model = Torchvision(arch=arch)
    model.load(from_file(model.name, str(tmp_path / "w.pth")), ("a", "b"), "cpu", precision)
    frames = frames_of(4, 91, 123)
    batch = model.collate([model.prepare(frames[:3], (0, 2), NoMemo()), model.prepare(frames[2:], (0, 1), NoMemo())])
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        expected = theirs.eval()(images_of(frames[[0, 2, 2, 3]]))
    with torch.inference_mode():
        found = [one for sample in model.predict(batch) for one in sample]
    assert sum(len(one.scores) for one in found) > 40
    for one, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.boxes, wanted["boxes"].float().numpy())
        np.testing.assert_array_equal(one.scores, wanted["scores"].float().numpy())
        np.testing.assert_array_equal(one.labels, wanted["labels"].numpy() - 1)
