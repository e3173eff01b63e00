"""An experiment, which is one cell of the cross product, and the key that identifies it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "Experiment",
    "Training",
    "as_written_now",
    "canonical",
    "cell_key",
    "key_of",
    "ladder_key",
    "subject_key",
    "variant",
]

_DIGITS = 8
"""Digits of an experiment's key in its label."""


@dataclass(frozen=True)
class Training:
    """How the model's weights were trained.

    For pretrained weights every field except `kind` is None.

    Args:
        kind: "pretrained" or "retrained".
        codec: the codec, with its options, that the training data were coded with; None if the training data were not
            compressed.
        level: the level that the training data were coded at; None without a codec, or if each example was coded at a
            random one of several levels.
        mode: "level" if the training data were coded at one level, "mixed" if at several levels, "clean" if they were
            not coded.
        parts: the parts of the model that were retrained, joined by "+"; None for all parts.
        seed: the seed of the training.
        checkpoint: the key of the training.
        control: the key of the same training on uncompressed data.
        series: SHA-256 of everything that determines the training except the seed. Trainings that differ only in
            their seed have the same value.
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
        """The training's name: "jpeg@15", "mixed jpeg", "clean", "jpeg@15 (encoder only), seed 1"; "" if pretrained.

        Seed 0 is not mentioned. Tables of results use the same names; there, a model that is tested on what it was
        trained on is called "matched jpeg@15".
        """
        if self.kind == "pretrained":
            return ""
        level = "" if self.level is None else f"@{self.level:g}"
        words = [str(self.mode)] if self.mode != "level" else []
        words += [f"{self.codec}{level}"] if self.codec else []
        words += [f"({self.parts} only)"] if self.parts else []
        return " ".join(words) + (f", seed {self.seed}" if self.seed else "")


@dataclass(frozen=True)
class Experiment:
    """One cell of the cross product codec x level x task x model x dataset x training.

    Args:
        key: SHA-256 (hex) of `identity`.
        identity: everything that determines the result, as plain JSON values.
        codec: the codec's name.
        codec_options: the codec's options, including the levers `scale` and `fps`.
        level: the level on the codec's scale; None for the codec `none`.
        level_name: the codec's name for its level ("quality", "crf", ...); None for the codec `none`.
        intra: whether a video codec codes single images.
        task: the task's name.
        model: the model's name in results, with the options that differ from its defaults.
        weights: the weights' name in results.
        dataset: the dataset's name in results, with the options that differ from its defaults.
        split: the dataset's split.
        samples: the number of samples.
        precision: the precision of the forward pass.
        batch: the number of samples in a batch.
        training: how the weights were trained.
        reference: "labels", or "predictions" if the model's own output on uncompressed frames is the reference.
        seed: the seed that selects the subset for `--limit`; for a retrained model, the seed of the training.
        baseline: the key of the pretrained model's experiment on the codec `none`; None if the plan has no such
            experiment, and for that experiment itself.
        changed: the codec's options that differ from its defaults.
        classes: the class names; the labels of the targets are indices into them. Not a part of `identity`.
        compiled: whether torch compiled the network.
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
    compiled: bool = False

    @property
    def cell(self) -> str:
        """SHA-256 of the identity without the training.

        Experiments that differ only in how their weights were trained have the same value.
        """
        return cell_key(self.identity)

    @property
    def ladder(self) -> str:
        """SHA-256 of the identity without the level and the training.

        Experiments that differ only in their level or in how their weights were trained have the same value.
        """
        return ladder_key(self.identity)

    @property
    def variant(self) -> str:
        """The codec with the options that differ from its defaults, in command-line form: "jpeg:scale=0.5"."""
        return variant(self.codec, self.changed)

    @property
    def label(self) -> str:
        """A name of the experiment for people: "jpeg:scale=0.5@50 detection demo-detector [1c7cd2b0]".

        At the end are the first digits of its key. So experiments that differ in anything have different labels, also
        if they differ in what the label does not name, such as the dataset, the weights or a version of a plugin.
        """
        level = "" if self.level is None else f"@{self.level:g}"
        training = f", retrained {self.training.label}" if self.training.label else ""
        return f"{self.variant}{level} {self.task} {self.model}{training} [{key_of(self.identity)[:_DIGITS]}]"


def cell_key(identity: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of an experiment's identity without the training.

    Experiments that differ only in how their weights were trained have the same key.
    """
    return key_of({name: value for name, value in identity.items() if name != "training"})


def subject_key(identity: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of an experiment's identity without the codec and the training.

    Experiments that differ only in codec, level or training have the same key.
    """
    return key_of({name: value for name, value in identity.items() if name not in ("codec", "training")})


def ladder_key(identity: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of an experiment's identity without the level and the training.

    Experiments that differ only in level or training have the same key.
    """
    codec = {name: value for name, value in identity["codec"].items() if name != "level"}
    return cell_key({**identity, "codec": codec})


def variant(codec: str, changed: Mapping[str, Any]) -> str:
    """Return the codec's name with the options that differ from its defaults, in command-line form.

    >>> variant("jpeg", {"scale": 0.5})
    'jpeg:scale=0.5'
    >>> variant("h264", {"fps": 5.0})
    'h264:fps=5'
    """
    options = ",".join(f"{name}={_written(value)}" for name, value in changed.items())
    return f"{codec}:{options}" if options else codec


def as_written_now(name: str) -> str:
    """Return a name that `variant` gave, as it gives it now: earlier versions wrote whole numbers as 5.0.

    >>> as_written_now("h264:scale=0.5,fps=5.0")
    'h264:scale=0.5,fps=5'
    """
    return re.sub(r"(=-?\d+)\.0(?=,|$)", r"\1", name)


def _written(value: object) -> str:
    """Return an option's value in command-line form, with all its digits: 5 for 5.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def canonical(identity: Mapping[str, Any]) -> str:
    """Return the canonical JSON text of plain values: keys sorted, no spaces, no NaN. Equal values give equal texts."""
    return _CANONICAL.encode(identity)


def key_of(identity: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of the canonical JSON text of an identity.

    >>> key_of({"b": 1, "a": 2}) == key_of({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(canonical(identity).encode()).hexdigest()
