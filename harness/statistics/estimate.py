"""A value with its 95% interval: the one class for it, wherever a number is uncertain."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["UNKNOWN", "Estimate"]


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval.

    Args:
        value: the value; None where it is undefined or was not measured.
        low: lower end of the interval; None where there is no interval.
        high: upper end of the interval.
        reason: why the value or the interval is missing.
        groups: how many independent groups of samples the value comes from; None where this was not counted.
        few: whether there are too few samples or groups for the interval to be trusted.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    groups: int | None = None
    few: bool = False

    @property
    def sign(self) -> int:
        """1 where the whole interval lies above 0, -1 where it lies below 0, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)

    def holds(self, value: float) -> bool:
        """Whether a value lies inside the interval."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high

    def __neg__(self) -> Estimate:
        value, low, high = (None if end is None else -end for end in (self.value, self.high, self.low))
        return Estimate(value, low, high, self.reason, self.groups, self.few)

    def text(self, digits: int = 3, percent: bool = False) -> str:
        """ "0.482 [0.451, 0.513]"; in percent "48.2% [45.1, 51.3]"; with "(few)" behind it where `few` is set."""
        if self.value is None:
            return "not measured"
        scale, digits = (100.0, max(0, digits - 2)) if percent else (1.0, digits)
        unit = "%" if percent else ""
        if self.low is None or self.high is None:
            return f"{_short(scale * self.value, digits)}{unit}"
        ends = ", ".join(_short(scale * end, digits) for end in (self.low, self.high))
        return f"{_short(scale * self.value, digits)}{unit} [{ends}]{' (few)' if self.few else ''}"


UNKNOWN = Estimate(None)
"""Neither a value nor an interval."""


def _short(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text
