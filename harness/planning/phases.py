"""Draws the phase of `fps=` for each sample: which frames of a clip are sent, seen from the clip's beginning.

A camera that sends 5 frames a second does not know at which times somebody looks. If all clips began with a sent frame,
frames that are judged at multiples of the period would look as if no frame had been dropped. So the phases of a set of
samples are spread evenly over a whole period: the samples are put into an order that their ids decide, each takes an
equal part of the period in this order, and its id decides the place in its part. The same set always gets the same
phases, whatever the codec, the level, the process and the order of the work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from harness.media.levers import at_phase, drops_frames
from harness.planning.batches import outlines

if TYPE_CHECKING:
    from harness.codec import Codec
    from harness.dataset import Outline
    from harness.unit import Cell, Subject

__all__ = ["SamplePhases", "draw_phases"]


def draw_phases(known: Mapping[int, Outline | None]) -> dict[int, float]:
    """Return the phase of each sample, by the sample's index: a number from 0 up to 1.

    Of N samples, exactly one has its phase in each part [k/N, (k + 1)/N).

    Args:
        known: the outlines of the whole set by index (`harness.planning.batches.outlines`); None if an outline could
            not be read. Such a sample fails, and its number stands for its id.
    """
    ids = {index: outline.id if outline else str(index) for index, outline in known.items()}
    digests = {index: _digest(name) for index, name in ids.items()}
    ordered = sorted(digests, key=lambda index: (digests[index], index))
    # 53 bits, so that the fraction is below 1 as a float, and below the end of the part.
    places = {index: int.from_bytes(digests[index][-8:], "big") >> 11 for index in ordered}
    return {index: (part + places[index] / 2**53) / len(ordered) for part, index in enumerate(ordered)}


def _digest(name: str) -> bytes:
    return hashlib.sha256(f"fps phase\0{name}".encode("utf-8", "surrogateescape")).digest()


class SamplePhases:
    """The phases of a subject's samples by their ids, for samples that are coded again outside a run.

    The outlines of the whole set are read when the first codec with `fps=` asks for a phase.

    Args:
        subject: the subject, with the samples that the experiments were run on.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def codec(self, cell: Cell, sample: str) -> Codec:
        """Return a cell's codec as the run used it for the sample with this id."""
        return at_phase(cell.codec, self._by_id[sample]) if drops_frames(cell.codec) else cell.codec

    @cached_property
    def _by_id(self) -> dict[str, float]:
        known = outlines(self._subject.dataset, self._subject.indices)
        return {outline.id: phase for index, phase in draw_phases(known).items() if (outline := known[index])}
