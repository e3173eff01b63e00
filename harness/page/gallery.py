"""Pictures of the samples that lose most: at several levels side by side, with the predictions drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.page.slices import Losses, worst
from harness.show.panels import PanelOptions, PanelPainter, read_rows
from harness.show.recorded import PanelExperiments, PanelLadder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.results.cells import ResultCell
    from harness.results.ladders import Case
    from harness.show.remake import Remade
    from harness.store import Store
    from harness.unit import Settings

__all__ = ["NO_ROOM", "Budget", "Gallery", "Picture", "Strip", "gallery"]

NO_ROOM = "There is no room for more pictures in a page of 15 MB."
_LEVELS = 4
"""Levels that a sample is shown at, at most."""
_QUALITY = 82


@dataclass
class Budget:
    """How many bytes of pictures a page may still take."""

    left: int


@dataclass(frozen=True)
class Picture:
    """One picture of a strip.

    Args:
        title: what it shows.
        note: what it cost and how it went.
        data: WebP.
        width: in pixels.
        height: in pixels.
    """

    title: str
    note: str
    data: bytes = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True)
class Strip:
    """One sample: truth, uncompressed, and some levels of a codec.

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
        strips: by codec, the samples that lose most first.
        problems: why something is not shown, a sentence each.
        legend: what colours stand for, with each colour (RGB).
    """

    strips: tuple[Strip, ...] = ()
    problems: tuple[str, ...] = ()
    legend: tuple[tuple[str, tuple[int, int, int]], ...] = ()


def gallery(
    case: Case, found: Sequence[Losses], store: Store, remade: Remade, settings: Settings, count: int, budget: Budget
) -> Gallery:
    """Run codec and model again on the samples that lose most, and draw what comes.

    Args:
        case: the experiments; with a baseline.
        found: the samples of its codecs.
        store: where the experiments are.
        remade: what carries the experiments of the pretrained model out.
        settings: device, precision and threads.
        count: samples of each codec.
        budget: of the page; what does not fit any more is left out, and said to be.
    """
    strips: list[Strip] = []
    problems: dict[str, None] = {}
    for losses in found:
        some = _some(losses.ladder.cells)
        recorded = PanelExperiments(case.baseline, (PanelLadder(losses.ladder.codec, tuple(some)),))
        painter = PanelPainter(
            recorded, remade, read_rows(store, recorded), settings, PanelOptions(), lambda text: None
        )
        for sample in worst(losses, count):
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


def _some(cells: Sequence[ResultCell]) -> list[ResultCell]:
    """Levels from the mildest to the strongest, evenly.

    >>> [str(one) for one in _some(["a", "b", "c", "d", "e", "f"])]
    ['a', 'c', 'd', 'f']
    """
    if len(cells) <= _LEVELS:
        return list(cells)
    places = [round(place * (len(cells) - 1) / (_LEVELS - 1)) for place in range(_LEVELS)]
    return [cells[place] for place in places]


def _strip(painter: PanelPainter, codec: str, index: int, sample: str) -> Strip:
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


def _legend(remade: Remade) -> tuple[tuple[str, tuple[int, int, int]], ...]:
    return tuple((name, colour) for name, colour in remade.subject.task.legend())
