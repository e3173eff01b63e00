"""Codecs that want the device (learned codecs) run in the process that owns it. Workers are forked, and never touch it.

So a unit has two sides: the cells whose codecs run in workers, and those whose codecs run beside the model. Before a
codec is moved it works on the CPU, as in trainings on coded data and when a recorded sample is shown.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.batches.preparing import reason
from harness.errors import HarnessError, PluginError

if TYPE_CHECKING:
    from harness.codec import Codec
    from harness.unit import Unit

__all__ = ["beside_the_model", "in_workers", "moved"]


def in_workers(unit: Unit) -> Unit:
    """Return a unit without the cells whose codecs want the device. The positions of its cells stay the same."""
    return _side(unit, wants_device=False)


def beside_the_model(unit: Unit) -> Unit:
    """Return a unit with the cells alone whose codecs want the device. The positions of its cells stay the same."""
    return _side(unit, wants_device=True)


def moved(unit: Unit, device: str) -> Unit:
    """Return a unit whose codecs are on the device, if they want it. Cells that share a codec share its copy.

    The unit's own codecs stay as they are: workers may be forked later, and must not get what lies on a GPU.

    Args:
        unit: the unit of work.
        device: the torch device.

    Raises:
        PluginError: a codec cannot be moved; the message names it.
    """
    copies: dict[int, Codec] = {}
    cells = []
    for cell in unit.cells:
        if cell.codec.wants_device:
            if id(cell.codec) not in copies:
                copies[id(cell.codec)] = _moved(cell.codec, device)
            cell = replace(cell, codec=copies[id(cell.codec)])
        cells.append(cell)
    return replace(unit, cells=tuple(cells))


def _moved(codec: Codec, device: str) -> Codec:
    try:
        copied = copy.deepcopy(codec)
        copied.to_device(device)
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(reason(f"codec {codec.name}: to_device({device!r})", error)) from error
    return copied


def _side(unit: Unit, wants_device: bool) -> Unit:
    chosen = {place for place, cell in enumerate(unit.cells) if cell.codec.wants_device == wants_device}
    if len(chosen) == len(unit.cells):
        return unit
    todo = (replace(entry, cells=tuple(place for place in entry.cells if place in chosen)) for entry in unit.todo)
    return replace(unit, todo=tuple(entry for entry in todo if entry.cells))
