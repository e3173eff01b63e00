"""Codecs that want the device (learned codecs) run in the process that owns it. Workers are forked, and never touch it.

So a unit has two sides: the cells whose codecs run in workers, and those whose codecs run beside the model. Before a
codec is moved it works on the CPU, as in trainings on coded data and when a recorded sample is shown.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.batches.preparing import reason
from harness.batches.start import plugin_errors
from harness.codec import Codec
from harness.errors import CodecError

if TYPE_CHECKING:
    from harness.codec import Encoded, Frames, Level
    from harness.unit import Unit

__all__ = ["UnmovedCodec", "beside_the_model", "in_workers", "moved"]


def in_workers(unit: Unit) -> Unit:
    """Return a unit without the cells whose codecs want the device. The positions of its cells stay the same."""
    return _side(unit, wants_device=False)


def beside_the_model(unit: Unit) -> Unit:
    """Return a unit with the cells alone whose codecs want the device. The positions of its cells stay the same."""
    return _side(unit, wants_device=True)


def moved(unit: Unit, device: str) -> tuple[Unit, list[str]]:
    """Return a unit whose codecs are on the device, if they want it. Cells that share a codec share its copy.

    The unit's own codecs stay as they are: workers may be forked later, and must not get what lies on a GPU.

    Args:
        unit: the unit of work.
        device: the torch device.

    Returns:
        The unit, and a sentence for each codec that could not be moved. Its cells have a codec that refuses all frames
        for that reason, so that they fail, and no other.
    """
    copies: dict[int, Codec] = {}
    cells = []
    for cell in unit.cells:
        if cell.codec.wants_device:
            if id(cell.codec) not in copies:
                copies[id(cell.codec)] = _moved(cell.codec, device)
            cell = replace(cell, codec=copies[id(cell.codec)])
        cells.append(cell)
    refused = [codec.why for codec in copies.values() if isinstance(codec, UnmovedCodec)]
    return replace(unit, cells=tuple(cells)), [f"{why.rstrip('.')}. Its experiments fail." for why in refused]


class UnmovedCodec(Codec):
    """Stands for a codec that cannot be moved to the device: it refuses all frames.

    Args:
        codec: the codec.
        why: why it cannot be moved.
    """

    wants_device = True

    def __init__(self, codec: Codec, why: str) -> None:
        super().__init__()
        self.why, self.scale = why, codec.scale
        vars(self).update(name=codec.name, coding=codec.coding)

    def encode(self, frames: Frames, level: Level, fps: float | None = None) -> Encoded:
        raise CodecError(self.why)

    def decode(self, encoded: Encoded) -> Frames:
        raise CodecError(self.why)


def _moved(codec: Codec, device: str) -> Codec:
    try:
        copied = copy.deepcopy(codec)
        copied.to_device(device)
    except plugin_errors() as error:  # an error of a codec fails its cells, and is recorded
        return UnmovedCodec(codec, reason(f"codec {codec.name}: to_device({device!r})", error))
    return copied


def _side(unit: Unit, wants_device: bool) -> Unit:
    chosen = {place for place, cell in enumerate(unit.cells) if cell.codec.wants_device == wants_device}
    if len(chosen) == len(unit.cells):
        return unit
    todo = (replace(entry, cells=tuple(place for place in entry.cells if place in chosen)) for entry in unit.todo)
    return replace(unit, todo=tuple(entry for entry in todo if entry.cells))
