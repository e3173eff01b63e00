"""How recorded experiments were trained: which of them belong together, and in what order they are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.media.levers import LEVER_NAMES
from harness.planning.grammar import parse
from harness.results.naming import conditions

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = [
    "TRAINING_WORDS",
    "codec_defaults",
    "differences",
    "is_matched",
    "kind_of",
    "newest_series",
    "newest_trainings",
    "trained_on",
    "training_filter",
]

TRAINING_WORDS = ("pretrained", "matched", "mixed", "clean")
"""Words for trainings; a level, or codec@level, is one too."""


def kind_of(cell: ResultCell) -> str:
    """`pretrained`, `clean`, `mixed`, or `level` where the training data were coded at one level."""
    return str(cell.facts["train_mode"]) if cell.facts["training"] == "retrained" else "pretrained"


def is_matched(cell: ResultCell) -> bool:
    """Whether it was retrained, all of it, on data coded as it is tested."""
    row = cell.facts
    if kind_of(cell) != "level" or row["parts"] or row["train_level"] != row["level"]:
        return False
    return trained_on(cell, row["codec"], cell.options)


def trained_on(cell: ResultCell, codec: str, options: Mapping[str, Any]) -> bool:
    """Whether the training data were coded by a codec with exactly these options.

    The names of trainings have only the options that are not the codec's defaults. Where no installed plugin has the
    codec, its defaults are not known; then the options that the name lacks are taken for them, but for levers, which
    have none.

    Args:
        cell: of a retrained model.
        codec: the codec's name.
        options: all its options, as results have them; `intra`, which says what was coded, is none.
    """
    if cell.facts["train_codec"] is None:
        return False
    taught = parse(cell.facts["train_codec"], levels=False)
    told = {name: value for name, value in options.items() if name != "intra"}
    usual = codec_defaults(codec)
    if usual is None:
        usual = {name: value for name, value in told.items() if name not in LEVER_NAMES}
    changed = {name: str(value) for name, value in told.items() if name not in usual or usual[name] != value}
    named = {name: text for name, text in taught.options.items() if str(usual.get(name)) != text}
    return taught.name == codec and changed == named


def codec_defaults(codec: str) -> dict[str, Any] | None:
    """The defaults of a codec's options; None where it is not installed."""
    from harness.discovery.plugins import installed

    plugins = installed()
    if codec not in plugins.names("codec"):
        return None
    return {option.name: option.default for option in plugins.get("codec", codec).options}


def differences(groups: Sequence[Sequence[ResultCell]]) -> list[str]:
    """What tells tables of one model, data and codec apart, for their titles: " (samples 4, seed 1)"; "" for others.

    Args:
        groups: the experiments of each table.
    """
    heads = [next((cell for cell in group if kind_of(cell) == "pretrained"), group[0]) for group in groups]
    alike: dict[tuple[str, ...], list[int]] = {}
    for number, head in enumerate(heads):
        names = ("task", "model", "dataset", "split", "codec", "codec_options")
        alike.setdefault(tuple(str(head.facts[name]) for name in names), []).append(number)
    texts = [""] * len(heads)
    for numbers in alike.values():
        differing = conditions([heads[number] for number in numbers])[1] if len(numbers) > 1 else []
        for place, number in enumerate(numbers if len(numbers) > 1 else ()):
            words = [f"{title} {values[place]}" for title, values in differing if title not in ("training", "series")]
            texts[number] = f" ({', '.join(words) or f'ladder {heads[number].ladder[:8]}'})"
    return texts


def newest_trainings(cells: Sequence[ResultCell]) -> list[ResultCell]:
    """Of trainings of one kind on one cell, as recipes tried after each other leave them, those that finished last.

    Of a training on just the codec that is tested and one on a codec with fewer of its options, the first is taken.

    Args:
        cells: of a kind; those of one series stay together.
    """
    best: dict[str, ResultCell] = {}
    for cell in cells:
        known = best.get(cell.facts["cell"])
        if known is None or _rank(cell) > _rank(known):
            best[cell.facts["cell"]] = cell
    return [cell for cell in cells if cell.facts["series"] == best[cell.facts["cell"]].facts["series"]]


def newest_series(cells: Sequence[ResultCell]) -> str | None:
    """The series that finished last of trainings of one kind, on any cells; None for pretrained models."""
    series: str | None = max(cells, key=_rank).facts["series"]
    return series


def _rank(cell: ResultCell) -> tuple[int, str, int]:
    facts = cell.facts
    return str(facts["train_codec"]).count("="), facts["finished_at"] or "", facts["run"]


def training_filter(word: str) -> Callable[[ResultCell], bool]:
    """Whether an experiment is of a training that a word names: one of `TRAINING_WORDS`, a level, or `codec@level`.

    A level alone is one of the codec that is tested, with the options that it is tested with.

    Raises:
        UsageError: the word means nothing.
    """
    if word == "matched":
        return is_matched
    if word in TRAINING_WORDS:
        return lambda cell: kind_of(cell) == word
    codec, _, level = word.rpartition("@")
    try:
        number = float(level)
    except ValueError:
        raise UsageError(
            f"--training {word}: neither {', '.join(TRAINING_WORDS)}, nor a level, nor codec@level."
        ) from None

    def fits(cell: ResultCell) -> bool:
        row: Any = cell.facts
        if kind_of(cell) != "level" or row["train_level"] != number:
            return False
        return row["train_codec"] == codec if codec else trained_on(cell, row["codec"], cell.options)

    return fits
