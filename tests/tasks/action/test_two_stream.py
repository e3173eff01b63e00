"""The two-stream model: what it sees of a clip, what it starts from, that its streams learn apart."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from harness.dataset import Dataset, Outline, Sample
from harness.errors import HarnessError, TrainingError, WeightsError
from harness.keep.kept import Kept
from harness.model import NoMemo, Weights
from harness.training.job import Job
from harness.training.loop import Runtime, train
from harness.training.recipe import Recipe
from harness.training.state import Place
from harness.weights import from_file, load_state, save_state
from harness_tasks.action.models.two_stream import TwoStreamModel
from harness_tasks.action.models.two_stream_network import HEADS, TwoStream, adapt_to_stack
from harness_tasks.action.task import Action
from harness_tasks.action.types import ClipScores
from harness_tasks.networks.small import SmallFront

CLASSES = ("left", "right", "up", "down")
SMALL: dict[str, object] = {
    "backbone": "small",
    "size": 32,
    "flow_size": 48,
    "motion_size": 48,
    "crop": 0.0,
    "length": 2,
    "bound": 8.0,
}
MOVES = {"left": (-2, 0), "right": (2, 0), "up": (0, -2), "down": (0, 2)}


class Squares(Dataset):
    """A bright square that moves in one of four ways before a grey texture: a clip's frames alone do not say which."""

    name = "squares"
    tasks = ("action",)
    splits = ("train", "test")
    needs_root = False
    still = False

    def open(self) -> None:
        self.classes = CLASSES

    def __len__(self) -> int:
        return 32

    def outline(self, index: int) -> Outline:
        return Outline(str(index), 48, 64, 6)

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng((index, len(self.split)))
        frames = np.repeat(rng.integers(60, 120, (1, 48, 64, 1)), 6, axis=0).repeat(3, axis=3).astype(np.uint8)
        square = rng.integers(120, 255, (16, 16, 3))
        x, y = MOVES[CLASSES[index % 4]]
        for number, frame in enumerate(frames):
            top, left = 16 + (number - 3) * y, 24 + (number - 3) * x
            frame[top : top + 16, left : left + 16] = square
        return Sample(str(index), frames, {0: index % 4}, fps=10.0)

    def fingerprint(self) -> str:
        return "5" * 64


def clip(frames: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (frames, height, width, 3), np.uint8)


def loaded(model: TwoStreamModel, path: Path, classes: tuple[str, ...] = CLASSES) -> TwoStreamModel:
    """The model with random weights, by way of a file."""
    save_state(path, model.build(classes).state_dict(), classes)
    model.load(from_file(model.name, str(path)), classes, "cpu")
    return model


@pytest.mark.parametrize("frames", [2, 3, 6, 20, 70])
@pytest.mark.parametrize("options", [SMALL, {}, {**SMALL, "crop": 0.7, "samples": 3, "stacks": 4}])
def test_prepares_what_it_announces(frames: int, options: Mapping[str, object]) -> None:
    model = TwoStreamModel(**{**options, "preset": "ultrafast"})
    shape = model.prepared_shape(Outline("a", 48, 64, frames))
    prepared = model.prepare(clip(frames), (0,), NoMemo())
    assert (*prepared["spatial"].shape, *prepared["motion"].shape) == shape
    assert prepared["spatial"].dtype == torch.uint8
    assert prepared["motion"].dtype == torch.int8
    assert len(prepared["spatial"]) == min(frames, model.option("samples"))
    assert len(prepared["motion"]) == min(max(1, frames - model.option("length")), model.option("stacks"))


def test_the_stack_interleaves_x_and_y() -> None:
    model, squares = TwoStreamModel(**SMALL, stacks=1), Squares("action", "test")
    squares.open()
    for index, (x, y) in enumerate(MOVES.values()):
        motion = model.prepare(squares[index].frames, (0,), NoMemo())["motion"][0].float() * (8 / 127)
        middle = motion[:, 20:28, 28:36].mean((1, 2))
        assert middle.tolist() == pytest.approx([x, y, x, y], abs=0.5)


def test_flow_is_asked_of_the_memo() -> None:
    model, asked = TwoStreamModel(**SMALL, stacks=2), []

    def memo(name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        asked.append((name, compute()))
        return asked[0][1]

    frames = clip(9)
    first, again = model.prepare(frames, (0,), memo), model.prepare(255 - frames, (0,), memo)
    assert torch.equal(first["motion"], again["motion"])
    assert not torch.equal(first["spatial"], again["spatial"])
    (name, kept), (other, _) = asked
    assert name == other
    assert "pairs 0-1,6-7" in name
    assert kept.shape == (4, 2, 48, 64)
    assert kept.dtype == np.int8


def test_averages_the_softmax_of_the_samples(tmp_path: Path) -> None:
    model = loaded(TwoStreamModel(**SMALL, samples=3, stacks=2), tmp_path / "w.safetensors")
    batch = model.collate([model.prepare(clip(9), (0,), NoMemo()), model.prepare(255 - clip(9), (0,), NoMemo())])
    with torch.inference_mode():
        (first,), (second,) = model.predict(batch)
        seen = {"spatial": batch["spatial"].permute(0, 1, 4, 2, 3), "motion": batch["motion"]}
        for place, scores in enumerate((first, second)):
            for part, found in (("spatial", scores.spatial), ("motion", scores.motion)):
                one_by_one = [model.network(part, sample[None]).softmax(1)[0] for sample in seen[part][place]]
                assert found == pytest.approx(torch.stack(one_by_one).mean(0).numpy(), abs=1e-5)
                assert found.sum() == pytest.approx(1, abs=1e-5)
                assert found.dtype == np.float32


def test_refuses_what_does_not_move_and_what_has_two_targets() -> None:
    model = TwoStreamModel(**SMALL)
    with pytest.raises(HarnessError, match="no motion"):
        model.prepare(clip(1), (0,), NoMemo())
    with pytest.raises(HarnessError, match="one action"):
        model.prepare(clip(4), (0, 2), NoMemo())


def test_a_training_example_may_be_mirrored() -> None:
    squares = Squares("action", "train")
    squares.open()
    sample = squares[1]  # to the right
    for flip, expected in ((True, {-1, 1}), (False, {1})):
        model, signs = TwoStreamModel(**SMALL, flip=flip), set()
        for seed in range(12):
            example = model.prepare_train(sample.frames, sample.targets, np.random.default_rng(seed))
            assert example["spatial"].shape == (3, 32, 43)
            assert example["motion"].shape == (4, 48, 64)
            assert int(example["label"]) == 1
            x, y = example["motion"][0].float(), example["motion"][1].float()
            moves = x[x.abs() > 16]
            assert y.abs().median() <= 2
            signs.add(int(torch.sign(moves.median())))
        assert signs == expected


def test_a_cropped_example_loses_the_camera_s_movement_in_its_own_part() -> None:
    squares = Squares("action", "train")
    squares.open()
    sample = squares[1]
    frames = sample.frames.copy()
    frames[:, :, 32:] = np.stack([np.roll(frames[0, :, 32:], 2 * number, axis=1) for number in range(6)])
    for camera, moved in (("median", False), ("none", True)):
        model = TwoStreamModel(**{**SMALL, "crop": 0.5}, camera=camera)
        medians = []
        for seed in range(12):
            fields = model.prepare_train(frames, sample.targets, np.random.default_rng(seed))["motion"]
            medians.append(int(fields.float().flatten(1).median(dim=1).values.abs().max()))
        assert (max(medians) > 1) is moved


@pytest.mark.parametrize("backbone", sorted(HEADS))
def test_every_backbone_takes_stacks_of_flow(backbone: str) -> None:
    with torch.device("meta"):
        network = TwoStream(backbone, 5, 10).eval()
        frames = network("spatial", torch.zeros((2, 3, 64, 64), dtype=torch.uint8))
        stacks = network("motion", torch.zeros((2, 20, 64, 64), dtype=torch.int8))
    assert frames.shape == stacks.shape == (2, 5)
    assert HEADS[backbone] in dict(network.spatial.named_modules())


def test_starts_from_torchvision_s_own_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    known = torchvision.models.mobilenet_v3_small(weights=None)
    torch.save(known.state_dict(), tmp_path / "imagenet.pth")
    model = TwoStreamModel(backbone="mobilenet_v3_small", length=5)
    network = model.build(CLASSES, from_file(model.name, str(tmp_path / "imagenet.pth")))
    weight, motion = known.features[0][0].weight, network.motion.features[0][0].weight
    assert torch.equal(network.spatial.features[0][0].weight, weight)
    assert motion.shape[1] == 10
    assert torch.allclose(motion.sum(1), weight.sum(1), atol=1e-6)
    assert torch.equal(network.motion.features[4].block[0][0].weight, known.features[4].block[0][0].weight)
    assert network.spatial.classifier[3].out_features == len(CLASSES)
    image = torch.randn(1, 1, 8, 8)
    grey = torch.nn.functional.conv2d(image.expand(-1, 3, -1, -1), weight)
    stacked = torch.nn.functional.conv2d(image.expand(-1, 10, -1, -1), adapt_to_stack(weight, 10))
    assert torch.allclose(grey, stacked, atol=1e-5)


def test_the_spatial_stream_starts_from_another_model_s_small_front(tmp_path: Path) -> None:
    torch.manual_seed(0)
    front = SmallFront()
    state = {f"front.{name}": tensor for name, tensor in front.state_dict().items()}
    save_state(tmp_path / "pose.safetensors", {**state, "stages.0.weight": torch.zeros(3)}, ("person",))
    model = TwoStreamModel(**SMALL)
    network = model.build(CLASSES, from_file(model.name, str(tmp_path / "pose.safetensors")))
    for name, tensor in network.spatial.front.state_dict().items():
        assert torch.equal(tensor, front.state_dict()[name]), name
    assert not torch.equal(network.motion.front.stages[0][0][0].weight, front.stages[0][0][0].weight)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = loaded(TwoStreamModel(**SMALL), tmp_path / "four.safetensors")
    four = from_file(model.name, str(tmp_path / "four.safetensors"))
    assert model.classes == CLASSES
    with pytest.raises(WeightsError, match="4 classes, the dataset has 2"):
        TwoStreamModel(**SMALL).build(("a", "b"), four)
    wrong = Weights(four.name, four.path, four.sha256, ("a", "b"))
    with pytest.raises(WeightsError, match="4 classes, its file names 2"):
        TwoStreamModel(**SMALL).load(wrong, ("a", "b"), "cpu")
    with pytest.raises(WeightsError, match="backbone resnet18"):
        TwoStreamModel().load(four, CLASSES, "cpu")
    with pytest.raises(WeightsError, match="backbone resnet18"):
        TwoStreamModel().build(CLASSES, four)
    with pytest.raises(WeightsError, match="another shape"):
        TwoStreamModel(**{**SMALL, "length": 3}).load(four, CLASSES, "cpu")


def score(model: TwoStreamModel, dataset: Squares) -> Mapping[str, float]:
    task = Action(CLASSES)
    statistics = []
    for index in range(len(dataset)):
        sample = dataset[index]
        with torch.inference_mode():
            ((found,),) = model.predict(model.collate([model.prepare(sample.frames, (0,), NoMemo())]))
        assert isinstance(found, ClipScores)
        statistics.append(task.score(found, sample.targets[0]))
    return {name: float(values[0]) for name, values in task.reduce(statistics).items()}


def test_the_motion_stream_learns_by_itself(tmp_path: Path) -> None:
    """Trained alone it tells what no single frame shows; the other stream stays as it was, to the last bit."""
    dataset, held_out = Squares("action", "train"), Squares("action", "test")
    dataset.open()
    held_out.open()
    torch.manual_seed(0)
    model = TwoStreamModel(**SMALL, flip=False)
    start = tmp_path / "start.safetensors"
    save_state(start, model.build(CLASSES).state_dict(), CLASSES)
    initial = from_file(model.name, str(start))
    recipe = Recipe(iterations=30, batch=8, lr=2e-3, warmup=3, clip=5.0, channels_last=True)
    job = Job(TwoStreamModel(**SMALL, flip=False), dataset, recipe, 0, initial, parts=("motion",))
    result = train(job, Place(tmp_path / "place"), Runtime(workers=0), _Silent())
    before, after = load_state(start), load_state(result.weights)
    changed = {name.split(".")[0] for name in after if not torch.equal(after[name], before[name])}
    assert changed == {"motion"}
    model.load(from_file(model.name, str(result.weights)), CLASSES, "cpu")
    found = score(model, held_out)
    assert found["motion_top1"] >= 0.9
    assert found["spatial_top1"] <= 0.6


def test_a_part_that_is_not_there_is_refused() -> None:
    dataset = Squares("action", "train")
    dataset.open()
    with pytest.raises(TrainingError, match="spatial, motion"):
        Job(TwoStreamModel(**SMALL), dataset, Recipe(1, 1, 1e-3), parts=("sound",)).check()


class _Silent:
    def started(self, begin: int, end: int) -> None: ...
    def stepped(self, iteration: int) -> None: ...
    def advanced(self, iteration: int, losses: Mapping[str, float]) -> None: ...
    def warning(self, text: str) -> None:
        raise AssertionError(text)


def test_flow_that_cannot_be_kept_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.setenv("HARNESS_CACHE_LIMIT", "0")
    monkeypatch.setattr("harness_tasks.action.flow._kept", cache(lambda: Kept("derived")))
    for keep, told in ((False, []), (True, [f"{tmp_path / 'derived'} has reached 0 GB"])):
        model = TwoStreamModel(**SMALL, keep_flow=keep)
        model.prepare_train(clip(4), {0: 1}, np.random.default_rng(0))
        assert [problem.partition(":")[0] for problem in model.problems()] == told
