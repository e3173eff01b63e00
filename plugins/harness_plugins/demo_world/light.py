"""Daylight: direction of the sun, brightness, haze, and the exposure and noise of the sensor."""

import math
from dataclasses import dataclass

from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import Point

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Light:
    """The light of one scene, and the camera's exposure, noise and blur.

    Args:
        sun: unit vector towards the sun.
        ambient: brightness without direct sun. `ambient` + `direct` is the brightness of a surface that faces the sun;
            1.0 leaves the surface's colour as it is.
        direct: brightness that the sun adds to a surface that faces it.
        tint: factor of each RGB channel.
        haze: colour of the haze, 0-255.
        haze_depth: distance in metres at which a surface has half the haze's colour.
        sky_high: colour of the sky at the top of the image, 0-255.
        clouds: strength of the clouds.
        gain: exposure.
        noise: strength of the sensor noise, in grey levels (0-255) times 4.
        soft: whether the lens blurs by one pixel.
    """

    sun: Point
    ambient: float
    direct: float
    tint: tuple[float, float, float]
    haze: Colour
    haze_depth: float
    sky_high: Colour
    clouds: int
    gain: float
    noise: int
    soft: bool

    def on(self, normal: Point) -> float:
        """Return the brightness of a surface with this unit normal."""
        facing = normal[0] * self.sun[0] + normal[1] * self.sun[1] + normal[2] * self.sun[2]
        return self.ambient + self.direct * max(facing, 0.0) + 0.06 * normal[1]

    def lit(self, colour: Colour, brightness: float) -> Colour:
        """Return the colour (0-255) under this brightness and the light's tint."""
        red, green, blue = (
            min(255, int(value * brightness * tint)) for value, tint in zip(colour, self.tint, strict=True)
        )
        return red, green, blue


def daylight(draws: RandomDraws) -> Light:
    """Return random daylight: clear, overcast, misty or dusk."""
    across, height, depth = draws.uniform(-1.0, 1.0), draws.uniform(0.5, 1.2), draws.uniform(-1.0, 0.5)
    length = math.sqrt(across * across + height * height + depth * depth)
    sun = (across / length, height / length, depth / length)
    weather = draws.below(10)
    noise = 6 + draws.below(12)
    soft = draws.chance(0.25)
    gain = draws.uniform(0.85, 1.2)
    if weather < 4:
        tint = (1.04, 1.0, 0.93)
        return Light(sun, 0.55, 0.6, tint, (196, 206, 216), 160.0, (92, 140, 200), 40, gain, noise, soft)
    if weather < 7:
        tint = (0.98, 1.0, 1.02)
        return Light(sun, 0.82, 0.14, tint, (196, 198, 200), 90.0, (168, 174, 182), 60, gain, noise, soft)
    if weather < 8:
        tint = (1.0, 1.0, 1.0)
        return Light(sun, 0.86, 0.05, tint, (190, 192, 192), 28.0, (190, 193, 196), 10, gain, noise, soft)
    tint = (1.05, 0.95, 0.86)
    return Light(sun, 0.42, 0.22, tint, (150, 132, 128), 110.0, (74, 84, 120), 50, gain, noise + 8, soft)
