"""Experiments of detection that nobody has run, for benchmarks of what is done with their results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.experiment import Experiment, key_of

__all__ = ["experiments"]


def experiments(cells: Iterable[tuple[str, float | None]], samples: int, classes: tuple[str, ...]) -> list[Experiment]:
    """Return an experiment for each codec and level; the first is the baseline of the others."""
    found: list[Experiment] = []
    for codec, level in cells:
        identity = {
            "codec": {"name": codec, "options": {}, "level": level},
            "task": {"name": "detection", "options": {}, "scoring": 1},
            "model": {"kind": "none"},
            "dataset": {"kind": "made-up", "fingerprint": "0" * 64},
            "limit": None,
            "training": {"kind": "pretrained"},
            "reference": "labels",
        }
        one = Experiment(
            key=key_of(identity), identity=identity, codec=codec, codec_options={}, level=level,
            level_name=None if level is None else "quality", intra=False, task="detection", model="made-up",
            weights="made-up", dataset="made-up", split="test", samples=samples, classes=classes,
        )  # fmt: skip
        found.append(replace(one, baseline=found[0].key if found else None))
    return found
