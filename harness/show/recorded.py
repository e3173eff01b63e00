"""Choice of the experiments that a panel shows: the baseline, and the levels of the requested codecs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, did_you_mean
from harness.planning.grammar import ParsedName, is_written, parse
from harness.results.cells import ResultCell, matching_names, read_cells
from harness.results.naming import codec_names
from harness.show.retrained import find_retrained
from harness.store import Filters

if TYPE_CHECKING:
    from harness.store import Store

__all__ = ["PanelExperiments", "PanelLadder", "PanelQuery", "find"]

_SUBJECT = (
    *("model", "weights", "dataset", "split", "reference", "seed"),
    *("planned_samples", "precision", "compiled", "batch"),
)


@dataclass(frozen=True)
class PanelQuery:
    """The conditions that the experiments of a panel must fulfil.

    Args:
        task: the name of the task.
        codecs: each codec as `name[:options][@levels]`; an option that is not written may have any value.
        levels: the levels of each codec without `@levels`; empty for all levels in the database.
        model: `name[:options]`; None for any model.
        dataset: `name[:options]`; None for any dataset.
        split: the split of the dataset; None for any split.
        samples: the number of samples of the experiments (`--limit` of the run); None for any number.
        trainings: which retrained models to show beside the pretrained one, as words of
            `harness.results.trainings.training_filter`.
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
    """The experiments of one codec with fixed options, at its levels.

    Args:
        name: the codec's name, with the options in which it differs from the other ladders of the panel.
        cells: the experiments, mildest compression first.
    """

    name: str
    cells: tuple[ResultCell, ...]


@dataclass(frozen=True)
class PanelExperiments:
    """The experiments of one model on one dataset.

    Args:
        baseline: the experiment on uncompressed data; None if the database has none.
        ladders: the experiments of the codecs.
        others: descriptions of other groups of experiments that also fit the query.
        retrained: the experiments of retrained models, by the key of the pretrained experiment at the same level.
    """

    baseline: ResultCell | None
    ladders: tuple[PanelLadder, ...]
    others: tuple[str, ...] = ()
    retrained: Mapping[str, tuple[ResultCell, ...]] = field(default_factory=dict)

    @property
    def cells(self) -> list[ResultCell]:
        """All experiments: the baseline first, then the pretrained model, then the retrained models."""
        pretrained = [cell for ladder in self.ladders for cell in ladder.cells]
        first = [self.baseline] if self.baseline else []
        return [*first, *pretrained, *(cell for cells in self.retrained.values() for cell in cells)]


def find(store: Store, wanted: PanelQuery) -> PanelExperiments:
    """Find the finished experiments that fit a query.

    If experiments of several models, datasets or subsets fit, those with the most of the requested codecs are chosen;
    of equal ones, those that finished last. Of experiments before and after an edit of a plugin, those after it count.

    Raises:
        UsageError: nothing fits; the message lists what the database has.
    """
    everything = read_cells(store, Filters({"task": [wanted.task], "status": ["finished"]}))
    cells = [cell for cell in everything if cell.facts["training"] == "pretrained"]
    if not cells:
        raise UsageError(f"the database has no finished experiments of task {wanted.task!r}.")
    for column, name in (("model", wanted.model), ("dataset", wanted.dataset), ("split", wanted.split)):
        if name is not None:
            cells = _filter_by_name(cells, column, name)
    if wanted.samples is not None:
        cells = [cell for cell in cells if cell.facts["planned_samples"] == wanted.samples]
        if not cells:
            raise UsageError(f"the database has no such experiments of {wanted.samples} samples.")
    codecs = [_with_levels(text, wanted.levels) for text in wanted.codecs]
    groups: dict[tuple[Any, ...], list[ResultCell]] = {}
    for cell in cells:
        groups.setdefault((*(cell.facts[name] for name in _SUBJECT), cell.subject), []).append(cell)
    fitting = [group for group in groups.values() if any(_has_codec(cell, codec) for cell in group for codec in codecs)]
    if not fitting:
        raise _not_found(cells, wanted.codecs)
    chosen, *rest = sorted(fitting, key=lambda group: _rank(group, codecs), reverse=True)
    chosen = _current(chosen)
    _check_codecs(chosen, codecs)
    ladders = [ladder for codec in codecs for ladder in _ladders(chosen, codec)]
    others = tuple(_description(group[0]) for group in rest)
    retrained = find_retrained([cell for ladder in ladders for cell in ladder], everything, wanted.trainings)
    return PanelExperiments(
        next((cell for cell in chosen if cell.is_baseline), None), _named_ladders(ladders), others, retrained
    )


def _rank(group: Sequence[ResultCell], codecs: Sequence[ParsedName]) -> tuple[int, str]:
    """Return how many of the requested codecs a group has, and when its last experiment finished."""
    count = sum(any(_fits(cell, codec) for cell in group) for codec in codecs)
    return count, max(cell.facts["finished_at"] or "" for cell in group)


def _current(group: Sequence[ResultCell]) -> list[ResultCell]:
    """Return a group without the experiments of an older codec that it has of the present one, too."""

    def what(cell: ResultCell) -> tuple[Any, ...]:
        return tuple(cell.facts[name] for name in ("codec", "codec_options", "level"))

    present = {what(cell) for cell in group if not cell.superseded}
    return [cell for cell in group if not cell.superseded or what(cell) not in present]


def _filter_by_name(cells: Sequence[ResultCell], column: str, name: str) -> list[ResultCell]:
    """Return the experiments whose model, dataset or split has a name.

    A name without a match is also tried without its options, and then as the path of a file or folder.

    Raises:
        UsageError: no experiment has the name.
    """
    known = sorted({str(cell.facts[column]) for cell in cells})
    names = matching_names(name, known) or matching_names(name.partition(":")[0], known)
    names = names or matching_names(Path(name).resolve().name, known)  # results call a folder or file by its last part
    if not names:
        hint = did_you_mean(name, known)
        raise UsageError(f"the database has no such results of {column} {name!r}.{hint} It has: {', '.join(known)}.")
    return [cell for cell in cells if cell.facts[column] in names]


def _with_levels(text: str, levels: tuple[float, ...]) -> ParsedName:
    codec = parse(text)
    return ParsedName(codec.name, codec.options, codec.levels or levels or None)


def _fits(cell: ResultCell, codec: ParsedName) -> bool:
    """Whether an experiment has the requested codec, options and level."""
    return _has_codec(cell, codec) and (codec.levels is None or cell.facts["level"] in codec.levels)


def _has_codec(cell: ResultCell, codec: ParsedName) -> bool:
    """Whether an experiment has the requested codec and options, at any level."""
    options = cell.options
    same = (name in options and is_written(options[name], text) for name, text in codec.options.items())
    return not cell.is_baseline and cell.facts["codec"] == codec.name and all(same)


def _ladders(cells: Sequence[ResultCell], codec: ParsedName) -> list[list[ResultCell]]:
    """Return the experiments of a requested codec, one list for each combination of its options."""
    variants: dict[str, list[ResultCell]] = {}
    for cell in cells:
        if _fits(cell, codec):
            variants.setdefault(cell.facts["codec_options"], []).append(cell)
    return list(variants.values())


def _named_ladders(ladders: Sequence[list[ResultCell]]) -> tuple[PanelLadder, ...]:
    names = codec_names([ladder[0] for ladder in ladders])
    return tuple(PanelLadder(name, tuple(cells)) for name, cells in zip(names, ladders, strict=True))


def _check_codecs(cells: Sequence[ResultCell], codecs: Sequence[ParsedName]) -> None:
    """Check that every requested codec and level has an experiment.

    Raises:
        UsageError: a codec has no experiment, or no codec has an experiment at a requested level.
    """
    for codec in codecs:
        if not any(_has_codec(cell, codec) for cell in cells):
            raise _not_found(cells, [codec.name])
    for level in {level for codec in codecs for level in codec.levels or ()}:
        if not any(cell.facts["level"] == level and _has_codec(cell, codec) for cell in cells for codec in codecs):
            raise _not_found(cells, [f"{codec.name}@{level:g}" for codec in codecs if level in (codec.levels or ())])


def _not_found(cells: Sequence[ResultCell], codecs: Sequence[str]) -> UsageError:
    """Return an error that names the codecs without experiments, and lists the codecs that the database has."""
    known_levels: dict[str, list[str]] = {}
    for cell in cells:
        if not cell.is_baseline:
            level = "" if cell.facts["level"] is None else f"{cell.facts['level']:g}"
            levels = known_levels.setdefault(cell.facts["codec"], [])
            levels += [level] if level not in levels else []
    known = "; ".join(f"{codec}@{','.join(levels)}" for codec, levels in known_levels.items())
    return UsageError(
        f"the database has no finished experiment of task {cells[0].facts['task']} with codec {' or '.join(codecs)}. "
        f"It has: {known or 'none but the baseline'}."
    )


def _description(cell: ResultCell) -> str:
    row = cell.facts
    return f"{row['model']} ({row['weights']}) on {row['dataset']}/{row['split']}, {row['planned_samples']} samples"
