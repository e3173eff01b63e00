"""The figures that the study published."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["PublishedTable", "published_tables"]


@dataclass(frozen=True)
class PublishedTable:
    """One of the study's tables.

    Args:
        table: the number of the table in the study.
        codec: the codec that compressed the data.
        model: the study's name for the model.
        dataset: the study's name for the dataset.
        levels: the compression levels, mildest first.
        pretrained: side (A) of the table: by metric, a value for each level.
        retrained: side (B) of the table: by metric, a value for each level; the first is the value of (A).
    """

    table: str
    codec: str
    model: str
    dataset: str
    levels: tuple[float, ...]
    pretrained: Mapping[str, tuple[float, ...]]
    retrained: Mapping[str, tuple[float, ...]]


@cache
def published_tables() -> Mapping[str, PublishedTable]:
    """Return the study's tables by task, from published.toml."""
    content = tomllib.loads(files("harness_plugins.study").joinpath("published.toml").read_text("utf-8"))
    return {task: _table(facts) for task, facts in content.items()}


def _table(facts: Mapping[str, object]) -> PublishedTable:
    def values(side: object) -> dict[str, tuple[float, ...]]:
        assert isinstance(side, dict)
        return {metric: tuple(row) for metric, row in side.items()}

    levels = facts["levels"]
    assert isinstance(levels, list)
    names = {name: str(facts[name]) for name in ("table", "codec", "model", "dataset")}
    return PublishedTable(
        **names,
        levels=tuple(float(level) for level in levels),
        pretrained=values(facts["pretrained"]),
        retrained=values(facts["retrained"]),
    )
