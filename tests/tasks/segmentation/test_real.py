"""`harness run` on a real Cityscapes frame and on CamVid frames, with networks that have learned the former.

They are evaluated on the frame that they were trained on: far from random weights, and no claim about them.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from harness.model import NoMemo
from harness.weights import save_state
from harness_tasks.segmentation.datasets.camvid import CAMVID_CLASSES, CamVid
from harness_tasks.segmentation.datasets.cityscapes import CITYSCAPES_CLASSES, Cityscapes
from harness_tasks.segmentation.models.common import PixelClassifier
from harness_tasks.segmentation.models.segnet import SegNet
from harness_tasks.segmentation.models.smp import Smp
from kit.command import Session

MODELS = {
    "segnet:width=0.12,skips=true": (SegNet(width=0.12, skips=True, dice=1.0, jitter=0.0), 50, 1e-2),
    "smp:encoder=mobilenet_v2": (Smp(encoder="mobilenet_v2", dice=1.0, jitter=0.0), 30, 3e-3),
}


def fitted(model: PixelClassifier, dataset: Cityscapes, iterations: int, rate: float, path: Path) -> Path:
    """Weights of a model that has seen one frame, and its mirror image, so many times."""
    torch.manual_seed(0)
    network = model.build(dataset.classes).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.3  # so that the running statistics arrive in a few iterations
    optimizer = torch.optim.Adam(network.parameters(), rate)
    rng = np.random.default_rng(0)
    sample = dataset[0]
    for iteration in range(iterations):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - iteration / iterations)
        examples = [model.prepare_train(sample.frames, sample.targets, rng) for _ in range(2)]
        optimizer.zero_grad()
        sum(model.losses(model.collate_train(examples), "model").values()).backward()
        optimizer.step()
    save_state(path, network.state_dict(), dataset.classes)
    return path


@pytest.fixture(scope="module")
def weights(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    dataset = Cityscapes("segmentation", None, data_root / "cityscapes_mini")
    dataset.open()
    folder = tmp_path_factory.mktemp("weights")
    return {
        text: fitted(model, dataset, iterations, rate, folder / f"{model.name}.safetensors")
        for text, (model, iterations, rate) in MODELS.items()
    }


@pytest.mark.parametrize("model", list(MODELS), ids=["segnet", "smp"])
def test_a_cityscapes_frame(model: str, weights: dict[str, Path], data_root: Path, tmp_path: Path) -> None:
    session = Session(tmp_path, tmp_path / "cache")
    run = ("run", "--task", "segmentation", "--model", model, "--weights", str(weights[model]), "--resamples", "100")
    root = f"cityscapes={data_root / 'cityscapes_mini'}"
    session.run(*run, "--dataset", "cityscapes", "--data-root", root, "--codec", "jpeg@95,5")
    rows = session.select("select coalesce(level, 100), metric, value, status from results")
    found = {(level, metric): value for level, metric, value, _ in rows}
    assert {status for *_, status in rows} == {"finished"}
    # 10 of the 19 classes are in the frame; the commonest alone would be right in a third of the pixels.
    assert sum(found[100, f"IoU[{name}]"] is not None for name in CITYSCAPES_CLASSES) == 10
    assert found[100, "global_accuracy"] > 0.75
    assert found[100, "mIoU"] > 0.4
    # Of all pixels: in one frame a class of a few pixels moves mIoU by several points, differently on each processor.
    assert found[95, "global_accuracy"] > 0.95 * found[100, "global_accuracy"]
    assert found[5, "mIoU"] < found[95, "mIoU"]


def test_camvid_by_the_names_of_its_classes(weights: dict[str, Path], data_root: Path, tmp_path: Path) -> None:
    """What learned Cityscapes' classes is told by name; CamVid's others are missed, and the run says so."""
    session = Session(tmp_path, tmp_path / "cache")
    model = "segnet:width=0.12,skips=true"
    arguments = ("--task", "segmentation", "--model", model, "--weights", str(weights[model]), "--limit", "3")
    data = ("--dataset", "camvid", "--data-root", str(data_root), "--codec", "none", "--resamples", "100")
    done = session.run("run", *arguments, *data)
    assert "lacks 5 of its 11 classes (Pavement, Tree, SignSymbol, Pedestrian, Bicyclist)" in " ".join(
        done.stderr.split()
    )
    found = dict(session.select("select metric, value from results"))
    assert found["IoU[Tree]"] == 0
    assert {name: found[f"IoU[{name}]"] for name in CAMVID_CLASSES} == pytest.approx(
        overlaps(model, weights[model], data_root, [row[0] for row in session.select("select sample from per_sample")])
    )


def overlaps(text: str, weights: Path, data_root: Path, wanted: list[str]) -> dict[str, float]:
    """IoU of CamVid's classes on some frames, counted pixel by pixel under the names of both sides."""
    model = MODELS[text][0]
    model.load(model.resolve_weights(str(weights), ()), (), "cpu")
    dataset = CamVid("segmentation", None, data_root / "camvid")
    dataset.open()
    hit, either = dict.fromkeys(CAMVID_CLASSES, 0), dict.fromkeys(CAMVID_CLASSES, 0)
    said = np.array([name.lower() for name in CITYSCAPES_CLASSES])
    for index in range(len(dataset)):
        if dataset.outline(index).id not in wanted:
            continue
        sample = dataset[index]
        with torch.inference_mode():
            ((labels,),) = model.predict(model.collate([model.prepare(sample.frames, (0,), NoMemo())]))
        known = sample.targets[0] != 255
        names = said[np.asarray(labels)]
        for number, name in enumerate(CAMVID_CLASSES):
            true, found = known & (sample.targets[0] == number), known & (names == name.lower())
            hit[name] += int((true & found).sum())
            either[name] += int((true | found).sum())
    return {name: hit[name] / either[name] for name in CAMVID_CLASSES}
