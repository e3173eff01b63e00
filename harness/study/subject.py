"""What the experiments of one model on one set of samples are: pretrained and retrained, at which level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import StoreError
from harness.media.levers import LEVER_NAMES
from harness.results.cells import ResultCell
from harness.results.trainings import newest_trainings, trained_on

__all__ = ["ExperimentOrigin", "ModelResults"]


@dataclass(frozen=True)
class ExperimentOrigin:
    """What is known of an experiment beyond the columns of the view `results`.

    Args:
        codec: all that decides what its codec does, but for the level, as JSON.
        default: whether that codec has its default options.
        job: the key of the training that made the weights; None when pretrained.
        control: the key of the same training on uncompressed data; None where nothing was tested with both.
    """

    codec: str
    default: bool
    job: str | None = None
    control: str | None = None


@dataclass(frozen=True)
class ModelResults:
    """The experiments of one model with one set of weights on the same samples, under the same conditions.

    Args:
        task: its task.
        name: model, data set and number of samples, for people.
        cells: finished experiments, those of each codec with the same options and libraries; without levers.
        origins: of each of them, by its key.
    """

    task: str
    name: str
    cells: tuple[ResultCell, ...] = field(repr=False)
    origins: Mapping[str, ExperimentOrigin] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, cells: Sequence[ResultCell], origins: Mapping[str, ExperimentOrigin]) -> ModelResults:
        """The subject of some experiments that differ in codec and training alone.

        Of several kinds of one codec (options, libraries) it has the one with default options; of several such, or
        where there is none, the one with the most experiments.
        """
        facts = cells[0].facts
        data = f"{facts['dataset']}/{facts['split']}"
        name = f"{facts['model']} on {data}, {facts['planned_samples']} samples"
        kinds: dict[str, dict[str, list[ResultCell]]] = {}
        for cell in cells:
            if not LEVER_NAMES & cell.options.keys():  # levers change the frames too
                kind = origins[cell.facts["experiment"]].codec
                kinds.setdefault(cell.facts["codec"], {}).setdefault(kind, []).append(cell)

        def rank(found: Sequence[ResultCell]) -> tuple[bool, int]:
            return origins[found[0].facts["experiment"]].default, len(found)

        chosen = [cell for found in kinds.values() for cell in max(found.values(), key=rank)]
        return cls(facts["task"], name, tuple(chosen), origins)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What all its experiments have in common: columns of the view `results`."""
        return self.cells[0].facts

    def none(self) -> list[ResultCell]:
        """The pretrained model on uncompressed data."""
        return _one([cell for cell in self.cells if cell.is_baseline])

    def pretrained(self, codec: str, level: float) -> list[ResultCell]:
        """The pretrained model at a level of a codec."""
        return _one([c for c in self._at(codec, level) if c.facts["training"] == "pretrained"])

    def matched(self, codec: str, level: float, parts: str | None = None) -> list[ResultCell]:
        """Retrained at the level it is tested at, from each seed: all its parts, or just some (joined by +)."""
        return self.trained(codec, level, codec, level, parts)

    def mixed(self, codec: str, level: float) -> list[ResultCell]:
        """All parts retrained on all levels of a codec at once, tested at one of them, from each seed."""
        return self._trained("mixed", codec, None, codec, level)

    def trained(
        self, codec: str | None, level: float | None, test: str, test_level: float | None, parts: str | None = None
    ) -> list[ResultCell]:
        """Retrained on one codec and level (None: on uncompressed data), tested on another or the same, from each seed.

        Of several recipes, the one that finished last.

        Raises:
            StoreError: the database does not say which experiments are seeds of one training.
        """
        return self._trained("level" if codec else "clean", codec, level, test, test_level, parts)

    def control(self, cells: Sequence[ResultCell]) -> list[ResultCell]:
        """The very trainings of some retrained experiments, but on uncompressed data, tested as those were.

        Returns:
            An empty list where one of them lacks its control.
        """
        found: dict[str, ResultCell] = {}
        for cell in cells:
            control = self.origins[cell.facts["experiment"]].control
            same = [one for one in self.cells if one.facts["cell"] == cell.facts["cell"]]
            its = {c.facts["experiment"]: c for c in same if control and self._job(c) == control}
            if not its:
                return []
            found |= its
        return list(found.values())

    def levels(self, codec: str) -> list[float]:
        """Those that the pretrained model was tested at, mildest first."""
        found = {
            cell.facts["level"]: cell.facts["bpp"]
            for cell in self.cells
            if cell.facts["codec"] == codec and cell.facts["training"] == "pretrained"
        }
        return sorted((level for level in found if level is not None), key=lambda level: -found[level])

    def _trained(
        self,
        mode: str,
        codec: str | None,
        level: float | None,
        test: str,
        test_level: float | None,
        parts: str | None = None,
    ) -> list[ResultCell]:
        found = [
            cell
            for cell in self._at(test, test_level)
            if (cell.facts["train_mode"], cell.facts["train_level"], cell.facts["parts"]) == (mode, level, parts)
            and (codec is None or trained_on(cell, codec, self._options(codec)))
        ]
        return _one(newest_trainings(found))

    def _options(self, codec: str) -> Mapping[str, Any]:
        """The options of a codec as it was tested."""
        return next((cell.options for cell in self.cells if cell.facts["codec"] == codec), {})

    def _job(self, cell: ResultCell) -> str | None:
        return self.origins[cell.facts["experiment"]].job

    def _at(self, codec: str, level: float | None) -> list[ResultCell]:
        return [cell for cell in self.cells if (cell.facts["codec"], cell.facts["level"]) == (codec, level)]


def _one(cells: list[ResultCell]) -> list[ResultCell]:
    """The experiments, if they are one, or the seeds of one training.

    Raises:
        StoreError: they are several.
    """
    if len(cells) > 1 and (None in _series(cells) or len(_series(cells)) > 1):
        keys = ", ".join(cell.facts["experiment"][:12] for cell in cells)
        facts = cells[0].facts
        raise StoreError(
            f"experiments {keys} ({facts['task']}, {facts['codec']}, level {facts['level']}, {facts['training']}) are "
            "of one kind, but not recorded as seeds of one training: their mean would say nothing. Give a database "
            "with one of them."
        )
    return cells


def _series(cells: Sequence[ResultCell]) -> set[str | None]:
    return {cell.facts["series"] for cell in cells}
