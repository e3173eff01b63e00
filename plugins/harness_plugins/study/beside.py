"""The section of the report's page that says how the study was read, and how the experiments differ from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.pages import PageSection
from harness.results.cells import read_cells
from harness.results.ladders import cases_of
from harness.store import Filters
from harness_plugins.study.published import published_tables

if TYPE_CHECKING:
    from harness.results.ladders import Case
    from harness.store import Store

__all__ = ["beside_the_study", "departures"]

_READINGS = (
    "The study's compression rate is the codec's own level: JPEG's quality, H.264's CRF. What was spent is "
    "measured as bits per pixel of the coded stream, without containers.",
    "Drops are against the pretrained model on uncompressed frames, in pairs by sample. The study's tables begin at "
    "quality 95 and CRF 23; `relative_drop_from_top` in the view `curves` is against that.",
    "Retraining goes on from the pretrained weights, unless --from scratch was given; the study does not say which of "
    "the two it did, nor how many seeds.",
    "AP is the mean over overlaps of .5 to .95. What the study prints for detection is, by its size, AP at an overlap "
    "of one half; that stands here as AP50, AP50_voc07 and AP50_voc.",
    "Depth is in metres. The study's errors are of normalised depths, without a unit: normalised=true.",
    "Its 20 frames of optical flow are read as ten fields of x and y.",
)


def beside_the_study(store: Store, experiments: Sequence[str]) -> PageSection:
    """Return the section for some experiments of an open store, given by their keys."""
    cases = cases_of(read_cells(store, Filters({"experiment": list(experiments)})))
    text = (
        "Poyser, Atapour-Abarghouei and Breckon, “On the Impact of Lossy Image and Video Compression on the "
        "Performance of Deep Convolutional Neural Network Architectures”, asked this first. How it was read, and where "
        "these experiments depart from it:"
    )
    return PageSection("Beside the study", text, (*_READINGS, *departures(cases)))


def departures(cases: Sequence[Case]) -> tuple[str, ...]:
    """Return a sentence for each case that compares its network, data, codec and levels with the study's.

    Cases of tasks that the study does not have are left out.
    """
    sentences: dict[str, None] = {}
    for case in cases:
        task = case.facts["task"]
        known = published_tables().get(task)
        if known is None:
            continue
        own = next(
            (ladder for ladder in case.ladders if ladder.codec.partition(":")[0].split(" ")[0] == known.codec), None
        )
        levels = [cell.facts["level"] for cell in own.cells] if own else []
        tested = ", ".join(f"{level:g}" for level in known.levels)
        text = f"{task}: the study tests {known.model} on {known.dataset} with {known.codec} at {tested}; here it is "
        text += f"{case.facts['model']} on {case.facts['dataset']}/{case.facts['split']}, "
        if own is None:
            text += f"without {known.codec}"
        else:
            text += f"{known.codec} at {', '.join(f'{level:g}' for level in levels if level is not None)}"
        sentences[f"{text}."] = None
    return tuple(sentences)
