"""The street scenes: render an image and its ground truth from a scene's number.

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
"""Version of the renderer, increased whenever an image or a target of any scene changes. Part of the fingerprint."""

HEIGHT, WIDTH = 192, 256
SPLITS = {"train": 3600, "val": 200, "test": 200}
"""Number of scenes in each split."""
_SEEDS = {"train": 101, "val": 202, "test": 303}


def seed(split: str) -> int:
    """Return the random seed of all scenes of a split."""
    return _SEEDS[split]


def render(split: str, index: int) -> Scene:
    """Render scene number `index` of the split "train", "val" or "test". It is the same on every machine."""
    if not 0 <= index < SPLITS[split]:
        raise IndexError(f"scene {index} of {split}: there are {SPLITS[split]}")
    key = (seed(split), index)
    return compose(plan(RandomDraws(*key), HEIGHT * SCALE, WIDTH * SCALE), RandomDraws(*key, 1))


def compose(scene: StreetPlan, noise: RandomDraws) -> Scene:
    """Draw a planned scene, with sensor noise from the random stream `noise`."""
    height, width = HEIGHT * SCALE, WIDTH * SCALE
    canvas = backdrop(scene.street, scene.camera, scene.light, height, width)
    darken(canvas, shadows(scene), scene.light)
    present = bodies(scene, height, width)
    return observed(canvas, put(canvas, present), present, scene.light, noise)
