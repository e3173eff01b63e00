"""The demo world's close-ups and clips: the same everywhere, true, and moving."""

import hashlib
import itertools
import os
import pickle
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from harness.files import cache_dir
from harness_plugins.demo_world import action_clips, closeups, scene, scene_clips
from harness_plugins.demo_world.actions import ACTIONS, performance, posture
from harness_plugins.demo_world.classes import CLASSES, FIRST_OBJECT
from harness_plugins.demo_world.clips_dataset import DemoClips
from harness_plugins.demo_world.compositor import Scene
from harness_plugins.demo_world.dataset import DemoWorld
from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import standing
from harness_plugins.demo_world.layout import plan
from harness_plugins.demo_world.postures import Limbs, Posture, joints
from harness_plugins.demo_world.stage import Stage, handheld, room
from harness_tasks.pose.types import KEYPOINTS

PERSON = CLASSES.index("person")
DIGEST = "fbd32a52596122cc0816ec839b91ce8f8e4f3359d6ffadcc7ced6e784c1d4691"
"""SHA-256 over what SCRIPT renders. Changes only with a VERSION of closeups.py, action_clips.py or scene_clips.py."""

SCRIPT = """
import hashlib
from harness_plugins.demo_world import action_clips, closeups, scene_clips
whole = hashlib.sha256()
for split, index in (("train", 7), ("test", 199)):
    scene = closeups.render(split, index)
    for array in (scene.image, scene.boxes, scene.labels, scene.areas, scene.keypoints):
        whole.update(array.tobytes())
whole.update(action_clips.render("train", 25).tobytes())
for kind in ("street", "close-ups"):
    clip = scene_clips.render(kind, "test", 0)
    for name in scene_clips.names(kind):
        whole.update(clip[name].tobytes())
print(whole.hexdigest())
"""


@pytest.mark.parametrize("least", [False, True])
def test_same_pixels_whatever_the_processor_can_do(least: bool) -> None:
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    environment = {name: value for name, value in os.environ.items() if name != "NPY_DISABLE_CPU_FEATURES"}
    if least:
        present = [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]
        environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(present)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == DIGEST


@pytest.fixture(scope="module")
def portraits() -> list[Scene]:
    return [closeups.render("test", index) for index in range(24)]


def opened(kind: type[DemoWorld | DemoClips], task: str, split: str) -> DemoWorld | DemoClips:
    dataset = kind(task, split)
    dataset.open()
    return dataset


def test_persons_in_close_ups_are_large_and_all_annotated(portraits: list[Scene]) -> None:
    heights = []
    for portrait in portraits:
        boxes = portrait.boxes[portrait.labels == PERSON]
        assert 1 <= len(boxes) <= 3
        heights += (boxes[:, 3] - boxes[:, 1]).tolist()
        annotated = np.zeros(portrait.classes.shape, dtype=bool)
        for x1, y1, x2, y2 in boxes.astype(int):
            annotated[y1 : y2 + 1, x1 : x2 + 1] = True
        assert not ((portrait.classes == PERSON + FIRST_OBJECT) & ~annotated).any()
    assert 110 < np.median(heights) < 150
    assert min(heights) > 60


def test_visible_key_points_lie_on_their_person_and_in_its_box(portraits: list[Scene]) -> None:
    states: Counter[float] = Counter()
    for portrait in portraits:
        persons = np.pad(portrait.classes == PERSON + FIRST_OBJECT, 1)
        for box, area, label, points in zip(
            portrait.boxes, portrait.areas, portrait.labels, portrait.keypoints, strict=True
        ):
            if label != PERSON:
                assert not points.any()
                continue
            states.update(points[:, 2].tolist())
            assert 0.1 < area / ((box[2] - box[0]) * (box[3] - box[1])) < 1
            for x, y in points[points[:, 2] == 2, :2]:
                assert box[0] <= x <= box[2]
                assert box[1] <= y <= box[3]
                assert persons[int(y) : int(y) + 3, int(x) : int(x) + 3].any()
    assert states[2] > 10 * states[1] > 0
    assert states[0] > 0


def test_left_is_on_the_right_of_who_faces_the_camera(portraits: list[Scene]) -> None:
    left, right = KEYPOINTS.index("left_shoulder"), KEYPOINTS.index("right_shoulder")
    persons = [points for portrait in portraits for points in portrait.keypoints[portrait.labels == PERSON]]
    seen = [points for points in persons if points[left, 2] and points[right, 2]]
    assert len(seen) > 5
    for points in seen:
        assert points[left, 0] > points[right, 0]


def test_pose_wants_persons_only() -> None:
    dataset = opened(DemoWorld, "pose", "val")
    persons = dataset[3].targets[0]
    portrait = closeups.render("val", 3)
    assert len(dataset) == 200
    assert dataset.classes == ()
    assert (dataset[3].frames == portrait.image).all()
    count = int((portrait.labels == PERSON).sum())
    assert persons.keypoints.shape == (count, 17, 3)
    assert persons.boxes.shape == (count, 4)
    assert (persons.area == portrait.areas[portrait.labels == PERSON]).all()
    assert not persons.crowd.any()


def test_actions_are_balanced_and_four_clips_share_a_person() -> None:
    for split, count in action_clips.SPLITS.items():
        dataset = opened(DemoWorld, "action", split)
        outlines = [dataset.outline(index) for index in range(len(dataset))]
        assert dataset.classes == ACTIONS
        assert not dataset.still
        assert len(outlines) == count == len({outline.id for outline in outlines})
        assert set(Counter(outline.stratum for outline in outlines).values()) == {count // 10}
        assert set(Counter(outline.group for outline in outlines).values()) == {4}
        assert not pickle.loads(pickle.dumps(dataset)).still  # noqa: S301
    assert opened(DemoWorld, "detection", "test").still


def test_an_action_clip_is_what_its_outline_says() -> None:
    dataset = opened(DemoWorld, "action", "val")
    sample, outline = dataset[13], dataset.outline(13)
    assert sample.frames.shape == (outline.frames, outline.height, outline.width, 3) == (20, 192, 256, 3)
    assert sample.id == outline.id
    assert sample.fps == 10.0
    assert sample.targets == {0: ACTIONS.index(outline.stratum)}
    assert (dataset[13].frames == sample.frames).all()
    assert (cache_dir() / "demo-world" / "actions-v1" / "val" / "00013.scene").is_file()


def nearest_shift(one: np.ndarray, other: np.ndarray, reach: int) -> tuple[int, int]:
    """By how many pixels (down, across) the middle of `one` is found in `other`, up to `reach`."""
    inner = one[reach:-reach, reach:-reach].astype(int)
    height, width = inner.shape
    shifts = [(down, across) for down in range(-reach, reach + 1) for across in range(-reach, reach + 1)]

    def apart(shift: tuple[int, int]) -> int:
        top, left = reach + shift[0], reach + shift[1]
        return int(np.abs(other[top : top + height, left : left + width].astype(int) - inner).sum())

    return min(shifts, key=apart)


def test_the_camera_is_held_by_hand() -> None:
    standing_still = ACTIONS.index("stand")
    frames = action_clips.render("val", standing_still)[:, :56, :, 1]  # house fronts and the sky
    shifts = [nearest_shift(one, other, 6) for one, other in itertools.pairwise(frames)]
    assert len(set(shifts)) > 3
    assert sum(shift != (0, 0) for shift in shifts) > 10


def test_a_view_shows_another_part_of_the_same_street() -> None:
    stage = Stage(plan(RandomDraws(5, 5), 384, 512), (8, 8))
    straight, off = (stage.image(view, (), 0.0, RandomDraws(1)).astype(int) for view in ((0, 0), (4, -8)))
    difference = np.abs(straight[2:, : 256 - 4] - off[: 192 - 2, 4:])
    assert np.median(difference) < 12  # noise
    assert np.median(difference) < 0.6 * np.median(np.abs(straight - off))


def test_views_fit_the_room_made_for_them() -> None:
    views = handheld(RandomDraws(3), 20, 100.0, 2)
    down, across = room(views)
    assert down <= 16
    assert 40 <= across <= 66
    assert views[-1][1] - views[0][1] > 70


@pytest.mark.parametrize("action", ACTIONS)
def test_only_who_stands_stays_as_he_is(action: str) -> None:
    how = performance(action, RandomDraws(9, ACTIONS.index(action)))
    frames = np.array([joints(posture(action, how, frame / 10), standing(0.0, 4.0, 0.5), 1.7) for frame in range(20)])
    farthest = float(np.abs(frames - frames[0]).max())
    assert farthest < 0.05 if action == "stand" else farthest > 0.2
    assert frames[:, :, 1].min() > 0.0  # nobody sinks into the ground


def test_straight_legs_are_as_long_whatever_way_they_point() -> None:
    hip, ankle = KEYPOINTS.index("left_hip"), KEYPOINTS.index("left_ankle")
    for spread in (0.0, 0.1, 0.2):
        shown = Posture(Limbs(leg=0.07, spread=spread), Limbs(leg=-0.05, spread=spread))
        body = np.array(joints(shown, standing(0.0, 4.0, 0.3), 1.7))
        assert np.linalg.norm(body[ankle] - body[hip]) == pytest.approx(0.48 * 1.7, rel=1e-5)


@pytest.mark.parametrize("task", DemoClips.tasks)
def test_clips_have_the_truth_on_every_fourth_frame(task: str) -> None:
    dataset = opened(DemoClips, task, "val")
    sample, outline = dataset[1], dataset.outline(1)
    assert len(dataset) == 20
    assert sample.id == outline.id == outline.group
    assert sample.frames.shape == (outline.frames, outline.height, outline.width, 3) == (16, 192, 256, 3)
    assert tuple(sample.targets) == outline.scored == (0, 4, 8, 12)
    assert sample.fps == 12.5
    assert not dataset.still
    assert dataset.classes == opened(DemoWorld, task, "val").classes
    image = opened(DemoWorld, task, "val")[0].targets[0]
    for target in sample.targets.values():
        assert type(target) is type(image)
        if isinstance(target, np.ndarray):
            assert target.dtype == image.dtype
            assert target.shape == image.shape == (192, 256)


def test_the_truths_of_a_clip_move_with_it() -> None:
    samples = {task: opened(DemoClips, task, "val")[1] for task in DemoClips.tasks}
    found, classes, depth, pose = (samples[task].targets for task in DemoClips.tasks)
    frames = samples["detection"].frames
    assert (frames == samples["depth"].frames).all()
    assert all((one != other).mean() > 0.5 for one, other in itertools.pairwise(frames))
    for frame in scene_clips.SCORED:
        for box, label in zip(found[frame].boxes.astype(int), found[frame].labels, strict=True):
            inside = np.s_[box[1] : box[3], box[0] : box[2]]
            mine = classes[frame][inside] == label + FIRST_OBJECT
            assert mine.mean() > 0.05
            assert 1.0 < depth[frame][inside][mine].min() < 60.0
        for box, points in zip(pose[frame].boxes, pose[frame].keypoints, strict=True):
            seen = points[points[:, 2] == 2]
            assert (seen[:, 0] >= box[0]).all()
            assert (seen[:, 0] <= box[2]).all()
    assert (classes[0] != classes[12]).mean() > 0.02
    first, last = pose[0].keypoints, pose[12].keypoints
    assert first.shape != last.shape or np.abs(first - last).max() > 2


def test_no_split_shares_a_scene_with_another() -> None:
    images = Counter(hashlib.sha256(closeups.render(split, 4).image.tobytes()).digest() for split in closeups.SPLITS)
    assert len(images) == 3
    seeds = [module.seed(split) for module in (scene, closeups, action_clips) for split in module.SPLITS]
    seeds += [scene_clips.seed(kind, split) for kind in scene_clips.KINDS for split in scene_clips.SPLITS]
    assert len(set(seeds)) == len(seeds) == 3 * 3 + 2 * 2
    prints = [
        opened(kind, task, split).fingerprint()
        for kind in (DemoWorld, DemoClips)
        for task in ("detection", "pose", "action")
        if task in kind.tasks
        for split in kind.splits
    ]
    assert len(set(prints)) == len(prints) == 3 * 3 + 2 * 2


@pytest.mark.parametrize("render", [closeups.render, action_clips.render])
def test_there_is_nothing_behind_the_end(render: object) -> None:
    assert callable(render)
    with pytest.raises(IndexError, match="there are"):
        render("val", 200)
