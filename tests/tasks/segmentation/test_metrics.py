"""Segmentation's metrics: a case by hand, torchmetrics on random label maps, resamples, and classes by name."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_jaccard_index,
)

from harness.errors import PluginError, WeightsError
from harness.statistics.packing import pack, unpack
from harness_tasks.segmentation.datasets.camvid import CAMVID_CLASSES
from harness_tasks.segmentation.datasets.cityscapes import CITYSCAPES_CLASSES
from harness_tasks.segmentation.drawing import colour_of
from harness_tasks.segmentation.task import Segmentation, confusion_matrix
from harness_tasks.segmentation.types import IGNORE

NAMES = ("road", "car", "sky", "tree", "bus")


def random_maps(count: int, classes: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Predictions and truths of odd sizes, each with some right and some ignored pixels."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        shape = (int(rng.integers(7, 40)), int(rng.integers(7, 40)))
        truth = rng.integers(0, classes, shape).astype(np.uint8)
        guess = np.where(rng.random(shape) < 0.6, truth, rng.integers(0, classes, shape)).astype(np.uint8)
        made.append((guess, np.where(rng.random(shape) < 0.1, IGNORE, truth).astype(np.uint8)))
    return made


def whole(maps: list[tuple[np.ndarray, np.ndarray]]) -> tuple[torch.Tensor, torch.Tensor]:
    guess, truth = (np.concatenate([pair[i].ravel() for pair in maps]) for i in (0, 1))
    return torch.from_numpy(guess.astype(np.int64)), torch.from_numpy(truth.astype(np.int64))


def test_a_case_by_hand() -> None:
    """Truth 4 road, 3 car, 1 sky, 1 ignored; tree is predicted and never true; bus is nowhere."""
    truth = np.array([[0, 0, 0], [0, 1, 1], [1, 2, 255]], np.uint8)
    guess = np.array([[0, 0, 1], [3, 1, 1], [0, 2, 3]], np.uint8)
    task = Segmentation(NAMES)
    found = {name: values[0] for name, values in task.reduce([task.score(guess, truth)]).items()}
    assert found["global_accuracy"] == 5 / 8
    assert found["accuracy[road]"] == 2 / 4
    assert found["accuracy[car]"] == 2 / 3
    assert found["IoU[road]"] == 2 / (4 + 3 - 2)
    assert found["IoU[car]"] == 2 / (3 + 3 - 2)
    assert found["IoU[sky]"] == 1
    assert np.isnan([found["IoU[tree]"], found["IoU[bus]"], found["accuracy[tree]"]]).all()
    assert found["mIoU"] == pytest.approx((2 / 5 + 2 / 4 + 1) / 3, abs=1e-15)
    assert found["mean_class_accuracy"] == pytest.approx((2 / 4 + 2 / 3 + 1) / 3, abs=1e-15)
    assert list(found) == [metric.name for metric in task.all_metrics()]


def test_equal_to_torchmetrics() -> None:
    maps = random_maps(30, 5)
    task = Segmentation(NAMES)
    found = {name: values[0] for name, values in task.reduce([task.score(*pair) for pair in maps]).items()}
    guess, truth = whole(maps)
    confusion = multiclass_confusion_matrix(guess, truth, 5, ignore_index=IGNORE).numpy()
    ours = sum(confusion_matrix(*pair, 5) for pair in maps)
    assert (ours[:, :5] == confusion).all()
    assert not ours[:, 5].any()
    # In double precision from torchmetrics' own counts; its ratios are in single precision.
    hits, rows, columns = np.diag(confusion).astype(float), confusion.sum(1), confusion.sum(0)
    overlaps = hits / (rows + columns - hits)
    assert found["mIoU"] == pytest.approx(overlaps.mean(), abs=1e-12)
    assert found["global_accuracy"] == pytest.approx(hits.sum() / rows.sum(), abs=1e-12)
    assert found["mean_class_accuracy"] == pytest.approx((hits / rows).mean(), abs=1e-12)
    for number, name in enumerate(NAMES):
        assert found[f"IoU[{name}]"] == pytest.approx(overlaps[number], abs=1e-12)
    jaccard = multiclass_jaccard_index(guess, truth, 5, ignore_index=IGNORE)
    assert found["mIoU"] == pytest.approx(float(jaccard), abs=1e-6)
    for average, name in (("macro", "mean_class_accuracy"), ("micro", "global_accuracy")):
        accuracy = multiclass_accuracy(guess, truth, 5, average=average, ignore_index=IGNORE)
        assert found[name] == pytest.approx(float(accuracy), abs=1e-6)


def test_weights_count_frames_so_many_times() -> None:
    maps = random_maps(9, 5, seed=3)
    task = Segmentation(NAMES)
    statistics = [task.score(*pair) for pair in maps]
    weights = np.random.default_rng(1).integers(0, 4, (20, len(maps))).astype(np.float64)
    resampled = task.reduce(statistics, weights)
    for row, counts in enumerate(weights.astype(int)):
        repeated = [frame for frame, count in zip(statistics, counts, strict=True) for _ in range(count)]
        once = task.reduce(repeated)
        assert all(np.array_equal(values[row], once[name][0], equal_nan=True) for name, values in resampled.items())


def test_a_class_without_truth_in_a_resample_is_left_out_there() -> None:
    task = Segmentation(("a", "b"))
    only_a, both = np.zeros((2, 2), np.uint8), np.array([[0, 1], [0, 1]], np.uint8)
    statistics = [task.score(only_a, only_a), task.score(only_a, both)]
    found = task.reduce(statistics, np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
    assert found["mIoU"][0] == 1
    assert found["mIoU"][1] == (2 / 4 + 0) / 2
    assert np.isnan(found["IoU[b]"][0])
    assert all(np.isnan(values[2]) for values in found.values())


def test_no_frames_and_no_labels_have_no_metric() -> None:
    task = Segmentation(NAMES)
    assert all(np.isnan(values).all() for values in task.reduce([]).values())
    unlabelled = task.score(np.zeros((3, 3), np.uint8), np.full((3, 3), IGNORE, np.uint8))
    assert task.sample_score([unlabelled]) is None
    assert task.sample_score([task.score(np.zeros((3, 3), np.uint8), np.zeros((3, 3), np.uint8))]) == 1.0


def test_statistics_are_small() -> None:
    task = Segmentation(tuple(map(str, range(19))))
    ((guess, truth),) = random_maps(1, 19)
    kept = pack([task.score(guess, truth)])
    assert len(kept) < 2000
    assert (unpack(kept)[0]["confusion"] == confusion_matrix(guess, truth, 19)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
@pytest.mark.parametrize("classes", [1, 11, 19, 254])
def test_every_pixel_is_counted_once(classes: int, dtype: type) -> None:
    """Against a count of one pixel at a time, with arrays in any order in memory."""
    rng = np.random.default_rng(classes)
    truth, guess = rng.integers(0, classes, (61, 47)), rng.integers(0, classes + 1, (61, 47))
    truth[rng.random(truth.shape) < 0.2] = IGNORE
    expected = np.zeros((classes, classes + 1), np.int64)
    kept = truth != IGNORE
    np.add.at(expected, (truth[kept], guess[kept]), 1)
    found = confusion_matrix(guess.astype(dtype)[:, ::-1], np.asfortranarray(truth.astype(np.uint8))[:, ::-1], classes)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected)


def test_large_maps_are_counted_exactly() -> None:
    """OpenCV returns counts as float32, which has no 2^24 + 1."""
    truth = np.zeros((4097, 4099), np.uint8)
    guess = np.zeros_like(truth)
    guess[0, 0] = 1
    assert truth.size > 2**24 + 2
    assert confusion_matrix(guess, truth, 1).tolist() == [[truth.size - 1, 1]]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(PluginError, match=r"\[2, 3\]; given: \[3, 2\]"):
        confusion_matrix(np.zeros((3, 2), np.uint8), np.zeros((2, 3), np.uint8), 2)
    with pytest.raises(PluginError, match="truth has labels from 7 to 7"):
        confusion_matrix(np.zeros((1, 1), np.uint8), np.full((1, 1), 7, np.uint8), 2)
    with pytest.raises(PluginError, match="prediction has labels from 3 to 3"):
        confusion_matrix(np.full((1, 1), 3, np.uint8), np.zeros((1, 1), np.uint8), 2)


def test_classes_are_translated_by_name() -> None:
    task = Segmentation(CAMVID_CLASSES)
    translate = task.translator(CITYSCAPES_CLASSES, "camvid")
    names = ("road", "sky", "car", "bus")
    translated = translate(np.array([[CITYSCAPES_CLASSES.index(name) for name in names]], np.uint8))
    assert translated.tolist() == [[3, 0, 8, len(CAMVID_CLASSES)]]
    # The bus is a miss of the class that is there, and no false pixel of any other.
    statistics = task.score(translated, np.array([[3, 0, 8, 8]], np.uint8))
    found = task.reduce([statistics])
    assert (found["IoU[Car]"][0], found["IoU[Road]"][0], found["global_accuracy"][0]) == (0.5, 1.0, 0.75)
    (note,) = task.translation_notes(CITYSCAPES_CLASSES, "camvid")
    assert "lacks 5 of its 11 classes (Pavement, Tree, SignSymbol, Pedestrian, Bicyclist)" in note
    assert task.translation_notes(CAMVID_CLASSES, "camvid") == []
    same = np.random.default_rng(0).integers(0, len(CITYSCAPES_CLASSES), (30, 40))
    np.testing.assert_array_equal(translate(same.astype(np.uint8)), translate(same))
    assert translate(same.astype(np.uint8)).dtype == np.uint8
    with pytest.raises(IndexError):
        translate(np.array([[len(CITYSCAPES_CLASSES)]], np.uint8))
    with pytest.raises(WeightsError, match="not one name is the same"):
        task.translator(("cat", "dog"), "camvid")


def test_a_prediction_serves_as_truth_and_is_drawn() -> None:
    task = Segmentation(NAMES)
    prediction = np.array([[0, 1], [4, 5]], np.int64)
    target = task.as_target(prediction)
    assert target.dtype == np.uint8
    assert target.tolist() == [[0, 1], [4, IGNORE]]
    assert task.reduce([task.score(prediction, target)])["mIoU"][0] == 1
    image = np.full((2, 2, 3), 100, np.uint8)
    drawn = task.draw(image, prediction)
    assert (drawn == task.draw_target(image, target)).all()
    assert drawn[1, 1].tolist() == [100, 100, 100]
    assert drawn[0, 0].tolist() == [round(0.4 * 100 + 0.6 * value) for value in colour_of("road", 0)]
    assert (image == 100).all()
    assert task.enlarged(prediction, 3).shape == (6, 6)
    for names in (CAMVID_CLASSES, CITYSCAPES_CLASSES):
        assert len({colour_of(name, number) for number, name in enumerate(names)}) == len(names)
