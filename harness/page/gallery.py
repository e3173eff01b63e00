"""Pictures of the samples that lose most, at several levels side by side, with the model's predictions drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.page.sample_losses import Losses, worst_samples
from harness.show.panels import PanelOptions, PanelPainter, read_rows
from harness.show.recorded import PanelExperiments, PanelLadder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.results.cells import ResultCell
    from harness.results.ladders import Case
    from harness.show.remake import RemadeExperiments
    from harness.store import Store
    from harness.unit import Settings

__all__ = ["NO_ROOM", "Budget", "Gallery", "Picture", "Strip", "gallery"]

NO_ROOM = "There is no room for more pictures in a page of 15 MB."
_LEVELS = 4
"""The maximum number of levels at which a sample is shown."""
_QUALITY = 82


@dataclass
class Budget:
    """The number of bytes of pictures that still fit on a page."""

    left: int


@dataclass(frozen=True)
class Picture:
    """One picture of a strip.

    Args:
        title: what the picture shows.
        note: the rate and the score of the sample.
        data: the picture as a WebP file.
        width: the width in pixels.
        height: the height in pixels.
    """

    title: str
    note: str
    data: bytes = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True)
class Strip:
    """The pictures of one sample: the ground truth, the uncompressed frame, and some levels of a codec.

    Args:
        codec: the codec.
        sample: the sample's id.
        pictures: from left to right.
    """

    codec: str
    sample: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Gallery:
    """The pictures of a case.

    Args:
        strips: the samples, codec by codec, the largest loss first.
        problems: sentences that say why pictures are missing.
        legend: the meaning of each colour, with the colour (RGB).
    """

    strips: tuple[Strip, ...] = ()
    problems: tuple[str, ...] = ()
    legend: tuple[tuple[str, tuple[int, int, int]], ...] = ()


def gallery(
    case: Case,
    found: Sequence[Losses],
    store: Store,
    remade: RemadeExperiments,
    settings: Settings,
    count: int,
    budget: Budget,
) -> Gallery:
    """Run the codec and the model again on the samples that lose most, and draw the pictures.

    Args:
        case: the experiments, with a baseline.
        found: the samples of each codec, with their losses.
        store: the store that has the experiments.
        remade: the codecs, model and dataset of the pretrained model's experiments.
        settings: the device, precision and threads.
        count: the number of samples of each codec.
        budget: the bytes left on the page, reduced by the pictures. Pictures that do not fit are left out, and a
            sentence in `problems` says so.
    """
    strips: list[Strip] = []
    problems: dict[str, None] = {}
    for losses in found:
        cells = _evenly_spaced(losses.ladder.cells)
        recorded = PanelExperiments(case.baseline, (PanelLadder(losses.ladder.codec, tuple(cells)),))
        painter = PanelPainter(
            recorded, remade, read_rows(store, recorded), settings, PanelOptions(), lambda text: None
        )
        for sample in worst_samples(losses, count):
            try:
                strip = _strip(painter, losses.ladder.codec, sample.index, sample.id)
            except HarnessError as error:
                problems[f"Sample {sample.id}, {losses.ladder.codec}: {error}"] = None
                continue
            size = sum(len(picture.data) for picture in strip.pictures)
            if size > budget.left:
                problems[NO_ROOM] = None
                break
            budget.left -= size
            strips.append(strip)
    return Gallery(tuple(strips), tuple(problems), _legend(remade))


def _evenly_spaced(cells: Sequence[ResultCell]) -> list[ResultCell]:
    """Return at most `_LEVELS` of a codec's experiments, evenly spaced from the first to the last.

    >>> [str(cell) for cell in _evenly_spaced(["a", "b", "c", "d", "e", "f"])]
    ['a', 'c', 'd', 'f']
    """
    if len(cells) <= _LEVELS:
        return list(cells)
    places = [round(place * (len(cells) - 1) / (_LEVELS - 1)) for place in range(_LEVELS)]
    return [cells[place] for place in places]


def _strip(painter: PanelPainter, codec: str, index: int, sample: str) -> Strip:
    """Draw the pictures of one sample; `index` is its index in the dataset, `sample` its id."""
    pictures = [
        Picture(tile.title, tile.note, _webp(tile.image), tile.image.shape[1], tile.image.shape[0])
        for row in painter.block(index)
        for tile in row.tiles
    ]
    return Strip(codec, sample, tuple(pictures))


def _webp(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "webp", quality=_QUALITY, method=4)
    return buffer.getvalue()


def _legend(remade: RemadeExperiments) -> tuple[tuple[str, tuple[int, int, int]], ...]:
    return tuple((name, colour) for name, colour in remade.subject.task.legend())
