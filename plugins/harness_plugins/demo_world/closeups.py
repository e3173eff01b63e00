"""Scenes for pose estimation: one to three persons close to the camera and facing it, with a street behind them.

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
"""Version of the renderer, increased whenever an image or a target of these scenes changes. Part of the fingerprint."""

SPLITS = {"train": 2400, "val": 200, "test": 200}
"""Number of scenes in each split."""
_SEEDS = {"train": 411, "val": 422, "test": 433}
TALL = 1.72
"""Height in metres of the reference person: image sizes of persons are stated for this height."""
_HIDDEN = 0.25  # the largest share of a person's rectangle that a nearer object may hide


def seed(split: str) -> int:
    """Return the random seed of all scenes of a split."""
    return _SEEDS[split]


def render(split: str, index: int) -> Scene:
    """Render scene number `index` of the split "train", "val" or "test". It is the same on every machine."""
    if not 0 <= index < SPLITS[split]:
        raise IndexError(f"scene {index} of {split}: there are {SPLITS[split]}")
    key = (seed(split), index)
    return compose(closeup(RandomDraws(*key), HEIGHT * SCALE, WIDTH * SCALE), RandomDraws(*key, 1))


def closeup(draws: RandomDraws, height: int, width: int) -> StreetPlan:
    """Return a random plan of a close-up for a canvas of `height` by `width` pixels.

    A person of 1.72 m is 0.47 to 0.82 of the canvas high. The camera is placed so that the feet of the nearest person
    are just inside the image. There are no other persons in the street, so every person can be annotated.
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
    """Return a camera for close-ups, and the share of the canvas height that a near person of 1.72 m takes.

    The camera is placed so that the feet of such a person are just inside the image.
    """
    near = draws.uniform(least, 0.82)
    focal, camera_height = width * draws.uniform(0.9, 1.05), draws.uniform(1.0, 1.4)
    horizon = height * (draws.uniform(0.92, 0.985) - near * camera_height / TALL)
    return PinholeCamera(focal, width * draws.uniform(0.45, 0.55), horizon, camera_height), near


def background(crowd: Crowd, draws: RandomDraws, road: Street) -> None:
    """Add vehicles, signs and traffic lights where the persons in the crowd leave room for them."""
    for kind in ("car", "truck", "bus", "car", "sign", "light"):
        placement = candidate(kind, draws, road)
        if draws.chance(0.6):
            crowd.admits(placement)


def _person(draws: RandomDraws, camera: PinholeCamera, size: float, width: int) -> Placement:
    """Return a person who is `size` canvas pixels tall and faces the camera within 20 degrees."""
    depth = camera.focal * TALL / size
    edge = (0.5 * width - 0.2 * size) * (1.15 if draws.chance(0.15) else 0.95)
    x = (draws.uniform(-edge, edge) + 0.5 * width - camera.centre) * depth / camera.focal
    return Placement("person", standing(x, depth, 0.5 + draws.uniform(-0.055, 0.055)), 0.0, 1.0, draws.below(1 << 30))
