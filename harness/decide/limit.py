"""How much a model may get worse: absolute ("0.02") or a share of its uncompressed value ("2%")."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.errors import UsageError

__all__ = ["Limit", "percent"]


def percent(share: float) -> str:
    """A share in percent: with two digits, from 100% on without decimals.

    >>> percent(0.0213), percent(0.3), percent(1.634)
    ('2.1%', '30%', '163%')
    """
    return f"{100 * share:.2g}%" if abs(share) < 0.995 else f"{100 * share:.0f}%"


@dataclass(frozen=True)
class Limit:
    """The largest drop that is allowed.

    Args:
        value: in the metric's unit, or a share of the uncompressed value; not negative.
        relative: whether it is a share.
    """

    value: float
    relative: bool

    @classmethod
    def parse(cls, text: str) -> Limit:
        """The limit that a text names.

        Raises:
            UsageError: no number, negative, or not finite.

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
        """What a person calls it: "2% of the uncompressed value"."""
        return f"{self.value:.6g}" if not self.relative else f"{100 * self.value:.6g}%"

    def allowed(self, baseline: float) -> float:
        """The largest drop in the metric's unit."""
        return self.value * abs(baseline) if self.relative else self.value
