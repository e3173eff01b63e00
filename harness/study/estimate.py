"""A number with its interval."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Estimate"]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval; without ends where it has none, without value where it is undefined.

    Args:
        value: the number.
        low: the interval's lower end.
        high: its upper end.
        few: whether it stands on so few samples, or groups of them, that it is not known whether the interval holds.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    few: bool = False

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies above or below 0, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)

    def holds(self, value: float) -> bool:
        """Whether a value lies inside the interval."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high

    def __neg__(self) -> Estimate:
        value, low, high = (None if end is None else -end for end in (self.value, self.high, self.low))
        return Estimate(value, low, high, self.few)

    def text(self, digits: int = 3, percent: bool = False) -> str:
        """ "0.482 [0.451, 0.513]"; in percent "48.2% [45.1, 51.3]"; with (few) behind it."""
        if self.value is None:
            return "not measured"
        scale, digits = (100.0, max(0, digits - 2)) if percent else (1.0, digits)
        unit = "%" if percent else ""
        if self.low is None or self.high is None:
            return f"{_short(scale * self.value, digits)}{unit}"
        ends = ", ".join(_short(scale * end, digits) for end in (self.low, self.high))
        return f"{_short(scale * self.value, digits)}{unit} [{ends}]{' (few)' if self.few else ''}"


def _short(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text
