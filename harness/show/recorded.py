"""Which experiments of a database a panel shows: the baseline, and the levels of the codecs that were asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, did_you_mean
from harness.planning.grammar import ParsedName, is_written, parse
from harness.results.cells import ResultCell, matching_names, read_cells
from harness.results.naming import codec_names
from harness.show.retrained import beside
from harness.store import Filters

if TYPE_CHECKING:
    from harness.store import Store

__all__ = ["PanelExperiments", "PanelLadder", "PanelQuery", "find"]

_SUBJECT = ("model", "weights", "dataset", "split", "reference", "seed", "planned_samples", "precision", "batch")


@dataclass(frozen=True)
class PanelQuery:
    """What is to be shown.

    Args:
        task: the task.
        codecs: `name[:options][@levels]` each; options that are not written may be any.
        levels: levels of every codec; empty, and none in `codecs`: all there are.
        model: `name[:options]`; None for any.
        dataset: `name[:options]`; None for any.
        split: of the dataset; None for any.
        samples: how many samples the experiments have (`--limit` of the run); None for any.
        trainings: retrained models to show beside the pretrained one: words that
            `harness.results.trainings.training_filter` knows.
    """

    task: str
    codecs: tuple[str, ...]
    levels: tuple[float, ...] = ()
    model: str | None = None
    dataset: str | None = None
    split: str | None = None
    samples: int | None = None
    trainings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PanelLadder:
    """One codec, with its options, at its levels.

    Args:
        name: the codec, with those of its options that tell it from the other ladders.
        cells: mildest compression first.
    """

    name: str
    cells: tuple[ResultCell, ...]


@dataclass(frozen=True)
class PanelExperiments:
    """The experiments of one model on one dataset.

    Args:
        baseline: the uncompressed one; None where the database has none.
        ladders: the codecs.
        others: what else would have fitted, in words.
        retrained: experiments of retrained models to show beside a pretrained one, by its key.
    """

    baseline: ResultCell | None
    ladders: tuple[PanelLadder, ...]
    others: tuple[str, ...] = ()
    retrained: Mapping[str, tuple[ResultCell, ...]] = field(default_factory=dict)

    @property
    def cells(self) -> list[ResultCell]:
        """All of them, the baseline first; those of retrained models last."""
        pretrained = [cell for ladder in self.ladders for cell in ladder.cells]
        first = [self.baseline] if self.baseline else []
        return [*first, *pretrained, *(cell for cells in self.retrained.values() for cell in cells)]


def find(store: Store, wanted: PanelQuery) -> PanelExperiments:
    """The finished experiments that fit; of several models, datasets or subsets, those that finished last.

    Raises:
        UsageError: nothing fits; the message says what there is.
    """
    everything = read_cells(store, Filters({"task": [wanted.task], "status": ["finished"]}))
    cells = [cell for cell in everything if cell.facts["training"] == "pretrained"]
    if not cells:
        raise UsageError(f"the database has no finished experiments of task {wanted.task!r}.")
    for column, asked in (("model", wanted.model), ("dataset", wanted.dataset), ("split", wanted.split)):
        if asked is not None:
            cells = _only(cells, column, asked)
    if wanted.samples is not None:
        cells = [cell for cell in cells if cell.facts["planned_samples"] == wanted.samples]
        if not cells:
            raise UsageError(f"the database has no such experiments of {wanted.samples} samples.")
    codecs = [_with_levels(text, wanted.levels) for text in wanted.codecs]
    groups: dict[tuple[Any, ...], list[ResultCell]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell.facts[name] for name in _SUBJECT), []).append(cell)
    fitting = [group for group in groups.values() if any(_of_codec(cell, one) for cell in group for one in codecs)]
    if not fitting:
        raise _nothing(cells, wanted.codecs)
    chosen, *rest = sorted(fitting, key=lambda group: _fit(group, codecs), reverse=True)
    _check(chosen, codecs)
    ladders = [ladder for asked in codecs for ladder in _ladders(chosen, asked)]
    others = tuple(_words(group[0]) for group in rest)
    retrained = beside([cell for ladder in ladders for cell in ladder], everything, wanted.trainings)
    return PanelExperiments(
        next((cell for cell in chosen if cell.is_baseline), None), _named(ladders), others, retrained
    )


def _fit(group: Sequence[ResultCell], codecs: Sequence[ParsedName]) -> tuple[int, str]:
    """How many of the codecs a group has, and when it was last added to."""
    has = sum(any(_is(cell, asked) for cell in group) for asked in codecs)
    return has, max(cell.facts["finished_at"] or "" for cell in group)


def _only(cells: Sequence[ResultCell], column: str, asked: str) -> list[ResultCell]:
    """Those of one model, dataset or split; the same name with other options is no other model."""
    known = sorted({str(cell.facts[column]) for cell in cells})
    names = matching_names(asked, known) or matching_names(asked.partition(":")[0], known)
    names = names or matching_names(Path(asked).resolve().name, known)  # a folder or file is called by its name
    if not names:
        hint = did_you_mean(asked, known)
        raise UsageError(f"the database has no such results of {column} {asked!r}.{hint} It has: {', '.join(known)}.")
    return [cell for cell in cells if cell.facts[column] in names]


def _with_levels(text: str, levels: tuple[float, ...]) -> ParsedName:
    asked = parse(text)
    return ParsedName(asked.name, asked.options, asked.levels or levels or None)


def _is(cell: ResultCell, asked: ParsedName) -> bool:
    """Whether a cell is of a codec with the options that were written, at a level that was."""
    return _of_codec(cell, asked) and (asked.levels is None or cell.facts["level"] in asked.levels)


def _of_codec(cell: ResultCell, asked: ParsedName) -> bool:
    options = cell.options
    same = (name in options and is_written(options[name], text) for name, text in asked.options.items())
    return not cell.is_baseline and cell.facts["codec"] == asked.name and all(same)


def _ladders(cells: Sequence[ResultCell], asked: ParsedName) -> list[list[ResultCell]]:
    """The cells of a codec, those of different options apart."""
    variants: dict[str, list[ResultCell]] = {}
    for cell in cells:
        if _is(cell, asked):
            variants.setdefault(cell.facts["codec_options"], []).append(cell)
    return list(variants.values())


def _named(ladders: Sequence[list[ResultCell]]) -> tuple[PanelLadder, ...]:
    names = codec_names([ladder[0] for ladder in ladders])
    return tuple(PanelLadder(name, tuple(cells)) for name, cells in zip(names, ladders, strict=True))


def _check(cells: Sequence[ResultCell], codecs: Sequence[ParsedName]) -> None:
    """Raises:
    UsageError: a codec without an experiment, or a level that none of the codecs was run at.
    """
    for asked in codecs:
        if not any(_of_codec(cell, asked) for cell in cells):
            raise _nothing(cells, [asked.name])
    for level in {level for asked in codecs for level in asked.levels or ()}:
        if not any(cell.facts["level"] == level and _of_codec(cell, asked) for cell in cells for asked in codecs):
            raise _nothing(cells, [f"{asked.name}@{level:g}" for asked in codecs if level in (asked.levels or ())])


def _nothing(cells: Sequence[ResultCell], codecs: Sequence[str]) -> UsageError:
    there: dict[str, list[str]] = {}
    for cell in cells:
        if not cell.is_baseline:
            level = "" if cell.facts["level"] is None else f"{cell.facts['level']:g}"
            levels = there.setdefault(cell.facts["codec"], [])
            levels += [level] if level not in levels else []
    known = "; ".join(f"{codec}@{','.join(levels)}" for codec, levels in there.items())
    return UsageError(
        f"the database has no finished experiment of task {cells[0].facts['task']} with codec {' or '.join(codecs)}. "
        f"It has: {known or 'none but the baseline'}."
    )


def _words(cell: ResultCell) -> str:
    row = cell.facts
    return f"{row['model']} ({row['weights']}) on {row['dataset']}/{row['split']}, {row['planned_samples']} samples"
