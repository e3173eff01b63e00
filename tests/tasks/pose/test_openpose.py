"""OpenPose: the published layout of its weights, what goes in and comes out, training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import vgg19

from harness.dataset import Outline
from harness.errors import WeightsError
from harness.model import NoMemo
from harness.weights import save_state
from harness_tasks.networks.small import SmallFront, front_of
from harness_tasks.pose.models.demo import DemoOpenPose
from harness_tasks.pose.models.openpose import OpenPose
from harness_tasks.pose.models.openpose_layout import imagenet_front, of_published
from harness_tasks.pose.models.openpose_network import new_network
from harness_tasks.pose.models.targets import affinity_fields, confidence_maps
from harness_tasks.pose.skeleton import FIELDS, LIMBS, PARTS, parts_of
from harness_tasks.pose.types import KEYPOINTS, Persons

IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)

FRONT = [
    ("conv1_1", 3, 64), ("conv1_2", 64, 64), None, ("conv2_1", 64, 128), ("conv2_2", 128, 128), None,
    ("conv3_1", 128, 256), ("conv3_2", 256, 256), ("conv3_3", 256, 256), ("conv3_4", 256, 256), None,
    ("conv4_1", 256, 512), ("conv4_2", 512, 512), ("conv4_3_CPM", 512, 256), ("conv4_4_CPM", 256, 128),
]  # fmt: skip
"""The published model's front: layers' names and channels; None is a pooling."""


class Published(nn.Module):
    """The published body model, by its layers' names, as a file of its weights has them."""

    def __init__(self, stages: int) -> None:
        super().__init__()
        self.layers = nn.ModuleDict()
        self.branches: list[list[list[str]]] = []
        for layer in FRONT:
            if layer is not None:
                self.layers[layer[0]] = nn.Conv2d(layer[1], layer[2], 3, padding=1)
        for stage in range(1, stages + 1):
            self.branches.append([self._branch(stage, kind, out) for kind, out in (("L1", 38), ("L2", 19))])

    def _branch(self, stage: int, kind: str, out: int) -> list[str]:
        if stage == 1:
            names = [f"conv5_{number}_CPM_{kind}" for number in range(1, 6)]
            channels, kernels = [128, 128, 128, 128, 512, out], [3, 3, 3, 1, 1]
        else:
            names = [f"Mconv{number}_stage{stage}_{kind}" for number in range(1, 8)]
            channels, kernels = [185, 128, 128, 128, 128, 128, 128, out], [7, 7, 7, 7, 7, 1, 1]
        for name, inside, outside, kernel in zip(names, channels[:-1], channels[1:], kernels, strict=True):
            self.layers[name] = nn.Conv2d(inside, outside, kernel, padding=kernel // 2)
        return names

    def forward(self, image: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """From RGB: the code that comes with it reads BGR by OpenCV and takes / 256 - 0.5."""
        x = torch.from_numpy(np.ascontiguousarray(image[:, :, ::-1].transpose(2, 0, 1))[None]).float() / 256 - 0.5
        for layer in FRONT:
            x = nn.functional.max_pool2d(x, 2) if layer is None else self.layers[layer[0]](x).relu()
        seen = x
        for branches in self.branches:
            fields, maps = (self._run(names, seen) for names in branches)
            seen = torch.cat([fields, maps, x], 1)
        return fields, maps

    def _run(self, names: list[str], x: torch.Tensor) -> torch.Tensor:
        for name in names:
            x = self.layers[name](x)
            x = x if name == names[-1] else x.relu()
        return x

    def file(self, prefixed: bool) -> dict[str, torch.Tensor]:
        state = {name.removeprefix("layers."): tensor for name, tensor in self.state_dict().items()}
        if not prefixed:
            return state
        owner = {layer[0]: "model0" for layer in FRONT if layer is not None}
        for stage, branches in enumerate(self.branches, start=1):
            owner |= {name: f"model{stage}_{n}" for n, names in enumerate(branches, start=1) for name in names}
        return {f"{owner[name.rpartition('.')[0]]}.{name}": tensor for name, tensor in state.items()}


@pytest.mark.parametrize("prefixed", [False, True])
def test_reads_the_published_layout(prefixed: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    published = Published(stages=3)
    torch.save(published.file(prefixed), tmp_path / "body_pose_model.pth")
    model = OpenPose(stages=2, height=48)
    model.load(model.resolve_weights(str(tmp_path / "body_pose_model.pth"), ()), (), "cpu")
    published.branches = published.branches[:2]
    with torch.no_grad():
        wanted = published(IMAGE)
        given = model.network(torch.from_numpy(IMAGE.transpose(2, 0, 1).copy())[None].float())[-1]
    for ours, theirs in zip(given, wanted, strict=True):
        assert ours.shape == theirs.shape
        assert torch.allclose(ours, theirs, atol=1e-5 * float(theirs.abs().max()) + 1e-7)


def test_all_six_published_stages_find_their_place() -> None:
    with torch.device("meta"):
        file = Published(6).file(prefixed=False)
        own = new_network("vgg19", 6).state_dict()
    found = of_published(file, 6, "weights")
    assert {name: t.shape for name, t in found.items()} == {name: t.shape for name, t in own.items()}
    assert len(file) == 184


def test_refuses_other_peoples_files(tmp_path: Path) -> None:
    model = OpenPose(stages=1)
    torch.save({"conv1_1.weight": torch.zeros(1), "Mconv1_stage2.weight": torch.zeros(1)}, tmp_path / "hand.pth")
    with pytest.raises(WeightsError, match=r"Mconv1_stage2\.weight is no layer of the published body model"):
        model.load(model.resolve_weights(str(tmp_path / "hand.pth"), ()), (), "cpu")
    torch.save({"conv1_1.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "part.pth")
    with pytest.raises(WeightsError, match="front"):
        model.load(model.resolve_weights(str(tmp_path / "part.pth"), ()), (), "cpu")
    with pytest.raises(WeightsError, match="--weights"):
        model.resolve_weights(None, ())


def test_training_starts_from_imagenets_vgg19(tmp_path: Path) -> None:
    torch.manual_seed(0)
    with torch.device("meta"):
        layers = vgg19(weights=None).features[:22].state_dict()
    state = {f"features.{name}": torch.randn(layer.shape) * 0.05 for name, layer in layers.items()}
    front = imagenet_front(state, "weights")
    assert len(front) == 20
    rgb = torch.rand(1, 3, 9, 9)
    mean, deviation = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    theirs = nn.functional.conv2d((rgb - mean) / deviation, state["features.0.weight"], state["features.0.bias"])
    bgr = (rgb * 255).flip(1) / 256 - 0.5
    ours = nn.functional.conv2d(bgr, front["front.0.weight"], front["front.0.bias"])
    assert torch.allclose(ours, theirs, atol=1e-4)
    torch.save(state, tmp_path / "vgg19.pth")
    model = OpenPose(stages=1)
    network = model.build((), model.resolve_weights(str(tmp_path / "vgg19.pth"), ()))
    assert torch.equal(network.state_dict()["front.21.weight"], state["features.21.weight"])
    with pytest.raises(WeightsError, match="VGG19 without batch norm"):
        imagenet_front({"features.0.weight": state["features.0.weight"]}, "weights")


class TrueMaps(nn.Module):
    """Gives the true maps of persons, whatever the image: what is tested is the way to and from them."""

    def __init__(self, persons: np.ndarray, stride: int, spread: float) -> None:
        super().__init__()
        self.parts, self.stride, self.spread = parts_of(persons), stride, spread

    def forward(self, images: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        size = (images.shape[2] // self.stride, images.shape[3] // self.stride)
        maps = (
            affinity_fields(self.parts, size, self.stride, self.spread),
            confidence_maps(self.parts, size, self.stride, self.spread),
        )
        fields, confidences = (torch.from_numpy(m)[None].repeat(len(images), 1, 1, 1) for m in maps)
        return [(fields, confidences)]


def skeleton() -> np.ndarray:
    points = np.full((1, 17, 3), 2.0)
    points[0, :, 0] = [50, 53, 47, 57, 43, 66, 34, 72, 28, 74, 26, 61, 39, 62, 38, 63, 37]
    points[0, :, 1] = [20, 17, 17, 19, 19, 40, 40, 65, 65, 88, 88, 90, 90, 125, 125, 160, 160]
    return points


def test_predictions_are_in_the_frames_coordinates() -> None:
    frames = np.zeros((3, 90, 131, 3), np.uint8)
    model = OpenPose(height=180, front="small")
    seen = skeleton()
    seen[..., :2] += [100.0, 5.0]
    model._network = TrueMaps(seen, 4, 1.25)
    prepared = [model.prepare(frames, (0, 2), NoMemo()) for _ in range(2)]
    assert prepared[0]["images"].shape == (2, 192, 272, 3)
    assert model.prepared_shape(Outline("a", 90, 131, 3, (0, 2))) == (2, 90, 131, 3)
    found = model.predict(model.collate(prepared))
    assert [len(sample) for sample in found] == [2, 2]
    for poses in (poses for sample in found for poses in sample):
        assert poses.keypoints.shape == (1, 17, 3)
        wanted = (seen[0, :, :2] + 0.5) * [131 / 262, 90 / 180] - 0.5
        assert np.abs(poses.keypoints[0, :, :2] - wanted).max() < 0.2
        assert (poses.keypoints.dtype, poses.scores.dtype) == (np.float32, np.float32)
        assert 0.8 < poses.scores[0] <= 1


class DimMaps(TrueMaps):
    """True maps but for the right wrist, of which the map is half as high, and the left forearm's field likewise."""

    def forward(self, images: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        ((fields, confidences),) = super().forward(images)
        confidences[:, PARTS.index("right_wrist")] *= 0.5
        field = FIELDS[LIMBS.index((PARTS.index("left_elbow"), PARTS.index("left_wrist")))]
        fields[:, 2 * field : 2 * field + 2] *= 0.5
        return [(fields, confidences)]


@pytest.mark.parametrize(
    ("options", "lost"),
    [
        ({}, set()),
        ({"part_threshold": 0.3, "paf_threshold": 0.3}, set()),
        ({"part_threshold": 0.6}, {"right_wrist"}),
        ({"paf_threshold": 0.6}, {"left_wrist"}),
    ],
    ids=str,
)
def test_thresholds_leave_out_what_is_uncertain(options: dict[str, float], lost: set[str]) -> None:
    model = OpenPose(height=180, front="small", **options)
    model._network = DimMaps(skeleton(), 4, 1.25)
    frames = np.zeros((1, 180, 120, 3), np.uint8)
    ((poses,),) = model.predict(model.collate([model.prepare(frames, (0,), NoMemo())]))
    assert len(poses.keypoints) == 1
    assert {name for name, point in zip(KEYPOINTS, poses.keypoints[0], strict=True) if point[2] == 0} == lost


def one_person() -> tuple[np.ndarray, Persons]:
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 120, (1, 192, 256, 3), dtype=np.uint8)
    points = skeleton()
    for x, y in points[0, :, :2].astype(int).tolist():
        frames[0, y - 3 : y + 4, x - 3 : x + 4] = 230
    return frames, Persons(points, np.array([[24.0, 14, 78, 164]]), np.array([4000.0]), np.zeros(1, np.bool_))


@pytest.mark.parametrize("kind", [DemoOpenPose, OpenPose])
def test_training_lowers_the_losses(kind: type[OpenPose], tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = {} if kind is DemoOpenPose else {"front": "small", "stages": 2, "height": 96}
    model = kind(**small)
    network = model.build(())
    network.train()
    moved = torch.optim.AdamW(network.parameters(), 2e-3)
    frames, persons = one_person()
    examples = [model.prepare_train(frames, {0: persons}, np.random.default_rng(seed)) for seed in range(2)]
    side = (192, 256) if kind is DemoOpenPose else (96, 96)
    assert examples[0]["image"].shape == (3, *side)
    assert examples[0]["affinity"].shape == (38, side[0] // 4, side[1] // 4)
    assert examples[0]["confidence"].shape == (19, side[0] // 4, side[1] // 4)
    batch, history = model.collate_train(examples), []
    for _ in range(8):
        losses = model.losses(batch, "model")
        moved.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        moved.step()
        history.append({name: float(loss.detach()) for name, loss in losses.items()})
    assert all(history[-1][name] < 0.7 * history[0][name] for name in ("affinity", "confidence"))
    save_state(tmp_path / "w.safetensors", network.state_dict(), model.classes)
    again = kind(**small)
    again.load(again.resolve_weights(str(tmp_path / "w.safetensors"), ()), (), "cpu")
    poses = again.predict(again.collate([again.prepare(frames, (0,), NoMemo())]))[0][0]
    assert np.isfinite(poses.keypoints).all()
    front = SmallFront()
    front.load_state_dict(front_of(network.state_dict()))  # another model can start from it


def test_errors_do_not_count_where_persons_are_unlabelled() -> None:
    model = DemoOpenPose()
    model.build(()).eval()
    frames, persons = one_person()
    crowd = np.array([[128.0, 0, 256, 192]])  # the frame's right half; the person stands in the left one
    both = Persons(
        np.concatenate([persons.keypoints, np.zeros((1, 17, 3))]),
        np.concatenate([persons.boxes, crowd]),
        np.array([4000.0, 24576]),
        np.array([False, True]),
    )

    def losses(changed: slice) -> list[float]:
        """With targets that are wrong in some columns of the maps."""
        example = model.prepare_train(frames, {0: both}, np.random.default_rng(1))
        assert np.array_equal(example["image"].permute(1, 2, 0).numpy(), frames[0]), "not mirrored by this seed"
        for name in ("affinity", "confidence"):
            example[name][:, :, changed] += 3.0
        with torch.no_grad():
            return [float(loss) for loss in model.losses(model.collate_train([example]), "model").values()]

    right, wrong_in_crowd, wrong_beside = losses(slice(0, 0)), losses(slice(32, 64)), losses(slice(0, 8))
    assert wrong_in_crowd == right
    assert all(wrong > 1.5 * true for wrong, true in zip(wrong_beside, right, strict=True))


def test_nothing_is_learnt_of_a_frame_full_of_the_unlabelled() -> None:
    model = DemoOpenPose()
    model.build(()).train()
    frames, _ = one_person()
    crowd = Persons(np.zeros((1, 17, 3)), np.array([[0.0, 0, 256, 192]]), np.array([40000.0]), np.ones(1, np.bool_))
    example = model.prepare_train(frames, {0: crowd}, np.random.default_rng(0))
    losses = model.losses(model.collate_train([example, example]), "model")
    assert [float(loss.detach()) for loss in losses.values()] == [0.0, 0.0]
