"""Parses the names on a command line: `name[:key=value,...][@level,...]`.

>>> parse("jpeg:subsampling=4:4:4@95,50")
ParsedName(name='jpeg', options={'subsampling': '4:4:4'}, levels=(95.0, 50.0))
>>> parse("smp:arch=unet,encoder=resnet34")
ParsedName(name='smp', options={'arch': 'unet', 'encoder': 'resnet34'}, levels=None)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from harness.errors import UsageError

__all__ = ["ParsedName", "is_written", "parse"]


@dataclass(frozen=True)
class ParsedName:
    """A parsed text `name[:key=value,...][@level,...]`.

    Args:
        name: the name of a plugin class or of a registry entry.
        options: option -> its value as a text.
        levels: the levels; None if the text has none.
    """

    name: str
    options: dict[str, str] = field(default_factory=dict)
    levels: tuple[float, ...] | None = None


def parse(text: str, levels: bool = True) -> ParsedName:
    """Parse a text: the levels follow the last `@`, the options follow the first `:`.

    Args:
        text: the text.
        levels: whether the text may have levels (only codecs have them).

    Raises:
        UsageError: the text does not have the expected form; the message shows the form.
    """
    head, at, tail = text.rpartition("@") if levels else (text, "", "")
    if not at:
        head, tail = text, ""
    name, colon, rest = head.partition(":")
    if not name or (colon and not rest):
        raise UsageError(
            f"{text!r} cannot be read. The form is name[:key=value,...]{'[@level,...]' if levels else ''}."
        )
    options: dict[str, str] = {}
    for item in rest.split(",") if rest else []:
        key, equals, value = item.partition("=")
        if not key or not equals or not value:
            raise UsageError(f"{text!r}: {item!r} is no option. The form is key=value, joined by commas.")
        if key in options:
            raise UsageError(f"{text!r}: option {key} is given twice.")
        options[key] = value
    return ParsedName(name, options, _levels(text, tail) if at else None)


def _levels(text: str, tail: str) -> tuple[float, ...]:
    levels = []
    for item in tail.split(","):
        try:
            level = float(item)
        except ValueError:
            level = math.nan
        if not math.isfinite(level):
            raise UsageError(f"{text!r}: {item!r} is no level. Levels are numbers, joined by commas: @95,50,10.")
        levels.append(level)
    return tuple(levels)


def is_written(recorded: object, text: str) -> bool:
    """Return whether a text, as a user writes it, denotes a recorded value.

    >>> is_written(0.5, "0.50"), is_written(True, "yes"), is_written("4:4:4", "4:2:0")
    (True, True, False)
    """
    if isinstance(recorded, bool):
        return text.lower() in (("true", "yes", "1", "on") if recorded else ("false", "no", "0", "off"))
    if isinstance(recorded, int | float):
        try:
            return float(text) == recorded
        except ValueError:
            return False
    return str(recorded) == text
