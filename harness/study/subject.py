"""What the experiments of one model on one set of samples are: pretrained and retrained, at which level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.result_cells import Cell

__all__ = ["Subject"]


@dataclass(frozen=True)
class Subject:
    """The experiments of one model with one set of weights on the same samples.

    Args:
        task: its task.
        name: model, data set and number of samples, for people.
        cells: finished experiments.
    """

    task: str
    name: str
    cells: tuple[Cell, ...] = field(repr=False)

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> Subject:
        """The subject that some experiments have in common."""
        facts = cells[0].facts
        data = f"{facts['dataset']}/{facts['split']}"
        return cls(facts["task"], f"{facts['model']} on {data}, {facts['planned_samples']} samples", tuple(cells))

    @property
    def facts(self) -> Mapping[str, Any]:
        """What all its experiments have in common: columns of the view `results`."""
        return self.cells[0].facts

    def none(self) -> list[Cell]:
        """The pretrained model on uncompressed data."""
        return [cell for cell in self.cells if cell.is_baseline]

    def pretrained(self, codec: str, level: float) -> list[Cell]:
        return [c for c in self._at(codec, level) if c.facts["training"] == "pretrained"]

    def matched(self, codec: str, level: float) -> list[Cell]:
        """Retrained at the level it is tested at, all its parts, from each seed."""
        return self.trained(codec, level, codec, level)

    def trained(self, codec: str | None, level: float | None, test: str, test_level: float | None) -> list[Cell]:
        """All parts retrained on one codec and level (None: on uncompressed data), tested on another or the same."""
        mode = "level" if codec else "clean"
        return [c for c in self.retrained(mode, test, test_level) if _taught(c) == (codec, level)]

    def retrained(self, mode: str, test: str, test_level: float | None, parts: str | None = None) -> list[Cell]:
        """Retrained in one mode (level, mixed, clean), tested on a codec at a level."""
        return [c for c in self._at(test, test_level) if (c.facts["train_mode"], c.facts["parts"]) == (mode, parts)]

    def levels(self, codec: str) -> list[float]:
        """Those that the pretrained model was tested at, mildest first."""
        found = {
            cell.facts["level"]: cell.facts["bpp"]
            for cell in self.cells
            if cell.facts["codec"] == codec and cell.facts["training"] == "pretrained" and not _resized(cell)
        }
        return sorted((level for level in found if level is not None), key=lambda level: -found[level])

    def _at(self, codec: str, level: float | None) -> list[Cell]:
        at = [c for c in self.cells if (c.facts["codec"], c.facts["level"]) == (codec, level)]
        return [cell for cell in at if not _resized(cell)]


def _resized(cell: Cell) -> bool:
    """Whether a lever (scale, frame rate) changed the frames too."""
    return bool({"scale", "fps"} & cell.options.keys())


def _taught(cell: Cell) -> tuple[str | None, float | None]:
    codec = cell.facts["train_codec"]
    return (codec.partition(":")[0] if codec else None), cell.facts["train_level"]
