"""A training recipe: the values that decide how a model is trained, from registry.toml and `--set`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import inf
from typing import Any

from harness.errors import RegistryError, UsageError, did_you_mean

__all__ = ["Recipe"]

_CHOICES = {
    "optimizer": ("adamw", "adam", "sgd"),
    "schedule": ("cosine", "constant", "step"),
    "precision": ("fp32", "bf16"),
    "export": ("fp32", "fp16"),
}


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Args:
        iterations: how many times each part's optimizer steps.
        batch: examples an iteration, over all devices.
        lr: the highest learning rate.
        optimizer: adamw, adam or sgd.
        weight_decay: of tensors with two or more dimensions; biases and norms have none.
        momentum: of sgd; the first beta of Adam.
        schedule: of the learning rate after the warm-up: cosine (to a hundredth), constant, or step (a tenth after
            each milestone).
        milestones: shares of the iterations (0-1) at which `step` falls.
        warmup: iterations over which the rate rises linearly from 0.
        clip: the largest norm of a part's gradient; 0 does not clip.
        average: decay of the exponential moving average of the weights, which is what is exported; 0 takes the last.
        precision: of the forward pass, fp32 or bf16.
        channels_last: whether the network's memory is laid out with channels last.
        export: the type that weights are stored in, fp32 or fp16.
        checkpoint: iterations between checkpoints.
        split: the split that is trained on.
        parts: learning rate of single parts, where they differ from `lr` ({"discriminator": 1e-4}).
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
        """From a table of registry.toml.

        Args:
            values: the table.
            where: what it is called, for messages.

        Raises:
            RegistryError: a key that means nothing, one that is missing, or a value that does not fit.
        """
        known = {field.name: field for field in fields(cls)}
        for key in values:
            if key not in known:
                hint = did_you_mean(key, list(known))
                raise RegistryError(f"{where} has an unknown key {key!r}.{hint} There is: {', '.join(known)}.")
        if missing := [name for name in ("iterations", "batch", "lr") if name not in values]:
            raise RegistryError(f"{where} lacks {', '.join(missing)}.")
        given = dict(values)
        if "milestones" in given:
            given["milestones"] = tuple(given["milestones"])
        try:
            recipe = cls(**given)
            recipe.check()
        except (TypeError, ValueError, UsageError) as error:
            raise RegistryError(f"{where}: {error}") from error
        return recipe

    def check(self) -> None:
        """Raises:
        UsageError: a value is out of range; the message names it.
        """
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UsageError(f"{name} is {getattr(self, name)!r}: allowed are {', '.join(allowed)}.")
        for name in ("iterations", "batch", "checkpoint"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UsageError(f"{name} is {value!r}: a whole number of at least 1 is expected.")
        for name in ("lr", "weight_decay", "momentum", "warmup", "clip", "average"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < inf:
                raise UsageError(f"{name} is {value!r}: a number of at least 0 is expected.")
        if self.average >= 1:
            raise UsageError(f"average is {self.average}: it has to be below 1.")

    def changed(self, settings: Sequence[str]) -> Recipe:
        """With values set on the command line, each "key=value".

        Raises:
            UsageError: an unknown key, or a value that does not fit.

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
        """The highest learning rate of one part."""
        return (self.parts or {}).get(part, self.lr)

    def factor(self, iteration: int) -> float:
        """What the learning rate is multiplied by at an iteration (from 0)."""
        import math

        rise = min(1.0, (iteration + 1) / self.warmup) if self.warmup else 1.0
        share = iteration / self.iterations
        if self.schedule == "cosine":
            return rise * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * share)))
        if self.schedule == "step":
            return float(rise * 0.1 ** sum(share >= milestone for milestone in self.milestones))
        return rise

    def identity(self) -> dict[str, Any]:
        """What decides the result: everything but where the values come from and how often they are saved."""
        return {key: value for key, value in asdict(self).items() if key not in ("source", "checkpoint")}


def _parsed(key: str, text: str, old: Any) -> Any:
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
