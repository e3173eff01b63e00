"""torchvision's detectors through the harness: the same detections, classes by name, weights checked."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torchvision.models import get_model, list_models

from harness.dataset import Outline
from harness.errors import UsageError, WeightsError
from harness.files import sha256_file
from harness.model import NoMemo, Weights
from harness.weights import save_state
from harness_tasks.detection.models.torchvision import Torchvision
from harness_tasks.detection.types import Boxes
from harness_tasks.networks import torchvision_weights as ours

ALL = list_models(module=torchvision.models.detection)
SMALL = "ssdlite320_mobilenet_v3_large"
IMAGE = np.random.default_rng(0).integers(0, 256, (1, 90, 120, 3), dtype=np.uint8)
CLASSES = ("cat", "dog", "bird")


def predicted(model: Torchvision, *images: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    batch = model.collate([model.prepare(image, (0,), NoMemo()) for image in images])
    found = [frames[0] for frames in model.predict(batch)]
    return [(one.boxes, one.scores, one.labels) for one in found]


def file_of(folder: Path, outputs: int, arch: str = SMALL, name: str = "w.pth") -> Path:
    torch.manual_seed(0)
    network = get_model(arch, weights=None, weights_backbone=None, num_classes=outputs)
    torch.save(network.state_dict(), folder / name)
    return folder / name


def loaded(path: Path, classes: tuple[str, ...] = (), arch: str = SMALL, **options: object) -> Torchvision:
    model = Torchvision(arch=arch, score_thresh=0.0, **options)
    model.load(model.resolve_weights(str(path), classes), classes, "cpu")
    return model


@pytest.mark.parametrize("arch", ALL)
def test_every_detector_is_torchvisions_own(arch: str) -> None:
    with torch.device("meta"):
        ours = Torchvision(arch=arch).make(4).state_dict()
        own = get_model(arch, weights=None, weights_backbone=None, num_classes=4).state_dict()
    boxes = {name: t.shape for name, t in own.items() if not name.startswith(("roi_heads.mask", "roi_heads.keypoint"))}
    assert {name: t.shape for name, t in ours.items()} == boxes


@pytest.mark.parametrize("arch", [SMALL, "fasterrcnn_mobilenet_v3_large_320_fpn"])
def test_detections_equal_torchvisions(tmp_path: Path, arch: str) -> None:
    path = file_of(tmp_path, 4, arch)
    model = loaded(path, CLASSES, arch)
    prefix = "box_" if arch.startswith("faster") else ""
    own = get_model(arch, weights=None, weights_backbone=None, num_classes=4, **{f"{prefix}score_thresh": 0.0})
    own.load_state_dict(torch.load(path, weights_only=True))
    with torch.no_grad():
        wanted = own.eval()([torch.from_numpy(IMAGE[0]).permute(2, 0, 1) / 255])[0]
    boxes, scores, labels = predicted(model, IMAGE)[0]
    assert len(boxes) > 20
    assert (boxes.dtype, scores.dtype, labels.dtype) == (np.float32, np.float32, np.int64)
    assert np.array_equal(boxes, wanted["boxes"].numpy())
    assert np.array_equal(scores, wanted["scores"].numpy())
    assert np.array_equal(labels, wanted["labels"].numpy() - 1)
    assert boxes[:, 2].max() <= 120
    assert boxes[:, 3].max() <= 90
    again = predicted(model, IMAGE)[0]
    assert all(np.array_equal(a, b) for a, b in zip((boxes, scores, labels), again, strict=True))
    assert model.classes == CLASSES


def test_pretrained_weights_equal_torchvisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # COCO_V1 of this detector is loaded by torchvision with frozen batch norms whose epsilon is 0. A random state
    # stands for the file, which is not downloaded.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    arch, name = "fasterrcnn_resnet50_fpn", "hub/checkpoints/fasterrcnn_resnet50_fpn_coco-258fb6c6.pth"
    path = file_of(tmp_path, 91, arch, name)
    state = {n: t for n, t in torch.load(path, weights_only=True).items() if "num_batches" not in n}
    for key in [key for key in state if key.endswith("running_var")]:
        state[key] = state[key] * 1e-4  # where an epsilon of 1e-5 shows
        state[key.replace("running_var", "weight")] *= 1e-2
    torch.save(state, path)
    sizes = {"min_size": 64, "max_size": 96}
    own = get_model(arch, weights="COCO_V1", weights_backbone=None, box_score_thresh=0.0, **sizes).eval()
    with torch.no_grad():
        wanted = own([torch.from_numpy(IMAGE[0]).permute(2, 0, 1) / 255])[0]
    model = Torchvision(arch=arch, score_thresh=0.0, **sizes)
    with pytest.raises(WeightsError, match=r"SHA-256 is .*, 258fb6c6 was expected"):
        model.resolve_weights("COCO_V1", ())
    digest = sha256_file(path)
    monkeypatch.setattr(ours, "_digits", lambda member: digest[:8])
    model.load(Weights("COCO_V1", path, digest), (), "cpu")
    boxes, scores, labels = predicted(model, IMAGE)[0]
    outputs = torchvision.models.detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    known = [number for number, label in enumerate(wanted["labels"].tolist()) if outputs[label] != "N/A"]
    assert len(known) > 20
    assert np.array_equal(boxes, wanted["boxes"].numpy()[known])
    assert np.array_equal(scores, wanted["scores"].numpy()[known])
    assert [model.classes[label] for label in labels] == [outputs[wanted["labels"][number]] for number in known]
    assert len(model.classes) == 80


@pytest.mark.usefixtures("no_network")
def test_weights_that_cannot_be_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    name = "ssdlite320_mobilenet_v3_large_coco-a79551df.pth"
    with pytest.raises(WeightsError, match="could not be downloaded") as raised:
        Torchvision(arch=SMALL).resolve_weights(None, ())
    assert f"https://download.pytorch.org/models/{name}" in str(raised.value)
    assert str(tmp_path / "hub" / "checkpoints" / name) in str(raised.value)
    assert list((tmp_path / "hub").rglob("*.pth")) == []


def test_unknown_names() -> None:
    with pytest.raises(WeightsError, match=r"weights COCO_V9 .* no such file.* It has: COCO_V1, DEFAULT"):
        Torchvision(arch=SMALL).resolve_weights("COCO_V9", ())
    with pytest.raises(UsageError, match=r"no detector 'fasterrcnn_resnet50'\. Did you mean fasterrcnn_resnet50_fpn"):
        Torchvision(arch="fasterrcnn_resnet50").resolve_weights(None, ())
    with pytest.raises(UsageError, match="resizes to a fixed size"):
        Torchvision(arch=SMALL, min_size=100).make(3)
    with pytest.raises(UsageError, match="is no ResNet"):
        Torchvision(arch=SMALL, trainable_layers=2).make(3)


def test_classes_are_the_files_own_or_the_datasets(tmp_path: Path) -> None:
    path = file_of(tmp_path, 4)
    assert loaded(path, CLASSES).classes == CLASSES
    with pytest.raises(WeightsError, match=r"trained on 3 classes \(head of 4 .*the dataset has 20"):
        loaded(path, tuple(f"class {n}" for n in range(20)))
    (tmp_path / "w.json").write_text(json.dumps({"classes": ["a", "b", "c"]}))
    assert loaded(path, ("other",)).classes == ("a", "b", "c")
    (tmp_path / "w.json").write_text(json.dumps({"classes": ["__background__", "a", "N/A", "c"]}))
    model = loaded(path)
    assert model.resolve_weights(str(path), ()).classes == model.classes == ("a", "c")
    assert set(predicted(model, IMAGE)[0][2]) == {0, 1}
    (tmp_path / "w.json").write_text(json.dumps({"classes": ["a", "b"]}))
    with pytest.raises(WeightsError, match=r"trained on 3 classes .*its file names 2"):
        loaded(path)
    state = torch.load(path, weights_only=True)
    save_state(tmp_path / "w.safetensors", state, ("x", "y", "z"))
    assert loaded(tmp_path / "w.safetensors", ("other",)).classes == ("x", "y", "z")


def test_a_head_of_91_outputs_is_cocos(tmp_path: Path) -> None:
    model = loaded(file_of(tmp_path, 91), ("one", "two"))
    assert len(model.classes) == 80
    assert model.classes[:2] == ("person", "bicycle")


def test_weights_of_another_network(tmp_path: Path) -> None:
    path = file_of(tmp_path, 4)
    with pytest.raises(WeightsError, match=r"w\.pth do not fit SSD: tensors \d+ missing .* unexpected"):
        loaded(path, CLASSES, "ssd300_vgg16")


def test_batches_and_workers(tmp_path: Path) -> None:
    model = loaded(file_of(tmp_path, 4), CLASSES)
    worker = pickle.loads(pickle.dumps(Torchvision(arch=SMALL)))  # noqa: S301 (its own)
    prepared = worker.prepare(IMAGE, (0,), NoMemo())
    assert tuple(prepared.shape) == worker.prepared_shape(Outline("a", 90, 120)) == (1, 90, 120, 3)
    assert prepared.dtype == torch.uint8
    other = IMAGE[:, ::-1]
    both, alone = predicted(model, IMAGE, other), predicted(model, other)[0]
    for found, wanted in zip(both[1], alone, strict=True):
        assert np.allclose(found[:20], wanted[:20], atol=1e-3)
    clip = np.concatenate([IMAGE, other, IMAGE])
    frames = model.predict(model.collate([worker.prepare(clip, (0, 2), NoMemo())]))
    assert [len(one) for one in frames] == [2]
    assert np.allclose(frames[0][0].scores, frames[0][1].scores, atol=1e-5)


def test_bf16(tmp_path: Path) -> None:
    path = file_of(tmp_path, 4)
    model = Torchvision(arch=SMALL, score_thresh=0.0)
    model.load(model.resolve_weights(str(path), CLASSES), CLASSES, "cpu", "bf16")
    boxes, scores, _ = predicted(model, IMAGE)[0]
    assert (boxes.dtype, scores.dtype) == (np.float32, np.float32)
    assert np.isfinite(boxes).all()
    assert np.allclose(scores[0], predicted(loaded(path, CLASSES), IMAGE)[0][1][0], atol=0.05)


def test_training_examples_are_mirrored_with_their_boxes() -> None:
    image = np.zeros((1, 40, 60, 3), np.uint8)
    image[0, 10:20, 5:15] = 255
    target = Boxes.of(
        [[5, 10, 15, 20], [0, 0, 9, 9], [0, 0, 9, 9], [50, 30, 70, 50], [3, 3, 3, 8]],
        [1, 0, 0, 2, 0],
        crowd=[0, 1, 0, 0, 0],
        difficult=[0, 0, 1, 0, 0],
    )
    model, seen = Torchvision(arch=SMALL), set()
    for seed in range(8):
        example = model.prepare_train(image, {0: target}, np.random.default_rng(seed))
        again = model.prepare_train(image, {0: target}, np.random.default_rng(seed))
        assert all(torch.equal(example[name], again[name]) for name in example)
        assert example["labels"].tolist() == [2, 3]
        x1, y1, x2, y2 = (int(v) for v in example["boxes"][0])
        assert bool((example["image"][:, y1:y2, x1:x2] == 255).all())
        assert int(example["image"].sum()) == 255 * 300
        assert example["boxes"].min() >= 0
        assert example["boxes"][:, 2].max() <= 60
        seen.add(x1)
    assert seen == {5, 45}


def test_training_lowers_the_losses(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Torchvision(arch=SMALL)
    network = model.build(CLASSES).train()
    optimizer = torch.optim.SGD(model.parameters("model"), lr=0.02)
    rng = np.random.default_rng(0)
    target = {0: Boxes.of([[10, 10, 70, 60]], [1])}
    sums = []
    for _ in range(5):
        batch = model.collate_train([model.prepare_train(IMAGE, target, rng) for _ in range(2)])
        losses = model.losses(batch, "model")
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        sums.append(total.item())
    assert set(losses) == {"bbox_regression", "classification"}
    assert sums[-1] < 0.8 * sums[0]
    save_state(tmp_path / "trained.safetensors", network.state_dict(), CLASSES)
    assert loaded(tmp_path / "trained.safetensors").classes == CLASSES


FROZEN = "fasterrcnn_mobilenet_v3_large_320_fpn"


def test_training_starts_from_what_load_takes(tmp_path: Path) -> None:
    """torchvision's own files come from frozen batch norms: they have no count of batches."""
    path = file_of(tmp_path, 4, FROZEN)
    state = {n: t for n, t in torch.load(path, weights_only=True).items() if not n.endswith("num_batches_tracked")}
    torch.save({**state, "roi_heads.mask_head.0.0.weight": torch.zeros(1)}, path)
    used = loaded(path, CLASSES, FROZEN)
    begun = Torchvision(arch=FROZEN, score_thresh=0.0)
    network = begun.build(CLASSES, begun.resolve_weights(str(path), CLASSES))
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    assert begun.classes == CLASSES
    network.eval()
    for found, wanted in zip(predicted(begun, IMAGE)[0], predicted(used, IMAGE)[0], strict=True):
        assert np.array_equal(found, wanted)
    with pytest.raises(WeightsError, match=r"trained on 3 classes, the dataset has 2: a, b\. Training can start"):
        begun.build(("a", "b"), begun.resolve_weights(str(path), ()))


def test_training_from_norms_without_epsilon_starts_where_load_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "_WITHOUT_EPSILON", {FROZEN})
    path = file_of(tmp_path, 91, FROZEN)
    state = {n: t for n, t in torch.load(path, weights_only=True).items() if not n.endswith("num_batches_tracked")}
    for key in [key for key in state if key.endswith("running_var")]:
        state[key] = state[key] * 1e-4
        state[key.replace("running_var", "weight")] *= 1e-2
    torch.save(state, path)
    digest = sha256_file(path)
    monkeypatch.setattr(ours, "_digits", lambda member: digest[:8])
    weights = Weights("COCO_V1", path, digest)
    names = tuple(str(number) for number in range(90))
    used, begun = (Torchvision(arch=FROZEN, score_thresh=0.0) for _ in range(2))
    used.load(weights, (), "cpu")
    network = begun.build(names, weights).eval()
    image = torch.rand(3, 90, 120)
    with torch.no_grad():
        wanted, found = (n.backbone(image[None])["0"] for n in (used.network, network))
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))
    # What it saves is loaded with the usual epsilon, and computes the same.
    save_state(tmp_path / "on.safetensors", network.state_dict(), names)
    again = loaded(tmp_path / "on.safetensors", names, FROZEN)
    with torch.no_grad():
        assert torch.equal(again.network.backbone(image[None])["0"], found)


def test_stages_can_be_held(tmp_path: Path) -> None:
    with torch.device("meta"):
        network = Torchvision(arch="retinanet_resnet50_fpn", trainable_layers=1).make(4)
    learning = {name.split(".")[2] for name, p in network.named_parameters() if ".body." in name and p.requires_grad}
    assert learning == {"layer4"}
