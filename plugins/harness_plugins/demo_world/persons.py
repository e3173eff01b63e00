"""Draw persons: a skeleton of joints with limbs, clothes and a head around it."""

from dataclasses import dataclass, replace

from harness_plugins.demo_world.bodies import Part
from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import PinholeCamera, Pixel, Point, Stand, cos_sin, hull, middle
from harness_plugins.demo_world.light import Colour, Light
from harness_tasks.pose.types import KEYPOINTS

_CIRCLE = tuple(cos_sin(number / 10) for number in range(10))


@dataclass(frozen=True, slots=True)
class Appearance:
    """A person's height in metres and the colours (0-255) of skin, hair and clothes.

    Args:
        tall: height in metres.
        skin: colour of the skin.
        hair: colour of the hair.
        top: colour of the trunk and the upper arms.
        sleeve: colour of the forearms.
        bottom: colour of the hips and the thighs.
        shin: colour of the shins.
        shoe: colour of the shoes.
        stripes: whether the top has stripes.
        bag: whether the person carries a bag.
    """

    tall: float
    skin: Colour
    hair: Colour
    top: Colour
    sleeve: Colour
    bottom: Colour
    shin: Colour
    shoe: Colour
    stripes: bool
    bag: bool


def look(draws: RandomDraws) -> Appearance:
    """Return a random appearance. Brightness varies more than hue, because compression removes colour first."""
    skin = draws.choice(((224, 184, 156), (200, 156, 124), (150, 106, 78), (98, 68, 50)))
    hair = draws.choice(((28, 24, 22), (60, 42, 30), (110, 84, 52), (150, 150, 148), (180, 150, 96)))
    top, bottom = _cloth(draws, 24.0, 232.0), _cloth(draws, 20.0, 150.0)
    if abs(sum(top) - sum(bottom)) < 120:
        top = _cloth(draws, 190.0, 236.0) if sum(bottom) < 300 else _cloth(draws, 18.0, 50.0)
    sleeve = top if draws.chance(0.6) else skin
    shin = bottom if draws.chance(0.75) else skin
    shoe = draws.choice(((24, 24, 26), (60, 44, 34), (206, 206, 202)))
    return Appearance(
        draws.uniform(1.5, 1.92), skin, hair, top, sleeve, bottom, shin, shoe, draws.chance(0.25), draws.chance(0.35)
    )


def _cloth(draws: RandomDraws, low: float, high: float) -> Colour:
    """Return a random colour of clothes with a brightness between `low` and `high` (0-255)."""
    level = draws.uniform(low, high)
    red, green, blue = (min(245, max(12, int(level * draws.uniform(0.72, 1.22)))) for _ in range(3))
    return red, green, blue


def other_side(dress: Appearance) -> Appearance:
    """Return the same clothes with another brightness on arms and legs, so that left and right can be distinguished."""
    return replace(
        dress,
        top=_contrasting(dress.top),
        sleeve=dress.sleeve if dress.sleeve == dress.skin else _contrasting(dress.top),
        bottom=_contrasting(dress.bottom),
        shin=dress.shin if dress.shin == dress.skin else _contrasting(dress.bottom),
    )


def _contrasting(colour: Colour) -> Colour:
    """Return a colour that is clearly darker or brighter."""
    shift = -96 if sum(colour) > 3 * 118 else 96
    red, green, blue = (min(245, max(12, value + shift)) for value in colour)
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Tailor:
    """Draws the limbs and clothes of one person around the joints, as flat parts for the compositor."""

    camera: PinholeCamera
    light: Light
    tall: float

    def limb(self, points: tuple[Point, Point], radii: tuple[float, float], colour: Colour) -> list[tuple[float, Part]]:
        """Return the two parts of a rounded limb, its dark side and its lit side, each with its depth in metres.

        `points` are the limb's ends; `radii` are the radii there, as shares of the person's height.
        """
        ends = [self.camera.project(point) for point in points]
        depth = (points[0][2] + points[1][2]) / 2.0
        scales = [self.camera.focal / point[2] * self.tall for point in points]
        outline, stripe = [], []
        shift = 0.35 if self.light.sun[0] > 0.0 else -0.35
        for (x, y), scale, radius in zip(ends, scales, radii, strict=True):
            r = radius * scale
            outline += [(x + r * c, y + r * s) for c, s in _CIRCLE]
            stripe += [(x + r * (shift + 0.5 * c), y + 0.6 * r * s) for c, s in _CIRCLE]
        plane = self.camera.upright(depth)
        shade = self.light.ambient
        return [
            (depth, Part(hull(outline), self.light.lit(colour, shade * 0.8), 44, plane)),
            (depth, Part(hull(stripe), self.light.lit(colour, shade + 0.6 * self.light.direct), 44, plane)),
        ]

    def slab(self, points: list[Pixel], depth: float, colour: Colour, bright: float = 1.0) -> tuple[float, Part]:
        """Return the convex hull of canvas points as a part, with its depth in metres."""
        shade = (self.light.ambient + 0.3 * self.light.direct) * bright
        return depth, Part(hull(points), self.light.lit(colour, shade), 40, self.camera.upright(depth))


def person(
    frame: tuple[Point, ...],
    stand: Stand,
    dress: Appearance,
    camera: PinholeCamera,
    light: Light,
    left: Appearance | None = None,
) -> list[Part]:
    """Return the parts of a person, from far to near.

    Args:
        frame: world coordinates of the 17 key points, in metres.
        stand: the person's position and heading.
        dress: the person's appearance.
        camera: the camera.
        light: the light.
        left: appearance of the left arm and leg, if it differs from `dress`.
    """
    joints = dict(zip(KEYPOINTS, frame, strict=True))
    tailor = Tailor(camera, light, dress.tall)
    towards = -stand.cos
    pieces: list[tuple[float, Part]] = []
    for side in ("left", "right"):
        clothes = left if left is not None and side == "left" else dress
        hip, knee, ankle = joints[f"{side}_hip"], joints[f"{side}_knee"], joints[f"{side}_ankle"]
        pieces += tailor.limb((hip, knee), (0.052, 0.036), clothes.bottom)
        pieces += tailor.limb((knee, ankle), (0.036, 0.024), clothes.shin)
        toe = (ankle[0] + stand.sin * 0.16, 0.035, ankle[2] + stand.cos * 0.16)
        pieces += tailor.limb(((ankle[0], ankle[1] - 0.035, ankle[2]), toe), (0.026, 0.02), clothes.shoe)
        shoulder, elbow, wrist = joints[f"{side}_shoulder"], joints[f"{side}_elbow"], joints[f"{side}_wrist"]
        depth_offset = -0.06 if towards > -0.5 else 0.02
        arm = tailor.limb((shoulder, elbow), (0.034, 0.027), clothes.top)
        arm += tailor.limb((elbow, wrist), (0.027, 0.02), clothes.sleeve)
        hand = (wrist[0], wrist[1] - 0.05, wrist[2])
        arm += tailor.limb((wrist, hand), (0.021, 0.019), clothes.skin)
        pieces += [(depth + depth_offset, part) for depth, part in arm]
    pieces += _torso(joints, stand, dress, tailor)
    pieces += _head(joints, stand, dress, tailor)
    pieces.sort(key=lambda piece: -piece[0])
    return [part for _, part in pieces]


def _ring(joints: dict[str, Point], names: tuple[str, str], stand: Stand, wide: float, deep: float) -> list[Point]:
    """Return four points around the line between two joints, `wide` metres wider on each side and `deep` metres
    thick."""
    left, right = joints[names[0]], joints[names[1]]
    points = []
    for joint, sideways in ((left, wide), (right, -wide)):
        for ahead in (deep, -deep):
            x = joint[0] - sideways * stand.cos + ahead * stand.sin
            points.append((x, joint[1], joint[2] + sideways * stand.sin + ahead * stand.cos))
    return points


def _torso(joints: dict[str, Point], stand: Stand, dress: Appearance, tailor: Tailor) -> list[tuple[float, Part]]:
    """Return the parts of the trunk with stripes and bag, each with its depth in metres."""
    tall, project = dress.tall, tailor.camera.project
    shoulders = _ring(joints, ("left_shoulder", "right_shoulder"), stand, 0.02 * tall, 0.055 * tall)
    hips = _ring(joints, ("left_hip", "right_hip"), stand, 0.035 * tall, 0.055 * tall)
    collar = [(x, y + 0.03 * tall, z) for x, y, z in _ring(joints, ("left_ear", "right_ear"), stand, 0.0, 0.02)]
    collar = [(x, shoulders[0][1] + 0.03 * tall, z) for x, _, z in collar]
    depth = middle(shoulders + hips)[2]  # not sum(): its result for floats changed with Python 3.12
    pieces = [
        tailor.slab(
            [project(p) for p in hips] + [project((x, y - 0.06 * tall, z)) for x, y, z in hips],
            depth + 0.001,
            dress.bottom,
        ),
        tailor.slab([project(p) for p in shoulders + hips + collar], depth, dress.top),
    ]
    sunny = 0.55 if tailor.light.sun[0] > 0.0 else 0.0
    flat = [project(p) for p in shoulders + hips]
    low, high = min(x for x, _ in flat), max(x for x, _ in flat)
    rows = sorted(y for _, y in flat)
    lit = [
        (low + (high - low) * (u + sunny), rows[0] + (rows[-1] - rows[0]) * v)
        for u, v in ((0.08, 0.08), (0.38, 0.08), (0.08, 0.9), (0.38, 0.9))
    ]
    pieces.append(tailor.slab(lit, depth - 0.001, dress.top, 1.16))
    if dress.stripes:
        for stripe in (0.2, 0.4, 0.6, 0.8):
            band = [
                (low + (high - low) * u, rows[0] + (rows[-1] - rows[0]) * v)
                for u in (0.1, 0.9)
                for v in (stripe, stripe + 0.08)
            ]
            pieces.append(tailor.slab(band, depth - 0.002, dress.bottom))
    if dress.bag:
        x, y, z = joints["left_hip"]
        x, z = x - 0.1 * stand.cos, z + 0.1 * stand.sin
        bag = [project((x + dx, y + dy, z)) for dx in (-0.14, 0.14) for dy in (-0.12, 0.16)]
        pieces.append(tailor.slab(bag, z - 0.03, (70, 56, 44)))
        strap = [project((x, y + 0.16, z)), project((x + 0.05, y + 0.16, z)), project(joints["right_shoulder"])]
        if stand.cos < 0.3:
            pieces.append(tailor.slab(strap, depth - 0.01, (64, 50, 40)))
    return pieces


def _head(joints: dict[str, Point], stand: Stand, dress: Appearance, tailor: Tailor) -> list[tuple[float, Part]]:
    """Return the parts of the neck and the head, each with its depth in metres."""
    left, right = joints["left_ear"], joints["right_ear"]
    centre = ((left[0] + right[0]) / 2.0, (left[1] + right[1]) / 2.0 + 0.01, (left[2] + right[2]) / 2.0)
    depth, tall = centre[2], dress.tall
    scale = tailor.camera.focal / depth * tall
    x, y = tailor.camera.project(centre)
    neck = (centre[0], centre[1] - 0.1 * tall, depth)
    pieces = tailor.limb((neck, (centre[0], centre[1] - 0.05 * tall, depth)), (0.03, 0.03), dress.skin)

    def oval(dx: float, dy: float, wide: float, high: float, near: float, colour: Colour, bright: float) -> None:
        points = [(x + scale * (dx + wide * c), y + scale * (dy + high * s)) for c, s in _CIRCLE]
        pieces.append(tailor.slab(points, depth - near, colour, bright))

    oval(0.0, -0.012, 0.056, 0.066, 0.02, dress.hair, 1.0)
    if stand.cos < 0.35:
        turn = stand.sin * 0.03
        oval(turn, 0.012, 0.046, 0.058, 0.03, dress.skin, 0.9)
        oval(turn + (0.012 if tailor.light.sun[0] > 0.0 else -0.012), 0.01, 0.026, 0.045, 0.031, dress.skin, 1.08)
        for eye in ("left_eye", "right_eye"):
            if stand.cos < -0.3:
                column, row = tailor.camera.project(joints[eye])
                r = 0.009 * scale
                spot = [(column + r * c, row + r * s) for c, s in _CIRCLE[::2]]
                pieces.append(tailor.slab(spot, depth - 0.04, (30, 24, 22)))
    return pieces
