"""Random numbers that are the same on every machine and with every version of NumPy.

Only the raw 64-bit words of PCG64 are used, because NumPy guarantees that they never change (NEP 19). The methods of
`numpy.random.Generator` have no such guarantee, and its `normal` uses log and exp, which can differ between machines.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")

_BLOCK = 256
_TO_UNIT = 1.0 / (1 << 53)


class RandomDraws:
    """One stream of random numbers, determined only by the integers of its key."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))
        self._words: list[int] = []

    def _word(self) -> int:
        if not self._words:
            self._words = self._bits.random_raw(_BLOCK).tolist()
        return self._words.pop()

    def unit(self) -> float:
        """Return a random number in [0, 1), a multiple of 2**-53."""
        return (self._word() >> 11) * _TO_UNIT

    def uniform(self, low: float, high: float) -> float:
        """Return a random number in [low, high)."""
        return low + (high - low) * self.unit()

    def below(self, end: int) -> int:
        """Return a random integer in [0, end)."""
        return (self._word() >> 32) * end >> 32

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.unit() < probability

    def sign(self) -> float:
        """Return -1.0 or 1.0, with equal probability."""
        return 1.0 if self._word() >> 63 else -1.0

    def choice(self, options: Sequence[T]) -> T:
        """Return a random option; all are equally likely."""
        return options[self.below(len(options))]

    def bytes(self, *shape: int) -> npt.NDArray[np.uint8]:
        """Return random numbers as a uint8 array of this shape, uniform over 0-255."""
        count = 1
        for length in shape:
            count *= length
        words = self._bits.random_raw((count + 7) // 8)
        return words.astype("<u8").view(np.uint8)[:count].reshape(shape)
