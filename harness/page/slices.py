"""On which samples a model loses most: slices of the data, and the samples themselves, by each sample's own score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.page.heat import Heat, Shaded, level_words, number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.records import SampleRow
    from harness.results.ladders import Case, Ladder
    from harness.store import Store

__all__ = ["Losses", "Worst", "losses_of", "slices", "worst"]

_FEW = 5
"""Samples of a slice, at least."""
_GROUPS = 12
"""Groups of samples that are shown as slices, at most."""
_NOTE = (
    "Means over samples of each one's own score, without intervals: where to look. Shaded by the loss against "
    "uncompressed. Busy and plain samples are the thirds with the most and the fewest bits at the mildest level."
)


@dataclass(frozen=True)
class Losses:
    """The samples of one codec's ladder, by their own scores.

    Args:
        ladder: the ladder.
        rows: of the baseline, by index: samples that have a score at every level.
        scores: float64[N, L + 1]: of each such sample, uncompressed and at each level.
        bits: int64[N], at the mildest level.
        sign: 1 where a higher score is better, else -1.
    """

    ladder: Ladder
    rows: tuple[SampleRow, ...]
    scores: NDArray[np.float64]
    bits: NDArray[np.int64]
    sign: int

    @property
    def lost(self) -> NDArray[np.float64]:
        """float64[N, L]: by how much each sample is worse at each level."""
        difference: NDArray[np.float64] = self.sign * (self.scores[:, :1] - self.scores[:, 1:])
        return difference


@dataclass(frozen=True)
class Worst:
    """A sample that loses much.

    Args:
        index: its number in the dataset's split.
        id: its id.
    """

    index: int
    id: str


def losses_of(case: Case, store: Store, higher_is_better: bool) -> list[Losses]:
    """The samples of each codec of the pretrained model; codecs without a sample that has scores are left out."""
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
            scores = np.array([[of[index].score for of in (base, *levels)] for index in shared], np.float64)
            bits = np.array([levels[0][index].bits or 0 for index in shared], np.int64)
            sign = 1 if higher_is_better else -1
            found.append(Losses(ladder, tuple(base[index] for index in shared), scores, bits, sign))
        for cell in ladder.cells:
            known.pop(cell.facts["experiment"], None)
    return found


def worst(losses: Losses, count: int) -> list[Worst]:
    """The samples that lost most at the strongest level; of equal ones the first."""
    order = np.argsort(-losses.lost[:, -1], kind="stable")[:count]
    return [Worst(losses.rows[n].index, losses.rows[n].id) for n in order]


def slices(losses: Losses, score: str) -> Heat:
    """The mean score of each slice at each level.

    Args:
        losses: of a ladder.
        score: what a sample's score is called.
    """
    ladder = losses.ladder
    columns = ("none", *(level_words(ladder, cell) for cell in ladder.cells))
    rows = []
    for name, chosen in _slices(losses).items():
        means = losses.scores[chosen].mean(axis=0)
        lost = losses.sign * (means[0] - means)
        whole = float(abs(means[0])) or float(lost.max())  # of nothing there is no share: then of the largest loss
        shades = np.clip(lost / (whole or 1.0), 0.0, 1.0)
        cells = [
            Shaded(number(mean), float(shade), f"{name}, {column}: {score} {number(mean)}, {_lost(one, means[0])}")
            for mean, shade, column, one in zip(means, shades, columns, lost, strict=True)
        ]
        rows.append((f"{name} ({int(chosen.sum())})", tuple(cells)))
    return Heat(f"slices, {ladder.codec}: {score} of a sample", "slice (samples)", columns, tuple(rows), _NOTE)


def _lost(lost: float, uncompressed: float) -> str:
    """As a share of the score on uncompressed frames, where that is not 0.

    >>> _lost(0.1, 0.5), _lost(8.0, 0.0), _lost(-0.01, -1.0)
    ('20% lost', '8.000 lost', '1% gained')
    """
    size = abs(lost / uncompressed) if uncompressed else abs(lost)
    told = f"{size:.0%}" if uncompressed else number(size)
    return f"{told} gained" if lost < 0 else f"{told} lost"


def _slices(losses: Losses) -> Mapping[str, NDArray[np.bool_]]:
    count = len(losses.rows)
    found: dict[str, NDArray[np.bool_]] = {"all": np.ones(count, np.bool_)}
    if count >= 3 * _FEW:
        ranks = np.argsort(np.argsort(losses.bits / np.array([row.pixels or 1 for row in losses.rows]), kind="stable"))
        found["plain: fewest bits"] = ranks < count // 3
        found["busy: most bits"] = ranks >= count - count // 3
    found |= _by("group", [row.group for row in losses.rows])
    found |= _by("stored as", [str(row.source_format) for row in losses.rows])
    sizes = [str(row.pixels) for row in losses.rows]
    return found | _by("pixels", sizes)


def _by(title: str, values: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """A slice for each value, where there are some, but not too many, and each has enough samples."""
    kinds = sorted(set(values))
    if not 1 < len(kinds) <= _GROUPS:
        return {}
    array = np.array(values)
    found = {f"{title} {kind}": array == kind for kind in kinds}
    return {name: chosen for name, chosen in found.items() if chosen.sum() >= _FEW}
