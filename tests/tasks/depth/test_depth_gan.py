"""depth-gan: what its outputs stand for, what each player learns from, sizes, weights, and a short real training."""

from pathlib import Path

import numpy as np
import pytest
import torch

from harness.dataset import Outline
from harness.errors import TrainingError, WeightsError
from harness.model import NoMemo, Weights
from harness.weights import from_file, load_state, save_state
from harness_plugins.demo_world.scene import render
from harness_tasks.depth.datasets.rgbd import Rgbd
from harness_tasks.depth.models.depth_gan import DepthGan
from harness_tasks.depth.task import Depth
from kit.command import Session
from kit.pictures import textured

SMALL = {"width": 2, "min_depth": 1.0, "max_depth": 80.0}


def built(**options: object) -> DepthGan:
    torch.manual_seed(0)
    model = DepthGan(**{**SMALL, **options})
    model.build(()).train()
    return model


def scenes(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rendered images uint8[1, H, W, 3] and depths with NaN for the sky, at half the size."""
    found = [render("train", index) for index in range(count)]
    return [
        (scene.image[None, ::2, ::2], np.where(scene.depth < 999, scene.depth, np.nan)[::2, ::2].astype(np.float32))
        for scene in found
    ]


def batch_of(model: DepthGan, pairs: list[tuple[np.ndarray, np.ndarray]], seed: int = 0) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(seed)
    examples = [model.prepare_train(frames, {0: depth}, rng) for frames, depth in pairs]
    collated: dict[str, torch.Tensor] = model.collate_train(examples)
    return collated


def saved(model: DepthGan, path: Path, generator_alone: bool = False) -> Weights:
    state = model.network.state_dict()
    if generator_alone:
        state = {name: value for name, value in state.items() if name.startswith("generator.")}
    save_state(path, state, ())
    return from_file(model.name, str(path))


@pytest.mark.parametrize("output", ["log-depth", "inverse"])
def test_outputs_stand_for_depths(output: str) -> None:
    model = DepthGan(output=output, min_depth=2, max_depth=50)
    shares = torch.linspace(0, 1, 9)
    depths = model.depth_of(shares)
    ends = (2.0, 50.0) if output == "log-depth" else (50.0, 2.0)[::-1]
    assert (float(depths[0]), float(depths[-1])) == pytest.approx(ends, rel=1e-5)
    torch.testing.assert_close(model.share_of(depths[1:-1]), shares[1:-1], atol=1e-5, rtol=0)
    even = depths.log() if output == "log-depth" else 1 / depths
    torch.testing.assert_close(even.diff(), even.diff()[:1].expand(8), atol=1e-4, rtol=1e-3)
    unknown = model.share_of(torch.tensor([float("nan"), 1.9, 51, float("inf"), 0, -3]))
    assert unknown.isnan().all()


@pytest.mark.parametrize("size", [(32, 64), (45, 70), (1, 1)])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_predictions_have_the_sources_size(size: tuple[int, int], scale: float, tmp_path: Path) -> None:
    model = built(input_scale=scale)
    weights = saved(model, tmp_path / "w.safetensors")
    model.load(weights, (), "cpu")
    frames = np.random.default_rng(0).integers(0, 256, (3, *size, 3), np.uint8)
    prepared = model.prepare(frames, (0, 2), NoMemo())
    assert tuple(prepared.shape) == model.prepared_shape(Outline("a", *size, frames=3, scored=(0, 2)))
    found = model.predict(model.collate([prepared, prepared]))
    assert [len(sample) for sample in found] == [2, 2]
    for depth in (depth for sample in found for depth in sample):
        assert depth.dtype == np.float32
        assert depth.shape == size
        assert np.isfinite(depth).all()
        assert depth.min() >= 0.999
        assert depth.max() <= 80.001
    with torch.inference_mode():
        alone = model.predict(model.collate([model.prepare(frames[:1], (0,), NoMemo())]))[0][0]
    np.testing.assert_allclose(alone, found[0][0], rtol=1e-4)


def test_inference_needs_the_generator_alone(tmp_path: Path) -> None:
    model = built()
    whole, part = saved(model, tmp_path / "a.safetensors"), saved(model, tmp_path / "b.safetensors", True)
    assert any(name.startswith("discriminator.") for name in load_state(tmp_path / "a.safetensors"))
    frames = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    maps = []
    for weights in (whole, part):
        fresh = DepthGan(**SMALL)
        fresh.load(weights, (), "cpu")
        assert not any(name.startswith("discriminator.") for name in fresh.network.state_dict())
        maps.append(fresh.predict(fresh.collate([fresh.prepare(frames, (0,), NoMemo())]))[0][0])
        again = DepthGan(**SMALL)
        again.build((), weights)
        for name, value in again.network.get_submodule("generator").state_dict().items():
            assert torch.equal(value, model.network.get_submodule("generator").state_dict()[name])
    np.testing.assert_array_equal(*maps)
    with pytest.raises(WeightsError, match="of another shape"):
        DepthGan(width=3).load(whole, (), "cpu")


def test_each_player_moves_its_own_parameters() -> None:
    model = built()
    batch = batch_of(model, scenes(2))
    owned = {part: set(map(id, model.parameters(part))) for part in model.parts}
    assert not owned["generator"] & owned["discriminator"]
    assert len(owned["generator"] | owned["discriminator"]) == len(list(model.network.parameters()))
    for part, losses in (("generator", {"l1", "adversarial"}), ("discriminator", {"real", "false"})):
        model.network.zero_grad()
        found = model.losses(batch, part)
        assert set(found) == losses
        torch.stack(list(found.values())).sum().backward()
        moved = {id(p) for p in model.network.parameters() if p.grad is not None and p.grad.abs().sum() > 0}
        assert moved <= owned[part]
        assert len(moved) > 0.6 * len(owned[part]), "residuals begin as the identity: not all move at first"
    assert set(built(adversarial=0).losses(batch, "generator")) == {"l1"}


def test_the_discriminator_judges_what_the_generator_drew() -> None:
    """In its turn it takes the map of the same batch from the generator's turn, or draws one."""
    model = built()
    batch = batch_of(model, scenes(1))
    model.losses(batch, "generator")
    kept = model.losses(batch, "discriminator")
    fresh = built().losses(batch, "discriminator")
    for name in ("real", "false"):
        assert kept[name].item() == pytest.approx(fresh[name].item(), rel=1e-4)


def test_what_was_not_measured_teaches_nothing() -> None:
    model = built(adversarial=0)
    batch = batch_of(model, scenes(1))
    assert batch["depth"].isnan().any()
    missing = batch["depth"].isnan()
    far = {**batch, "depth": torch.where(missing, torch.tensor(1e6), batch["depth"])}
    losses = [model.losses(given, "generator")["l1"].item() for given in (far, batch)]
    assert losses[0] == pytest.approx(losses[1])
    nothing = {**batch, "depth": torch.full_like(batch["depth"], torch.nan)}
    loss = model.losses(nothing, "generator")["l1"]
    loss.backward()
    assert loss.item() == 0


def test_both_players_learn() -> None:
    """On two images: the error falls by half; and against fixed drawings the discriminator tells true from false."""
    model = built(width=4)
    batch = batch_of(model, scenes(2))
    before = model.losses(batch, "generator")["l1"].item()
    moves = {
        part: torch.optim.Adam(model.parameters(part), lr) for part, lr in zip(model.parts, (5e-3, 2e-3), strict=True)
    }
    for _ in range(25):
        for part in model.parts:
            moves[part].zero_grad()
            torch.stack(list(model.losses(batch, part).values())).sum().backward()
            moves[part].step()
    assert model.losses(batch, "generator")["l1"].item() < before / 2
    blurred = built(width=4)
    players = blurred.parameters("discriminator")
    move = torch.optim.Adam(players, 2e-3)
    for _ in range(40):
        move.zero_grad()
        losses = blurred.losses(batch, "discriminator")
        torch.stack(list(losses.values())).sum().backward()
        move.step()
    assert sum(loss.item() for loss in losses.values()) < 0.2, "0.69 is chance"


def test_examples_are_resized_cropped_and_mirrored_together() -> None:
    height, width = 60, 80
    depth = np.add.outer(np.arange(height) * 1.0, np.arange(width) * 0.5).astype(np.float32) + 1
    image = np.repeat((depth * 2).astype(np.uint8)[None, :, :, None], 3, axis=3)
    mirrored = set()
    for seed in range(12):
        example = DepthGan(crop=24).prepare_train(image, {0: depth}, np.random.default_rng(seed))
        assert tuple(example["image"].shape) == (3, 24, 24)
        np.testing.assert_array_equal(example["image"][0].numpy(), (example["depth"].numpy() * 2).astype(np.uint8))
        mirrored.add(bool(example["depth"][0, 0] > example["depth"][0, -1]))
    assert mirrored == {True, False}
    half = DepthGan(input_scale=0.5).prepare_train(image, {0: depth}, np.random.default_rng(0))
    assert tuple(half["depth"].shape) == (30, 40)
    assert np.abs(half["image"][0].numpy() / 2 - half["depth"].numpy()).max() < 2
    with pytest.raises(TrainingError, match="crop=61 does not fit a training image of 80x60"):
        DepthGan(crop=61).prepare_train(image, {0: depth}, np.random.default_rng(0))


def test_training_sees_what_predictions_see(tmp_path: Path) -> None:
    """The network gets the same pixels from both, to the rounding of a level."""
    model, image = built(input_scale=0.4), textured(60, 90)
    image = np.concatenate([image, image[:, ::-1]], axis=1)  # looks the same in the mirror
    example = model.prepare_train(image[None], {0: np.ones((60, 180), np.float32)}, np.random.default_rng(0))
    seen = []
    weights = saved(model, tmp_path / "w.safetensors")
    model.load(weights, (), "cpu")
    model.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0] * 255))
    model.predict(model.collate([model.prepare(image[None], (0,), NoMemo())]))
    assert seen[0].shape == (1, *example["image"].shape) == (1, 3, 24, 72)
    assert (seen[0] - example["image"]).abs().max() < 0.51


def test_images_of_several_sizes_need_crops() -> None:
    model = DepthGan()
    examples = [
        model.prepare_train(np.zeros((1, 8, side, 3), np.uint8), {0: np.ones((8, side), np.float32)}, rng)
        for side, rng in ((8, np.random.default_rng(0)), (16, np.random.default_rng(0)))
    ]
    with pytest.raises(TrainingError, match=r"images of 8x8, 16x8 pixels.*crop=256"):
        model.collate_train(examples)


def test_a_wrong_range_is_said() -> None:
    assert DepthGan().available() is None
    assert "not below" in str(DepthGan(min_depth=5, max_depth=5).available())


def test_real_pairs_by_the_command_line(
    data_root: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Trained for a few iterations on twelve real pairs, then evaluated on the five others through JPEG."""
    root = data_root / "rgbd_realsense"
    session = Session(tmp_path, tmp_path_factory.mktemp("cache"))
    model = "depth-gan:min_depth=0.3,max_depth=10,input_scale=0.2"
    where = ("--dataset", "rgbd:list=associations.txt,cap=10,every=4", "--data-root", str(root))
    quick = ("--set", "iterations=25", "--set", "batch=2", "--set", "warmup=5", "--set", "average=0.8")
    session.run(
        "train", "--task", "depth", "--model", model, *where, *quick, "--threads", "1", "-o", "desk.safetensors"
    )
    told = ("--model", model, "--weights", "desk.safetensors", "--resamples", "100", "--threads", "1")
    session.run("run", "--task", "depth:max_depth=10", *told, *where, "--codec", "jpeg@50,5")
    rows = session.select("select codec, level, metric, value, samples, status from results where is_primary")
    assert {row[:3] for row in rows} == {("none", None, "rmse"), ("jpeg", 50, "rmse"), ("jpeg", 5, "rmse")}
    assert {row[4:] for row in rows} == {(5, "finished")}
    found = dict(session.select("select metric, value from results where codec = 'none'"))
    assert len(found) == 14
    task, dataset = Depth(max_depth=10), Rgbd("depth", "test", root, list="associations.txt", cap=10, every=4)
    dataset.open()
    truths = [dataset[index].targets[0] for index in range(len(dataset))]
    middle = task.reduce([task.score(np.full_like(truth, 3**0.5), truth) for truth in truths])
    assert found["abs_rel"] < 0.8 * middle["abs_rel"][0], "it has learned more than the middle of its range"
