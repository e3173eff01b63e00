"""Groups recorded experiments into cases and ladders.

A ladder contains the experiments of one codec, with its options, and one kind of training, sorted from the mildest to
the strongest level. A case contains all ladders of one model with its weights, on the same samples and under the same
conditions. Decisions and reports compare only ladders of the same case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.results.naming import codec_names
from harness.results.trained import kind_of, trained_on
from harness.results.trainings import differences, newest_series, newest_trainings

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["CASE_FACTS", "Case", "Ladder", "cases_of"]

CASE_FACTS = (
    *("task", "model", "weights", "dataset", "split", "reference"),
    *("planned_samples", "seed", "precision", "compiled", "batch"),
)
"""The columns of the view `results` that are equal for all experiments of a case."""


@dataclass(frozen=True)
class Ladder:
    """The experiments of one codec, with its options, and one kind of training: one experiment for each level.

    Args:
        codec: the codec's name, with the options that distinguish it from the case's other codecs: "jpeg",
            "jpeg:scale=0.5", "h264 (intra)".
        training: the kind of training: `pretrained`; `matched` (each level was tested with a model that was retrained
            at this level); `mixed`; `clean`; or `codec@level` (retrained at one level and tested at all levels). If
            only parts of the model were retrained, they follow in brackets.
        cells: the finished experiments, mildest compression first. Of several seeds of a training, the first is used.
        seeds: the number of seeds of the training that every level has at least; 1 if pretrained.
    """

    codec: str
    training: str
    cells: tuple[ResultCell, ...] = field(repr=False)
    seeds: int = 1

    @property
    def name(self) -> str:
        """The ladder's name for people: "jpeg", "jpeg, matched"."""
        return self.codec if self.training == "pretrained" else f"{self.codec}, {self.training}"

    @property
    def is_matched(self) -> bool:
        """Whether each level was tested with its own model, which was retrained (wholly or in part) at this level."""
        return self.training.startswith("matched")

    @property
    def level_name(self) -> str:
        """The codec's name for its level ("quality", "crf", ...)."""
        return str(self.cells[0].facts["level_name"] or "level")


@dataclass(frozen=True)
class Case:
    """All experiments of one model with its weights, on one task and the same samples, under the same conditions.

    Args:
        baseline: the experiment of the pretrained model on uncompressed frames; None if the database has none.
        ladders: the case's ladders, grouped by codec; for each codec, the pretrained model's ladder comes first.
        every: all finished experiments of the case, including those that are in no ladder.
        differing: the conditions that distinguish this case from other cases with the same model and data, as text
            for titles; "" if there are none.
    """

    baseline: ResultCell | None
    ladders: tuple[Ladder, ...]
    every: tuple[ResultCell, ...] = field(default=(), repr=False)
    differing: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """A row of the view `results` of one experiment; task, model, dataset and conditions are equal for all."""
        first = self.baseline or self.ladders[0].cells[0]
        return dict(first.facts)

    @property
    def title(self) -> str:
        """The case's title: "detection: demo-detector on demo/test"."""
        facts = self.facts
        reference = ", reference predictions" if facts["reference"] == "predictions" else ""
        return f"{facts['task']}: {facts['model']} on {facts['dataset']}/{facts['split']}{reference}{self.differing}"

    @property
    def cells(self) -> list[ResultCell]:
        """The baseline and the experiments of all ladders, in this order."""
        first = [self.baseline] if self.baseline else []
        return [*first, *(cell for ladder in self.ladders for cell in ladder.cells)]


def cases_of(cells: Sequence[ResultCell]) -> list[Case]:
    """Group experiments into cases, in the order of the experiments.

    Experiments that are not finished, and retrained models on uncompressed frames, are in no ladder. If there are
    several trainings of one kind with different recipes, the training that finished last is used; if a training has
    several seeds, the first seed is used. Cases without any ladder are left out.

    Args:
        cells: experiments from `harness.results.cells.read_cells`.
    """
    finished = [cell for cell in cells if cell.facts["status"] == "finished"]
    groups: dict[str, list[ResultCell]] = {}
    for cell in finished:
        groups.setdefault(cell.subject, []).append(cell)
    cases = [(group, _ladders(group)) for group in groups.values()]
    cases = [(group, ladders) for group, ladders in cases if ladders]
    texts = differences([[_representative(group)] for group, _ in cases])
    return [
        Case(next((cell for cell in group if cell.is_baseline), None), ladders, tuple(group), differing)
        for (group, ladders), differing in zip(cases, texts, strict=True)
    ]


def _representative(group: Sequence[ResultCell]) -> ResultCell:
    return next((cell for cell in group if cell.is_baseline), group[0])


def _ladders(group: Sequence[ResultCell]) -> tuple[Ladder, ...]:
    by_codec: dict[str, list[ResultCell]] = {}
    for cell in group:
        if cell.facts["level"] is not None or (cell.facts["codec"] == "none" and cell.options):
            by_codec.setdefault(cell.ladder, []).append(cell)
    names = codec_names([experiments[0] for experiments in by_codec.values()])
    ladders = []
    for name, experiments in zip(names, by_codec.values(), strict=True):
        kinds: dict[str, list[ResultCell]] = {}
        for cell in experiments:
            for kind in _kinds(cell):
                kinds.setdefault(kind, []).append(cell)
        levels = len({cell.facts["level"] for cell in experiments})
        for kind, members in kinds.items():
            # A training that was tested only at its own level is already part of the ladder `matched`.
            only_matched = "@" in kind and all(_is_tested_at_training_level(cell) for cell in members)
            if not only_matched or levels == 1:
                ladders.append(_ladder(name, kind, members))
    return tuple(ladders)


def _kinds(cell: ResultCell) -> list[str]:
    """Return the kinds of training of the ladders that an experiment belongs to.

    A model that was tested at the level it was retrained at belongs to two: `matched` and `codec@level`.
    """
    kind = kind_of(cell)
    parts = f" ({cell.facts['parts']} only)" if cell.facts["parts"] else ""
    if kind != "level":
        return [f"{kind}{parts}"]
    at_level = f"{cell.facts['train_codec']}@{cell.facts['train_level']:g}{parts}"
    return [f"matched{parts}", at_level] if _is_tested_at_training_level(cell) else [at_level]


def _is_tested_at_training_level(cell: ResultCell) -> bool:
    """Return whether the codec, its options and the level of the test are those of the training data.

    This includes models of which only parts were retrained.
    """
    row = cell.facts
    return row["train_level"] == row["level"] and trained_on(cell, row["codec"], cell.options)


def _ladder(codec: str, training: str, cells: Sequence[ResultCell]) -> Ladder:
    if training.startswith("matched"):  # each level has its own training
        cells = newest_trainings(cells)
    elif training != "pretrained":
        series = newest_series(cells)
        cells = [cell for cell in cells if cell.facts["series"] == series]
    by_level: dict[Any, list[ResultCell]] = {}
    for cell in cells:
        by_level.setdefault(cell.facts["level"], []).append(cell)
    levels = sorted(by_level.values(), key=lambda group: -(group[0].facts["bpp"] or 0.0))
    seeds = min(len(group) for group in levels) if training != "pretrained" else 1
    return Ladder(codec, training, tuple(min(group, key=lambda c: c.facts["seed"]) for group in levels), seeds)
