"""The experiments of one model on one set of samples, found by training, codec and level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import StoreError
from harness.media.levers import LEVER_NAMES
from harness.results.cells import ResultCell
from harness.results.trained import trained_on
from harness.results.trainings import newest_trainings

__all__ = ["ExperimentOrigin", "ModelResults"]


@dataclass(frozen=True)
class ExperimentOrigin:
    """The codec and the training of an experiment, which the view `results` does not have in this form.

    Args:
        codec: the codec's part of the experiment's identity without the level, as JSON.
        default: whether the codec has its default options.
        job: the key of the training that made the weights; None for a pretrained model.
        control: the key of the same training on uncompressed data; None if no experiment pairs the two.
    """

    codec: str
    default: bool
    job: str | None = None
    control: str | None = None


@dataclass(frozen=True)
class ModelResults:
    """The experiments of one model with one set of weights on the same samples, under the same conditions.

    Args:
        task: the task.
        name: a name with the model, the data set and the number of samples, for people.
        cells: the finished experiments, without levers. All experiments of a codec have the same options and library
            versions.
        origins: the codec and the training of each experiment, by the experiment's key.
    """

    task: str
    name: str
    cells: tuple[ResultCell, ...] = field(repr=False)
    origins: Mapping[str, ExperimentOrigin] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, cells: Sequence[ResultCell], origins: Mapping[str, ExperimentOrigin]) -> ModelResults:
        """Make a `ModelResults` from experiments that differ only in codec, level and training.

        A codec may occur with several options or library versions; only one of these is kept. Default options are
        preferred, then the largest number of experiments.
        """
        facts = cells[0].facts
        data = f"{facts['dataset']}/{facts['split']}"
        name = f"{facts['model']} on {data}, {facts['planned_samples']} samples"
        kinds: dict[str, dict[str, list[ResultCell]]] = {}
        for cell in cells:
            if not LEVER_NAMES & cell.options.keys():  # levers change the frames too
                kind = origins[cell.facts["experiment"]].codec
                kinds.setdefault(cell.facts["codec"], {}).setdefault(kind, []).append(cell)

        def rank(group: Sequence[ResultCell]) -> tuple[bool, int]:
            return origins[group[0].facts["experiment"]].default, len(group)

        chosen = [cell for groups in kinds.values() for cell in max(groups.values(), key=rank)]
        return cls(facts["task"], name, tuple(chosen), origins)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The first experiment's row of the view `results`; its model, data and conditions hold for all experiments."""
        return self.cells[0].facts

    def none(self) -> list[ResultCell]:
        """Return the experiment of the pretrained model on uncompressed data, as a list; empty if there is none."""
        return _checked_seeds([cell for cell in self.cells if cell.is_baseline])

    def pretrained(self, codec: str, level: float) -> list[ResultCell]:
        """Return the experiment of the pretrained model at a level of a codec, as a list; empty if there is none."""
        return _checked_seeds([c for c in self._at(codec, level) if c.facts["training"] == "pretrained"])

    def matched(self, codec: str, level: float, parts: str | None = None) -> list[ResultCell]:
        """Return the experiments of models retrained at the level that they are tested at, one for each seed.

        Args:
            codec: the codec.
            level: the level.
            parts: the retrained parts of the model, joined by "+"; None for all parts.
        """
        return self.trained(codec, level, codec, level, parts)

    def mixed(self, codec: str, level: float) -> list[ResultCell]:
        """Return the experiments of models retrained on all levels of a codec and tested at one level.

        There is one experiment for each seed of the training.
        """
        return self._trained("mixed", codec, None, codec, level)

    def trained(
        self, codec: str | None, level: float | None, test: str, test_level: float | None, parts: str | None = None
    ) -> list[ResultCell]:
        """Return the experiments of models retrained at one level and tested at one level, one for each seed.

        If there are trainings by several recipes, the training that finished last is used.

        Args:
            codec: the codec of the training data; None for uncompressed data.
            level: the level of the training data.
            test: the codec of the test data.
            test_level: the level of the test data.
            parts: the retrained parts of the model, joined by "+"; None for all parts.

        Raises:
            StoreError: the database does not record these experiments as seeds of one training.
        """
        return self._trained("level" if codec else "clean", codec, level, test, test_level, parts)

    def control(self, cells: Sequence[ResultCell]) -> list[ResultCell]:
        """Return the control experiments of some retrained experiments.

        A control is the same training, but on uncompressed data, tested at the same codec and level.

        Returns:
            The controls; an empty list if one of the experiments has no control.
        """
        controls: dict[str, ResultCell] = {}
        for cell in cells:
            control = self.origins[cell.facts["experiment"]].control
            same_test = [other for other in self.cells if other.facts["cell"] == cell.facts["cell"]]
            matching = {c.facts["experiment"]: c for c in same_test if control and self._job(c) == control}
            if not matching:
                return []
            controls |= matching
        return list(controls.values())

    def levels(self, codec: str) -> list[float]:
        """Return the levels of a codec at which the pretrained model was tested, mildest first."""
        rates = {
            cell.facts["level"]: cell.facts["bpp"]
            for cell in self.cells
            if cell.facts["codec"] == codec and cell.facts["training"] == "pretrained"
        }
        return sorted((level for level in rates if level is not None), key=lambda level: -rates[level])

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
        return _checked_seeds(newest_trainings(found))

    def _options(self, codec: str) -> Mapping[str, Any]:
        """Return the options of a codec in the experiments; empty if no experiment has the codec."""
        return next((cell.options for cell in self.cells if cell.facts["codec"] == codec), {})

    def _job(self, cell: ResultCell) -> str | None:
        return self.origins[cell.facts["experiment"]].job

    def _at(self, codec: str, level: float | None) -> list[ResultCell]:
        return [cell for cell in self.cells if (cell.facts["codec"], cell.facts["level"]) == (codec, level)]


def _checked_seeds(cells: list[ResultCell]) -> list[ResultCell]:
    """Return the experiments unchanged, after a check that they are at most one, or the seeds of one training.

    Raises:
        StoreError: they are several experiments that are not seeds of one training.
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
