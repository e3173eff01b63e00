"""detectron2's detectors through the harness and through detectron2's own evaluation: the same numbers.

The network is a small Faster R-CNN, trained for a minute on a dozen photographs of COCO and evaluated on the same ones:
that its AP is far from 0 makes the comparison worth something; it says nothing about how good the detector is.
"""

import contextlib
import io
import json
import pickle
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.dataset import Outline
from harness.errors import UsageError, WeightsError
from harness.model import NoMemo
from harness.weights import save_state
from harness_tasks.datasets.coco import Coco
from harness_tasks.detection.models.detectron2 import Detectron2
from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Detections
from kit.real_detector import COCO_IMAGES, DETECTRON2_CONFIG, coco_part, trained_detectron2

needs_detectron2 = pytest.mark.skipif(find_spec("detectron2") is None, reason="detectron2 is not installed")
IMAGE = np.random.default_rng(0).integers(0, 256, (1, 90, 120, 3), dtype=np.uint8)


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """detectron2 and what it needs warn of their own deprecated calls when they are imported."""
    if find_spec("detectron2") is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import detectron2.checkpoint
            import detectron2.data
            import detectron2.evaluation
            import detectron2.modeling  # noqa: F401


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(DETECTRON2_CONFIG)
    return path


@pytest.mark.skipif(find_spec("detectron2") is not None, reason="detectron2 is installed")
def test_a_missing_detectron2_is_said() -> None:
    missing = Detectron2().available()
    assert missing is not None
    assert "https://detectron2.readthedocs.io" in missing
    assert "No module named" in missing


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, data_root: Path, config: Path, pytestconfig: pytest.Config
) -> tuple[Path, Path]:
    """A part of COCO on disk, and weights trained on it."""
    root = coco_part(data_root, tmp_path_factory.mktemp("coco"))
    return root, trained_detectron2(root, config, pytestconfig.cache.mkdir("real-detector"))


def through_the_harness(root: Path, config: Path, weights: Path, batch: int) -> tuple[dict[str, Detections], Any]:
    dataset = Coco("detection", "part", root)
    dataset.open()
    model, worker = Detectron2(config=str(config)), Detectron2(config=str(config))
    model.load(model.resolve_weights(str(weights), dataset.classes), dataset.classes, "cpu")
    groups: dict[tuple[int, ...], list[int]] = {}
    for index in range(len(dataset)):
        groups.setdefault(worker.prepared_shape(dataset.outline(index)), []).append(index)
    found: dict[int, Detections] = {}
    for indices in groups.values():
        for start in range(0, len(indices), batch):
            part = indices[start : start + batch]
            prepared = [worker.prepare(dataset[index].frames, (0,), NoMemo()) for index in part]
            for index, predictions in zip(part, model.predict(model.collate(prepared)), strict=True):
                found[index] = predictions[0]
    task = Detection(classes=dataset.classes)
    statistics = [task.score(found[index], dataset[index].targets[0]) for index in range(len(dataset))]
    return {dataset.outline(index).id: found[index] for index in found}, task.reduce(statistics)


def through_detectron2(root: Path, config: Path, weights: Path, folder: Path) -> tuple[list[dict[str, Any]], Any]:
    from detectron2.checkpoint import DetectionCheckpointer
    from detectron2.config import get_cfg
    from detectron2.data import DatasetCatalog, MetadataCatalog, build_detection_test_loader
    from detectron2.data.datasets import register_coco_instances
    from detectron2.evaluation import COCOEvaluator, inference_on_dataset
    from detectron2.modeling import build_model

    cfg = get_cfg()
    cfg.merge_from_file(str(config))
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = 80
    cfg.DATALOADER.NUM_WORKERS = 0
    model = build_model(cfg)
    DetectionCheckpointer(model).load(str(weights))
    register_coco_instances("part", {}, str(root / "annotations" / "instances_part.json"), str(root / "part"))
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loader = build_detection_test_loader(cfg, "part")
            evaluator = COCOEvaluator("part", tasks=("bbox",), distributed=False, output_dir=str(folder))
            results = inference_on_dataset(model, loader, evaluator)
    finally:
        DatasetCatalog.remove("part")
        MetadataCatalog.remove("part")
    return json.loads((folder / "coco_instances_results.json").read_text()), results["bbox"]


@needs_detectron2
def test_same_boxes_scores_and_ap_as_detectron2s_own_evaluation(
    trained: tuple[Path, Path], config: Path, tmp_path: Path
) -> None:
    root, weights = trained
    ours, metrics = through_the_harness(root, config, weights, batch=1)
    theirs, wanted = through_detectron2(root, config, weights, tmp_path)
    assert len(ours) == len(COCO_IMAGES)
    categories = json.loads((root / "annotations" / "instances_part.json").read_text())["categories"]
    number = {label: entry["id"] for label, entry in enumerate(sorted(categories, key=lambda entry: entry["id"]))}
    compared = 0
    for name, found in ours.items():
        own = [entry for entry in theirs if str(entry["image_id"]) == name]
        boxes = np.array([entry["bbox"] for entry in own]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        assert np.abs(found.boxes - boxes).max(initial=0) <= 1e-4
        assert np.abs(found.scores - [entry["score"] for entry in own]).max(initial=0) <= 1e-4
        assert [number[label] for label in found.labels.tolist()] == [entry["category_id"] for entry in own]
        compared += len(own)
    assert compared > len(ours)
    assert wanted["AP"] / 100 > 0.05
    for name in ("AP", "AP50", "AP75"):
        assert metrics[name][0] == pytest.approx(wanted[name] / 100, abs=1e-9)


@needs_detectron2
def test_batches_of_more_than_one(trained: tuple[Path, Path], config: Path) -> None:
    root, weights = trained
    one, metrics = through_the_harness(root, config, weights, batch=1)
    three, _ = through_the_harness(root, config, weights, batch=3)
    for name, found in one.items():
        assert np.allclose(found.scores, three[name].scores, atol=1e-4)
        assert np.allclose(found.boxes, three[name].boxes, atol=1e-2)
    assert metrics["AP"][0] > 0.05


@needs_detectron2
def test_preparing_equals_detectron2s_mapper(config: Path, data_root: Path) -> None:
    from detectron2.config import get_cfg
    from detectron2.data import DatasetMapper

    dataset = Coco("detection", "train2017", data_root / "coco_mini")
    dataset.open()
    for order in ("BGR", "RGB"):
        path = config.with_name(f"{order}.yaml")
        path.write_text(DETECTRON2_CONFIG.replace("FORMAT: BGR", f"FORMAT: {order}"))
        cfg = get_cfg()
        cfg.merge_from_file(str(path))
        mapper, model = DatasetMapper(cfg, is_train=False), Detectron2(config=str(path))
        for index in range(5):
            outline, sample = dataset.outline(index), dataset[index]
            name = data_root / "coco_mini" / "train2017" / f"{int(outline.id):012}.jpg"
            wanted = mapper({"file_name": str(name)})["image"]
            prepared = model.prepare(sample.frames, (0,), NoMemo())
            assert torch.equal(prepared["image"][0], wanted)
            assert prepared["size"].tolist() == [outline.height, outline.width]
            shape = (*prepared["image"].shape, outline.height, outline.width)
            assert model.prepared_shape(outline) == shape


@needs_detectron2
def test_classes_and_weights_that_do_not_fit(config: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    names = ("a", "b", "c")
    model = Detectron2(config=str(config))
    state = model.build(names).state_dict()
    save_state(tmp_path / "w.safetensors", state, names)
    model.load(model.resolve_weights(str(tmp_path / "w.safetensors"), ()), ("other",), "cpu")
    assert model.classes == names
    prepared = model.collate([model.prepare(IMAGE, (0,), NoMemo())])
    assert set(model.predict(prepared)[0][0].labels.tolist()) <= {0, 1, 2}
    model.load(model.resolve_weights(str(tmp_path / "w.safetensors"), ()), ("other",), "cpu", "bf16")
    assert np.isfinite(model.predict(prepared)[0][0].boxes).all()

    # As the model zoo's files are.
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"model": arrays, "__author__": "the model zoo"}, protocol=2))
    (tmp_path / "w.json").write_text(json.dumps({"classes": names}))
    zoo = Detectron2(config=str(config))
    zoo.load(zoo.resolve_weights(str(tmp_path / "w.pkl"), ()), ("other",), "cpu")
    assert all(torch.equal(tensor, state[name]) for name, tensor in zoo.network.state_dict().items())
    (tmp_path / "w.json").unlink()

    torch.save({"model": {**state, "pixel_mean": torch.zeros(3)}}, tmp_path / "w.pth")
    begun = Detectron2(config=str(config))
    network = begun.build(names, begun.resolve_weights(str(tmp_path / "w.pth"), names))
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    with pytest.raises(WeightsError, match="trained on 3 classes, the dataset has 2: x, y"):
        begun.build(("x", "y"), begun.resolve_weights(str(tmp_path / "w.pth"), names))
    with pytest.raises(WeightsError, match="trained on 3 classes, the dataset has 2"):
        model.load(model.resolve_weights(str(tmp_path / "w.pth"), ("x", "y")), ("x", "y"), "cpu")
    with pytest.raises(WeightsError, match="trained on 3 classes, the config has 80"):
        model.load(model.resolve_weights(str(tmp_path / "w.pth"), names), names, "cpu")
    own = config.with_name("three.yaml")
    own.write_text(DETECTRON2_CONFIG.replace("NUM_CLASSES: 80", "NUM_CLASSES: 3"))
    three = Detectron2(config=str(own))
    three.load(three.resolve_weights(str(tmp_path / "w.pth"), names), names, "cpu")
    assert three.classes == names
    state.pop("backbone.fpn_output2.weight")
    save_state(tmp_path / "w.safetensors", state, names)
    with pytest.raises(WeightsError, match=r"1 missing \(backbone\.fpn_output2\.weight\)"):
        model.load(model.resolve_weights(str(tmp_path / "w.safetensors"), ()), names, "cpu")


@needs_detectron2
def test_the_model_zoos_configs() -> None:
    model = Detectron2()
    # 480x640 to a shorter side of 800, as the zoo's Faster R-CNN is tested.
    assert model.prepared_shape(Outline("a", 480, 640)) == (1, 3, 800, 1067, 480, 640)
    assert model.fingerprint()["config"] != Detectron2(score_thresh=0.5).fingerprint()["config"]
    with pytest.raises(UsageError, match=r"Did you mean COCO-Detection/faster_rcnn_R_50_FPN_3x\.yaml"):
        Detectron2(config="faster_rcnn_R_50_FPN_3x.yaml").fingerprint()


@needs_detectron2
def test_a_config_goes_by_its_content_not_by_its_path(config: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.yaml"
    moved.write_text(config.read_text())
    here, there = Detectron2(config=str(config)), Detectron2(config=str(moved))
    assert here.identity_config() == there.identity_config()
    assert str(moved) not in str(there.identity_config())
    moved.write_text(config.read_text().replace("NUM_CLASSES: 80", "NUM_CLASSES: 3"))
    assert here.identity_config() != Detectron2(config=str(moved)).identity_config()
    assert Detectron2().identity_config() == Detectron2().config
    assert here.fingerprint()["torchvision"] == version("torchvision")


@needs_detectron2
def test_every_config_of_the_zoo_is_read_as_detectron2_reads_it() -> None:
    import detectron2
    from detectron2.config import get_cfg

    from harness_tasks.detection.models.detectron2_config import read_config

    zoo = Path(detectron2.__file__).parent / "model_zoo" / "configs"
    names = sorted(path.relative_to(zoo).as_posix() for path in zoo.glob("*/*.yaml"))
    assert len(names) > 50
    for name in names:
        own = get_cfg()
        own.merge_from_file(str(zoo / name), allow_unsafe=True)
        own.MODEL.WEIGHTS, own.MODEL.MASK_ON, own.MODEL.KEYPOINT_ON = "", False, False
        assert read_config(name, None) == own


@needs_detectron2
def test_configs_that_cannot_be_read(tmp_path: Path) -> None:
    witness, path = tmp_path / "executed", tmp_path / "c.yaml"
    contents = {
        "wants to execute code": f"MODEL: !!python/object/apply:os.system ['touch {witness}']",
        "cannot be read by detectron2": "MODEL: {NO_SUCH_KEY: 3}\nVERSION: 2",
        r"cannot be read by detectron2: while parsing": "MODEL: [",
    }
    for message, content in contents.items():
        path.write_text(content)
        with pytest.raises(UsageError, match=message):
            Detectron2(config=str(path)).fingerprint()
    assert not witness.exists()


@needs_detectron2
@pytest.mark.usefixtures("no_network")
def test_weights_of_the_zoo_without_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FVCORE_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"https://.*by --weights"):
        Detectron2().resolve_weights(None, ())
    own = tmp_path / "own.yaml"
    own.write_text(DETECTRON2_CONFIG)
    with pytest.raises(WeightsError, match="is no name in the model zoo"):
        Detectron2(config=str(own)).resolve_weights(None, ())
