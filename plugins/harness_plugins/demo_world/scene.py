"""The street scenes: an image and its truth, by number.

scene = render("test", 0)
scene.image      # uint8[192, 256, 3], RGB
scene.boxes      # float32[N, 4]
"""

from harness_plugins.demo_world.compositor import SCALE, Scene, darken, observed, put
from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.layout import StreetPlan, plan
from harness_plugins.demo_world.population import bodies, shadows
from harness_plugins.demo_world.scenery import backdrop

VERSION = 1
"""Raised whenever a pixel or a truth of any scene changes; part of the datasets' fingerprint."""

HEIGHT, WIDTH = 192, 256
SPLITS = {"train": 3600, "val": 200, "test": 200}
"""Scenes in each split."""
_SEEDS = {"train": 101, "val": 202, "test": 303}


def seed(split: str) -> int:
    """The number that all scenes of a split are drawn from."""
    return _SEEDS[split]


def render(split: str, index: int) -> Scene:
    """The scene number `index` of "train", "val" or "test": the same on every machine."""
    if not 0 <= index < SPLITS[split]:
        raise IndexError(f"scene {index} of {split}: there are {SPLITS[split]}")
    key = (seed(split), index)
    return compose(plan(RandomDraws(*key), HEIGHT * SCALE, WIDTH * SCALE), RandomDraws(*key, 1))


def compose(scene: StreetPlan, noise: RandomDraws) -> Scene:
    """Draws a planned scene, with the sensor noise of that stream."""
    height, width = HEIGHT * SCALE, WIDTH * SCALE
    canvas = backdrop(scene.street, scene.camera, scene.light, height, width)
    darken(canvas, shadows(scene), scene.light)
    present = bodies(scene, height, width)
    return observed(canvas, put(canvas, present), present, scene.light, noise)
