"""torchvision's networks for segmentation predict what torchvision's own transform and network predict."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import get_model, get_model_weights, list_models, segmentation

from harness.dataset import Outline
from harness.errors import WeightsError
from harness.model import NoMemo
from harness.weights import from_file
from harness_tasks.segmentation.models.torchvision import ARCHITECTURES, TorchvisionSegmentation
from kit.pictures import textured

CLASSES = ("left", "right", "border")


def saved(path: Path, arch: str, outputs: int = 3) -> torch.nn.Module:
    """torchvision's network with random weights, in a file as torchvision's training scripts write it."""
    torch.manual_seed(1)
    auxiliary = {} if arch.startswith("lraspp") else {"aux_loss": True}
    network = get_model(arch, weights=None, weights_backbone=None, num_classes=outputs, **auxiliary).train()
    network(torch.rand(2, 3, 64, 64))  # moves the batch norms' statistics
    torch.save({"model": network.state_dict(), "epoch": 1}, path)
    return network.eval()


def own_scores(network: torch.nn.Module, arch: str, frame: np.ndarray, shorter: int) -> torch.Tensor:
    """torchvision's documented steps, and then its scores at the size of the frame: float32[1, C, H, W]."""
    transform = get_model_weights(arch)["DEFAULT"].transforms(resize_size=shorter)
    image = torch.from_numpy(frame).permute(2, 0, 1).contiguous()
    with torch.inference_mode():
        scores = network(transform(image)[None])["out"]
    return torch.nn.functional.interpolate(scores, frame.shape[:2], mode="bilinear", antialias=True)


def loaded(path: Path, arch: str, shorter: int) -> TorchvisionSegmentation:
    model = TorchvisionSegmentation(arch=arch, min_size=shorter)
    model.load(from_file(model.name, str(path)), CLASSES, "cpu")
    return model


def predicted(model: TorchvisionSegmentation, frame: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        ((labels,),) = model.predict(model.collate([model.prepare(frame[None], (0,), NoMemo())]))
    return labels


def centred(model: TorchvisionSegmentation, network: torch.nn.Module, means: torch.Tensor) -> None:
    """Take the means of the scores from both networks' biases: untrained, they prefer one class everywhere."""
    for each in (model.network, network):
        tensors = each.state_dict()
        tensors[model.head.removesuffix("weight") + "bias"] -= means


@pytest.mark.parametrize("arch", ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "fcn_resnet50"])
@pytest.mark.parametrize("size", [(90, 120), (130, 70)])
def test_it_predicts_what_torchvision_predicts(arch: str, size: tuple[int, int], tmp_path: Path) -> None:
    network = saved(tmp_path / "w.pth", arch)
    frame, model = textured(*size, 3), loaded(tmp_path / "w.pth", arch, 104)
    means = own_scores(network, arch, frame, 104).mean(dim=(0, 2, 3))
    centred(model, network, means)
    usual = own_scores(network, arch, frame, 104)
    # With the network's memory laid out as the model has it, every bit is the same; else almost every one.
    scores = own_scores(network.to(memory_format=torch.channels_last), arch, frame, 104)
    torch.testing.assert_close(scores, usual, rtol=0, atol=1e-3 * float(usual.std()))
    labels = predicted(model, frame)
    np.testing.assert_array_equal(labels, scores.argmax(dim=1)[0].numpy())
    assert max(np.unique(labels, return_counts=True)[1]) < 0.9 * labels.size


@pytest.mark.parametrize("size", [(480, 640), (333, 500), (501, 377), (64, 64)])
def test_frames_are_prepared_bit_for_bit_as_by_torchvision(size: tuple[int, int]) -> None:
    model, frame = TorchvisionSegmentation(), torch.from_numpy(textured(*size))
    expected = get_model_weights(model.option("arch"))["DEFAULT"].transforms()(frame.permute(2, 0, 1).contiguous())
    assert torch.equal(model.images(frame.permute(2, 0, 1)[None])[0], expected)
    assert model.prepared_shape(Outline("a", *size)) == (1, *size, 3)


def test_it_knows_torchvisions_names() -> None:
    assert set(ARCHITECTURES) == set(list_models(module=segmentation))


def test_classes_follow_from_the_number_of_outputs(tmp_path: Path) -> None:
    arch, path = "lraspp_mobilenet_v3_large", tmp_path / "w.pth"
    saved(path, arch, outputs=21)
    assert loaded(path, arch, 64).classes[:3] == ("__background__", "aeroplane", "bicycle")
    saved(path, arch, outputs=5)
    with pytest.raises(WeightsError, match=r"tell 5 classes apart, the dataset has 3"):
        loaded(path, arch, 64)
    saved(path, arch)
    assert loaded(path, arch, 64).classes == CLASSES


def test_torchvisions_weights_are_found_by_name_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    member = get_model_weights("fcn_resnet50")["COCO_WITH_VOC_LABELS_V1"]
    (tmp_path / "hub/checkpoints" / member.url.rpartition("/")[2]).write_bytes(b"altered")
    model = TorchvisionSegmentation(arch="fcn_resnet50")
    with pytest.raises(WeightsError, match="1167a1af"):
        model.resolve_weights("COCO_WITH_VOC_LABELS_V1", ())
    with pytest.raises(WeightsError, match=r"COCO_WITH_VOC_LABELS_V1, DEFAULT"):
        model.resolve_weights("COCO_V9", ())


def test_it_is_trained_at_the_size_at_which_it_predicts() -> None:
    model = TorchvisionSegmentation(min_size=64)
    model.build(CLASSES)
    labels = np.random.default_rng(0).integers(0, 3, (48, 60), dtype=np.uint8)
    examples = [
        model.prepare_train(textured(48, 60, seed)[None], {0: labels}, np.random.default_rng(seed)) for seed in (1, 2)
    ]
    batch = model.collate_train(examples)
    assert batch["image"].shape == (2, 3, 64, 80)
    loss = model.losses(batch, "model")["cross_entropy"]
    loss.backward()
    assert torch.isfinite(loss)
    assert all(parameter.grad is not None for parameter in model.parameters("model"))
