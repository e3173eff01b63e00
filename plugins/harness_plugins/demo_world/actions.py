"""The ten actions that persons perform in clips, as postures that change over time."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import cos_sin
from harness_plugins.demo_world.postures import Limbs, Posture, walking

ACTIONS = ("bow", "clap", "jump", "kick", "punch", "run", "squat", "stand", "walk", "wave")
"""The names of the actions; the index is the action's number."""


@dataclass(frozen=True, slots=True)
class Performance:
    """How one person performs an action.

    Args:
        tempo: cycles per second.
        start: phase at time 0, in cycles.
        size: extent of the movement; 1 is normal.
        mirrored: whether left and right are swapped.
        arms: how far the arms are held out, in turns.
        legs: how far the legs are spread, in turns.
        lean: how far the body leans forward, in turns.
    """

    tempo: float
    start: float
    size: float
    mirrored: bool
    arms: float
    legs: float
    lean: float


_TEMPO = {
    "bow": (0.4, 0.6),
    "clap": (1.6, 2.4),
    "jump": (0.9, 1.3),
    "kick": (0.7, 1.0),
    "punch": (0.9, 1.4),
    "run": (1.3, 1.6),
    "squat": (0.5, 0.8),
    "stand": (0.2, 0.4),
    "walk": (0.8, 1.05),
    "wave": (1.2, 2.0),
}
"""The lowest and highest tempo of each action, in cycles per second. A cycle of walking or running is two steps."""


def performance(action: str, draws: RandomDraws) -> Performance:
    """Return a random performance of an action."""
    low, high = _TEMPO[action]
    return Performance(
        draws.uniform(low, high),
        draws.unit(),
        draws.uniform(0.85, 1.1),
        draws.chance(0.5),
        draws.uniform(0.025, 0.055),
        draws.uniform(0.0, 0.03),
        draws.uniform(-0.008, 0.015),
    )


def posture(action: str, how: Performance, time: float) -> Posture:
    """Return the posture at a time in seconds."""
    phase = how.start + how.tempo * time
    pose = _MOVES[action](how, phase)
    return Posture(pose.right, pose.left, pose.lean, pose.lift) if how.mirrored else pose


def speed(action: str, how: Performance, tall: float) -> float:
    """Return the forward speed in metres per second of a person of `tall` metres.

    The speed follows from the step length, with two steps per cycle; a runner also moves forward while in the air. It
    is 0 for all other actions.
    """
    if action == "walk":
        return how.tempo * tall * 0.66 * how.size
    return how.tempo * tall * 0.9 * how.size if action == "run" else 0.0


def _rise(phase: float, gain: float = 1.0, level: float = 0.5) -> float:
    """Return a value that goes from 0 to 1 and back once per cycle, around `level`.

    With `fast` above 1, the value stays at both ends for a while.
    """
    return min(1.0, max(0.0, level - 0.5 * gain * cos_sin(phase)[0]))


def _still(how: Performance) -> Limbs:
    return Limbs(out=how.arms, spread=how.legs)


def _bow(how: Performance, phase: float) -> Posture:
    bent = _rise(phase, 1.6, 0.65)
    limbs = replace(_still(how), arm=0.03 * bent, knee=0.01 * bent)
    return Posture(limbs, limbs, how.lean + 0.2 * how.size * bent)


def _clap(how: Performance, phase: float) -> Posture:
    apart = _rise(phase)
    arm = replace(_still(how), arm=0.11 * how.size, elbow=0.16, out=-0.075 + 0.19 * how.size * apart)
    return Posture(arm, arm, how.lean)


def _jump(how: Performance, phase: float) -> Posture:
    swing = cos_sin(phase)[1] + 0.25
    up, down = max(swing, 0.0), max(-swing, 0.0)
    limbs = Limbs(0.09 * down, 0.17 * down, 0.0, 0.06 + 0.34 * min(1.0, up * 1.4), 0.02, 0.015 + 0.055 * up)
    return Posture(limbs, limbs, how.lean + 0.02 * down, 0.15 * how.size * up)


def _kick(how: Performance, phase: float) -> Posture:
    out = _rise(phase, 1.5, 0.62)
    back = 1.0 - out
    leg = Limbs(-0.03 * back + 0.23 * how.size * out, 0.11 * back + 0.01, -0.06 * out, how.arms + 0.08, 0.06, how.legs)
    stance = Limbs(0.0, 0.01, 0.07 * out, how.arms + 0.08, 0.06)
    return Posture(leg, stance, how.lean - 0.035 * out)


def _punch(how: Performance, phase: float) -> Posture:
    left_out, right_out = _rise(phase, 1.5), _rise(phase + 0.5, 1.5)

    def arm(out: float) -> tuple[float, float]:
        return 0.06 + 0.19 * out * how.size, 0.34 * (1.0 - out) + 0.01

    (left, bend), (right, turn) = arm(left_out), arm(right_out)
    return Posture(
        Limbs(0.05, 0.03, left, 0.02, bend, 0.035),
        Limbs(-0.03, 0.04, right, 0.02, turn, 0.035),
        how.lean + 0.02,
    )


def _run(how: Performance, phase: float) -> Posture:
    swing, rise = cos_sin(phase)

    def limbs(direction: float, lift: float) -> Limbs:
        leg = direction * 0.12 * how.size + 0.035 * max(lift, 0.0)
        return Limbs(leg, 0.06 + 0.2 * max(lift, 0.0), -direction * 0.11 * how.size, 0.03, 0.24)

    double = cos_sin(2.0 * phase + 0.25)[1]
    return Posture(limbs(swing, rise), limbs(-swing, -rise), 0.035 + how.lean, 0.02 + 0.02 * double)


def _squat(how: Performance, phase: float) -> Posture:
    deep = 0.12 + 0.88 * _rise(phase, 1.4, 0.65)
    limbs = Limbs(0.235 * deep * how.size, 0.4 * deep * how.size, 0.2 * deep, how.arms, 0.03, how.legs + 0.03 * deep)
    return Posture(limbs, limbs, how.lean + 0.05 * deep)


def _stand(how: Performance, phase: float) -> Posture:
    sway = 0.004 * cos_sin(phase)[1]
    limbs = _still(how)
    return Posture(replace(limbs, arm=sway), replace(limbs, arm=-sway, out=how.arms + sway), how.lean + 0.5 * sway)


def _walk(how: Performance, phase: float) -> Posture:
    return walking(phase, 0.065 * how.size)


def _wave(how: Performance, phase: float) -> Posture:
    limbs = _still(how)
    return Posture(replace(limbs, out=0.38 + 0.075 * how.size * cos_sin(phase)[1], elbow=0.02), limbs, how.lean)


_MOVES: dict[str, Callable[[Performance, float], Posture]] = {
    "bow": _bow,
    "clap": _clap,
    "jump": _jump,
    "kick": _kick,
    "punch": _punch,
    "run": _run,
    "squat": _squat,
    "stand": _stand,
    "walk": _walk,
    "wave": _wave,
}
