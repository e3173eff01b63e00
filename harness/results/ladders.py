"""Recorded experiments as ladders: each codec, with its options and one kind of training, from its mildest level on.

Decisions, comparisons and reports are about ladders of one case: a model with its weights on the same samples, under
the same conditions. Nothing is ever put beside anything of another case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.results.naming import codec_names
from harness.results.trainings import differences, kind_of, newest_series, newest_trainings, trained_on

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["CASE_FACTS", "Case", "Ladder", "cases_of"]

CASE_FACTS = (
    *("task", "model", "weights", "dataset", "split", "reference"),
    *("planned_samples", "seed", "precision", "batch"),
)
"""What all experiments of a case have in common."""


@dataclass(frozen=True)
class Ladder:
    """One codec, with its options, and one kind of training, at its levels.

    Args:
        codec: the codec with what tells it from the case's other codecs: "jpeg", "jpeg:scale=0.5", "h264 (intra)".
        training: `pretrained`; `matched`, retrained at the level that each is tested at; `mixed`; `clean`; or
            `codec@level`, retrained at one level and tested at all. Behind it, in brackets, the parts that were
            retrained, where these are not all.
        cells: finished experiments, mildest compression first; one a level.
        seeds: how many seeds of the training there are at each level at least; the first is taken. 1 when pretrained.
    """

    codec: str
    training: str
    cells: tuple[ResultCell, ...] = field(repr=False)
    seeds: int = 1

    @property
    def name(self) -> str:
        """What a person calls it: "jpeg", "jpeg, matched"."""
        return self.codec if self.training == "pretrained" else f"{self.codec}, {self.training}"

    @property
    def is_matched(self) -> bool:
        """Whether each level has a model of its own, all or a part of which was retrained at it."""
        return self.training.startswith("matched")

    @property
    def level_name(self) -> str:
        """What its codec calls its levels."""
        return str(self.cells[0].facts["level_name"] or "level")


@dataclass(frozen=True)
class Case:
    """What was compressed and judged: a task with a model, its weights and its samples, under the same conditions.

    Args:
        baseline: the pretrained model on uncompressed frames; None where the database has none.
        ladders: by codec, the pretrained model's first.
        every: all finished experiments of it, those in no ladder too.
        differing: what tells it from other cases of one model and data, in words; "" where there is none.
    """

    baseline: ResultCell | None
    ladders: tuple[Ladder, ...]
    every: tuple[ResultCell, ...] = field(default=(), repr=False)
    differing: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """A row of the view `results` of one of its experiments: task, model, dataset and conditions hold for all."""
        first = self.baseline or self.ladders[0].cells[0]
        return dict(first.facts)

    @property
    def title(self) -> str:
        """ "detection: demo-detector on demo/test"."""
        facts = self.facts
        reference = ", reference predictions" if facts["reference"] == "predictions" else ""
        return f"{facts['task']}: {facts['model']} on {facts['dataset']}/{facts['split']}{reference}{self.differing}"

    @property
    def cells(self) -> list[ResultCell]:
        """All its experiments, the baseline first."""
        first = [self.baseline] if self.baseline else []
        return [*first, *(cell for ladder in self.ladders for cell in ladder.cells)]


def cases_of(cells: Sequence[ResultCell]) -> list[Case]:
    """The cases that some experiments belong to, in their order.

    Experiments that are not finished, and retrained models on uncompressed frames, are in no ladder. Of trainings of
    one kind by several recipes those that finished last are taken, of several seeds the first.

    Args:
        cells: as `harness.results.cells.read_cells` gives them.
    """
    finished = [cell for cell in cells if cell.facts["status"] == "finished"]
    groups: dict[str, list[ResultCell]] = {}
    for cell in finished:
        groups.setdefault(cell.subject, []).append(cell)
    found = [(group, _ladders(group)) for group in groups.values()]
    found = [(group, ladders) for group, ladders in found if ladders]
    words = differences([[_head(group)] for group, _ in found])
    return [
        Case(next((cell for cell in group if cell.is_baseline), None), ladders, tuple(group), differing)
        for (group, ladders), differing in zip(found, words, strict=True)
    ]


def _head(group: Sequence[ResultCell]) -> ResultCell:
    return next((cell for cell in group if cell.is_baseline), group[0])


def _ladders(group: Sequence[ResultCell]) -> tuple[Ladder, ...]:
    by_codec: dict[str, list[ResultCell]] = {}
    for cell in group:
        if cell.facts["level"] is not None or (cell.facts["codec"] == "none" and cell.options):
            by_codec.setdefault(cell.ladder, []).append(cell)
    names = codec_names([some[0] for some in by_codec.values()])
    ladders = []
    for name, some in zip(names, by_codec.values(), strict=True):
        kinds: dict[str, list[ResultCell]] = {}
        for cell in some:
            for kind in _kinds(cell):
                kinds.setdefault(kind, []).append(cell)
        levels = len({cell.facts["level"] for cell in some})
        for kind, its in kinds.items():
            own = "@" in kind and all(_at_its_own(cell) for cell in its)
            if not own or levels == 1:  # else it is a part of `matched`
                ladders.append(_ladder(name, kind, its))
    return tuple(ladders)


def _kinds(cell: ResultCell) -> list[str]:
    """The trainings that an experiment is of: one at the level it is tested at is `matched`, and its own."""
    kind = kind_of(cell)
    parts = f" ({cell.facts['parts']} only)" if cell.facts["parts"] else ""
    if kind != "level":
        return [f"{kind}{parts}"]
    own = f"{cell.facts['train_codec']}@{cell.facts['train_level']:g}{parts}"
    return [f"matched{parts}", own] if _at_its_own(cell) else [own]


def _at_its_own(cell: ResultCell) -> bool:
    """Whether it, or a part of it, was retrained on data coded as it is tested."""
    row = cell.facts
    return row["train_level"] == row["level"] and trained_on(cell, row["codec"], cell.options)


def _ladder(codec: str, training: str, cells: Sequence[ResultCell]) -> Ladder:
    if training.startswith("matched"):  # each level has a training of its own
        cells = newest_trainings(cells)
    elif training != "pretrained":
        series = newest_series(cells)
        cells = [cell for cell in cells if cell.facts["series"] == series]
    chosen: dict[Any, list[ResultCell]] = {}
    for cell in cells:
        chosen.setdefault(cell.facts["level"], []).append(cell)
    ordered = sorted(chosen.values(), key=lambda some: -(some[0].facts["bpp"] or 0.0))
    seeds = min(len(some) for some in ordered) if training != "pretrained" else 1
    return Ladder(codec, training, tuple(min(some, key=lambda c: c.facts["seed"]) for some in ordered), seeds)
