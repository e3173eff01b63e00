"""The columns of a table of experiments: what distinguishes the experiments, their rates, and their failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.results.naming import Column, codec_names, conditions, training_words
from harness.results.tables.numbers import digits_of

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["failure_columns", "identifying_columns", "rate_columns", "series_of"]


def identifying_columns(cells: Sequence[ResultCell]) -> tuple[list[str], list[Column]]:
    """Return what all experiments have in common, as words, and the columns that distinguish them from each other."""
    same, columns = conditions(cells)
    if any(series := series_of(cells)):
        columns.append(("series", series))
    columns += [("codec", codec_names(cells)), _levels(cells)]
    if max(Counter(zip(*(values for _, values in columns), strict=True)).values()) > 1:
        columns.insert(0, ("experiment", [cell.facts["experiment"][:12] for cell in cells]))
    return same, columns


def series_of(cells: Sequence[ResultCell]) -> list[str]:
    """Return for each experiment the start of its training's digest, if only the digest identifies the training.

    This is the case if a cell has several trainings with the same name. The text is "" for other experiments.
    """
    series_by_name: dict[tuple[object, str], set[object]] = {}
    for cell in cells:
        series_by_name.setdefault((cell.facts["cell"], training_words(cell)), set()).add(cell.facts["series"])
    ambiguous = {words for (_, words), series in series_by_name.items() if len(series) > 1}
    return [str(cell.facts["series"])[:8] if training_words(cell) in ambiguous else "" for cell in cells]


def _levels(cells: Sequence[ResultCell]) -> Column:
    """Return the column of levels. The heading is the codec's name for its level ("quality", "crf", ...).

    If the codecs have different names for their levels, the name is written before each level instead.
    """
    units = sorted({cell.facts["level_name"] for cell in cells if cell.facts["level_name"] is not None})
    texts = []
    for cell in cells:
        level = cell.facts["level"]
        text = "" if level is None else f"{level:g}"
        texts.append(f"{cell.facts['level_name']} {text}" if text and len(units) > 1 else text)
    return (units[0] if len(units) == 1 else "level"), texts


def rate_columns(cells: Sequence[ResultCell]) -> list[Column]:
    """Return the columns of the rate and the compression ratio; kbit/s and PSNR only if an experiment has them."""

    def texts(name: str) -> list[str]:
        values = [cell.facts[name] for cell in cells]
        return ["" if value is None else f"{value:.{digits_of(value)}f}" for value in values]

    ratios = [cell.compression_ratio for cell in cells]
    columns = [
        ("bpp", texts("bpp")),
        ("comp. ratio", ["" if ratio is None else f"{ratio:.1f}" for ratio in ratios]),
    ]
    for name, title in (("kbps", "kbps"), ("psnr", "PSNR")):
        if any(texts(name)):
            columns.append((title, texts(name)))
    return columns


def failure_columns(cells: Sequence[ResultCell]) -> list[Column]:
    """Return the columns of failed samples and of the status, each only if an experiment has failures to show."""
    columns = []
    if any(cell.facts["failed_samples"] for cell in cells):
        columns.append(("failed samples", [str(cell.facts["failed_samples"] or 0) for cell in cells]))
    if any(cell.superseded for cell in cells):
        columns.append(("superseded", [cell.superseded or "" for cell in cells]))
    if any(cell.facts["status"] != "finished" for cell in cells):
        texts = [cell.facts["status"] + (f": {cell.reason}" if cell.reason else "") for cell in cells]
        columns.append(("status", texts))
    return columns
