"""Which weights a model has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Weights"]


@dataclass(frozen=True)
class Weights:
    """A file of weights, or the name of weights that a library knows.

    Args:
        name: what results call it.
        path: the file, also that of weights which a library brings and downloads. None where there is no file; then
            the model makes the weights itself. The built-in detectors have none such, and refuse it.
        sha256: hex digest of the file (or of what stands for it), part of every experiment's key.
        classes: the names of the classes the weights were trained on, where they are known.
    """

    name: str
    path: Path | None
    sha256: str
    classes: tuple[str, ...] = ()
