"""Panels that show samples at several levels side by side, with the model's predictions drawn into them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.batches.preparing import unseen_targets
from harness.errors import SampleError, UsageError
from harness.results.naming import training_words
from harness.show.panel import Row, Tile, Zoom, lay_out, zoom_for
from harness.show.rerun import SampleRunner, frame_to_show
from harness.statistics.agreement import Agreement

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from harness.dataset import Sample
    from harness.records import SampleRow
    from harness.results.cells import ResultCell
    from harness.show.recorded import PanelExperiments, PanelLadder
    from harness.show.remake import RemadeExperiments
    from harness.show.rerun import SampleRun
    from harness.store import Store
    from harness.unit import Settings

__all__ = ["PanelOptions", "PanelPainter", "draw_panel", "find_samples", "read_rows", "worst_samples"]

Picture: TypeAlias = "NDArray[np.uint8]"
Rows = Mapping[str, Mapping[int, "SampleRow"]]
"""The database rows of samples, by the experiment's key and the sample's index."""


@dataclass(frozen=True)
class PanelOptions:
    """Options of how samples are shown.

    Args:
        frame: the index of the frame of a clip; None for the first frame that is judged in all shown experiments.
        crop: x, y, width and height in pixels of the source; None for the whole frame.
        columns: the number of pictures side by side; None for as many as fit on a screen.
        plain: whether to show each picture also without drawings; None does so only if the task's drawings hide the
            picture.
    """

    frame: int | None = None
    crop: tuple[int, int, int, int] | None = None
    columns: int | None = None
    plain: bool | None = None


def read_rows(store: Store, recorded: PanelExperiments) -> Rows:
    """Read the database rows of all samples of the experiments."""
    keys = [cell.facts["experiment"] for cell in recorded.cells]
    return {key: {row.index: row for row in store.rows(key)} for key in keys}


def find_samples(rows: Rows, asked: Sequence[str]) -> list[int]:
    """Return the dataset indices of the samples that the user named.

    Args:
        rows: the rows of the experiments; the first experiment's samples are searched.
        asked: for each sample its id, or its position among the experiment's samples, counted from 0.

    Raises:
        UsageError: there is no such sample.
    """
    known = next(iter(rows.values()))
    by_id = {row.id: index for index, row in known.items()}
    ordered = sorted(known)
    indices = []
    for text in asked:
        if text in by_id:
            indices.append(by_id[text])
        elif text.isdigit() and int(text) < len(ordered):
            indices.append(ordered[int(text)])
        else:
            first_ids = ", ".join(list(by_id)[:5])
            raise UsageError(
                f"--sample {text}: no sample has this id, and they are numbered 0 to {len(ordered) - 1}. "
                f"The first ids: {first_ids}."
            )
    return indices


def worst_samples(rows: Rows, recorded: PanelExperiments, count: int, higher_is_better: bool) -> list[int]:
    """Return the indices of the samples that lost most in their own score, the largest loss first.

    The loss is taken between the baseline and the strongest shown level of the first codec.

    Args:
        rows: the rows of the experiments.
        recorded: the experiments.
        count: the maximum number of samples.
        higher_is_better: the direction of the sample's score.

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
    remade: RemadeExperiments,
    rows: Rows,
    samples: Sequence[int],
    settings: Settings,
    look: PanelOptions,
    warn: Callable[[str], None],
) -> Image:
    """Run the codec and the model again on some samples, and draw the panel.

    Args:
        recorded: the experiments.
        remade: the codec, model and dataset that run the experiments again.
        rows: the database rows of the samples.
        samples: the indices of the samples in the dataset.
        settings: device, precision and threads.
        look: frame, crop, columns and plain pictures.
        warn: called with a sentence for each result that differs from the recorded one.

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
    """Draws the pictures of samples, all at the same scale."""

    def __init__(
        self,
        recorded: PanelExperiments,
        remade: RemadeExperiments,
        rows: Rows,
        settings: Settings,
        look: PanelOptions,
        warn: Callable[[str], None],
    ) -> None:
        self._recorded, self._remade, self._rows = recorded, remade, rows
        self._settings, self._look, self._warn = settings, look, warn
        self._runners: dict[str, SampleRunner] = {}
        self._task = remade.subject.task
        self.zoom: Zoom | None = None

    def block(self, index: int) -> list[Row]:
        """Draw one sample, and return its rows of pictures.

        Each codec has a row. The first row begins with the ground truth and the uncompressed frame. With retrained
        models, truth and uncompressed have a row of their own, and each level has a row: the pretrained model, then the
        retrained models.

        Args:
            index: the index of the sample in the dataset.
        """
        dataset = self._remade.subject.dataset
        try:
            sample = dataset[index]
        except SampleError as error:
            raise UsageError(f"sample {index} cannot be read: {error}") from error
        unseen = max(self._unseen(cell, sample) for cell in self._recorded.cells)
        frame = frame_to_show(sample, self._look.frame, unseen)
        sample.frames.setflags(write=False)
        sample = self._runner(self._recorded.cells[0]).referred(sample)
        first = self._truth_tiles(sample, frame)
        if self._recorded.baseline:
            first.append(self._tile(self._recorded.baseline, "uncompressed", sample, index, frame))
        heading = f"sample {sample.id}" + (f", frame {frame} of {len(sample.frames)}" if len(sample.frames) > 1 else "")
        if self._recorded.retrained:
            groups = [
                (ladder, (cell, *self._retrained_cells(cell)))
                for ladder in self._recorded.ladders
                for cell in ladder.cells
            ]
            lines, first, heading = [Row(tuple(first), heading)], [], ""
        else:
            groups, lines = [(ladder, ladder.cells) for ladder in self._recorded.ladders], []
        for ladder, cells in groups:
            tiles = [self._tile(cell, _title(ladder, cell), sample, index, frame) for cell in cells]
            lines.append(Row((*first, *tiles), heading))
            first, heading = [], ""
        return lines

    def _retrained_cells(self, cell: ResultCell) -> tuple[ResultCell, ...]:
        return self._recorded.retrained.get(cell.facts["experiment"], ())

    def _runner(self, cell: ResultCell) -> SampleRunner:
        """Return the runner of the model with an experiment's weights. The same weights are loaded only once."""
        subject = self._remade.subject
        weights = self._remade.weights.get(cell.facts["experiment"], subject.weights)
        if weights.digest not in self._runners:
            self._runners[weights.digest] = SampleRunner(replace(subject, weights=weights), self._settings)
        return self._runners[weights.digest]

    def _truth_tiles(self, sample: Sample, frame: int) -> list[Tile]:
        try:
            drawn = self._draw(self._task.draw_target, sample.frames[frame], sample.targets[frame])
        except NotImplementedError:
            return []
        title = "reference" if isinstance(self._task, Agreement) else "truth"
        return [Tile(self._with_plain(drawn, sample.frames[frame]), title)]

    def _tile(self, cell: ResultCell, title: str, sample: Sample, index: int, frame: int) -> Tile:
        key = cell.facts["experiment"]
        run = self._runner(cell).run(self._remade.cells[key], sample)
        row = self._rows[key][index]
        self._warn_if_different(cell, row, run)
        try:
            drawn = self._draw(self._task.draw, run.frames[frame], run.predictions[frame])
        except NotImplementedError as error:
            raise UsageError(f"nothing can be shown: {error}.") from error
        judged = frame in sorted(sample.targets)[self._unseen(cell, sample) :]
        note = self._note(row) + ("" if judged else "    (this frame is not judged)")
        return Tile(self._with_plain(drawn, run.frames[frame]), title, note)

    def _unseen(self, cell: ResultCell, sample: Sample) -> int:
        """Return how many of a sample's scored frames are not judged in an experiment, because of its `fps=`."""
        return unseen_targets(self._task, self._remade.cells[cell.facts["experiment"]].codec, sample)

    def _with_plain(self, drawn: Picture, image: Picture) -> Picture:
        """Return the drawing, with the picture without drawings above it if the options ask for it."""
        import numpy as np

        if not (not self._task.draws_over if self._look.plain is None else self._look.plain):
            return drawn
        x, y, width, height = self._crop_box(image)
        assert self.zoom is not None
        return np.concatenate([self.zoom(image[y : y + height, x : x + width]), drawn])

    def _note(self, row: SampleRow) -> str:
        """Return the sample's own rate and score from the database, as text."""
        metric = self._task.sample_metric
        words = []
        if row.bits is not None and row.duration:
            words.append(f"{row.bits / row.duration / 1000:,.0f} kbit/s")
        elif row.bits is not None and row.pixels:
            words.append(f"{row.bits / row.pixels:.3g} bpp")
        if row.score is not None:
            words.append(f"{metric.name} {row.score:.3f} {metric.unit}".strip())
        return "    ".join(words)

    def _warn_if_different(self, cell: ResultCell, row: SampleRow, run: SampleRun) -> None:
        """Warn if the bits or the score of a sample differ from the recorded ones.

        Scores have a tolerance: their last bits may depend on the device and the batch size.
        """
        what = f"{cell.facts['codec']} {cell.facts['level'] or ''}".strip() + f", sample {row.id}"
        if row.bits is not None and row.bits != run.bits:
            self._warn(f"{what}: {row.bits} bits were recorded, {run.bits} came out now.")
        if row.score is not None and (
            run.score is None or not isclose(row.score, run.score, rel_tol=1e-3, abs_tol=2e-3)
        ):
            self._warn(f"{what}: its recorded score is {row.score:.4f}, {run.score} came out now.")

    def _draw(self, draw: Callable[[Any, Any], Picture], image: Picture, result: Any) -> Picture:
        """Draw a prediction or the ground truth into a picture; return the cropped part at the panel's scale."""
        x, y, width, height = self._crop_box(image)
        self.zoom = zoom = self.zoom or zoom_for(width)
        times = max(1, int(zoom.times))
        try:
            drawn = draw(Zoom(times)(image), self._task.enlarged(result, times))
        except NotImplementedError:
            drawn = Zoom(times)(draw(image, result))
        part = drawn[y * times : (y + height) * times, x * times : (x + width) * times]
        return zoom(part) if zoom.times < 1 else part

    def _crop_box(self, image: Picture) -> tuple[int, int, int, int]:
        height, width = image.shape[:2]
        x, y, across, down = self._look.crop or (0, 0, width, height)
        if x + across > width or y + down > height:
            raise UsageError(f"--crop {x},{y},{across},{down} reaches beyond the picture of {width}x{height} pixels.")
        return x, y, across, down


def _title(ladder: PanelLadder, cell: ResultCell) -> str:
    level = cell.facts["level"]
    title = ladder.name if level is None else f"{ladder.name}, {cell.facts['level_name']} {level:g}"
    return title if cell.facts["training"] == "pretrained" else f"{title}: {training_words(cell)}"
