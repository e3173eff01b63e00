"""Reads single bits of coded packets."""

from __future__ import annotations

__all__ = ["Bits"]


class Bits:
    """Reads bits, the highest of each byte first. Behind the end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data[:64], "big") << 256
        self._left = 8 * len(data[:64]) + 256

    def read(self, count: int) -> int:
        self._left = max(0, self._left - count)
        return self._value >> self._left & ((1 << count) - 1)
