"""How recorded experiments were trained: which of them belong together, and in what order they are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.grammar import parse

if TYPE_CHECKING:
    from harness.result_cells import Cell

__all__ = ["KINDS", "asked", "is_matched", "kind_of", "newest"]

KINDS = ("pretrained", "matched", "mixed", "clean")
"""Words for trainings; a level, or codec@level, is one too."""


def kind_of(cell: Cell) -> str:
    """`pretrained`, `clean`, `mixed`, or `level` where the training data were coded at one level."""
    return str(cell.facts["train_mode"]) if cell.facts["training"] == "retrained" else "pretrained"


def is_matched(cell: Cell) -> bool:
    """Whether it was retrained, all of it, on data coded as it is tested."""
    row = cell.facts
    if kind_of(cell) != "level" or row["parts"] or row["train_level"] != row["level"]:
        return False
    taught = parse(row["train_codec"], levels=False)
    options = cell.options
    return taught.name == row["codec"] and all(str(options.get(name)) == text for name, text in taught.options.items())


def newest(cells: Sequence[Cell]) -> list[Cell]:
    """Of trainings of one kind on one cell, as recipes tried after each other leave them, those that finished last.

    Of a training on just the codec that is tested and one on a codec with fewer of its options, the first is taken.

    Args:
        cells: of a kind; those of one series stay together.
    """
    best: dict[str, Cell] = {}
    for cell in cells:
        known = best.get(cell.facts["cell"])
        if known is None or _rank(cell) > _rank(known):
            best[cell.facts["cell"]] = cell
    return [cell for cell in cells if cell.facts["series"] == best[cell.facts["cell"]].facts["series"]]


def _rank(cell: Cell) -> tuple[int, str, int]:
    facts = cell.facts
    return str(facts["train_codec"]).count("="), facts["finished_at"] or "", facts["run"]


def asked(word: str) -> Callable[[Cell], bool]:
    """Whether an experiment is of a training that a word names: one of `KINDS`, a level, or `codec@level`.

    Raises:
        UsageError: the word means nothing.
    """
    if word == "matched":
        return is_matched
    if word in KINDS:
        return lambda cell: kind_of(cell) == word
    codec, _, level = word.rpartition("@")
    try:
        number = float(level)
    except ValueError:
        raise UsageError(f"--training {word}: neither {', '.join(KINDS)}, nor a level, nor codec@level.") from None

    def fits(cell: Cell) -> bool:
        row: Any = cell.facts
        return (
            kind_of(cell) == "level" and row["train_level"] == number and row["train_codec"] == (codec or row["codec"])
        )

    return fits
