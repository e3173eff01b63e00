"""The identity of a model's weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Weights"]


@dataclass(frozen=True)
class Weights:
    """The weights of a model: usually a file, which may come from a library that downloads it.

    Args:
        name: the weights' name in results.
        path: the file of weights. None if there is no file and the model creates the weights itself; the built-in
            detectors do not do that, and refuse None.
        sha256: hex digest of the file (or of what identifies the weights without a file). It is a part of every
            experiment's key.
        classes: the names of the classes that the weights were trained on; empty if they are unknown.
    """

    name: str
    path: Path | None
    sha256: str
    classes: tuple[str, ...] = ()
