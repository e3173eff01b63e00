"""Clips of the street scenes and of the close-ups. Every fourth frame has the same kinds of targets as the images.

clip = render("street", "test", 0)
clip["frames"]     # uint8[16, 192, 256, 3], RGB
clip["boxes_4"]    # of frame 4, as in `Scene`
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from harness_plugins.demo_world.actions import performance, posture, speed
from harness_plugins.demo_world.closeups import TALL, closeup
from harness_plugins.demo_world.compositor import SCALE
from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import cos_sin
from harness_plugins.demo_world.layout import Placement, StreetPlan, plan
from harness_plugins.demo_world.postures import Posture, between, gesturing
from harness_plugins.demo_world.scene import HEIGHT, WIDTH
from harness_plugins.demo_world.stage import Mover, Stage, handheld, room
from harness_plugins.demo_world.vehicles import LENGTHS

VERSION = 1
"""Version of the renderer, increased whenever an image or a target of any clip changes. Part of the fingerprint."""

SPLITS = {"val": 20, "test": 40}
"""Number of clips in each split, for each kind of clip."""
KINDS = {"street": ("boxes", "labels", "classes", "depth"), "close-ups": ("boxes", "labels", "areas", "keypoints")}
"""The kinds of clips, and the arrays of `Scene` that are stored as targets of each kind."""
_SEEDS = {("street", "val"): 522, ("street", "test"): 533, ("close-ups", "val"): 622, ("close-ups", "test"): 633}
FRAMES, FPS = 16, 12.5
SCORED = (0, 4, 8, 12)
"""The indices of the frames that have targets."""


def seed(kind: str, split: str) -> int:
    """Return the random seed of all clips of this kind and split."""
    return _SEEDS[kind, split]


def render(kind: str, split: str, index: int) -> dict[str, npt.NDArray[Any]]:
    """Render clip number `index` of the split "val" or "test". It is the same on every machine.

    The result has the frames under "frames", and each target under its name and frame number ("boxes_4").
    """
    if not 0 <= index < SPLITS[split]:
        raise IndexError(f"clip {index} of {split}: there are {SPLITS[split]}")
    key = (seed(kind, split), index)
    draws, motion, noise = RandomDraws(*key), RandomDraws(*key, 2), RandomDraws(*key, 1)
    height, width = HEIGHT * SCALE, WIDTH * SCALE
    full_plan = closeup(draws, height, width) if kind == "close-ups" else plan(draws, height, width)
    movers = [mover for placement in full_plan.placements if (mover := _mover(placement, full_plan, motion))]
    moved = {mover.placement for mover in movers}
    static_plan = replace(full_plan, placements=tuple(place for place in full_plan.placements if place not in moved))
    views = handheld(motion, FRAMES, motion.sign() * motion.uniform(16.0, 64.0), 1)
    stage = Stage(static_plan, room(views))
    clip: dict[str, npt.NDArray[Any]] = {}
    frames = []
    for frame, view in enumerate(views):
        time = (frame - 0.5 * (FRAMES - 1)) / FPS
        if frame not in SCORED:
            frames.append(stage.image(view, movers, time, noise))
            continue
        seen = stage.scene(view, movers, time, noise)
        frames.append(seen.image)
        clip |= {f"{name}_{frame}": getattr(seen, name) for name in KINDS[kind]}
    return {"frames": np.stack(frames), **clip}


def names(kind: str) -> tuple[str, ...]:
    """Return the names of a clip's arrays."""
    return ("frames", *(f"{name}_{frame}" for frame in SCORED for name in KINDS[kind]))


def _mover(placement: Placement, scene: StreetPlan, draws: RandomDraws) -> Mover | None:
    """Return how an object moves; None when it stands still. Its placement in the plan is for the middle of the
    clip."""
    if placement.kind in LENGTHS:
        across = abs(placement.stand.sin) > 0.7
        return Mover(placement, draws.uniform(0.8, 4.0 if across else 2.5)) if draws.chance(0.7) else None
    if placement.kind != "person":
        return None
    if draws.chance(0.5):
        motion = performance("walk", draws)
        if scene.posing:  # close to the camera: smaller and slower steps
            motion = replace(motion, tempo=0.7 * motion.tempo, size=0.7 * motion.size)
        return Mover(placement, speed("walk", motion, TALL), partial(posture, "walk", motion))
    if scene.posing:
        return Mover(placement, 0.0, _gestures(draws))
    return None


def _gestures(draws: RandomDraws) -> Callable[[float], Posture]:
    """Return a function of time that moves from one posture to another and back, in 1.5 to 3 seconds."""
    first, second, start, tempo = gesturing(draws), gesturing(draws), draws.unit(), draws.uniform(0.33, 0.67)

    def posture_at(time: float) -> Posture:
        return between(first, second, 0.5 - 0.5 * cos_sin(start + tempo * time)[0])

    return posture_at
