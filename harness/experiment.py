"""One cell of the cross product: what it is, and the key it is known by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Experiment", "Training", "canonical", "key_of", "variant"]


@dataclass(frozen=True)
class Training:
    """How the weights came to be.

    Args:
        kind: "pretrained", or "retrained".
        codec: what the training data were coded with, options and all; None when pretrained or trained on uncompressed
            data.
        level: the level they were coded at; None when there was none, or a random one of several.
        mode: "level" when coded at one level, "mixed" at several, "clean" when not coded; None when pretrained.
        parts: the parts that were retrained, joined by "+"; None for all of them.
        seed: of the training; None when pretrained.
        checkpoint: the training's key; None when pretrained.
        control: the key of the same training on uncompressed data; None when pretrained.
        series: what trainings share that differ only in their seed: SHA-256 of the rest; None when pretrained.
    """

    kind: str = "pretrained"
    codec: str | None = None
    level: float | None = None
    mode: str | None = None
    parts: str | None = None
    seed: int | None = None
    checkpoint: str | None = None
    control: str | None = None
    series: str | None = None

    @property
    def label(self) -> str:
        """What a person calls it: "retrained on jpeg@15", "retrained on uncompressed data, seed 1"; "" when pretrained.

        Of seeds, 0 goes without saying.
        """
        if self.kind == "pretrained":
            return ""
        level = "" if self.level is None else f"@{self.level:g}"
        what = "uncompressed data" if self.codec is None else f"{self.codec}{level}"
        mixed = " at mixed levels" if self.mode == "mixed" else ""
        parts = f" ({self.parts} only)" if self.parts else ""
        seed = f", seed {self.seed}" if self.seed else ""
        return f"retrained on {what}{mixed}{parts}{seed}"


@dataclass(frozen=True)
class Experiment:
    """One cell: codec x level x task x model x dataset x training.

    Args:
        key: SHA-256 (hex) of `identity`.
        identity: everything that determines the result, as plain JSON values.
        codec: the codec's name.
        codec_options: its options, levers included.
        level: the position on its scale; None for `none`.
        level_name: what the codec calls it; None for `none`.
        intra: whether a video codec coded single images.
        task: the task's name.
        model: the model as results call it, with the options that differ from its defaults.
        weights: the weights as results call them.
        dataset: the dataset as results call it, with the options that differ from its defaults.
        split: its split.
        samples: how many samples the cell has.
        precision: of the forward pass.
        batch: samples a batch.
        training: how the weights came to be.
        reference: "labels", or "predictions" where the model's own output is the reference.
        seed: of the limit's draw and of training.
        baseline: the key of the pretrained model's cell on `none`; None where the plan has none, and for itself.
        changed: the codec's options that are not its defaults.
        classes: the names that the labels of its targets index; no part of what determines the result by name.
    """

    key: str
    identity: Mapping[str, Any]
    codec: str
    codec_options: Mapping[str, Any]
    level: float | None
    level_name: str | None
    intra: bool
    task: str
    model: str
    weights: str
    dataset: str
    split: str
    samples: int
    precision: str = "fp32"
    batch: int = 1
    training: Training = Training()
    reference: str = "labels"
    seed: int = 0
    baseline: str | None = None
    changed: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()

    @property
    def cell(self) -> str:
        """What experiments share that differ only in how their weights were trained: SHA-256 of the rest."""
        return key_of({name: value for name, value in self.identity.items() if name != "training"})

    @property
    def ladder(self) -> str:
        """What experiments share that differ only in level and training: SHA-256 of the rest."""
        codec = {name: value for name, value in self.identity["codec"].items() if name != "level"}
        return key_of({**{n: v for n, v in self.identity.items() if n != "training"}, "codec": codec})

    @property
    def variant(self) -> str:
        """The codec with the options that are not its defaults, as the command line takes it: "jpeg:scale=0.5"."""
        return variant(self.codec, self.changed)

    @property
    def label(self) -> str:
        """What a person calls the cell: "jpeg:scale=0.5@50 detection"."""
        level = "" if self.level is None else f"@{self.level:g}"
        training = f", {self.training.label}" if self.training.label else ""
        return f"{self.variant}{level} {self.task}{training}"


def variant(codec: str, changed: Mapping[str, Any]) -> str:
    """A codec with the options that are not its defaults.

    >>> variant("jpeg", {"scale": 0.5})
    'jpeg:scale=0.5'
    """
    options = ",".join(f"{name}={value}" for name, value in changed.items())
    return f"{codec}:{options}" if options else codec


def canonical(identity: Mapping[str, Any]) -> str:
    """The one JSON text of some plain values: sorted keys, no spaces, no NaN."""
    return json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def key_of(identity: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical text.

    >>> key_of({"b": 1, "a": 2}) == key_of({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(canonical(identity).encode()).hexdigest()
