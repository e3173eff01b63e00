"""Frames of a clip: a street larger than the frame is drawn once, and each frame shows the part in the camera's
view."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from harness_plugins.demo_world.bodies import Body, shifted
from harness_plugins.demo_world.compositor import SCALE, Owners, Scene, darken, observed, photographed, put
from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import Stand, cos_sin
from harness_plugins.demo_world.layout import Placement, StreetPlan
from harness_plugins.demo_world.population import bodies, moving, shadows
from harness_plugins.demo_world.postures import Posture
from harness_plugins.demo_world.scene import HEIGHT, WIDTH
from harness_plugins.demo_world.scenery import Canvas, backdrop

_TALL, _WIDE = HEIGHT * SCALE, WIDTH * SCALE


@dataclass(frozen=True, slots=True)
class Mover:
    """A moving object: its place at time 0, its forward speed in metres per second, and its posture over time.

    `posture` is None for objects without a posture, and for persons who keep the posture from their own random numbers.
    """

    placement: Placement
    speed: float = 0.0
    posture: Callable[[float], Posture] | None = None

    def at(self, time: float) -> tuple[Placement, Posture | None]:
        """Return the object's place and posture at a time in seconds."""
        stand, distance = self.placement.stand, self.speed * time
        stand = Stand(stand.x + stand.sin * distance, stand.z + stand.cos * distance, stand.cos, stand.sin)
        return replace(self.placement, stand=stand), self.posture(time) if self.posture else None


class Stage:
    """The static part of a clip, drawn once on a canvas that is wider and taller than the frame by `margin` on each
    side.

    Args:
        plan: the street, the camera when it looks straight ahead, and the objects that do not move.
        margin: the largest offset of the camera's view, in canvas pixels down and across.
    """

    def __init__(self, plan: StreetPlan, margin: tuple[int, int]) -> None:
        self._plan = plan
        self._margin = margin
        down, across = margin
        camera = replace(plan.camera, centre=plan.camera.centre + across, horizon=plan.camera.horizon + down)
        wide = replace(plan, camera=camera)
        height, width = _TALL + 2 * down, _WIDE + 2 * across
        self._canvas = backdrop(plan.street, camera, plan.light, height, width)
        darken(self._canvas, shadows(wide), plan.light)
        self._still = bodies(wide, height, width)

    def scene(self, view: tuple[int, int], movers: Sequence[Mover], time: float, noise: RandomDraws) -> Scene:
        """Return the frame and its ground truth, with the view offset by `view` (canvas pixels down and across)."""
        canvas, owner, present = self._drawn(view, movers, time)
        return observed(canvas, owner, present, self._plan.light, noise)

    def image(
        self, view: tuple[int, int], movers: Sequence[Mover], time: float, noise: RandomDraws
    ) -> npt.NDArray[np.uint8]:
        """Return the frame alone, uint8[192, 256, 3]."""
        canvas, _, _ = self._drawn(view, movers, time)
        return photographed(canvas, self._plan.light, noise)

    def _drawn(
        self, view: tuple[int, int], movers: Sequence[Mover], time: float
    ) -> tuple[Canvas, Owners, Sequence[Body]]:
        """Draw one frame. Return the canvas, the owner of each canvas pixel, and the bodies from far to near."""
        down, across = self._margin[0] + view[0], self._margin[1] + view[1]
        area = np.s_[down : down + _TALL, across : across + _WIDE]
        whole = self._canvas
        canvas = Canvas(whole.colour[area].copy(), whole.segment[area].copy(), whole.nearness[area].copy())
        camera = self._plan.camera
        camera = replace(camera, centre=camera.centre - view[1], horizon=camera.horizon - view[0])
        now = [mover.at(time) for mover in movers]
        plan = replace(self._plan, camera=camera, placements=tuple(placement for placement, _ in now))
        darken(canvas, shadows(plan), plan.light)
        present = [seen for body in self._still if (seen := shifted(body, down, across, _TALL, _WIDE)) is not None]
        for placement, posture in now:
            present += moving(placement, plan, _TALL, _WIDE, posture)
        present.sort(key=lambda body: -body.depth)
        return canvas, put(canvas, present), present


def handheld(draws: RandomDraws, frames: int, pan: float, shake: int) -> list[tuple[int, int]]:
    """Return the offset of the view in each frame, in canvas pixels down and across.

    It is the sum of a steady pan by `pan` canvas pixels over the clip (half of it before the middle), two slow waves
    along each axis, and an independent shake of at most `shake` pixels.
    """
    waves = [(draws.unit(), draws.uniform(0.4, 1.6), draws.uniform(1.0, 4.0)) for _ in range(4)]
    views = []
    for frame in range(frames):
        time = (frame + 0.5) / frames
        slow = [size * cos_sin(start + turns * time)[1] for start, turns, size in waves]
        shakes = [draws.below(2 * shake + 1) - shake for _ in range(2)]
        down, across = slow[0] + slow[1], slow[2] + slow[3] + pan * (time - 0.5)
        views.append((int(down) + shakes[0], int(across) + shakes[1]))
    return views


def room(views: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the largest offsets (down, across) of these views: the margin that a `Stage` needs."""
    return max(abs(down) for down, _ in views), max(abs(across) for _, across in views)
