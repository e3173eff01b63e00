"""Options that every plugin kind shares: declared once, parsed from `name:key=value,...`, kept as a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from harness.errors import UsageError, did_you_mean

__all__ = ["Configured", "Option", "Phase", "Value"]

Value = bool | int | float | str | None
"""What an option can hold: something that JSON and a command line can both write."""

Phase = Literal["training", "prediction"]
"""What a model is at."""


@dataclass(frozen=True)
class Option:
    """One option of a plugin.

    Args:
        name: as it is written on the command line.
        type: bool, int, float or str.
        default: the value when it is not given; None stands for "not set".
        help: one sentence.
        choices: the values that are allowed, if they are few.
        minimum: the smallest number allowed.
        maximum: the largest number allowed.
        only: of a model's: the one phase that it concerns; None for both. With given weights, what concerns training
            alone is no part of an experiment's identity; what concerns prediction alone is no part of a training's.
    """

    name: str
    type: type[bool] | type[int] | type[float] | type[str]
    default: Value
    help: str
    choices: tuple[Value, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    only: Phase | None = None

    def parse(self, value: object) -> Value:
        """The checked value of a text (or of a value that has the type already).

        Raises:
            UsageError: the value is not of the type, or out of range.
        """
        parsed = self._convert(value)
        if self.choices and parsed not in self.choices:
            raise UsageError(f"option {self.name}={value}: allowed are {', '.join(map(str, self.choices))}.")
        if isinstance(parsed, int | float) and not isinstance(parsed, bool):
            low, high = self.minimum, self.maximum
            if (low is not None and parsed < low) or (high is not None and parsed > high):
                raise UsageError(f"option {self.name}={value}: allowed are {_range(low, high)}.")
        return parsed

    def _convert(self, value: object) -> Value:
        if value is None and self.default is None:
            return None
        if self.type is bool:
            words = {"true": True, "yes": True, "1": True, "on": True}
            words |= {"false": False, "no": False, "0": False, "off": False}
            if isinstance(value, bool):
                return value
            if str(value).lower() in words:
                return words[str(value).lower()]
        elif not isinstance(value, bool):
            try:
                if self.type is int and isinstance(value, float) and value != int(value):
                    raise ValueError
                number = self.type(value)  # type: ignore[call-overload,arg-type]
            except (ValueError, TypeError, OverflowError):
                pass
            else:
                if not isinstance(number, float) or number == number:
                    return number
        raise UsageError(f"option {self.name}={value}: {self.type.__name__} expected.")


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"numbers up to {high:g}"
    return f"numbers from {low:g}" + ("" if high is None else f" to {high:g}")


class Configured:
    """Something a plugin provides under a name, with declared options.

    Class attributes:
        name: how it is asked for.
        summary: one line for `harness list`.
        options: the options it takes.

    Attributes:
        config: every option's value, given or default, in declared order. Together with the name it makes the
            object again, so it is what results record.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    options: ClassVar[tuple[Option, ...]] = ()

    def __init__(self, **options: object) -> None:
        self.config: dict[str, Value] = self.resolve(options)

    @classmethod
    def resolve(cls, given: Mapping[str, object]) -> dict[str, Value]:
        """Every option's value, the given ones checked.

        Raises:
            UsageError: an option that is not declared, or a value that does not fit.
        """
        declared = {option.name: option for option in cls.options}
        for key in given:
            if key not in declared:
                hint = did_you_mean(key, list(declared))
                known = ", ".join(declared) or "none"
                raise UsageError(f"{cls.name} has no option {key!r}.{hint} Its options: {known}.")
        return {n: o.parse(given[n]) if n in given else o.default for n, o in declared.items()}

    def __repr__(self) -> str:
        inner = ", ".join(f"{key}={value!r}" for key, value in self.config.items())
        return f"{type(self).__name__}({inner})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Configured) and self.config == other.config

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.config.items())))

    def option(self, name: str) -> Any:
        """The value of one declared option."""
        return self.config[name]
