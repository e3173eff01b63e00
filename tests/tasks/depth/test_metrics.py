"""Depth's metrics against the textbook's formulas, written plainly, and against torchmetrics."""

import math

import numpy as np
import pytest
import torch

from harness.errors import ContentError, UsageError
from harness_tasks.depth.errors import crop_window
from harness_tasks.depth.task import Depth

NAMES = ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3")
Pair = tuple[np.ndarray, np.ndarray]


def random_pairs(seed: int, count: int, missing: float = 0.3) -> list[Pair]:
    """Maps of different sizes; predictions off by a factor, some of them beyond the cap; some truth missing."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(count):
        shape = tuple(rng.integers(5, 24, 2))
        truth = np.exp(rng.uniform(-1, 5, shape)).astype(np.float32)
        found = (truth * np.exp(rng.normal(0.1, 0.4, shape))).astype(np.float32)
        truth[rng.uniform(size=shape) < missing] = np.nan
        pairs.append((found, truth))
    return pairs


def textbook(found: list[float], truth: list[float]) -> dict[str, float]:
    """Eigen et al. (2014), one pixel at a time."""
    n = len(truth)
    pairs = list(zip(found, truth, strict=True))
    values = {
        "abs_rel": sum(abs(d - p) / d for p, d in pairs) / n,
        "sq_rel": sum((d - p) ** 2 / d for p, d in pairs) / n,
        "rmse": math.sqrt(sum((d - p) ** 2 for p, d in pairs) / n),
        "rmse_log": math.sqrt(sum((math.log(d) - math.log(p)) ** 2 for p, d in pairs) / n),
    }
    for power in (1, 2, 3):
        values[f"delta{power}"] = sum(max(d / p, p / d) < 1.25**power for p, d in pairs) / n
    return values


def valid(pair: Pair, low: float = 1e-3, high: float = 80.0) -> tuple[list[float], list[float]]:
    found, truth = (array.astype(np.float64).ravel().tolist() for array in pair)
    kept = [(min(max(p, low), high), d) for p, d in zip(found, truth, strict=True) if low < d < high]
    return [p for p, _ in kept], [d for _, d in kept]


def evaluate(task: Depth, pairs: list[Pair], weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    return task.reduce([task.score(*pair) for pair in pairs], weights)


def test_means_over_images_are_the_textbooks() -> None:
    pairs = random_pairs(1, 7)
    values = evaluate(Depth(), pairs)
    single = [textbook(*valid(pair)) for pair in pairs]
    for name in NAMES:
        assert values[name][0] == pytest.approx(np.mean([one[name] for one in single]), abs=1e-9, rel=1e-12), name


def test_pooled_metrics_are_the_textbooks_over_all_pixels() -> None:
    pairs = random_pairs(2, 7)
    values = evaluate(Depth(), pairs)
    parts = [valid(pair) for pair in pairs]
    whole = textbook([p for found, _ in parts for p in found], [d for _, truth in parts for d in truth])
    for name in NAMES:
        assert values[f"{name}_pooled"][0] == pytest.approx(whole[name], abs=1e-9, rel=1e-12), name
    assert abs(values["rmse"][0] - values["rmse_pooled"][0]) > 1e-3


def test_rmse_and_deltas_are_torchmetrics() -> None:
    from torchmetrics.functional import mean_squared_error, mean_squared_log_error

    pairs = [tuple(np.clip(array, 0.5, 70) for array in pair) for pair in random_pairs(3, 4, missing=0.0)]
    values = evaluate(Depth(), pairs)
    tensors = [(torch.from_numpy(p).double(), torch.from_numpy(d).double()) for p, d in pairs]
    rmse = [float(mean_squared_error(p.ravel(), d.ravel(), squared=False)) for p, d in tensors]
    assert values["rmse"][0] == pytest.approx(np.mean(rmse), abs=1e-9)
    logs = [float(mean_squared_log_error(p.ravel() - 1, d.ravel() - 1)) ** 0.5 for p, d in tensors]  # ln(1 + x)
    assert values["rmse_log"][0] == pytest.approx(np.mean(logs), abs=1e-9)
    pooled = mean_squared_error(*(torch.cat([pair[i].ravel() for pair in tensors]) for i in (0, 1)), squared=False)
    assert values["rmse_pooled"][0] == pytest.approx(float(pooled), abs=1e-9)


def test_whole_weights_repeat_images() -> None:
    pairs = random_pairs(4, 6)
    weights = np.array([[1, 1, 1, 1, 1, 1], [0, 2, 0, 3, 1, 0], [0, 0, 0, 0, 0, 4]], np.float64)
    values = evaluate(Depth(), pairs, weights)
    for row, counts in enumerate(weights.astype(int).tolist()):
        repeated = [pair for pair, count in zip(pairs, counts, strict=True) for _ in range(count)]
        for name, value in evaluate(Depth(), repeated).items():
            assert values[name][row] == pytest.approx(value[0], rel=1e-12), name


def test_a_perfect_prediction() -> None:
    truth = random_pairs(5, 1)[0][1]
    values = evaluate(Depth(), [(np.where(np.isfinite(truth), truth, 1.0).astype(np.float32), truth)])
    assert {name: float(values[name][0]) for name in NAMES} == {name: float("delta" in name) for name in NAMES}


def test_what_was_not_measured_or_lies_out_of_range_does_not_count() -> None:
    truth = np.array([[2.0, np.nan, 0.0, -1.0, np.inf, 80.0, 90.0, 5e-4]], np.float32)
    wild = np.array([[3.0, 50.0, 50.0, 50.0, 50.0, 5.0, 5.0, 5.0]], np.float32)
    task = Depth()
    statistics = task.score(wild, truth)
    assert int(statistics["pixels"]) == 1
    assert task.reduce([statistics])["rmse"][0] == 1.0


def test_predictions_are_clipped_to_the_range() -> None:
    truth = np.array([[70.0, 2.0]], np.float32)
    far = np.array([[500.0, 1e-9]], np.float32)
    values = evaluate(Depth(min_depth=1.0), [(far, truth)])
    assert values["rmse"][0] == pytest.approx(math.sqrt((10**2 + 1**2) / 2))


def test_images_without_a_valid_pixel_are_left_out() -> None:
    pairs = random_pairs(6, 3)
    blank = (pairs[1][0], np.full_like(pairs[1][1], np.nan))
    weights = np.array([[1, 1, 1], [0, 2, 0]], np.float64)
    values = evaluate(Depth(), [pairs[0], blank, pairs[2]], weights)
    without = evaluate(Depth(), [pairs[0], pairs[2]])
    for name, value in values.items():
        assert value[0] == without[name][0]
        assert np.isnan(value[1])
    assert all(np.isnan(value[0]) for value in evaluate(Depth(), [blank]).values())
    assert Depth().reduce([], np.ones((2, 0)))["rmse"].shape == (2,)
    assert Depth().sample_score([Depth().score(*blank)]) is None


def test_median_alignment_takes_away_the_scale() -> None:
    pairs = random_pairs(7, 5)
    tripled = [(3 * found, truth) for found, truth in pairs]
    plain, aligned = (evaluate(Depth(align=how), pairs) for how in ("none", "median"))
    for name in NAMES:
        assert evaluate(Depth(align="median"), tripled)[name] == pytest.approx(aligned[name], rel=1e-6), name
    assert evaluate(Depth(), tripled)["abs_rel"][0] > 2 * plain["abs_rel"][0]
    found, truth = pairs[0]
    known = (truth > 1e-3) & (truth < 80)
    ratio = np.median(truth[known].astype(float)) / np.median(found[known].astype(float))
    by_hand = textbook(*valid((found.astype(np.float64) * ratio, truth.astype(np.float64))))
    alone = evaluate(Depth(align="median"), [pairs[0]])
    for name in NAMES:
        assert alone[name][0] == pytest.approx(by_hand[name], abs=1e-9), name


def test_normalised_depth_is_a_share_of_the_cap() -> None:
    pairs = random_pairs(8, 4)
    metres, shares = evaluate(Depth(max_depth=50), pairs), evaluate(Depth(max_depth=50, normalised=True), pairs)
    for name in NAMES:
        factor = 50 if name in ("rmse", "sq_rel") else 1
        assert metres[name][0] == pytest.approx(factor * shares[name][0], rel=1e-9), name
    units = {metric.name: metric.unit for metric in Depth(normalised=True).all_metrics()}
    assert set(units.values()) == {""}
    assert {m.name for m in Depth().all_metrics() if m.unit == "m"} == {
        "rmse",
        "sq_rel",
        "rmse_pooled",
        "sq_rel_pooled",
    }


@pytest.mark.parametrize("crop", ["garg", "eigen"])
def test_a_crop_is_that_part_alone(crop: str) -> None:
    height, width = 375, 1242
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 60, (height, width)).astype(np.float32)
    found = rng.uniform(1, 60, (height, width)).astype(np.float32)
    rows, columns = crop_window(crop, height, width)
    whole, part = Depth(crop=crop), Depth()
    inside = part.score(found[rows, columns], truth[rows, columns])
    assert whole.score(found, truth)["sums"].tolist() == inside["sums"].tolist()
    # The numbers of monodepth's evaluate_kitti.py for KITTI's usual size.
    expected = {"garg": (153, 371, 44, 1197), "eigen": (124, 342, 44, 1197)}[crop]
    assert (rows.start, rows.stop, columns.start, columns.stop) == expected


def test_directions_and_the_primary_metric() -> None:
    metrics = {metric.name: metric for metric in Depth().all_metrics()}
    assert [name for name, metric in metrics.items() if metric.primary] == ["rmse"]
    assert {name for name, metric in metrics.items() if metric.higher_is_better} == {
        f"delta{n}{tail}" for n in (1, 2, 3) for tail in ("", "_pooled")
    }
    assert set(evaluate(Depth(), random_pairs(9, 1))) == set(metrics)


def test_what_cannot_be_scored_is_refused() -> None:
    truth = np.ones((4, 4), np.float32)
    with pytest.raises(ContentError, match=r"\[4, 5\] pixels"):
        Depth().score(np.ones((4, 5), np.float32), truth)
    for wrong in (np.nan, np.inf, 0.0, -1.0):
        with pytest.raises(ContentError, match="not positive and finite"):
            Depth().score(np.full((4, 4), wrong, np.float32), truth)
    with pytest.raises(UsageError, match="not below"):
        Depth(min_depth=5, max_depth=5)


def test_a_samples_score_is_its_rmse() -> None:
    task, pairs = Depth(), random_pairs(10, 2)
    statistics = [task.score(*pair) for pair in pairs]
    assert task.sample_score(statistics) == pytest.approx(task.reduce(statistics)["rmse_pooled"][0])
    assert not task.sample_metric.higher_is_better


def test_a_prediction_can_be_the_reference() -> None:
    task, (found, _) = Depth(), random_pairs(11, 1)[0]
    found = np.clip(found, 0.5, 70)
    assert task.reduce([task.score(found, task.as_target(found))])["rmse"][0] == 0


@pytest.mark.parametrize("options", [{}, {"align": "median", "crop": "garg"}, {"normalised": True, "max_depth": 10.0}])
@pytest.mark.parametrize("missing", [0.0, 0.3, 1.0])
def test_sums_are_those_of_whole_arrays(missing: float, options: dict[str, object]) -> None:
    """To the bit, although large frames are summed part by part. Depths at the limits are compared as float64."""
    task, rng = Depth(**options), np.random.default_rng(0)
    near, far = float(task.option("min_depth")), float(task.option("max_depth"))
    for shape in ((1, 1), (7, 19), (181, 182), (257, 511), (480, 640)):
        truth, found = (np.exp(rng.uniform(-2, 5, shape)).astype(np.float32) for _ in range(2))
        truth[rng.random(shape) < missing] = np.nan
        truth.flat[: min(2, truth.size)] = np.array([near, far], np.float32)[: truth.size]
        window = crop_window(task.option("crop"), *shape)
        t, p = truth[window].astype(np.float64).reshape(-1), found[window].astype(np.float64).reshape(-1)
        kept = (t > near) & (t < far)
        t, p = t[kept], p[kept]
        if task.option("align") == "median" and len(t):
            p *= np.median(t) / np.median(p)
        p = np.clip(p, near, far)
        if task.option("normalised"):
            t, p = t / far, p / far
        quotient = np.maximum(t / p, p / t)
        sums = [(np.abs(t - p) / t).sum(), ((t - p) ** 2 / t).sum(), ((t - p) ** 2).sum()]
        sums += [((np.log(t) - np.log(p)) ** 2).sum(), *((quotient < 1.25**power).sum() for power in (1, 2, 3))]
        statistics = task.score(found, truth)
        assert statistics["pixels"] == len(t)
        np.testing.assert_array_equal(statistics["sums"], np.array(sums, np.float64))


def test_drawings_are_brighter_where_it_is_nearer() -> None:
    depth = np.tile(np.geomspace(1, 100, 256).astype(np.float32), (192, 1))
    depth[:20, :30] = np.nan
    before, image = depth.copy(), np.zeros((192, 256, 3), np.uint8)
    drawn = Depth().draw(image, depth)
    assert drawn.dtype == np.uint8
    assert drawn.shape == (192, 256, 3)
    luma = drawn[60].astype(float) @ (0.299, 0.587, 0.114)
    assert (np.diff(luma) <= 1.5).all()
    assert luma[0] > 200
    assert luma[-1] < 30
    assert (drawn[:20, :30] == 128).all()
    np.testing.assert_array_equal(depth, before)
    np.testing.assert_array_equal(Depth().draw_target(image, depth), drawn)
    assert Depth().enlarged(depth, 3).shape == (576, 768)


def test_colours_are_in_equal_steps() -> None:
    """Differences of neighbouring colours in CIE L*a*b*, as OpenCV computes it, vary little."""
    import cv2

    from harness_tasks.depth.drawing import colours_of

    row = colours_of(np.geomspace(80, 2, 256, dtype=np.float32)[None], 2.0, 80.0)
    lab = cv2.cvtColor(row.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0][::8].astype(float)
    steps = np.linalg.norm(np.diff(lab, axis=0), axis=1)
    assert steps.max() < 2.5 * steps.min()
    assert (np.diff(lab[:, 0]) > 0).all()
