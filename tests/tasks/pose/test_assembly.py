"""The maps that OpenPose is to learn, and the parsing of maps into persons."""

import math
from pathlib import Path

import numpy as np
import pytest

from harness_tasks.datasets.coco import Coco
from harness_tasks.pose.models.assembly import Parsing, assemble, peaks
from harness_tasks.pose.models.targets import affinity_fields, cells, confidence_maps, learnt_mask, pixels
from harness_tasks.pose.models.views import fitted, person_view, whole_view
from harness_tasks.pose.skeleton import COCO_PARTS, FIELDS, LIMBS, MIRRORED, PARTS, parts_of
from harness_tasks.pose.task import Pose
from harness_tasks.pose.types import KEYPOINTS, Persons, Poses
from kit.pictures import textured

STANDING = {
    "nose": (0, 10), "eye": (3, 7), "ear": (7, 9), "shoulder": (16, 30), "elbow": (22, 55), "wrist": (24, 78),
    "hip": (11, 80), "knee": (12, 115), "ankle": (13, 150),
}  # fmt: skip
"""A person of 150 pixels: how far left and how far down each part is."""


def standing(x: float, y: float, scale: float = 1.0) -> np.ndarray:
    """float64[17, 3]: facing the camera, so that their left is on the right."""
    points = np.full((17, 3), 2.0)
    for row, name in enumerate(KEYPOINTS):
        across, down = STANDING[name.split("_")[-1]]
        points[row, :2] = x + scale * across * (-1 if name.startswith("right") else 1), y + scale * down
    return points


def parsed(
    keypoints: np.ndarray, size: tuple[int, int], stride: int = 4, spread: float = 1.25, rules: Parsing | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What comes back from true maps: key points in pixels, and scores."""
    parts, shape = parts_of(keypoints), (-(-size[0] // stride), -(-size[1] // stride))
    maps = confidence_maps(parts, shape, stride, spread)
    fields = affinity_fields(parts, shape, stride, spread)
    found, scores = assemble(maps, fields, rules or Parsing())
    found = found[:, list(COCO_PARTS)]
    found[..., :2] = pixels(found[..., :2], stride) * (found[..., 2:] > 0)
    return found, scores


def test_the_published_models_order() -> None:
    # Channel numbers of the published code, which counts the background before the fields: 31 is field channel 12.
    published = [31, 39, 33, 35, 41, 43, 19, 21, 23, 25, 27, 29, 47, 49, 53, 51, 55, 37, 45]
    assert [19 + 2 * field for field in FIELDS] == published
    assert sorted(FIELDS) == list(range(19))
    assert [PARTS[part] for part in COCO_PARTS] == list(KEYPOINTS)
    for name, other in zip(KEYPOINTS, (KEYPOINTS[number] for number in MIRRORED), strict=True):
        assert {name.partition("_")[0], other.partition("_")[0]} in ({"left", "right"}, {"nose"})
        assert name.partition("_")[2] == other.partition("_")[2]


def test_true_maps_come_back_as_the_persons_they_are_of() -> None:
    persons = np.stack([standing(60, 20), standing(140, 12.4, 1.1), standing(215.5, 60, 0.5)])
    found, scores = parsed(persons, (192, 256))
    order = [int(np.abs(found[:, 0, 0] - person[0, 0]).argmin()) for person in persons]
    assert sorted(order) == [0, 1, 2]
    assert np.abs(found[order][..., :2] - persons[..., :2]).max() < 0.35  # pixels, at stride 4
    assert (found[..., 2] > 0.85).all()
    assert (scores > 25).all()


@pytest.mark.parametrize("stride", [4, 8])
def test_parts_closer_than_a_cell_are_joined(stride: int) -> None:
    found, _ = parsed(standing(60, 40, 0.25)[None], (96, 128), stride, 0.875)  # eyes and ears a pixel or two apart
    assert len(found) == 1
    assert (found[0, :, 2] > 0).all()


def test_persons_whose_limbs_cross_are_told_apart() -> None:
    persons = np.stack([standing(100, 20), standing(126, 20)])  # the wrists of one beside the elbows of the other
    found, _ = parsed(persons, (192, 256))
    assert len(found) == 2
    found = found[np.argsort(found[:, 0, 0])]
    assert np.abs(found[..., :2] - persons[..., :2]).max() < 1.0


@pytest.mark.parametrize(("stride", "spread"), [(8, 0.875), (4, 1.25)])
def test_parsing_of_real_annotations_true_maps(stride: int, spread: float, data_root: Path) -> None:
    # What is lost are persons without a neck (one shoulder labelled) and with fewer than four parts: the same as in
    # the published parsing, whose tree hangs on the neck.
    dataset = Coco("pose", "train2017", data_root / "coco_mini")
    dataset.open()
    task, statistics = Pose(), []
    for index in range(len(dataset)):
        target, size = dataset._index.persons_of(index), dataset._index.sizes[index]
        if size is None or not len(target.crowd):
            continue
        found, scores = parsed(target.keypoints, size, stride, spread)
        statistics.append(task.score(Poses(found.astype(np.float32), scores.astype(np.float32)), target))
    metrics = task.reduce(statistics)
    assert len(statistics) == 36
    assert metrics["AP"][0] > 0.73
    assert metrics["AP"][0] > 0.95 * metrics["AP50"][0]


def test_thresholds_decide_what_is_found() -> None:
    parts = parts_of(standing(60, 20)[None])
    maps, fields = confidence_maps(parts, (48, 64), 4, 1.25), affinity_fields(parts, (48, 64), 4, 1.25)
    weak = maps * 0.3
    assert len(assemble(weak, fields, Parsing(part=0.1))[0]) == 1
    assert len(assemble(weak, fields, Parsing(part=0.35))[0]) == 0
    assert len(assemble(maps, fields * 0.2, Parsing(affinity=0.05))[0]) == 1
    assert len(assemble(maps, -fields, Parsing())[0]) == 0
    assert len(assemble(maps * 0, fields * 0, Parsing())[0]) == 0


def test_a_person_with_few_parts_is_none() -> None:
    points = standing(60, 20)
    points[3:] = 0
    assert len(parsed(points[None], (192, 128))[0]) == 0
    assert len(parsed(points[None], (192, 128), rules=Parsing(parts=3))[0]) == 1


def test_peaks_lie_between_cells() -> None:
    places = np.random.default_rng(0).uniform(20, 100, (18, 2))
    parts = np.concatenate([places, np.ones((18, 1))], axis=1)[None]
    found = peaks(confidence_maps(parts, (32, 32), 4, 1.25)[:18], Parsing())
    assert found[:, 0].tolist() == list(range(18))
    assert np.abs(pixels(found[:, 1:3], 4) - places).max() < 0.05
    assert cells(pixels(np.array([1.5, 2.0]), 8), 8).tolist() == [1.5, 2.0]


def test_only_the_most_confident_candidates_count() -> None:
    noise = np.random.default_rng(0).random((18, 64, 64), dtype=np.float32)
    found = peaks(noise, Parsing(most=5))
    assert len(found) == 18 * 5
    assert all((np.diff(found[found[:, 0] == part, 3]) <= 0).all() for part in range(18))


def plain(confidence: np.ndarray, affinity: np.ndarray, rules: Parsing) -> list[tuple[dict[int, int], float]]:
    """The persons, by loops over limbs and pairs of candidates: their candidates by part, and their sums."""
    candidates = peaks(confidence, rules)
    place, scores = candidates[:, 1:3], candidates[:, 3]
    persons: list[tuple[dict[int, int], float]] = []
    for limb, (start, end) in enumerate(LIMBS):
        pairs = []
        for a in np.flatnonzero(candidates[:, 0] == start):
            for b in np.flatnonzero(candidates[:, 0] == end):
                length = math.dist(place[a], place[b])
                unit = (place[b] - place[a]) / max(length, 1e-4)
                points = [place[a] + share * (place[b] - place[a]) for share in np.linspace(0, 1, 10)]
                fields = [affinity[2 * FIELDS[limb] + axis] for axis in (0, 1)]
                vectors = [[bilinear(field, *point) for field in fields] for point in points]
                along = [float(np.dot(vector, unit)) for vector in vectors]
                value = np.mean(along) + min(0.5 * affinity.shape[1] / max(length, 1e-4) - 1, 0)
                joined = sum(one > rules.affinity for one in along) > rules.share * 10 and value > 0
                if length <= rules.near:
                    value, joined = max(value, np.mean([math.hypot(*vector) for vector in vectors])), True
                if joined:
                    pairs.append((-value, a, b))
        used: set[int] = set()
        for negative, a, b in sorted(pairs):
            if {a, b} & used:
                continue
            used |= {a, b}
            owners = [n for n, (parts, _) in enumerate(persons) if parts.get(start) == a or parts.get(end) == b]
            if not owners and limb < 17:
                persons.append(({start: a, end: b}, scores[a] + scores[b] - negative))
            elif len(owners) == 1:
                parts, total = persons[owners[0]]
                for number, candidate in ((start, a), (end, b)):
                    if number not in parts:
                        parts[number], total = candidate, total + scores[candidate] - negative
                persons[owners[0]] = (parts, total)
            elif len(owners) == 2 and not persons[owners[0]][0].keys() & persons[owners[1]][0].keys():
                parts, total = persons.pop(owners[1])
                persons[owners[0]] = (persons[owners[0]][0] | parts, persons[owners[0]][1] + total - negative)
    return [(p, t) for p, t in persons if len(p) >= rules.parts and t >= rules.mean * len(p)]


def bilinear(field: np.ndarray, x: float, y: float) -> float:
    x, y = min(max(x, 0), field.shape[1] - 1), min(max(y, 0), field.shape[0] - 1)
    left, top = int(x), int(y)
    right, bottom = min(left + 1, field.shape[1] - 1), min(top + 1, field.shape[0] - 1)
    upper = field[top, left] * (left + 1 - x) + field[top, right] * (x - left)
    lower = field[bottom, left] * (left + 1 - x) + field[bottom, right] * (x - left)
    return float(upper * (top + 1 - y) + lower * (y - top))


@pytest.mark.parametrize("seed", range(6))
def test_persons_are_those_of_a_plain_parsing(seed: int) -> None:
    """In noise, with parts that compete for limbs, persons that are joined, and few that are whole."""
    rng = np.random.default_rng(seed)
    confidence = np.abs(rng.normal(0, 0.02, (18, 20, 24))).astype(np.float32)
    for _ in range(90):
        confidence[rng.integers(18), rng.integers(20), rng.integers(24)] = rng.uniform(0.3, 1)
    affinity = rng.normal(0.2, 0.5, (38, 20, 24)).astype(np.float32)
    rules = Parsing(share=0.45, near=1.5, parts=2, mean=0.1, most=(64, 3)[seed % 2])
    expected = plain(confidence, affinity, rules)
    found, totals = assemble(confidence, affinity, rules)
    assert len(expected) > 3
    assert totals == pytest.approx([total for _, total in expected])
    candidates = peaks(confidence, rules)
    for points, (parts, _) in zip(found, expected, strict=True):
        assert sorted(parts) == np.flatnonzero(points[:, 2]).tolist()
        for part, candidate in parts.items():
            np.testing.assert_array_equal(points[part], candidates[candidate, 1:])


def test_fields_point_along_limbs_and_average_where_they_meet() -> None:
    points = np.zeros((2, 17, 3))
    points[0, 5], points[0, 7] = [10, 20, 2], [50, 20, 2]  # a left upper arm to the right
    points[1, 5], points[1, 7] = [30, 0, 2], [30, 40, 2]  # another one downwards, across it
    fields = affinity_fields(parts_of(points), (16, 16), 4, 1.0)
    limb = FIELDS[LIMBS.index((PARTS.index("left_shoulder"), PARTS.index("left_elbow")))]
    x, y = fields[2 * limb], fields[2 * limb + 1]
    assert (x[5, 3], y[5, 3]) == (1, 0)
    assert (x[2, 7], y[2, 7]) == (0, 1)
    assert (x[5, 7], y[5, 7]) == (0.5, 0.5)
    assert x[12, 12] == y[12, 12] == 0
    assert np.count_nonzero(fields) == np.count_nonzero(x) + np.count_nonzero(y)


def test_nothing_is_learnt_in_the_boxes_of_the_unlabelled() -> None:
    mask = learnt_mask(np.array([[8.0, 16, 24, 32], [-50, -50, -10, -10]]), (10, 10), 4)
    assert (mask[4:8, 2:6] == 0).all()
    assert mask.sum() >= 100 - 26
    assert (learnt_mask(np.zeros((0, 4)), (3, 3), 8) == 1).all()


def marked(points: np.ndarray) -> np.ndarray:
    """A dark picture with a white spot at each key point."""
    image = np.zeros((120, 160, 3), np.uint8)
    for x, y in points[points[:, 2] > 0, :2].round().astype(int).tolist():
        image[y - 1 : y + 2, x - 1 : x + 2] = 255
    return image


def test_views_carry_the_key_points_with_the_picture() -> None:
    points = standing(70, 30, 0.5).round()
    unlabelled = np.zeros((17, 3))
    persons = Persons(
        np.stack([points, unlabelled]),
        np.array([[50.0, 30, 90, 110], [100, 10, 140, 60]]),
        np.array([2000.0, 800]),
        np.zeros(2, np.bool_),
    )
    image = marked(points)
    views = [person_view(image, persons, 128, np.random.default_rng(seed)) for seed in range(12)]
    views += [whole_view(image, persons, (60, 80), mirror) for mirror in (False, True)]
    views += [whole_view(image, persons, (120, 160), mirror) for mirror in (False, True)]
    for view in views:
        assert view.keypoints.shape == (1, 17, 3)
        inside = view.keypoints[0, view.keypoints[0, :, 2] > 0, :2].round().astype(int)
        assert len(inside) > 3
        assert min(int(view.image[y, x].max()) for x, y in inside.tolist()) > 60
        assert view.unlabelled.shape == (1, 4)
        assert (view.unlabelled[:, 2:] > view.unlabelled[:, :2]).all()
    plain, mirrored = views[-2:]
    assert plain.unlabelled.tolist() == [[100, 10, 140, 60]]
    assert mirrored.unlabelled.tolist() == [[20, 10, 60, 60]]
    left, right = KEYPOINTS.index("left_hip"), KEYPOINTS.index("right_hip")
    assert mirrored.keypoints[0, left, 0] == 159 - plain.keypoints[0, right, 0]
    assert np.array_equal(mirrored.image, plain.image[:, ::-1])


@pytest.mark.parametrize("size", [(48, 64), (72, 96), (192, 256)])
def test_views_are_scaled_as_inputs_are(size: tuple[int, int]) -> None:
    """But for two pixels of the frame at its border, where a view mixes in the grey that surrounds it."""
    image, none = textured(96, 128), Persons(np.zeros((0, 17, 3)), np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.bool_))
    seen = whole_view(image, none, size, mirror=False).image.astype(int)
    predicted = fitted(image, size[0])[: size[0]].astype(int)
    assert np.abs(seen - predicted)[4:-4, 4:-4].max() <= 1


def test_inputs_are_padded_to_whole_multiples() -> None:
    image = np.full((100, 150, 3), 7, np.uint8)
    assert fitted(image, 100).shape == (112, 160, 3)
    assert fitted(image, 100)[:100, :150].max() == 7
    assert fitted(image, 100)[100:].min() == 128
    assert fitted(image, 368).shape == (368, 560, 3)
