"""The camera, rotations and planes, computed with plain Python floats.

Only additions, multiplications, divisions and square roots are used. IEEE rounds each of them correctly, so the results
do not depend on the processor. The C library's sine and cosine could differ between machines.
World coordinates are in metres: x to the right, y up from the ground, z away from the camera.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float, float]
Pixel = tuple[float, float]
Plane = tuple[float, float, float]


def cos_sin(turns: float) -> tuple[float, float]:
    """Return the cosine and sine of an angle in turns (1.0 is 360 degrees), within 1e-6 of the true values."""
    turns = turns - float(int(turns))
    if turns < 0.0:
        turns = turns + 1.0
    quarter = int(turns * 4.0 + 0.5)
    x = (turns - quarter * 0.25) * 6.283185307179586
    xx = x * x
    cosine = 1.0 - xx * (0.5 - xx * (1.0 / 24.0 - xx * (1.0 / 720.0 - xx / 40320.0)))
    sine = x * (1.0 - xx * (1.0 / 6.0 - xx * (1.0 / 120.0 - xx * (1.0 / 5040.0 - xx / 362880.0))))
    return ((cosine, sine), (-sine, cosine), (-cosine, -sine), (sine, -cosine))[quarter % 4]


@dataclass(frozen=True, slots=True)
class PinholeCamera:
    """A pinhole camera that looks along z.

    Args:
        focal: focal length in canvas pixels.
        centre: canvas column of the optical axis.
        horizon: canvas row of the horizon.
        height: height of the camera above the ground, in metres.
    """

    focal: float
    centre: float
    horizon: float
    height: float

    def project(self, point: Point) -> Pixel:
        """Return the canvas column and row of a world point. Its z must be positive."""
        x, y, z = point
        scale = self.focal / z
        return self.centre + x * scale, self.horizon + (self.height - y) * scale

    def upright(self, z: float) -> Plane:
        """Return the vertical plane that faces the camera at depth z, as the method `plane` returns planes."""
        return 0.0, 0.0, 1.0 / z

    def plane(self, corner: Point, normal: Point) -> Plane:
        """Return (a, b, c) with 1 / depth = a * column + b * row + c, for the plane through `corner` with this
        normal."""
        nx, ny, nz = normal
        offset = nx * corner[0] + ny * (corner[1] - self.height) + nz * corner[2]
        if -1e-6 < offset < 1e-6:
            return self.upright(corner[2])
        a = nx / (self.focal * offset)
        b = -ny / (self.focal * offset)
        return a, b, nz / offset - a * self.centre - b * self.horizon


@dataclass(frozen=True, slots=True)
class Stand:
    """Where an object stands: its ground position in metres, and the cosine and sine of its yaw.

    The object has its own coordinates in metres: `side` to its left, `up`, and `ahead`. With yaw 0 it looks away from
    the camera; with half a turn it looks towards the camera.
    """

    x: float
    z: float
    cos: float
    sin: float

    def place(self, side: float, up: float, ahead: float) -> Point:
        """Convert a point from the object's coordinates to world coordinates."""
        return self.x - side * self.cos + ahead * self.sin, up, self.z + side * self.sin + ahead * self.cos


def standing(x: float, z: float, yaw: float) -> Stand:
    """Return a `Stand` at (x, z) in metres, with the yaw in turns."""
    cosine, sine = cos_sin(yaw)
    return Stand(x, z, cosine, sine)


def middle(points: Sequence[Point]) -> Point:
    """Return the mean of the points."""
    count = len(points)
    x = y = z = 0.0
    for point in points:
        x, y, z = x + point[0], y + point[1], z + point[2]
    return x / count, y / count, z / count


def outward(face: Sequence[Point], inside: Point) -> Point:
    """Return the unit normal of a flat face, pointing away from the point `inside`."""
    a, b, c = face[0], face[1], face[2]
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    length = math.sqrt(nx * nx + ny * ny + nz * nz) or 1.0
    away = nx * (a[0] - inside[0]) + ny * (a[1] - inside[1]) + nz * (a[2] - inside[2])
    if away < 0.0:
        length = -length
    return nx / length, ny / length, nz / length


def hull(points: Sequence[Pixel]) -> list[Pixel]:
    """Return the convex hull of points on the canvas (Andrew's monotone chain)."""
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return ordered
    return _chain(ordered)[:-1] + _chain(ordered[::-1])[:-1]


def _chain(ordered: Sequence[Pixel]) -> list[Pixel]:
    """Return the lower hull of points that are sorted by column and row."""
    chain: list[Pixel] = []
    for x, y in ordered:
        while len(chain) > 1:
            (ax, ay), (bx, by) = chain[-2], chain[-1]
            if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0.0:
                break
            chain.pop()
        chain.append((x, y))
    return chain
