"""Options of plugins, which the user sets with `name:key=value,...`, and the scales of codecs' levels."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from harness.errors import UsageError, did_you_mean

__all__ = ["Configured", "Option", "Phase", "Scale", "Value"]

Value = bool | int | float | str | None
"""The type of an option's value. JSON and a command line can both express it."""

_LARGEST: dict[type, float] = {int: 2**63 - 1, float: sys.float_info.max}
"""The largest numbers of options: those that databases and libraries can hold too. NaN is none."""

Phase = Literal["training", "prediction"]
"""The two phases in which a model works."""


@dataclass(frozen=True)
class Option:
    """One option of a plugin.

    Args:
        name: the option's name on the command line.
        type: bool, int, float or str.
        default: the value if the user does not set the option; None means "not set".
        help: one sentence of description.
        choices: the allowed values, if there are only a few; empty otherwise.
        minimum: the smallest allowed number; None for no limit.
        maximum: the largest allowed number; None for no limit.
        only: what the option affects, if it is not everything. "speed": it changes no byte of any result (a number of
            threads), so it is part of no identity. For options of models: the only phase that the option affects. An
            option that affects only training is not part of an experiment's identity, because the weights identify
            the result of the training. An option that affects only prediction is not part of a training's identity.
        required: whether the user has to set the option; its `default` is None then.
        file: whether the value is the path of a file, of a codec's weights. What decides is the file's content: the
            identity has the file's name without its folder, and the codec's `fingerprint` has to have its SHA-256
            (`harness.weights.for_codec`).
    """

    name: str
    type: type[bool] | type[int] | type[float] | type[str]
    default: Value
    help: str
    choices: tuple[Value, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    only: Phase | Literal["speed"] | None = None
    required: bool = False
    file: bool = False

    def parse(self, value: object) -> Value:
        """Convert a text to the option's type, check the value, and return it.

        Args:
            value: a text, or a value that already has the option's type.

        Raises:
            UsageError: the value does not have the option's type, or is not allowed.
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
        if value is None and self.default is None and not self.required:
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
                if not isinstance(number, int | float) or abs(number) <= _LARGEST[self.type]:
                    return number
        raise UsageError(f"option {self.name}={value}: {self.type.__name__} expected.")


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"numbers up to {high:g}"
    return f"numbers from {low:g}" + ("" if high is None else f" to {high:g}")


@dataclass(frozen=True)
class Scale:
    """The compression control of a codec, in the codec's own unit, and the levels that are tested by default.

    Args:
        name: the codec's name for the control: "quality", "crf", ...
        ladder: the levels that are tested by default, from the mildest to the strongest compression.
        minimum: the smallest level allowed.
        maximum: the largest level allowed.
        higher_is_better: whether a larger level gives better image quality.
        integer: whether only whole numbers are allowed.
        unit: the unit, where the control has one ("kbit/s").
    """

    name: str
    ladder: tuple[float, ...]
    minimum: float
    maximum: float
    higher_is_better: bool
    integer: bool = True
    unit: str = ""

    def check(self, level: float, codec: str) -> float:
        """Return the level unchanged if it is valid on this scale.

        Args:
            level: the level to check.
            codec: the codec's name, for the error message.

        Raises:
            UsageError: the level is out of range, or it is not a whole number and the scale has whole numbers only.
        """
        invalid = self.integer and level != int(level) if abs(level) < 1e15 else True
        if not self.minimum <= level <= self.maximum or invalid:
            kind = "a whole number" if self.integer else "a number"
            raise UsageError(
                f"codec {codec} has no level {level:g}: {self.name} is {kind} "
                f"from {self.minimum:g} to {self.maximum:g}."
            )
        return level

    def mildest_first(self, levels: tuple[float, ...]) -> tuple[float, ...]:
        """Return the levels without duplicates, from the mildest to the strongest compression."""
        return tuple(sorted(set(levels), reverse=self.higher_is_better))


class Configured:
    """Base class of the objects that plugins provide (codecs, tasks, models, ...): they have a name and options.

    Class attributes:
        name: the name by which a user selects the class.
        summary: one line of description for `harness list`.
        options: the options that the class declares.

    Attributes:
        config: option -> value for every declared option, in the declared order; the default where the user gave no
            value. The name and `config` are enough to create the same object again, so results record both.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    options: ClassVar[tuple[Option, ...]] = ()

    def __init__(self, **options: object) -> None:
        self.config: dict[str, Value] = self.resolve(options)

    @classmethod
    def resolve(cls, given: Mapping[str, object]) -> dict[str, Value]:
        """Return the value of every declared option: the given value after a check, or the default.

        Raises:
            UsageError: an option is not declared or is missing, or a value does not fit its option.
        """
        declared = {option.name: option for option in cls.options}
        for key in given:
            if key not in declared:
                hint = did_you_mean(key, list(declared))
                known = ", ".join(declared) or "none"
                raise UsageError(f"{cls.name} has no option {key!r}.{hint} Its options: {known}.")
        if missing := [option for option in cls.required() if option.name not in given]:
            words = "; ".join(f"{option.name} ({option.help})" for option in missing)
            form = f"{cls.name}:{','.join(f'{option.name}=...' for option in missing)}"
            raise UsageError(f"{cls.name} needs {words}: write {form}.")
        return {n: o.parse(given[n]) if n in given else o.default for n, o in declared.items()}

    @classmethod
    def required(cls) -> tuple[Option, ...]:
        """Return the options that the user has to set."""
        return tuple(option for option in cls.options if option.required)

    def lasting_config(self) -> dict[str, Value]:
        """Return the options, files by their names, without those that change no byte of any result (`Option.only`)."""
        idle = {option.name for option in self.options if option.only == "speed"}
        files = {option.name for option in self.options if option.file}
        lasting = {name: value for name, value in self.config.items() if name not in idle}
        return {name: Path(str(value)).name if name in files and value else value for name, value in lasting.items()}

    def __repr__(self) -> str:
        inner = ", ".join(f"{key}={value!r}" for key, value in self.config.items())
        return f"{type(self).__name__}({inner})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Configured) and self.config == other.config

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.config.items())))

    def option(self, name: str) -> Any:
        """Return the value of one declared option."""
        return self.config[name]
