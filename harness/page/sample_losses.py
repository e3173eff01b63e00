"""The samples on which a model loses most, and the losses on slices of the data, from each sample's own score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.page.heat import HeatCell, HeatTable, level_words, number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.records import SampleRow
    from harness.results.ladders import Case, Ladder
    from harness.store import Store

__all__ = ["Losses", "WorstSample", "losses_of", "slices", "worst_samples"]

_FEW = 5
"""The minimum number of samples of a slice."""
_GROUPS = 12
"""The maximum number of values that a property (group, source format, size) may have to be shown as slices."""
_NOTE = (
    "Means over samples of each one's own score, without intervals: where to look. Shaded by the loss against "
    "uncompressed. Busy and plain samples are the thirds with the most and the fewest bits at the mildest level."
)


@dataclass(frozen=True)
class Losses:
    """The scores of samples at the levels of one codec; only samples that have a score at every level.

    Args:
        ladder: the codec's experiments.
        rows: the baseline's database row of each sample, ordered by the sample's index.
        scores: float64[N, L + 1], the score of each sample, uncompressed and at each level.
        bits: int64[N], the bits of each sample at the mildest level.
        sign: 1 if a higher score is better, else -1.
    """

    ladder: Ladder
    rows: tuple[SampleRow, ...]
    scores: NDArray[np.float64]
    bits: NDArray[np.int64]
    sign: int

    @property
    def lost(self) -> NDArray[np.float64]:
        """float64[N, L], by how much the score of each sample is worse at each level than uncompressed."""
        difference: NDArray[np.float64] = self.sign * (self.scores[:, :1] - self.scores[:, 1:])
        return difference


@dataclass(frozen=True)
class WorstSample:
    """A sample with a large loss.

    Args:
        index: the index of the sample in the dataset's split.
        id: the id of the sample.
    """

    index: int
    id: str


def losses_of(case: Case, store: Store, higher_is_better: bool) -> list[Losses]:
    """Return the sample scores of each codec, for the pretrained model.

    Codecs for which no sample has a score at every level are left out. Without a baseline the list is empty.
    """
    if case.baseline is None:
        return []
    known: dict[str, dict[int, SampleRow]] = {}

    def rows(key: str) -> dict[int, SampleRow]:
        if key not in known:
            known[key] = {row.index: row for row in store.rows(key) if row.score is not None}
        return known[key]

    base = rows(case.baseline.facts["experiment"])
    found = []
    for ladder in case.ladders:
        if ladder.training != "pretrained":
            continue
        levels = [rows(cell.facts["experiment"]) for cell in ladder.cells]
        shared = sorted(set(base).intersection(*levels))
        if shared:
            scores = np.array([[level[index].score for level in (base, *levels)] for index in shared], np.float64)
            bits = np.array([levels[0][index].bits or 0 for index in shared], np.int64)
            sign = 1 if higher_is_better else -1
            found.append(Losses(ladder, tuple(base[index] for index in shared), scores, bits, sign))
        for cell in ladder.cells:
            known.pop(cell.facts["experiment"], None)
    return found


def worst_samples(losses: Losses, count: int) -> list[WorstSample]:
    """Return the `count` samples that lost most at the strongest level, the largest loss first.

    Samples with equal losses keep their order.
    """
    order = np.argsort(-losses.lost[:, -1], kind="stable")[:count]
    return [WorstSample(losses.rows[n].index, losses.rows[n].id) for n in order]


def slices(losses: Losses, score: str) -> HeatTable:
    """Return a shaded table with the mean score of each slice of the samples at each level.

    Args:
        losses: the scores of the samples at a codec's levels.
        score: the name of a sample's score.
    """
    ladder = losses.ladder
    columns = ("none", *(level_words(ladder, cell) for cell in ladder.cells))
    rows = []
    for name, chosen in _slices(losses).items():
        means = losses.scores[chosen].mean(axis=0)
        lost = losses.sign * (means[0] - means)
        # If the uncompressed score is 0, the shade is relative to the largest loss instead.
        scale = float(abs(means[0])) or float(lost.max())
        shades = np.clip(lost / (scale or 1.0), 0.0, 1.0)
        cells = [
            HeatCell(number(mean), float(shade), f"{name}, {column}: {score} {number(mean)}, {_lost(loss, means[0])}")
            for mean, shade, column, loss in zip(means, shades, columns, lost, strict=True)
        ]
        rows.append((f"{name} ({int(chosen.sum())})", tuple(cells)))
    return HeatTable(f"slices, {ladder.codec}: {score} of a sample", "slice (samples)", columns, tuple(rows), _NOTE)


def _lost(lost: float, uncompressed: float) -> str:
    """Return a loss as text: as a share of the score on uncompressed frames, or as a number if that score is 0.

    >>> _lost(0.1, 0.5), _lost(8.0, 0.0), _lost(-0.01, -1.0)
    ('20% lost', '8.000 lost', '1% gained')
    """
    size = abs(lost / uncompressed) if uncompressed else abs(lost)
    text = f"{size:.0%}" if uncompressed else number(size)
    return f"{text} gained" if lost < 0 else f"{text} lost"


def _slices(losses: Losses) -> Mapping[str, NDArray[np.bool_]]:
    """Return the slices by name, each as a mask bool[N] over the samples."""
    count = len(losses.rows)
    masks: dict[str, NDArray[np.bool_]] = {"all": np.ones(count, np.bool_)}
    if count >= 3 * _FEW:
        ranks = np.argsort(np.argsort(losses.bits / np.array([row.pixels or 1 for row in losses.rows]), kind="stable"))
        masks["plain: fewest bits"] = ranks < count // 3
        masks["busy: most bits"] = ranks >= count - count // 3
    masks |= _slices_by("group", [row.group for row in losses.rows])
    masks |= _slices_by("stored as", [str(row.source_format) for row in losses.rows])
    sizes = [str(row.pixels) for row in losses.rows]
    return masks | _slices_by("pixels", sizes)


def _slices_by(title: str, values: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Return a slice for each value of a property of the samples.

    Values with too few samples are left out. There are no slices if all samples have the same value, or if there are
    too many values.
    """
    kinds = sorted(set(values))
    if not 1 < len(kinds) <= _GROUPS:
        return {}
    array = np.array(values)
    masks = {f"{title} {kind}": array == kind for kind in kinds}
    return {name: mask for name, mask in masks.items() if mask.sum() >= _FEW}
