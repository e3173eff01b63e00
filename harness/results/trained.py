"""What a recorded experiment's model was trained on, and whether that is what it was tested on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.media.levers import LEVER_NAMES
from harness.planning.grammar import is_written, parse

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["codec_defaults", "is_matched", "kind_of", "trained_on"]


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
