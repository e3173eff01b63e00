"""SegNet and the networks of segmentation-models-pytorch: shapes, weights, options, and that they learn."""

from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch
import torch
import torchvision

from harness.dataset import Outline
from harness.errors import TrainingError, UnknownNameError, UsageError, WeightsError
from harness.model import NoMemo, Weights
from harness.weights import from_file, save_state
from harness_tasks.segmentation.models.augmentation import Augmentation
from harness_tasks.segmentation.models.common import PixelClassifier, parse_size
from harness_tasks.segmentation.models.segnet import SegNet
from harness_tasks.segmentation.models.segnet_network import SegNetNetwork
from harness_tasks.segmentation.models.smp import ARCHITECTURES, Smp
from harness_tasks.segmentation.task import Segmentation
from harness_tasks.segmentation.types import IGNORE
from kit.pictures import noise, textured

CLASSES = ("left", "right", "border")


def scene(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """An image dark on the left and bright on the right, its label map, and a strip that has no label."""
    image = textured(height, width, seed) // 3
    labels = np.zeros((height, width), np.uint8)
    labels[:, width // 2 :] = 1
    image[:, width // 2 :] += 150
    labels[: height // 8] = IGNORE
    return image, labels


def predicted(model: PixelClassifier, frames: np.ndarray) -> list[np.ndarray]:
    """The label maps of some frames, predicted as one sample."""
    scored = tuple(range(len(frames)))
    with torch.inference_mode():
        (maps,) = model.predict(model.collate([model.prepare(frames, scored, NoMemo())]))
    return maps


def saved(model: PixelClassifier, path: Path) -> Weights:
    save_state(path, model.network.state_dict(), model.classes)
    return from_file(model.name, str(path))


def random_model(model: PixelClassifier, path: Path) -> PixelClassifier:
    """The same model, loaded from a file of random weights."""
    torch.manual_seed(1)
    model.build(CLASSES)
    model.load(saved(model, path), CLASSES, "cpu")
    return model


@pytest.mark.parametrize("upsampling", ["unpool", "bilinear", "transposed"])
@pytest.mark.parametrize("size", [(64, 96), (45, 37), (33, 50)])
def test_segnet_takes_any_size(upsampling: str, size: tuple[int, int]) -> None:
    network = SegNetNetwork(4, 0.1, upsampling, skips=size[0] == 45).eval()
    with torch.inference_mode():
        assert network(torch.rand(2, 3, *size)).shape == (2, 4, *size)


def test_segnet_is_the_papers() -> None:
    """29.46 million parameters with biases and norms, 13 + 13 convolutions, and VGG16's pools."""
    network = SegNetNetwork(11)
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert [c.out_channels for c in convolutions[:13]] == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    decoder = [512, 512, 512, 512, 512, 256, 256, 256, 128, 128, 64, 64, 11]
    assert [c.out_channels for c in convolutions[13:]] == decoder
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(29.46e6, rel=1e-3)
    assert not list(network.upsample)


def test_unpooling_puts_values_where_the_maxima_stood() -> None:
    network = SegNetNetwork(2, 0.05).eval()
    whole = torch.randn(1, 3, 7, 5)
    pooled, indices = torch.nn.functional.max_pool2d(whole, 2, 2, ceil_mode=True, return_indices=True)
    back = network._enlarge(0, pooled, indices, whole.shape[-2:])
    maxima = back != 0
    assert maxima.sum() == pooled.numel()
    assert (back[maxima] == whole[maxima]).all()


def test_imagenet_weights_fill_the_encoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    vgg = torchvision.models.vgg16_bn(weights=None)
    path = tmp_path / "vgg16_bn.pth"
    torch.save(vgg.state_dict(), path)
    model = SegNet(encoder_weights=str(path))
    network = model.build(CLASSES).eval()
    image = torch.rand(1, 3, 40, 56)
    features = image
    with torch.inference_mode():
        for stage in network.encoder:
            features = torch.nn.functional.max_pool2d(stage(features), 2, 2)
        assert torch.equal(features, vgg.features.eval()(image))
    assert model.identity_config()["encoder_weights"] == from_file("", str(path)).sha256
    with pytest.raises(UsageError, match="which has width=1"):
        SegNet(encoder_weights=str(path), width=0.5)
    torch.save({"features.0.weight": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="tensors of torchvision's vgg16_bn are missing"):
        model.build(CLASSES)


def test_predictions_have_the_size_of_the_source(tmp_path: Path) -> None:
    model = random_model(SegNet(width=0.05, size="48x32"), tmp_path / "w.safetensors")
    assert model.prepared_shape(Outline("a", 50, 70, 3, (0, 2))) == (2, 50, 70, 3)
    maps = predicted(model, noise(2, 50, 70, 3))
    assert [(found.shape, found.dtype) for found in maps] == [((50, 70), np.uint8)] * 2
    assert max(found.max() for found in maps) < len(CLASSES)
    whole = random_model(SegNet(width=0.05), tmp_path / "w.safetensors")
    frames = noise(2, 50, 70, 3)
    together, alone = predicted(whole, frames), [predicted(whole, frames[i : i + 1])[0] for i in range(2)]
    assert all((a == b).mean() > 0.999 for a, b in zip(together, alone, strict=True))


def test_bf16_gives_almost_the_same(tmp_path: Path) -> None:
    model = random_model(SegNet(width=0.05), tmp_path / "w.safetensors")
    frames = noise(1, 48, 64, 3)
    exact = predicted(model, frames)[0]
    model.load(from_file("segnet", str(tmp_path / "w.safetensors")), CLASSES, "cpu", "bf16")
    assert (predicted(model, frames)[0] == exact).mean() > 0.9


@pytest.mark.parametrize("arch", ["unet", "deeplabv3plus", "linknet"])
def test_smp_pads_and_crops(arch: str, tmp_path: Path) -> None:
    model = random_model(Smp(arch=arch, encoder="mobilenet_v2"), tmp_path / "w.safetensors")
    (found,) = predicted(model, noise(1, 75, 101, 3))
    assert found.shape == (75, 101)


def test_smp_knows_the_librarys_names() -> None:
    assert set(ARCHITECTURES) == set(segmentation_models_pytorch.MODEL_ARCHITECTURES_MAPPING)
    with pytest.raises(UnknownNameError, match="Did you mean 'mobilenet_v2'"):
        Smp(encoder="mobilenet_v").build(CLASSES)
    with pytest.raises(UsageError, match="allowed are unet, "):
        Smp(arch="segnet")


def test_smp_loads_the_librarys_own_weights(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = segmentation_models_pytorch.create_model("fpn", "mobilenet_v2", None, classes=3).eval()
    torch.save(network.state_dict(), tmp_path / "fpn.pth")
    model = Smp(arch="fpn", encoder="mobilenet_v2", normalise="unit")
    model.load(from_file("smp", str(tmp_path / "fpn.pth")), CLASSES, "cpu")
    frames = noise(1, 64, 64, 3)
    with torch.inference_mode():
        expected = network(torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255).argmax(1)[0].numpy()
    assert (predicted(model, frames)[0] == expected).mean() > 0.999


@pytest.mark.parametrize("size", ["48x30", "100x30", "150x120"])
def test_training_sees_what_predictions_see(size: str, tmp_path: Path) -> None:
    """The network gets the same pixels from both, smaller or larger, to the rounding of a level."""
    seen = []
    model = random_model(SegNet(width=0.05, size=size, normalise="unit", jitter=0.0), tmp_path / "w.safetensors")
    model.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0] * 255))
    image, labels = noise(64, 96, 3), np.zeros((64, 96), np.uint8)
    symmetric = np.concatenate([image, image[:, ::-1]], axis=1)
    targets = {0: np.concatenate([labels, labels], axis=1)}
    predicted(model, symmetric[None])
    example = model.prepare_train(symmetric[None], targets, np.random.default_rng(0))
    with torch.inference_mode():
        model.losses(model.collate_train([example]), "model")
    assert seen[0].shape == seen[1].shape == (1, 3, *parse_size("size", size))
    assert (seen[0] - seen[1]).abs().max() < 0.51


@pytest.mark.parametrize("skips", [False, True])
def test_it_learns(skips: bool) -> None:
    model = SegNet(width=0.06, skips=skips, dice=0.5)
    torch.manual_seed(0)
    network = model.build(CLASSES).train()
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    rng = np.random.default_rng(0)
    for seed in range(40):
        shown = [scene(64, 64, 2 * seed + number) for number in range(2)]
        batch = model.collate_train([model.prepare_train(i[None], {0: t}, rng) for i, t in shown])
        optimizer.zero_grad()
        sum(model.losses(batch, "model").values()).backward()
        optimizer.step()
    network.eval()
    # Mirrored half of the time, the dark half is still class 0.
    image, labels = scene(64, 64, 99)
    task = Segmentation(CLASSES)
    assert task.reduce([task.score(predicted(model, image[None])[0], labels)])["mIoU"][0] > 0.7


def test_losses_leave_out_what_has_no_label() -> None:
    model = SegNet(width=0.05, dice=1.0, class_weights="1|2|3")
    torch.manual_seed(0)
    model.build(CLASSES).eval()
    images = torch.from_numpy(noise(2, 3, 32, 32))
    labels = torch.randint(0, 3, (2, 32, 32), dtype=torch.uint8)
    labels[:, :10] = IGNORE
    with torch.no_grad():
        found = model.losses({"image": images, "labels": labels}, "model")
        scores = model.network(model._normalised(images))
        nothing = model.losses({"image": images, "labels": torch.full_like(labels, IGNORE)}, "model")
    kept, truth = scores.permute(0, 2, 3, 1)[labels != IGNORE], labels[labels != IGNORE].long()
    expected = torch.nn.functional.cross_entropy(kept, truth, torch.tensor([1.0, 2.0, 3.0]))
    assert float(found["cross_entropy"]) == pytest.approx(float(expected), rel=1e-5)
    shares, ones = kept.softmax(1), torch.nn.functional.one_hot(truth, 3)
    dice = 2 * (shares * ones).sum(0) / (shares.sum(0) + ones.sum(0))
    assert float(found["dice"]) == pytest.approx(float(1 - dice.mean()), rel=1e-5)
    assert [float(loss) for loss in nothing.values()] == [0.0, 0.0]


def test_augmentation_moves_labels_with_pixels() -> None:
    image = np.stack([np.arange(40 * 30, dtype=np.uint32).reshape(30, 40) % 251] * 3, -1).astype(np.uint8)
    labels = image[..., 0].copy()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found, truth = Augmentation(crop=(16, 24))(image, labels, rng)
        assert found.shape == (16, 24, 3)
        assert (found[..., 0] == truth).all()
    larger, truth = Augmentation(crop=(64, 64))(image, labels, np.random.default_rng(0))
    assert larger.shape == (64, 64, 3)
    assert (truth == IGNORE).sum() >= 64 * 64 - 30 * 40
    scaled = [Augmentation(scale=2.0, jitter=0.5)(image, labels, np.random.default_rng(s)) for s in range(20)]
    assert {(i.shape, t.shape, i.dtype, t.dtype) for i, t in scaled} == {
        ((30, 40, 3), (30, 40), np.dtype(np.uint8), np.dtype(np.uint8))
    }
    again = Augmentation(scale=2.0, jitter=0.5)(image, labels, np.random.default_rng(7))
    assert all((a == b).all() for a, b in zip(again, scaled[7], strict=True))


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    model = SegNet(width=0.05)
    model.build(CLASSES)
    weights = saved(model, tmp_path / "w.safetensors")
    other = Weights(weights.name, weights.path, weights.sha256, ("a", "b"))
    with pytest.raises(WeightsError, match="tell 3 classes apart, its file names 2: a, b"):
        model.load(other, ("a", "b"), "cpu")
    with pytest.raises(WeightsError, match="the dataset has 4"):
        model.build(("a", "b", "c", "d"), weights)
    with pytest.raises(WeightsError, match="do not fit SegNetNetwork"):
        SegNet(width=0.1).load(weights, CLASSES, "cpu")
    with pytest.raises(TrainingError, match="class_weights has 2 numbers, the dataset has 3"):
        SegNet(width=0.05, class_weights="1|2").build(CLASSES)
    for option, text in (("size", "320"), ("crop", "0x5"), ("class_weights", "1|x"), ("class_weights", "-1|1")):
        with pytest.raises(UsageError, match=f"option {option}="):
            SegNet(**{option: text})
    assert parse_size("size", None) is None
    rng = np.random.default_rng(0)
    examples = [model.prepare_train(i[None], {0: t}, rng) for i, t in (scene(32, 48), scene(48, 32))]
    with pytest.raises(TrainingError, match=r"48x32.*crop=320x240"):
        model.collate_train(examples)
