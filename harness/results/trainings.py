"""Trainings of recorded experiments: their kind, which experiments belong together, and which of them are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.media.levers import LEVER_NAMES
from harness.planning.grammar import is_written, parse
from harness.results.naming import conditions

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = [
    "TRAINING_KINDS",
    "codec_defaults",
    "differences",
    "is_matched",
    "kind_of",
    "newest_series",
    "newest_trainings",
    "trained_on",
    "training_filter",
]

TRAINING_KINDS = ("pretrained", "matched", "mixed", "clean")
"""The words that select kinds of trainings. A level, or codec@level, is also allowed (see `training_filter`)."""


def kind_of(cell: ResultCell) -> str:
    """Return the kind of training: `pretrained`, `clean`, `mixed`, or `level` (the training data had one level)."""
    return str(cell.facts["train_mode"]) if cell.facts["training"] == "retrained" else "pretrained"


def is_matched(cell: ResultCell) -> bool:
    """Return whether the whole model was retrained on data with the same codec, options and level as in its test."""
    row = cell.facts
    if kind_of(cell) != "level" or row["parts"] or row["train_level"] != row["level"]:
        return False
    return trained_on(cell, row["codec"], cell.options)


def trained_on(cell: ResultCell, codec: str, options: Mapping[str, Any]) -> bool:
    """Return whether the training data of a model were coded by a codec with exactly these options.

    The name of a training contains only the options that differ from the codec's defaults. If no installed plugin has
    the codec, its defaults are unknown. The values in `options` are then assumed to be the defaults, except for levers,
    which have no default.

    Args:
        cell: an experiment of a retrained model.
        codec: the codec's name.
        options: all options of the codec, as they are in results. `intra` is ignored, because it is no option: it says
            whether single images were coded.
    """
    if cell.facts["train_codec"] is None:
        return False
    training_codec = parse(cell.facts["train_codec"], levels=False)
    values = {name: value for name, value in options.items() if name != "intra"}
    defaults = codec_defaults(codec)
    if defaults is None:
        defaults = {name: value for name, value in values.items() if name not in LEVER_NAMES}
    changed = {name: value for name, value in values.items() if name not in defaults or defaults[name] != value}
    trained = {name: text for name, text in training_codec.options.items() if not is_written(defaults.get(name), text)}
    if training_codec.name != codec or changed.keys() != trained.keys():
        return False
    return all(is_written(changed[name], text) for name, text in trained.items())


def codec_defaults(codec: str) -> dict[str, Any] | None:
    """Return the default of each option of a codec; None if the codec is not installed."""
    from harness.discovery.plugins import installed

    plugins = installed()
    if codec not in plugins.names("codec"):
        return None
    return {option.name: option.default for option in plugins.get("codec", codec).options}


def differences(groups: Sequence[Sequence[ResultCell]]) -> list[str]:
    """Return for each table a text that distinguishes its title from the titles of similar tables.

    Tables are similar if they have the same task, model, data, codec and options. Their texts name the conditions in
    which they differ: " (samples 4, seed 1)"; if there are none, the start of the ladder's digest. The text is "" for a
    table without a similar one.

    Args:
        groups: the experiments of each table.
    """
    examples = [next((cell for cell in group if kind_of(cell) == "pretrained"), group[0]) for group in groups]
    similar: dict[tuple[str, ...], list[int]] = {}
    for number, example in enumerate(examples):
        names = ("task", "model", "dataset", "split", "codec", "codec_options")
        similar.setdefault(tuple(str(example.facts[name]) for name in names), []).append(number)
    texts = [""] * len(examples)
    for numbers in similar.values():
        differing = conditions([examples[number] for number in numbers])[1] if len(numbers) > 1 else []
        for place, number in enumerate(numbers if len(numbers) > 1 else ()):
            words = [f"{title} {values[place]}" for title, values in differing if title not in ("training", "series")]
            texts[number] = f" ({', '.join(words) or f'ladder {examples[number].ladder[:8]}'})"
    return texts


def newest_trainings(cells: Sequence[ResultCell]) -> list[ResultCell]:
    """Keep only one training for each cell: the training that finished last.

    A cell has several trainings of one kind if several recipes were tried. A training whose codec has more options
    takes precedence, because it was trained on exactly the codec that is tested.

    Args:
        cells: experiments of one kind of training. The experiments of one series (the seeds of one training) are kept
            or removed together.
    """
    best: dict[str, ResultCell] = {}
    for cell in cells:
        current = best.get(cell.facts["cell"])
        if current is None or _rank(cell) > _rank(current):
            best[cell.facts["cell"]] = cell
    return [cell for cell in cells if cell.facts["series"] == best[cell.facts["cell"]].facts["series"]]


def newest_series(cells: Sequence[ResultCell]) -> str | None:
    """Return the series (the trainings that differ only in their seed) that finished last; None for pretrained models.

    Args:
        cells: experiments of one kind of training; they can belong to different cells.
    """
    series: str | None = max(cells, key=_rank).facts["series"]
    return series


def _rank(cell: ResultCell) -> tuple[int, str, int]:
    facts = cell.facts
    return str(facts["train_codec"]).count("="), facts["finished_at"] or "", facts["run"]


def training_filter(word: str) -> Callable[[ResultCell], bool]:
    """Return a function that says whether an experiment belongs to the kind of training that a word names.

    Args:
        word: one of `TRAINING_KINDS`, a level, or `codec@level`. A level without a codec selects models whose training
            data were coded at this level by the codec that is tested, with the same options.

    Raises:
        UsageError: the word is none of these.
    """
    if word == "matched":
        return is_matched
    if word in TRAINING_KINDS:
        return lambda cell: kind_of(cell) == word
    codec, _, level = word.rpartition("@")
    try:
        number = float(level)
    except ValueError:
        raise UsageError(
            f"--training {word}: neither {', '.join(TRAINING_KINDS)}, nor a level, nor codec@level."
        ) from None

    def fits(cell: ResultCell) -> bool:
        row: Any = cell.facts
        if kind_of(cell) != "level" or row["train_level"] != number:
            return False
        return row["train_codec"] == codec if codec else trained_on(cell, row["codec"], cell.options)

    return fits
