"""What a database says about one question: values of experiments put into a formula, with a paired 95% interval.

The stored intervals are those of single metrics and of drops. The study's claims are about slopes, ratios and sums of
several experiments, so the statistics of the samples are resampled anew (`harness.bootstrap`), and the formula is
applied to each resample. All experiments are resampled with the same seed: those on the same samples are paired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.bootstrap import CONFIDENCE, replicates, spread, student, subset
from harness.experiment import canonical
from harness.ratios import fieller
from harness.result_cells import Cell, read_cells
from harness.store import Filters
from harness.study.estimate import Estimate
from harness.study.subject import Origin, Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Drawn = tuple[float, NDArray[np.float64], int]
    """A value, float64[R] about it with the spread of its standard error, and on how many groups it stands."""

    from harness.plugin_manager import Plugins
    from harness.store import Store

__all__ = ["RATE", "Evidence", "Measure"]

RATE = "bpp"
"""In the place of a metric: bits per pixel of the source."""

Measure = tuple[Sequence[Cell], str]
"""A metric of one or more experiments (trainings from several seeds): their mean."""

_FINISHED = Filters({"status": ["finished"]})
_APART = ("codec", "training")
"""In what of their identity the experiments of a subject differ."""


class Evidence:
    """The finished experiments of some stores, and what follows from them.

    Args:
        stores: opened; they have to stay open. What several have is taken from the first.
        plugins: whose tasks reduce the statistics.
        resamples: from how many the intervals are computed.
        seed: of the resamples.
    """

    def __init__(self, stores: Sequence[Store], plugins: Plugins, resamples: int = 1000, seed: int = 0) -> None:
        self._plugins = plugins
        self._resamples, self._seed = resamples, seed
        self._drawn: dict[tuple[str, str], _Drawn] = {}
        self._home: dict[str, Store] = {}
        self._identities: dict[str, Mapping[str, Any]] = {}
        cells: list[Cell] = []
        for store in stores:
            new = [cell for cell in read_cells(store, _FINISHED) if cell.facts["experiment"] not in self._home]
            keys = [cell.facts["experiment"] for cell in new]
            self._home |= dict.fromkeys(keys, store)
            self._identities |= store.identities(keys)
            cells += new
        groups: dict[str, list[Cell]] = {}
        for cell in cells:
            identity = self._identities[cell.facts["experiment"]]
            same = {name: value for name, value in identity.items() if name not in _APART}
            groups.setdefault(canonical(same), []).append(cell)
        origins = self._origins(stores)
        subjects = [Subject.of(found, origins) for found in groups.values()]
        self.subjects = [subject for subject in subjects if subject.cells]

    def _origins(self, stores: Sequence[Store]) -> dict[str, Origin]:
        jobs = {key: identity["training"].get("job") for key, identity in self._identities.items()}
        controls: dict[str, str] = {}
        for store in stores:
            columns, rows = store.view("recovery")
            pair = [columns.index(name) for name in ("retrained_experiment", "clean_experiment")]
            for retrained, clean in {tuple(row[place] for place in pair) for row in rows}:
                if retrained in jobs and clean in jobs:
                    controls[jobs[retrained]] = jobs[clean]
        origins = {}
        for key, identity in self._identities.items():
            codec = {name: value for name, value in identity["codec"].items() if name != "level"}
            default = self._defaults(codec["name"]) == codec["options"]
            origins[key] = Origin(canonical(codec), default, jobs[key], controls.get(jobs[key]))
        return origins

    def _defaults(self, codec: str) -> Mapping[str, Any] | None:
        """The options that a codec has by default; None where it is not installed."""
        if codec not in self._plugins.names("codec"):
            return None
        return dict(self._plugins.get("codec", codec)().config)

    def main(self, task: str) -> Subject:
        """The subject of a task with the most experiments; one without any where the task was not run."""
        found = [subject for subject in self.subjects if subject.task == task]
        return max(found, key=lambda subject: len(subject.cells), default=Subject(task, "", ()))

    def variants(self, task: str, option: str) -> dict[str, Subject]:
        """Subjects of a task that differ in one option of their model, by its value; none where only one has it.

        All other options, the data and the number of samples are equal; of several such families, the one with the
        most values is given, of several subjects with one value the one with the most experiments.
        """
        families: dict[str, dict[str, Subject]] = {}
        for subject in sorted((s for s in self.subjects if s.task == task), key=lambda one: len(one.cells)):
            identity = self._identities[subject.facts["experiment"]]
            options = dict(identity["model"]["options"])
            if option in options:
                value = str(options.pop(option))
                rest = repr(
                    (identity["model"]["kind"], sorted(options.items()), identity["dataset"], identity["limit"])
                )
                families.setdefault(rest, {})[value] = subject
        largest = max(families.values(), key=len, default={})
        return largest if len(largest) > 1 else {}

    def option(self, subject: Subject, name: str) -> Any:
        """An option of a subject's model; None where it has none of that name."""
        return self._identities[subject.facts["experiment"]]["model"]["options"].get(name)

    def weights(self, subject: Subject) -> str:
        """The weights of a subject's model: their name, and how their SHA-256 begins."""
        digest = self._identities[subject.facts["experiment"]]["model"]["weights"]
        return f"{subject.facts['weights']} ({digest[:8]})"

    def value(self, cells: Sequence[Cell], metric: str) -> Estimate:
        """A metric of some experiments."""
        return self.estimate(lambda found: found, (cells, metric))

    def estimate(self, formula: Callable[..., Any], *measures: Measure, confidence: float = CONFIDENCE) -> Estimate:
        """A formula of metrics, with its interval.

        Args:
            formula: takes as many numbers as there are measures, or as many arrays float64[R]; gives one.
            measures: which metrics of which experiments.
            confidence: of the interval.

        Returns:
            No value where an experiment is missing, or a metric undefined.
        """
        drawn = self._all(measures)
        if drawn is None:
            return Estimate(None)
        value, draws = _applied(formula, drawn)
        groups = min(one[2] for one in drawn)
        if not math.isfinite(value):
            return Estimate(None)
        if groups < 2 or not np.isfinite(draws).all():
            return Estimate(value)
        reach = student(groups - 1, confidence) * float(np.std(draws, ddof=1))
        return Estimate(value, value - reach, value + reach)

    def share(self, part: Callable[..., Any], whole: Callable[..., Any], *measures: Measure) -> Estimate:
        """The ratio of two formulas of the same metrics, with Fieller's interval (`harness.ratios`).

        Returns:
            No value where the whole is not significantly above 0: a share of nothing is no number.
        """
        drawn = self._all(measures)
        if drawn is None or self.estimate(whole, *measures).sign <= 0:
            return Estimate(None)
        (top, tops), (bottom, bottoms) = _applied(part, drawn), _applied(whole, drawn)
        if not math.isfinite(top) or not np.isfinite(tops).all():
            return Estimate(None)
        reach = student(min(one[2] for one in drawn) - 1)
        return Estimate(top / bottom, *fieller(top, bottom, np.cov(tops, bottoms, ddof=1), reach))

    def _all(self, measures: Sequence[Measure]) -> list[_Drawn] | None:
        """The measures' values and resamples; None where one has no experiment."""
        if not all(cells for cells, _ in measures):
            return None
        return [self._mean(cells, metric) for cells, metric in measures]

    def _mean(self, cells: Sequence[Cell], metric: str) -> _Drawn:
        found = [self._draws(cell, metric) for cell in cells]
        return (
            float(np.mean([one[0] for one in found])),
            np.mean([one[1] for one in found], axis=0),
            min(one[2] for one in found),
        )

    def _draws(self, cell: Cell, metric: str) -> _Drawn:
        key = cell.facts["experiment"]
        if (key, metric) not in self._drawn:
            if metric == RATE:
                self._drawn[key, metric] = self._rates(key)
            else:
                self._reduce(cell)
        found = self._drawn.get((key, metric))
        return found if found is not None else (math.nan, np.full(self._resamples, math.nan), 0)

    def _reduce(self, cell: Cell) -> None:
        key = cell.facts["experiment"]
        asked = self._identities[key]["task"]
        task = self._plugins.get("task", asked["name"])(classes=_classes(cell), **asked["options"])
        kept = sorted(self._home[key].statistics(key), key=lambda sample: sample.index)
        frames = [frame for sample in kept for frame in sample.statistics]
        groups = [sample.group for sample in kept for _ in sample.statistics]
        found = replicates(task, frames, groups, self._resamples, self._seed)
        for name, value in found.values.items():
            draws = found.draws.get(name, np.full(self._resamples, math.nan))
            self._drawn[key, name] = (value, _standardised(value, draws, found.groups), found.groups)

    def _rates(self, key: str) -> _Drawn:
        good = [row for row in self._home[key].rows(key) if row.status == "ok"]
        totals: dict[str, NDArray[np.float64]] = {}
        for row in good:
            here = np.array([row.bits or 0, row.pixels or 0], np.float64)
            totals[row.group] = totals.get(row.group, np.zeros(2)) + here
        sums = np.stack(list(totals.values()))
        bits, pixels = sums.sum(axis=0)
        draws = np.full(self._resamples, math.nan)
        if len(sums) > 1:
            for number in range(self._resamples):
                some = sums[subset(len(sums), self._seed, number)].sum(axis=0)
                draws[number] = some[0] / some[1]
        value = float(bits / pixels)
        return value, _standardised(value, draws, len(sums)), len(sums)


def _applied(formula: Callable[..., Any], drawn: Sequence[_Drawn]) -> tuple[float, NDArray[np.float64]]:
    """What a formula gives of the values, and of each resample."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(formula(*(np.float64(one[0]) for one in drawn)))
        return value, np.asarray(formula(*(one[1] for one in drawn)), np.float64)


def _standardised(value: float, draws: NDArray[np.float64], groups: int) -> NDArray[np.float64]:
    """The resamples about the value, their spread that of the value on all groups (`harness.bootstrap.spread`)."""
    if groups < 2 or not np.isfinite(draws).all():
        return np.full(len(draws), math.nan)
    own = float(np.std(draws, ddof=1))
    scale = spread(draws, groups) / own if own else 0.0
    return np.asarray(value + (draws - draws.mean()) * scale, np.float64)


def _classes(cell: Cell) -> tuple[str, ...]:
    """As many classes as the metrics know: a task names metrics of each class NAME[class]."""
    families: dict[str, list[str]] = {}
    for metric in cell.metrics:
        name, bracket, rest = metric.partition("[")
        if bracket:
            families.setdefault(name, []).append(rest.removesuffix("]"))
    return tuple(next(iter(families.values()), ()))
