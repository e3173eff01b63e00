"""What people call experiments: their codecs, their trainings, and what else tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.media.levers import LEVER_NAMES

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["Column", "codec_names", "conditions", "option_text", "training_words"]

Column = tuple[str, list[str]]
"""A column of a table: its heading, and a text for each experiment."""


def conditions(cells: Sequence[ResultCell]) -> tuple[list[str], list[Column]]:
    """What the experiments differ in besides the codec, as columns; and what model and data are the same, in words."""
    rows = [cell.facts for cell in cells]
    conditions: list[Column] = [
        ("model", [str(row["model"]) for row in rows]),
        ("weights", [str(row["weights"]) for row in rows]),
        ("data", [f"{row['dataset']}/{row['split']}" for row in rows]),
        ("samples", [str(row["planned_samples"]) for row in rows]),
        ("reference", [str(row["reference"]) for row in rows]),
        ("seed", [str(row["seed"]) for row in rows]),
        ("precision", [str(row["precision"]) for row in rows]),
        ("batch", [str(row["batch"]) for row in rows]),
        ("training", [training_words(cell) for cell in cells]),
    ]
    differing = [(name, values) for name, values in conditions if len(set(values) - {""}) > 1]
    told = {name for name, _ in differing}
    words = {name: values[0] for name, values in conditions if name not in told}
    same = [words["model"]] if "model" in words else []
    return same + ([f"on {words['data']}"] if "data" in words else []), differing


def training_words(cell: ResultCell) -> str:
    """How the weights came to be: "pretrained", "retrained jpeg@15 (level)"."""
    row = cell.facts
    if row["training"] == "pretrained":
        return "pretrained"
    level = "" if row["train_level"] is None else f"@{row['train_level']:g}"
    coded = f" {row['train_codec']}{level}" if row["train_codec"] else ""
    mode = f" ({row['train_mode']})" if row["train_mode"] else ""
    parts = f", {row['parts']} only" if row["parts"] else ""
    return f"{row['training']}{coded}{mode}{parts}"


def codec_names(cells: Sequence[ResultCell]) -> list[str]:
    """Each codec with its levers, and with those of its options that differ within the table."""
    options = [cell.options for cell in cells]
    values: dict[tuple[str, str], set[object]] = {}
    for cell in cells:
        for name in {name for given in options for name in given}:
            values.setdefault((cell.facts["codec"], name), set()).add(str(cell.options.get(name)))
    names = []
    for cell, given in zip(cells, options, strict=True):
        codec = cell.facts["codec"]
        told = [
            n
            for n in given
            if n in LEVER_NAMES or (n != "intra" and given[n] is not None and len(values[codec, n]) > 1)
        ]
        name = codec + (":" if told else "") + ",".join(f"{n}={option_text(given[n])}" for n in told)
        names.append(name + (" (intra)" if given.get("intra") is True else ""))
    return names


def option_text(value: object) -> str:
    """An option's value as the command line takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
