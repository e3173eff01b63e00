"""Clips for action recognition: one person close to a hand-held camera performs one of ten actions in a street.

frames = render("test", 0)  # uint8[20, 192, 256, 3], RGB
"""

from functools import partial

import numpy as np
import numpy.typing as npt

from harness_plugins.demo_world.actions import ACTIONS, performance, posture, speed
from harness_plugins.demo_world.closeups import TALL, background, before
from harness_plugins.demo_world.compositor import SCALE
from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import standing
from harness_plugins.demo_world.layout import Crowd, Placement, StreetPlan, extras
from harness_plugins.demo_world.light import daylight
from harness_plugins.demo_world.persons import look
from harness_plugins.demo_world.scene import HEIGHT, WIDTH
from harness_plugins.demo_world.stage import Mover, Stage, handheld, room
from harness_plugins.demo_world.street import Street, street

VERSION = 1
"""Version of the renderer, increased whenever a pixel of any clip changes. Part of the dataset's fingerprint."""

SPLITS = {"train": 1000, "val": 80, "test": 160}
"""Number of clips in each split."""
_SEEDS = {"train": 811, "val": 822, "test": 833}
FRAMES, FPS = 20, 10.0
PER_ACTOR = 4
"""Number of clips of each person. The clothes are the same; the action and the street differ."""


def seed(split: str) -> int:
    """Return the random seed of all clips of a split."""
    return _SEEDS[split]


def action(index: int) -> int:
    """Return the number of the clip's action. All actions are equally frequent."""
    return index % len(ACTIONS)


def actor(index: int) -> int:
    """Return the number of the person in the clip."""
    return index // PER_ACTOR


def render(split: str, index: int) -> npt.NDArray[np.uint8]:
    """Render clip number `index` of the split "train", "val" or "test": uint8[20, 192, 256, 3], RGB.

    The pixels are the same on every machine.
    """
    if not 0 <= index < SPLITS[split]:
        raise IndexError(f"clip {index} of {split}: there are {SPLITS[split]}")
    key = (seed(split), index)
    draws, noise = RandomDraws(*key), RandomDraws(*key, 1)
    stage, movers, views = _clip(draws, RandomDraws(seed(split), actor(index), 2), ACTIONS[action(index)])
    times = [(frame - 0.5 * (FRAMES - 1)) / FPS for frame in range(FRAMES)]
    return np.stack([stage.image(view, movers, time, noise) for view, time in zip(views, times, strict=True)])


def _clip(draws: RandomDraws, person: RandomDraws, name: str) -> tuple[Stage, list[Mover], list[tuple[int, int]]]:
    """Return the street, the moving objects, and the camera's view in each frame. Time 0 is the middle of the clip.

    A person who walks or runs crosses the view, and the camera follows part of the way.
    """
    height, width = HEIGHT * SCALE, WIDTH * SCALE
    camera, near = before(draws, height, width, 0.66)
    light, road = daylight(draws), street(draws)
    looks_seed, person_seed = person.below(1 << 30), person.below(1 << 30)  # for `look`: clothes and height
    depth = camera.focal * TALL / (near * height)
    offset = (draws.uniform(0.3, 0.7) * width - camera.centre) * depth / camera.focal
    main = Placement("person", standing(offset, depth, _heading(draws, name)), 0.0, 1.0, person_seed)
    motion = performance(name, draws)
    pace = speed(name, motion, look(RandomDraws(looks_seed, person_seed)).tall)
    movers = [Mover(main, pace, partial(posture, name, motion))]
    crowd = Crowd(camera, width)
    crowd.admits(main)
    movers += _bystanders(crowd, draws, road)
    standing_still = len(crowd.members)
    background(crowd, draws, road)
    placements = (*crowd.members[standing_still:], *extras(draws, road))
    plan = StreetPlan(camera, light, road, placements, looks_seed, posing=True)
    travel = pace * main.stand.sin * FRAMES / FPS * camera.focal / depth
    pan = travel * draws.uniform(0.3, 0.8) + draws.uniform(-24.0, 24.0)
    views = handheld(draws, FRAMES, pan, 2)
    return Stage(plan, room(views)), movers, views


def _heading(draws: RandomDraws, name: str) -> float:
    """Return the person's yaw in turns.

    A person who walks or runs crosses the view; for actions that extend forward, the person is half turned; for all
    other actions the person faces the camera.
    """
    side = draws.sign()
    if name in ("run", "walk"):
        return 0.25 * side + draws.uniform(-0.05, 0.05)
    if name in ("bow", "kick", "punch", "squat"):
        return 0.5 + side * draws.uniform(0.06, 0.2)
    return 0.5 + side * draws.uniform(0.0, 0.24 if name == "stand" else 0.1)


def _bystanders(crowd: Crowd, draws: RandomDraws, road: Street) -> list[Mover]:
    """Return up to two persons farther away, who walk or stand."""
    movers = []
    for _ in range(draws.below(3)):
        depth = draws.uniform(6.5, 13.0)
        stand = standing(draws.uniform(-0.45, 0.45) * depth, depth, draws.unit())
        placement = Placement("person", stand, 0.0, 1.0, draws.below(1 << 30))
        name = draws.choice(("walk", "walk", "stand"))
        motion = performance(name, draws)
        if crowd.admits(placement):
            movers.append(Mover(placement, speed(name, motion, TALL), partial(posture, name, motion)))
    return movers
