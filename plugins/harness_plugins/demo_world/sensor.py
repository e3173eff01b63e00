"""Convert the light on the canvas to 8-bit pixels: haze, averaging, tone curve, blur and noise. All in integers."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.light import Light

Ints = npt.NDArray[np.int32]


def gathered(colour: npt.NDArray[np.uint8], nearness: npt.NDArray[np.float32], light: Light) -> npt.NDArray[np.int32]:
    """Sum each block of 2x2 canvas pixels and add the haze in front of it: int32[H / 2, W / 2, 3], values 0-1020."""
    rows = np.add(colour[0::2], colour[1::2], dtype=np.int32)
    sums = rows[:, 0::2] + rows[:, 1::2]
    near = nearness[0::2, 0::2] + nearness[1::2, 1::2]
    share = (near * np.float32(256.0) / (near + np.float32(2.0 / light.haze_depth))).astype(np.int32)
    haze = np.array(light.haze, dtype=np.int32) * 4
    return haze + ((sums - haze) * share[:, :, None] >> 8)


def developed(light_sums: npt.NDArray[np.int32], light: Light, draws: RandomDraws) -> npt.NDArray[np.uint8]:
    """Apply tone curve, blur and noise to sums of four canvas pixels (0-1020), and return uint8[H, W, 3]."""
    image = _tones(light.gain).take(light_sums)
    if light.soft:
        image = _blurred(image)
    height, width = image.shape[:2]
    coins = draws.bytes(4, height, width).astype(np.int16)
    grey = (coins[0] + coins[1] - coins[2] - coins[3])[:, :, None]
    tint = draws.bytes(2, height, width, 3).astype(np.int16)
    noise = (grey + ((tint[0] - tint[1]) >> 1)) * np.int16(light.noise) >> 9
    levels: npt.NDArray[np.int16] = ((image + noise * 4) + 8) >> 4
    return levels.clip(0, 255).astype(np.uint8)


@lru_cache(maxsize=4)
def _tones(gain: float) -> npt.NDArray[np.int16]:
    """Return a table from sums of four canvas pixels (0-1020) to 16ths of a grey level: a gain with soft clipping."""
    table = []
    for level in range(1021):
        value = level / 1020.0 * gain
        table.append(min(4080, int(4080.0 * value * (1.0 + 0.2 * value) / (1.0 + 0.2 * value * value))))
    return np.array(table, dtype=np.int16)


def _blurred(image: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Blur with the weights 1 6 1 (divided by 8) along both axes."""
    wide = np.pad(image, ((0, 0), (1, 1), (0, 0)), mode="edge")
    image = (wide[:, :-2] + image * 6 + wide[:, 2:]) >> 3
    tall = np.pad(image, ((1, 1), (0, 0), (0, 0)), mode="edge")
    return (tall[:-2] + image * 6 + tall[2:]) >> 3
