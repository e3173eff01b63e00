"""Scenes for pose: one to three persons close to the camera and facing it, a street behind them.

scene = render("test", 0)
scene.keypoints  # float32[N, 17, 3]
"""

from harness_plugins.demo_world.compositor import SCALE, Scene
from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import PinholeCamera, standing
from harness_plugins.demo_world.layout import Crowd, Placement, StreetPlan, candidate, extras
from harness_plugins.demo_world.light import daylight
from harness_plugins.demo_world.scene import HEIGHT, WIDTH, compose
from harness_plugins.demo_world.street import Street, street

VERSION = 1
"""Raised whenever a pixel or a truth of any of these scenes changes; part of the datasets' fingerprint."""

SPLITS = {"train": 2400, "val": 200, "test": 200}
"""Scenes in each split."""
_SEEDS = {"train": 411, "val": 422, "test": 433}
TALL = 1.72
"""Metres of the person that sizes are stated for."""
_HIDDEN = 0.25  # no person may lose more of the rectangle around it to a nearer one


def seed(split: str) -> int:
    """The number that all scenes of a split are drawn from."""
    return _SEEDS[split]


def render(split: str, index: int) -> Scene:
    """The scene number `index` of "train", "val" or "test": the same on every machine."""
    if not 0 <= index < SPLITS[split]:
        raise IndexError(f"scene {index} of {split}: there are {SPLITS[split]}")
    key = (seed(split), index)
    return compose(closeup(RandomDraws(*key), HEIGHT * SCALE, WIDTH * SCALE), RandomDraws(*key, 1))


def closeup(draws: RandomDraws, height: int, width: int) -> StreetPlan:
    """A random plan for a canvas of that size.

    A person of 1.72 m takes 0.47 to 0.82 of its height, and the camera is held so that the nearest one's feet are
    just inside. Nobody else is in the street, so every person is one that can be annotated.
    """
    camera, near = before(draws, height, width)
    light, road = daylight(draws), street(draws)
    crowd = Crowd(camera, width, _HIDDEN)
    for number in range(draws.choice((1, 2, 2, 3))):
        for _ in range(12):
            size = near if number == 0 else draws.uniform(0.47, near)
            if crowd.admits(_person(draws, camera, size * height, width)):
                break
    background(crowd, draws, road)
    return StreetPlan(camera, light, road, (*crowd.members, *extras(draws, road)), draws.below(1 << 30), posing=True)


def before(draws: RandomDraws, height: int, width: int, least: float = 0.58) -> tuple[PinholeCamera, float]:
    """A camera held so that the feet of a person close to it are just inside, and the canvas's share that the person
    (of 1.72 m) is to fill."""
    near = draws.uniform(least, 0.82)
    focal, low = width * draws.uniform(0.9, 1.05), draws.uniform(1.0, 1.4)
    horizon = height * (draws.uniform(0.92, 0.985) - near * low / TALL)
    return PinholeCamera(focal, width * draws.uniform(0.45, 0.55), horizon, low), near


def background(crowd: Crowd, draws: RandomDraws, road: Street) -> None:
    """Vehicles, signs and lights wherever the crowd leaves them room."""
    for kind in ("car", "truck", "bus", "car", "sign", "light"):
        placement = candidate(kind, draws, road)
        if draws.chance(0.6):
            crowd.admits(placement)


def _person(draws: RandomDraws, camera: PinholeCamera, size: float, width: int) -> Placement:
    """Somebody who is `size` canvas pixels tall and faces the camera but for 20 degrees."""
    depth = camera.focal * TALL / size
    edge = (0.5 * width - 0.2 * size) * (1.15 if draws.chance(0.15) else 0.95)
    x = (draws.uniform(-edge, edge) + 0.5 * width - camera.centre) * depth / camera.focal
    return Placement("person", standing(x, depth, 0.5 + draws.uniform(-0.055, 0.055)), 0.0, 1.0, draws.below(1 << 30))
