"""The class that represents a value with its 95% confidence interval."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GROUPS_FROM", "HOLDS_FROM", "UNKNOWN", "Estimate", "fixed_point"]

HOLDS_FROM = 66
"""The smallest number of samples for which simulations showed reliable intervals of AP, AP50 and their drops.

For fewer samples it is unknown whether the intervals are reliable. `docs/explanation/statistics.md` describes the
simulations, and what they showed for other metrics."""
GROUPS_FROM = 13
"""The smallest number of groups of samples for which simulations showed reliable confidence intervals.

`HOLDS_FROM` is the same limit for the number of samples."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% confidence interval.

    Args:
        value: the value; None if it is undefined or was not measured.
        low: the lower end of the interval; None if there is no interval.
        high: the upper end of the interval; None if there is no interval.
        reason: why the value or the interval is missing.
        groups: the number of independent groups of samples that the value was computed from; None if they were not
            counted.
        few: whether there are too few samples or groups for a reliable interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    groups: int | None = None
    few: bool = False

    @property
    def sign(self) -> int:
        """1 if the whole interval lies above 0, -1 if it lies below 0, otherwise 0 (also without an interval)."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)

    def holds(self, value: float) -> bool:
        """Return whether a value lies inside the interval; False if there is no interval."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high

    def record(self) -> dict[str, float | str | None]:
        """Return value, interval and reason as plain values, for JSON."""
        return {"value": self.value, "low": self.low, "high": self.high, "reason": self.reason}

    def __neg__(self) -> Estimate:
        value, low, high = (None if end is None else -end for end in (self.value, self.high, self.low))
        return Estimate(value, low, high, self.reason, self.groups, self.few)

    def text(self, digits: int = 3, percent: bool = False) -> str:
        """Return the value and its interval as text, for example "0.482 [0.451, 0.513]".

        "(few)" is appended if `few` is set. Without a value the text is "not measured".

        Args:
            digits: the number of decimals; in percent, two fewer are written.
            percent: write percent: "48.2% [45.1, 51.3]".
        """
        if self.value is None:
            return "not measured"
        scale, digits = (100.0, max(0, digits - 2)) if percent else (1.0, digits)
        unit = "%" if percent else ""
        if self.low is None or self.high is None:
            return f"{fixed_point(scale * self.value, digits)}{unit}"
        ends = ", ".join(fixed_point(scale * end, digits) for end in (self.low, self.high))
        return f"{fixed_point(scale * self.value, digits)}{unit} [{ends}]{' (few)' if self.few else ''}"


UNKNOWN = Estimate(None)
"""An estimate without a value and without an interval."""


def fixed_point(value: float, digits: int) -> str:
    """Return a number as text with `digits` decimals; never "-0.000".

    >>> fixed_point(-0.0001, 3)
    '0.000'
    """
    return f"{round(value, digits) + 0.0:.{digits}f}"
