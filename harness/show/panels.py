"""Samples at several levels with what a model predicts on them, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.errors import SampleError, UsageError
from harness.results.naming import training_words
from harness.show.panel import Row, Tile, Zoom, lay_out, zoom_for
from harness.show.rerun import SampleRunner, frame_of
from harness.statistics.agreement import Agreement

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from harness.dataset import Sample
    from harness.records import SampleRow
    from harness.results.cells import ResultCell
    from harness.show.recorded import PanelExperiments, PanelLadder
    from harness.show.remake import Remade
    from harness.show.rerun import SampleRun
    from harness.store import Store
    from harness.unit import Settings

__all__ = ["PanelOptions", "PanelPainter", "chosen", "draw_panel", "read_rows", "worst"]

Picture: TypeAlias = "NDArray[np.uint8]"
Rows = Mapping[str, Mapping[int, "SampleRow"]]
"""The rows of samples by experiment and index."""


@dataclass(frozen=True)
class PanelOptions:
    """How samples are shown.

    Args:
        frame: which frame of a clip; None for the first that is scored.
        crop: x, y, width and height in pixels of the source; None for all of it.
        columns: pictures side by side; None for as many as a screen can show.
        plain: the pictures without anything drawn, too; None where the task's drawings hide them.
    """

    frame: int | None = None
    crop: tuple[int, int, int, int] | None = None
    columns: int | None = None
    plain: bool | None = None


def read_rows(store: Store, recorded: PanelExperiments) -> Rows:
    """What the database has of each sample of the experiments."""
    keys = [cell.facts["experiment"] for cell in recorded.cells]
    return {key: {row.index: row for row in store.rows(key)} for key in keys}


def chosen(rows: Rows, asked: Sequence[str]) -> list[int]:
    """The indices of the samples that texts name: an id, or the number of a sample, counted from 0.

    Raises:
        UsageError: there is no such sample.
    """
    known = next(iter(rows.values()))
    by_id = {row.id: index for index, row in known.items()}
    ordered = sorted(known)
    found = []
    for text in asked:
        if text in by_id:
            found.append(by_id[text])
        elif text.isdigit() and int(text) < len(ordered):
            found.append(ordered[int(text)])
        else:
            some = ", ".join(list(by_id)[:5])
            raise UsageError(
                f"--sample {text}: no sample has this id, and they are numbered 0 to {len(ordered) - 1}. "
                f"The first ids: {some}."
            )
    return found


def worst(rows: Rows, recorded: PanelExperiments, count: int, higher_is_better: bool) -> list[int]:
    """The samples whose own score lost most between the baseline and the last level of the first codec.

    Raises:
        UsageError: there is no baseline, or no sample has a score.
    """
    if recorded.baseline is None:
        raise UsageError("--worst compares with the uncompressed experiment, which the database does not have.")
    before = rows[recorded.baseline.facts["experiment"]]
    after = rows[recorded.ladders[0].cells[-1].facts["experiment"]]
    losses = {}
    for index, row in after.items():
        old = before[index].score if index in before else None
        if row.score is not None and old is not None:
            losses[index] = (old - row.score) * (1 if higher_is_better else -1)
    if not losses:
        raise UsageError("--worst: no sample has a score of its own in both experiments.")
    return sorted(losses, key=lambda index: (-losses[index], index))[:count]


def draw_panel(
    recorded: PanelExperiments,
    remade: Remade,
    rows: Rows,
    samples: Sequence[int],
    settings: Settings,
    look: PanelOptions,
    warn: Callable[[str], None],
) -> Image:
    """The panel of some samples.

    Args:
        recorded: the experiments.
        remade: what carries them out.
        rows: what the database has of their samples.
        samples: indices.
        settings: device, precision, threads.
        look: frame, crop and columns.
        warn: takes sentences about what came out otherwise than recorded.

    Raises:
        HarnessError: a sample failed, cannot be read, or cannot be drawn.
    """
    for cell in recorded.cells:
        for index in samples:
            _check_row(cell, rows[cell.facts["experiment"]].get(index), index)
    painter = PanelPainter(recorded, remade, rows, settings, look, warn)
    blocks = [row for index in samples for row in painter.block(index)]
    subject = remade.subject
    zoom = painter.zoom
    place = f"{subject.dataset_name}/{subject.dataset.split}"
    title = f"{subject.task.name}: {subject.model_name} on {place}"
    note = "Rates and scores are of the whole sample." + (f" {zoom.words}" if zoom else "")
    return lay_out(blocks, title, note, look.columns, subject.task.legend())


def _check_row(cell: ResultCell, row: SampleRow | None, index: int) -> None:
    level = "" if cell.facts["level"] is None else f"@{cell.facts['level']:g}"
    name = f"{cell.facts['codec']}{level}"
    if row is None:
        raise UsageError(f"sample {index} is not among those of {name}.")
    if row.status != "ok":
        raise UsageError(f"sample {row.id} failed in {name}: {row.error}")


class PanelPainter:
    """Draws samples, all in one size."""

    def __init__(
        self,
        recorded: PanelExperiments,
        remade: Remade,
        rows: Rows,
        settings: Settings,
        look: PanelOptions,
        warn: Callable[[str], None],
    ) -> None:
        self._recorded, self._remade, self._rows = recorded, remade, rows
        self._settings, self._look, self._warn = settings, look, warn
        self._loaded: dict[str, SampleRunner] = {}
        self._task = remade.subject.task
        self.zoom: Zoom | None = None

    def block(self, index: int) -> list[Row]:
        """The lines of one sample: truth and uncompressed with the first codec, then the other codecs.

        With retrained models each level has a line: the pretrained one, and what was retrained beside it.
        """
        dataset = self._remade.subject.dataset
        try:
            sample = dataset[index]
        except SampleError as error:
            raise UsageError(f"sample {index} cannot be read: {error}") from error
        frame = frame_of(sample, self._look.frame)
        sample.frames.setflags(write=False)
        sample = self._again(self._recorded.cells[0]).referred(sample)
        first = self._truth(sample, frame)
        if self._recorded.baseline:
            first.append(self._tile(self._recorded.baseline, "uncompressed", sample, index, frame))
        heading = f"sample {sample.id}" + (f", frame {frame} of {len(sample.frames)}" if len(sample.frames) > 1 else "")
        if self._recorded.retrained:
            groups = [
                (ladder, (cell, *self._beside(cell))) for ladder in self._recorded.ladders for cell in ladder.cells
            ]
            lines, first, heading = [Row(tuple(first), heading)], [], ""
        else:
            groups, lines = [(ladder, ladder.cells) for ladder in self._recorded.ladders], []
        for ladder, cells in groups:
            tiles = [self._tile(cell, _title(ladder, cell), sample, index, frame) for cell in cells]
            lines.append(Row((*first, *tiles), heading))
            first, heading = [], ""
        return lines

    def _beside(self, cell: ResultCell) -> tuple[ResultCell, ...]:
        return self._recorded.retrained.get(cell.facts["experiment"], ())

    def _again(self, cell: ResultCell) -> SampleRunner:
        """The model with the weights of an experiment, loaded once."""
        subject = self._remade.subject
        weights = self._remade.weights.get(cell.facts["experiment"], subject.weights)
        if weights.sha256 not in self._loaded:
            self._loaded[weights.sha256] = SampleRunner(replace(subject, weights=weights), self._settings)
        return self._loaded[weights.sha256]

    def _truth(self, sample: Sample, frame: int) -> list[Tile]:
        try:
            drawn = self._drawn(self._task.draw_target, sample.frames[frame], sample.targets[frame])
        except NotImplementedError:
            return []
        title = "reference" if isinstance(self._task, Agreement) else "truth"
        return [Tile(self._with_plain(drawn, sample.frames[frame]), title)]

    def _tile(self, cell: ResultCell, title: str, sample: Sample, index: int, frame: int) -> Tile:
        key = cell.facts["experiment"]
        seen = self._again(cell).run(self._remade.cells[key], sample)
        row = self._rows[key][index]
        self._compare(cell, row, seen)
        try:
            drawn = self._drawn(self._task.draw, seen.frames[frame], seen.predictions[frame])
        except NotImplementedError as error:
            raise UsageError(f"nothing can be shown: {error}.") from error
        return Tile(self._with_plain(drawn, seen.frames[frame]), title, self._note(row))

    def _with_plain(self, drawn: Picture, image: Picture) -> Picture:
        """What was drawn, below the picture itself where that is wanted."""
        import numpy as np

        if not (not self._task.draws_over if self._look.plain is None else self._look.plain):
            return drawn
        x, y, width, height = self._part(image)
        assert self.zoom is not None
        return np.concatenate([self.zoom(image[y : y + height, x : x + width]), drawn])

    def _note(self, row: SampleRow) -> str:
        """The sample's own rate and score, as the database has them."""
        metric = self._task.sample_metric
        words = []
        if row.bits is not None and row.duration:
            words.append(f"{row.bits / row.duration / 1000:,.0f} kbit/s")
        elif row.bits is not None and row.pixels:
            words.append(f"{row.bits / row.pixels:.3g} bpp")
        if row.score is not None:
            words.append(f"{metric.name} {row.score:.3f} {metric.unit}".strip())
        return "    ".join(words)

    def _compare(self, cell: ResultCell, row: SampleRow, seen: SampleRun) -> None:
        """Whether what came out is what was recorded; last bits of a score may differ by device and batch."""
        what = f"{cell.facts['codec']} {cell.facts['level'] or ''}".strip() + f", sample {row.id}"
        if row.bits is not None and row.bits != seen.bits:
            self._warn(f"{what}: {row.bits} bits were recorded, {seen.bits} came out now.")
        if row.score is not None and (
            seen.score is None or not isclose(row.score, seen.score, rel_tol=1e-3, abs_tol=2e-3)
        ):
            self._warn(f"{what}: its recorded score is {row.score:.4f}, {seen.score} came out now.")

    def _drawn(self, draw: Callable[[Any, Any], Picture], image: Picture, result: Any) -> Picture:
        """The asked part of a picture, in the size to show it in, with a prediction or the truth drawn into it."""
        x, y, width, height = self._part(image)
        self.zoom = zoom = self.zoom or zoom_for(width)
        times = max(1, int(zoom.times))
        try:
            drawn = draw(Zoom(times)(image), self._task.enlarged(result, times))
        except NotImplementedError:
            drawn = Zoom(times)(draw(image, result))
        part = drawn[y * times : (y + height) * times, x * times : (x + width) * times]
        return zoom(part) if zoom.times < 1 else part

    def _part(self, image: Picture) -> tuple[int, int, int, int]:
        height, width = image.shape[:2]
        x, y, across, down = self._look.crop or (0, 0, width, height)
        if x + across > width or y + down > height:
            raise UsageError(f"--crop {x},{y},{across},{down} reaches beyond the picture of {width}x{height} pixels.")
        return x, y, across, down


def _title(ladder: PanelLadder, cell: ResultCell) -> str:
    level = cell.facts["level"]
    title = ladder.name if level is None else f"{ladder.name}, {cell.facts['level_name']} {level:g}"
    return title if cell.facts["training"] == "pretrained" else f"{title}: {training_words(cell)}"
