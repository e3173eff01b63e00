"""The largest drop that is allowed: absolute ("0.02"), or relative to the uncompressed value ("2%")."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.errors import UsageError

__all__ = ["Limit", "percent"]


def percent(share: float) -> str:
    """Return a share in percent as text: with two significant digits, and from 99.5% on without decimals.

    >>> percent(0.0213), percent(0.3), percent(1.634)
    ('2.1%', '30%', '163%')
    """
    return f"{100 * share:.2g}%" if abs(share) < 0.995 else f"{100 * share:.0f}%"


@dataclass(frozen=True)
class Limit:
    """The largest drop that is allowed.

    Args:
        value: the drop in the metric's unit, or as a share of the uncompressed value; not negative.
        relative: whether `value` is a share.
    """

    value: float
    relative: bool

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Parse a limit from text. A number with a percent sign is a relative limit.

        Raises:
            UsageError: the text is not a number, or the number is negative or not finite.

        >>> Limit.parse("2%"), Limit.parse("0.02")
        (Limit(value=0.02, relative=True), Limit(value=0.02, relative=False))
        """
        relative = text.strip().endswith("%")
        try:
            value = float(text.strip().removesuffix("%"))
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < 0:
            raise UsageError(
                f"--max-drop {text}: neither a drop in the metric's own unit, as in 0.02, nor a share of the "
                "uncompressed value, as in 2%."
            )
        return cls(value / 100 if relative else value, relative)

    @property
    def words(self) -> str:
        """The limit as text: "0.02" or "2%"."""
        return f"{self.value:.6g}" if not self.relative else f"{100 * self.value:.6g}%"

    def allowed(self, baseline: float) -> float:
        """Return the largest drop that is allowed, in the metric's unit.

        Args:
            baseline: the uncompressed value.
        """
        return self.value * abs(baseline) if self.relative else self.value
