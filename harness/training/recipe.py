"""Training recipes: the hyperparameters of a training, from registry.toml and `--set`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from reprlib import repr as short
from typing import Any

from harness.errors import RegistryError, UsageError, did_you_mean

__all__ = ["Recipe"]

_MOST = 1_000_000_000
"""More iterations, or examples at once, than any training has."""

_LARGEST = 3e38
"""Larger numbers do not fit into the 32 bits of a weight."""

_CHOICES = {
    "optimizer": ("adamw", "adam", "sgd"),
    "schedule": ("cosine", "constant", "step"),
    "precision": ("fp32", "bf16"),
    "export": ("fp32", "fp16"),
}


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of a training.

    Args:
        iterations: the number of optimizer steps for each part.
        batch: the number of examples in one iteration, over all devices.
        lr: the peak learning rate.
        optimizer: adamw, adam or sgd.
        weight_decay: the weight decay of tensors with two or more dimensions. Biases and normalisation layers have
            none.
        momentum: the momentum of sgd, or the first beta of Adam.
        schedule: how the learning rate changes: cosine (down to a hundredth), constant, or step (a tenth after each
            milestone).
        milestones: the fractions of the iterations (0-1) at which `step` reduces the learning rate.
        warmup: the number of iterations in which the learning rate rises linearly from 0.
        clip: the maximum norm of a part's gradient; 0 for no gradient clipping.
        average: the decay of the exponential moving average of the weights. The average is exported; with 0, the last
            weights are exported.
        precision: the precision of the forward pass, fp32 or bf16.
        channels_last: whether the network uses torch's channels-last memory format.
        export: the type of the exported weights, fp32 or fp16.
        checkpoint: the number of iterations between checkpoints.
        split: the dataset's split to train on.
        parts: the learning rates of parts whose rate differs from `lr` ({"discriminator": 1e-4}).
        source: where the values come from.
    """

    iterations: int
    batch: int
    lr: float
    optimizer: str = "adamw"
    weight_decay: float = 0.0
    momentum: float = 0.9
    schedule: str = "cosine"
    milestones: tuple[float, ...] = ()
    warmup: int = 0
    clip: float = 0.0
    average: float = 0.0
    precision: str = "fp32"
    channels_last: bool = False
    export: str = "fp32"
    checkpoint: int = 200
    split: str = "train"
    parts: Mapping[str, float] | None = None
    source: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str) -> Recipe:
        """Create a recipe from a table of registry.toml.

        Args:
            values: the table.
            where: the table's name, for error messages.

        Raises:
            RegistryError: a key is unknown, a required key is missing, or a value does not fit.
        """
        known = {field.name: field for field in fields(cls)}
        for key in values:
            if key not in known:
                hint = did_you_mean(key, list(known))
                raise RegistryError(f"{where} has an unknown key {key!r}.{hint} There is: {', '.join(known)}.")
        if missing := [name for name in ("iterations", "batch", "lr") if name not in values]:
            raise RegistryError(f"{where} lacks {', '.join(missing)}.")
        given = dict(values)
        if isinstance(given.get("milestones"), list):
            given["milestones"] = tuple(given["milestones"])
        try:
            recipe = cls(**given)
            recipe.check()
        except (TypeError, ValueError, UsageError) as error:
            raise RegistryError(f"{where}: {error}") from error
        return recipe

    def check(self) -> None:
        """Check all values.

        Raises:
            UsageError: a value is out of range; the message names the value.
        """
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UsageError(f"{name} is {short(getattr(self, name))}: allowed are {', '.join(allowed)}.")
        for name in ("iterations", "batch", "checkpoint"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UsageError(f"{name} is {short(value)}: a whole number of at least 1 is expected.")
            if value > _MOST:
                raise UsageError(f"{name} is {short(value)}: at most {_MOST:,} are possible.")
        for name in ("lr", "weight_decay", "momentum", "warmup", "clip", "average"):
            value = getattr(self, name)
            if not _is_rate(value):
                raise UsageError(f"{name} is {short(value)}: a number of at least 0 is expected.")
            if value > _LARGEST:
                raise UsageError(f"{name} is {short(value)}: at most {_LARGEST:g} is possible.")
        if self.average >= 1:
            raise UsageError(f"average is {self.average}: it has to be below 1.")
        if not isinstance(self.milestones, tuple) or not all(map(_is_rate, self.milestones)):
            raise UsageError(f"milestones is {short(self.milestones)}: fractions of the iterations are expected.")
        if self.parts is not None and not (isinstance(self.parts, Mapping) and all(map(_is_rate, self.parts.values()))):
            raise UsageError(f"parts is {short(self.parts)}: a learning rate for each part is expected.")
        if not isinstance(self.channels_last, bool):
            raise UsageError(f"channels_last is {short(self.channels_last)}: true or false is expected.")
        for name in ("split", "source"):
            if not isinstance(getattr(self, name), str):
                raise UsageError(f"{name} is {short(getattr(self, name))}: a text is expected.")

    def changed(self, settings: Sequence[str]) -> Recipe:
        """Return a copy of the recipe with values changed on the command line, each "key=value".

        Raises:
            UsageError: a key is unknown, or a value does not fit.

        >>> Recipe(iterations=10, batch=2, lr=0.1).changed(["lr=1e-4", "export=fp16"]).lr
        0.0001
        """
        known = {field.name: field for field in fields(self)}
        changes: dict[str, Any] = {}
        for text in settings:
            key, equals, value = text.partition("=")
            if not equals:
                raise UsageError(f"--set {text}: expected key=value. Keys: {', '.join(known)}.")
            if key not in known:
                hint = did_you_mean(key, list(known))
                raise UsageError(f"--set {text}: a recipe has no {key!r}.{hint} Keys: {', '.join(known)}.")
            changes[key] = _parsed(key, value, getattr(self, key))
        recipe = replace(self, **changes)
        recipe.check()
        return recipe

    def rate(self, part: str) -> float:
        """Return the peak learning rate of one part."""
        return (self.parts or {}).get(part, self.lr)

    def factor(self, iteration: int) -> float:
        """Return the factor of the learning rate at an iteration (counted from 0), from warm-up and schedule."""
        import math

        rise = min(1.0, (iteration + 1) / self.warmup) if self.warmup else 1.0
        progress = iteration / self.iterations
        if self.schedule == "cosine":
            return rise * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * progress)))
        if self.schedule == "step":
            return float(rise * 0.1 ** sum(progress >= milestone for milestone in self.milestones))
        return rise

    def identity(self) -> dict[str, Any]:
        """Return all values that can change the result: every value except `source` and `checkpoint`."""
        return {key: value for key, value in asdict(self).items() if key not in ("source", "checkpoint")}


def _is_rate(value: object) -> bool:
    """Return whether a value is a number of at least 0 that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= sys.float_info.max


def _parsed(key: str, text: str, old: Any) -> Any:
    """Convert a text from the command line to the type of the old value."""
    try:
        if key == "milestones":
            return tuple(float(part) for part in text.split("+") if part)
        if key == "parts":
            pairs = (pair.split(":", 1) for pair in text.split("+") if pair)
            return {name: float(rate) for name, rate in pairs}
        if isinstance(old, bool):
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        if isinstance(old, int):
            return int(text)
        if isinstance(old, float):
            return float(text)
    except (ValueError, KeyError) as error:
        raise UsageError(f"--set {key}={text}: that does not fit; it is {old!r} in the recipe.") from error
    return text
