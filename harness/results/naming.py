"""Names of experiments for people: codecs, trainings, and the conditions in which experiments differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.media.levers import LEVER_NAMES
from harness.results.trained import is_matched

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["Column", "codec_names", "conditions", "option_text", "training_words"]

Column = tuple[str, list[str]]
"""A column of a table: its heading, and one text for each experiment."""


def conditions(cells: Sequence[ResultCell]) -> tuple[list[str], list[Column]]:
    """Return what experiments have in common and what they differ in, apart from the codec.

    Returns:
        the model and the data, as words for a title, if they are the same for all experiments; and a column for each
        condition in which the experiments differ.
    """
    rows = [cell.facts for cell in cells]
    conditions: list[Column] = [
        ("model", [str(row["model"]) for row in rows]),
        ("weights", [str(row["weights"]) for row in rows]),
        ("data", [f"{row['dataset']}/{row['split']}" for row in rows]),
        ("samples", [str(row["planned_samples"]) for row in rows]),
        ("reference", [str(row["reference"]) for row in rows]),
        ("seed", [str(row["seed"]) for row in rows]),
        ("precision", [str(row["precision"]) for row in rows]),
        ("compiled", ["compiled" if row["compiled"] else "not compiled" for row in rows]),
        ("batch", [str(row["batch"]) for row in rows]),
        ("training", [training_words(cell) for cell in cells]),
    ]
    differing = [(name, values) for name, values in conditions if len(set(values) - {""}) > 1]
    differing_names = {name for name, _ in differing}
    words = {name: values[0] for name, values in conditions if name not in differing_names}
    same = [words["model"]] if "model" in words else []
    return same + ([f"on {words['data']}"] if "data" in words else []), differing


def training_words(cell: ResultCell) -> str:
    """Return the name of a model's training, the same in all tables and figures.

    It is "pretrained", "clean" (on uncompressed data), "mixed jpeg" (at random levels), "jpeg@15" (on data at one
    level), or "matched jpeg@15" (on data with the codec, options and level of its test). The parts of the model that
    were retrained follow in brackets, if it was not the whole model. `--training` takes these names.
    """
    row = cell.facts
    if row["training"] == "pretrained":
        return "pretrained"
    level = "" if row["train_level"] is None else f"@{row['train_level']:g}"
    kind = "matched" if row["train_mode"] == "level" and is_matched(cell) else row["train_mode"]
    words = [kind] if kind != "level" else []
    words += [f"{row['train_codec']}{level}"] if row["train_codec"] else []
    return " ".join([*words, *([f"({row['parts']} only)"] if row["parts"] else [])])


def codec_names(cells: Sequence[ResultCell]) -> list[str]:
    """Return the name of each experiment's codec, with its levers and with the options that differ between experiments.

    Args:
        cells: the experiments of one table.
    """
    options = [cell.options for cell in cells]
    every = {name for of_cell in options for name in of_cell}
    values: dict[tuple[str, str], set[object]] = {}
    for cell, of_cell in zip(cells, options, strict=True):
        for name in every:
            values.setdefault((cell.facts["codec"], name), set()).add(str(of_cell.get(name)))
    names = []
    for cell, of_cell in zip(cells, options, strict=True):
        codec = cell.facts["codec"]
        shown = [
            n
            for n in of_cell
            if n in LEVER_NAMES or (n != "intra" and of_cell[n] is not None and len(values[codec, n]) > 1)
        ]
        name = codec + (":" if shown else "") + ",".join(f"{n}={option_text(of_cell[n])}" for n in shown)
        name += " (intra)" if of_cell.get("intra") is True else ""
        names.append(name + (" (superseded)" if cell.superseded else ""))
    return names


def option_text(value: object) -> str:
    """Return the value of an option as it is written on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
