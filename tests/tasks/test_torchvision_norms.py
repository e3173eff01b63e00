"""torchvision's detectors from files without `num_batches_tracked`: the detections of torchvision's own network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import get_model

from harness.model import NoMemo
from harness.weights import from_file
from harness_tasks.detection.models.torchvision import Torchvision

CLASSES = ("a", "b")


@pytest.mark.parametrize("arch", ["ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"])
@pytest.mark.parametrize("counts", [True, False])
def test_batch_norms_keep_their_epsilon(tmp_path: Path, arch: str, counts: bool) -> None:
    """ssdlite's batch norms have an epsilon of 0.001, a hundred times the usual one."""
    torch.manual_seed(0)
    theirs = get_model(arch, weights=None, weights_backbone=None, num_classes=3)
    frames = np.random.default_rng(0).integers(0, 256, (1, 240, 320, 3), dtype=np.uint8)
    image = torch.from_numpy(frames[0]).permute(2, 0, 1) / 255
    with torch.no_grad():
        for module in theirs.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0  # the running statistics become those of this image
                module.weight.uniform_(0.5, 1.5)
        theirs.train().backbone(theirs.transform([image, image.flip(2)])[0].tensors)
    state = {n: t for n, t in theirs.state_dict().items() if counts or not n.endswith("num_batches_tracked")}
    torch.save({"model": state}, tmp_path / "w.pth")
    theirs.load_state_dict(torch.load(tmp_path / "w.pth", weights_only=True)["model"])  # torch reads it, strictly
    model = Torchvision(arch=arch)
    model.load(from_file(model.name, str(tmp_path / "w.pth")), CLASSES, "cpu")
    (found,) = model.predict(model.collate([model.prepare(frames, (0,), NoMemo())]))[0]
    with torch.no_grad():
        (expected,) = theirs.eval()([image])
    assert len(found.scores) == len(expected["scores"]) > 10
    np.testing.assert_allclose(found.scores, expected["scores"].numpy(), atol=2e-5)
    np.testing.assert_allclose(found.boxes, expected["boxes"].numpy(), atol=0.05)
