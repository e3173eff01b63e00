"""The human skeleton: from joint angles to joint positions in metres, for COCO's 17 key points."""

from dataclasses import dataclass, fields, replace

from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import Point, Stand, cos_sin


@dataclass(frozen=True, slots=True)
class Limbs:
    """The angles of the arm and leg on one side of the body, in turns. All 0 means standing straight with hanging arms.

    Args:
        leg: how far the leg swings forward.
        knee: how far the shin bends back.
        arm: how far the arm swings forward.
        out: how far the arm is raised sideways; 0.25 is horizontal.
        elbow: how far the forearm bends forward.
        spread: how far the leg is moved sideways.
    """

    leg: float = 0.0
    knee: float = 0.0
    arm: float = 0.0
    out: float = 0.03
    elbow: float = 0.02
    spread: float = 0.0


@dataclass(frozen=True, slots=True)
class Posture:
    """The posture of a whole body.

    Args:
        left: angles of the left arm and leg.
        right: angles of the right arm and leg.
        lean: how far the trunk leans forward, in turns.
        lift: height above the ground, as a share of the body height.
    """

    left: Limbs
    right: Limbs
    lean: float = 0.0
    lift: float = 0.0


def walking(phase: float, stride: float) -> Posture:
    """Return the posture of a walk at this phase (0 to 1 is two steps); the legs swing by `stride` turns."""
    swing, rise = cos_sin(phase)

    def limbs(direction: float, lift: float) -> Limbs:
        return Limbs(direction * stride, 0.02 + 0.09 * max(lift, 0.0), -direction * stride * 0.8, 0.035, 0.05)

    return Posture(limbs(swing, rise), limbs(-swing, -rise), 0.01)


def casual(draws: RandomDraws) -> Posture:
    """Return a random everyday posture: walking, standing, an arm lifted, waving, or hands together."""
    kind = draws.below(8)
    if kind < 4:
        return walking(draws.unit(), draws.uniform(0.04, 0.09))
    left, right = Limbs(out=draws.uniform(0.02, 0.06)), Limbs(out=draws.uniform(0.02, 0.06))
    left, right = replace(left, leg=draws.uniform(-0.02, 0.02)), replace(right, leg=draws.uniform(-0.02, 0.02))
    if kind == 5:
        return Posture(left, replace(right, out=draws.uniform(0.2, 0.4), elbow=draws.uniform(0.0, 0.12)))
    if kind == 6:
        bent = {"arm": draws.uniform(0.02, 0.1), "elbow": draws.uniform(0.12, 0.28)}
        return Posture(replace(left, **bent), replace(right, **bent))
    if kind == 7:
        return Posture(replace(left, arm=draws.uniform(0.05, 0.2), elbow=draws.uniform(0.02, 0.2)), right)
    return Posture(left, right)


def gesturing(draws: RandomDraws) -> Posture:
    """Return a random posture of a person who faces the camera. Both arms and the legs are chosen independently."""
    left, right = (_gesture(draws) for _ in range(2))
    stance = draws.below(4)
    if stance == 0:
        steps = walking(draws.unit(), draws.uniform(0.03, 0.07))
        left = replace(left, leg=steps.left.leg, knee=steps.left.knee)
        right = replace(right, leg=steps.right.leg, knee=steps.right.knee)
    elif stance == 1:
        lifted = {"leg": draws.uniform(0.08, 0.2), "knee": draws.uniform(0.1, 0.24)}
        left_raised = draws.chance(0.5)
        left, right = (replace(left, **lifted), right) if left_raised else (left, replace(right, **lifted))
    else:
        left = replace(left, spread=draws.uniform(0.0, 0.06))
        right = replace(right, spread=draws.uniform(0.0, 0.06))
    return Posture(left, right, draws.uniform(-0.01, 0.025))


def _gesture(draws: RandomDraws) -> Limbs:
    """Return a random arm: hanging (half of the time), held out, raised, akimbo or held forward."""
    kind = draws.below(8)
    if kind == 4:
        return Limbs(out=draws.uniform(0.12, 0.3), elbow=draws.uniform(0.0, 0.05))
    if kind == 5:
        return Limbs(out=draws.uniform(0.32, 0.47), elbow=draws.uniform(0.0, 0.05))
    if kind == 6:
        return Limbs(arm=draws.uniform(-0.04, 0.03), out=draws.uniform(0.08, 0.13), elbow=draws.uniform(0.1, 0.2))
    if kind == 7:
        return Limbs(arm=draws.uniform(0.04, 0.14), out=draws.uniform(0.0, 0.06), elbow=draws.uniform(0.1, 0.28))
    return Limbs(out=draws.uniform(0.02, 0.07), elbow=draws.uniform(0.0, 0.05))


def between(one: Posture, other: Posture, share: float) -> Posture:
    """Interpolate linearly between two postures: share 0 gives `one`, share 1 gives `other`."""

    def mixed(a: float, b: float) -> float:
        return a + (b - a) * share

    def limbs(a: Limbs, b: Limbs) -> Limbs:
        return Limbs(*(mixed(getattr(a, field.name), getattr(b, field.name)) for field in fields(Limbs)))

    return Posture(
        limbs(one.left, other.left),
        limbs(one.right, other.right),
        mixed(one.lean, other.lean),
        mixed(one.lift, other.lift),
    )


def joints(posture: Posture, stand: Stand, tall: float) -> tuple[Point, ...]:
    """Return the world coordinates in metres of COCO's 17 key points for a person of `tall` metres."""
    reach = []
    for limbs in (posture.left, posture.right):
        thigh, shin = cos_sin(limbs.leg)[0], cos_sin(limbs.leg - limbs.knee)[0]
        reach.append((0.245 * thigh + 0.235 * shin) * cos_sin(limbs.spread)[0])
    hip_up = (max(reach) + 0.04) * tall + posture.lift * tall
    lean_cos, lean_sin = cos_sin(posture.lean)

    def trunk(side: float, above: float, ahead: float) -> Point:
        up, forward = above * tall, ahead * tall
        return (
            side * tall,
            hip_up + up * lean_cos - forward * lean_sin,
            up * lean_sin + forward * lean_cos,
        )

    points = [trunk(0.0, 0.39, 0.07)]
    points += [trunk(side, 0.41, 0.06) for side in (0.022, -0.022)]
    points += [trunk(side, 0.4, 0.0) for side in (0.05, -0.05)]
    shoulders = [trunk(side, 0.3, 0.0) for side in (0.108, -0.108)]
    arms = [_arm(shoulder, limbs, way, tall) for shoulder, limbs, way in _sides(posture, shoulders)]
    hips = [trunk(side, 0.0, 0.0) for side in (0.055, -0.055)]
    legs = [_leg(hip, limbs, way, tall) for hip, limbs, way in _sides(posture, hips)]
    points += [*shoulders, arms[0][0], arms[1][0], arms[0][1], arms[1][1]]
    points += [*hips, legs[0][0], legs[1][0], legs[0][1], legs[1][1]]
    return tuple(stand.place(*point) for point in points)


def _sides(posture: Posture, roots: list[Point]) -> list[tuple[Point, Limbs, float]]:
    """Pair the two joints (left, right) with the limbs of their side, and with 1.0 for left and -1.0 for right."""
    return [(roots[0], posture.left, 1.0), (roots[1], posture.right, -1.0)]


def _arm(shoulder: Point, limbs: Limbs, direction: float, tall: float) -> tuple[Point, Point]:
    """Return the positions of the elbow and the wrist, in the person's own coordinates in metres."""
    out_cos, out_sin = cos_sin(limbs.out)
    swing_cos, swing_sin = cos_sin(limbs.arm)
    bend_cos, bend_sin = cos_sin(limbs.arm + limbs.elbow)
    elbow = _moved(shoulder, direction * out_sin, -out_cos * swing_cos, out_cos * swing_sin, 0.165 * tall)
    return elbow, _moved(elbow, direction * out_sin * 0.8, -out_cos * bend_cos, out_cos * bend_sin, 0.15 * tall)


def _leg(hip: Point, limbs: Limbs, direction: float, tall: float) -> tuple[Point, Point]:
    """Return the positions of the knee and the ankle, in the person's own coordinates in metres."""
    out_cos, out_sin = cos_sin(limbs.spread)
    thigh_cos, thigh_sin = cos_sin(limbs.leg)
    shin_cos, shin_sin = cos_sin(limbs.leg - limbs.knee)
    knee = _moved(hip, direction * out_sin, -out_cos * thigh_cos, out_cos * thigh_sin, 0.245 * tall)
    return knee, _moved(knee, direction * out_sin, -out_cos * shin_cos, out_cos * shin_sin, 0.235 * tall)


def _moved(point: Point, side: float, up: float, ahead: float, length: float) -> Point:
    return point[0] + side * length, point[1] + up * length, point[2] + ahead * length
