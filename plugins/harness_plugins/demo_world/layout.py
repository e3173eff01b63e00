"""The random plan of a scene: which objects stand where. Nothing is drawn here."""

from dataclasses import dataclass

from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import PinholeCamera, Stand, standing
from harness_plugins.demo_world.light import Light, daylight
from harness_plugins.demo_world.street import Street, street
from harness_plugins.demo_world.vehicles import LENGTHS, WIDTHS

_HEIGHTS = {"car": 1.55, "truck": 3.2, "bus": 3.0, "person": 1.72}
_HIDDEN = 0.45  # the largest share of an object's rectangle that a nearer object may hide


@dataclass(frozen=True, slots=True)
class Placement:
    """One object of a scene.

    Args:
        kind: "car", "truck", "bus", "person", "sign", "light", "tree", "lamp" or "bin".
        stand: its position and heading.
        up: height of its centre in metres, for objects on a post or trunk.
        size: its size in metres, where its kind has no fixed size.
        seed: the seed of the object's own random numbers.
    """

    kind: str
    stand: Stand
    up: float
    size: float
    seed: int


@dataclass(frozen=True, slots=True)
class StreetPlan:
    """Everything that determines a scene.

    With `posing`, the persons gesture towards the camera, and their left arms and legs differ in brightness from the
    right ones.
    """

    camera: PinholeCamera
    light: Light
    street: Street
    placements: tuple[Placement, ...]
    seed: int
    posing: bool = False


def plan(draws: RandomDraws, height: int, width: int) -> StreetPlan:
    """Return a random street scene for a canvas of `height` by `width` pixels."""
    camera = PinholeCamera(
        focal=width * draws.uniform(0.88, 1.06),
        centre=width * draws.uniform(0.44, 0.56),
        horizon=height * draws.uniform(0.38, 0.5),
        height=draws.uniform(1.3, 2.1),
    )
    light, road = daylight(draws), street(draws)
    crowd = Crowd(camera, width)
    for kind in _wanted(draws):
        for _ in range(12):
            placement = candidate(kind, draws, road)
            if crowd.admits(placement):
                break
    return StreetPlan(camera, light, road, (*crowd.members, *extras(draws, road)), draws.below(1 << 30))


def _wanted(draws: RandomDraws) -> list[str]:
    """Return the kinds of the objects that the scene should contain."""
    kinds = []
    for _ in range(2 + draws.below(3)):
        kinds.append(draws.choice(("car", "car", "car", "truck", "truck", "bus", "bus")))
    kinds += ["person"] * (1 + draws.below(4))
    kinds += ["sign"] * draws.choice((0, 1, 1, 2))
    kinds += ["light"] * draws.choice((0, 1, 1, 2))
    return kinds


def candidate(kind: str, draws: RandomDraws, road: Street) -> Placement:
    """Return a random place in the street for an object of this kind."""
    seed = draws.below(1 << 30)
    if kind in LENGTHS:
        return _vehicle(kind, draws, road, seed)
    side = draws.sign()
    if kind == "person":
        depth = draws.uniform(3.3, 5.0) + 9.0 * draws.unit() * draws.unit()
        x = draws.uniform(road.left + 0.6, road.right - 0.6)
        if abs(x) > depth * 0.55:
            x = draws.uniform(-0.5, 0.5) * depth
        yaw = draws.choice((0.5, 0.5, 0.0, 0.25, 0.75)) + draws.uniform(-0.11, 0.11)
        return Placement(kind, standing(x, depth, yaw), 0.0, 1.0, seed)
    depth = draws.uniform(4.2, 12.0)
    x = road.middle + side * (road.kerb + draws.uniform(0.4, 0.9))
    if abs(x) > depth * 0.5:
        x = side * draws.uniform(0.3, 0.5) * depth
    if kind == "sign":
        return Placement(kind, standing(x, depth, draws.uniform(-0.05, 0.05)), draws.uniform(1.9, 2.7), 1.0, seed)
    return Placement(kind, standing(x, depth, draws.uniform(-0.04, 0.04)), draws.uniform(2.2, 3.1), 1.0, seed)


def _vehicle(kind: str, draws: RandomDraws, road: Street, seed: int) -> Placement:
    """Return a random place for a vehicle: it crosses the view, drives along the street, or is parked."""
    near = LENGTHS[kind] / 2.0 + 3.4
    lane = draws.below(10)
    jitter = draws.uniform(-0.02, 0.02)
    if lane < 3 or (kind == "bus" and lane < 5):  # crossing the view
        depth = draws.uniform(7.0, 24.0) + (2.5 if kind != "car" else 0.0)
        x = draws.uniform(-0.45, 0.45) * depth
        return Placement(kind, standing(x, depth, 0.25 * draws.sign() + 2.0 * jitter), 0.0, 1.0, seed)
    depth = near + 24.0 * draws.unit() * draws.unit()
    if lane < 7:  # driving along
        side = draws.sign()
        x = road.middle + side * road.kerb * draws.uniform(0.35, 0.55)
        return Placement(kind, standing(x, depth, (0.0 if side > 0.0 else 0.5) + jitter), 0.0, 1.0, seed)
    side = draws.sign()  # parked
    x = road.middle + side * (road.kerb - draws.uniform(0.6, 1.2))
    return Placement(kind, standing(x, depth, draws.choice((0.0, 0.5)) + 2.0 * jitter), 0.0, 1.0, seed)


def extras(draws: RandomDraws, road: Street) -> list[Placement]:
    """Return random trees, lamp posts and bins, which belong to no detection class."""
    placements = []
    for _ in range(draws.below(5)):
        side = draws.sign()
        edge = road.left if side < 0.0 else road.right
        x = edge - side * draws.uniform(0.4, 1.2)
        placements.append(
            Placement(
                "tree",
                standing(x, draws.uniform(6.0, 30.0), 0.0),
                draws.uniform(3.6, 5.4),
                draws.uniform(2.6, 5.0),
                draws.below(1 << 30),
            )
        )
    for _ in range(draws.below(3)):
        side = draws.sign()
        x = road.middle + side * (road.kerb + 0.4)
        placements.append(Placement("lamp", standing(x, draws.uniform(7.0, 26.0), 0.0), 0.0, -1.6 * side, 0))
    for _ in range(draws.below(3)):
        side = draws.sign()
        x = road.middle + side * (road.kerb + draws.uniform(0.8, 2.0))
        placements.append(Placement("bin", standing(x, draws.uniform(5.0, 18.0), 0.0), 0.0, 1.0, draws.below(1 << 30)))
    return placements


class Crowd:
    """A collection of objects that do not overlap on the ground and do not hide each other too much."""

    def __init__(self, camera: PinholeCamera, width: int, hidden: float = _HIDDEN) -> None:
        self._camera = camera
        self._width = width
        self._hidden = hidden
        self.members: list[Placement] = []

    def admits(self, new: Placement) -> bool:
        """Add the object if it fits, and return whether it was added."""
        left, _, right, _ = self._rectangle(new)
        if min(right, self._width) - max(left, 0.0) < 0.45 * (right - left):
            return False
        for other in self.members:
            near, far = (new, other) if new.stand.z < other.stand.z else (other, new)
            if self._collide(new, other) or self._hides(near, far):
                return False
        self.members.append(new)
        return True

    @staticmethod
    def _reach(placement: Placement) -> tuple[float, float]:
        """Return half of the object's extent sideways and in depth, in metres."""
        if placement.kind not in LENGTHS:
            return 0.4, 0.4
        half, length = WIDTHS[placement.kind] / 2.0, LENGTHS[placement.kind] / 2.0
        return (length, half) if abs(placement.stand.sin) > 0.7 else (half + 0.2, length)

    def _collide(self, first: Placement, second: Placement) -> bool:
        """Return whether two objects are too close to each other on the ground."""
        (x1, z1), (x2, z2) = self._reach(first), self._reach(second)
        aside, apart = abs(first.stand.x - second.stand.x), abs(first.stand.z - second.stand.z)
        return aside < x1 + x2 + 0.3 and apart < z1 + z2 + 0.3

    def _rectangle(self, placement: Placement) -> tuple[float, float, float, float]:
        """Return the object's bounding rectangle on the canvas: left, top, right, bottom."""
        across, deep = self._reach(placement)
        x, z = placement.stand.x, placement.stand.z
        high, low = _HEIGHTS.get(placement.kind, placement.up + 0.6), 0.0
        if placement.kind in ("sign", "light"):
            low = placement.up - 0.6
        corners = [
            self._camera.project((x + dx, y, max(z + dz, 1.0)))
            for dx in (-across, across)
            for dz in (-deep, deep)
            for y in (low, high)
        ]
        columns, rows = [column for column, _ in corners], [row for _, row in corners]
        return min(columns), min(rows), max(columns), max(rows)

    def _hides(self, near: Placement, far: Placement) -> bool:
        """Return whether the near object covers too much of the far one's rectangle."""
        a, b = self._rectangle(near), self._rectangle(far)
        across = min(a[2], b[2]) - max(a[0], b[0])
        down = min(a[3], b[3]) - max(a[1], b[1])
        if across <= 0.0 or down <= 0.0:
            return False
        return across * down > self._hidden * (b[2] - b[0]) * (b[3] - b[1])
