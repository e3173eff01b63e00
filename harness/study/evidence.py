"""What a database says about one question: values of experiments put into a formula, with a paired 95% interval.

The stored intervals are those of single metrics and of drops. The study's claims are about slopes, ratios and sums of
several experiments, so the statistics of the samples are resampled anew (`harness.statistics.intervals`), and the
formula is applied to each resample. All experiments are resampled with the same seed: those on the same samples are
paired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.experiment import canonical
from harness.results.cells import ResultCell, read_cells
from harness.results.resampled import RATE, Measure, ResampledMetric, Resampler
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import CONFIDENCE, student
from harness.statistics.ratios import fieller
from harness.store import Filters
from harness.study.subject import ExperimentOrigin, ModelResults

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.discovery.plugins import Plugins
    from harness.store import Store

__all__ = ["RATE", "Evidence", "Measure"]

_FINISHED = Filters({"status": ["finished"]})
_APART = ("codec", "training")
"""In what of their identity the experiments of a subject differ."""
_ALIKE = ("task", "dataset", "limit", "precision", "reference")
"""What of it variants of a model have in common, besides the model's other options."""


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
        home: dict[str, Store] = {}
        self._identities: dict[str, Mapping[str, Any]] = {}
        cells: list[ResultCell] = []
        for store in stores:
            new = [cell for cell in read_cells(store, _FINISHED) if cell.facts["experiment"] not in home]
            keys = [cell.facts["experiment"] for cell in new]
            home |= dict.fromkeys(keys, store)
            self._identities |= store.identities(keys)
            cells += new
        self._resampler = Resampler(home, self._identities, plugins, resamples, seed)
        groups: dict[str, list[ResultCell]] = {}
        for cell in cells:
            identity = self._identities[cell.facts["experiment"]]
            same = {name: value for name, value in identity.items() if name not in _APART}
            groups.setdefault(canonical(same), []).append(cell)
        origins = self._origins(stores)
        subjects = [ModelResults.of(found, origins) for found in groups.values()]
        self.subjects = [subject for subject in subjects if subject.cells]

    def _origins(self, stores: Sequence[Store]) -> dict[str, ExperimentOrigin]:
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
            origins[key] = ExperimentOrigin(canonical(codec), default, jobs[key], controls.get(jobs[key]))
        return origins

    def _defaults(self, codec: str) -> Mapping[str, Any] | None:
        """The options that a codec has by default; None where it is not installed."""
        if codec not in self._plugins.names("codec"):
            return None
        return dict(self._plugins.get("codec", codec)().config)

    def main(self, task: str) -> ModelResults:
        """The subject of a task with the most experiments; one without any where the task was not run."""
        found = [subject for subject in self.subjects if subject.task == task]
        return max(found, key=lambda subject: len(subject.cells), default=ModelResults(task, "", ()))

    def variants(self, task: str, option: str) -> dict[str, ModelResults]:
        """Subjects of a task that differ in one option of their model, by its value; none where only one has it.

        All other options, the task's too, the data, the number of samples, the precision and the reference are equal;
        the weights are where the option concerns prediction alone, or where no installed model has it. Of several such
        families, the one with the most values is given, of several subjects with one value the one with the most
        experiments.
        """
        families: dict[str, dict[str, ModelResults]] = {}
        for subject in sorted((s for s in self.subjects if s.task == task), key=lambda one: len(one.cells)):
            identity = self._identities[subject.facts["experiment"]]
            model, options = identity["model"], dict(identity["model"]["options"])
            if option in options:
                value = str(options.pop(option))
                rest = {name: identity[name] for name in _ALIKE} | {"kind": model["kind"], "options": options}
                if not self._decides_training(model["kind"], option):
                    rest["weights"] = model["weights"]
                families.setdefault(canonical(rest), {})[value] = subject
        largest = max(families.values(), key=len, default={})
        return largest if len(largest) > 1 else {}

    def _decides_training(self, model: str, option: str) -> bool:
        """Whether models with another value of an option are trained anew."""
        if model not in self._plugins.names("model"):
            return False
        options = self._plugins.get("model", model).options
        return any(one.name == option and one.only != "prediction" for one in options)

    def option(self, subject: ModelResults, name: str) -> Any:
        """An option of a subject's model; None where it has none of that name."""
        return self._identities[subject.facts["experiment"]]["model"]["options"].get(name)

    def weights(self, subject: ModelResults) -> str:
        """The weights of a subject's model: their name, and how their SHA-256 begins."""
        digest = self._identities[subject.facts["experiment"]]["model"]["weights"]
        return f"{subject.facts['weights']} ({digest[:8]})"

    def value(self, cells: Sequence[ResultCell], metric: str) -> Estimate:
        """A metric of some experiments, with the interval that results have it with."""
        if not cells:
            return Estimate(None)
        (drawn,) = self._resampler.together([(cells, metric)])
        found = drawn.interval()
        return Estimate(found.value, found.low, found.high, few=drawn.few)

    def estimate(self, formula: Callable[..., Any], *measures: Measure, confidence: float = CONFIDENCE) -> Estimate:
        """A formula of metrics, with its interval, on the samples that finished in all experiments on the same data.

        Args:
            formula: takes as many numbers as there are measures, or as many arrays float64[R]; gives one.
            measures: which metrics of which experiments.
            confidence: of the interval.

        Returns:
            No value where an experiment is missing, or a metric undefined.
        """
        if not all(cells for cells, _ in measures):
            return Estimate(None)
        drawn = self._resampler.together(measures)
        value, resampled = _applied(formula, drawn)
        groups, few = min(one.groups for one in drawn), any(one.few for one in drawn)
        if not math.isfinite(value):
            return Estimate(None)
        if groups < 2 or not np.isfinite(resampled).all():
            return Estimate(value)
        reach = student(groups - 1, confidence) * float(np.std(resampled, ddof=1))
        return Estimate(value, value - reach, value + reach, few=few)

    def share(self, part: Callable[..., Any], whole: Callable[..., Any], *measures: Measure) -> Estimate:
        """The ratio of two formulas of the same metrics, with Fieller's interval (`harness.statistics.ratios`).

        Returns:
            No value where the whole is not significantly above 0: a share of nothing is no number.
        """
        if self.estimate(whole, *measures).sign <= 0:
            return Estimate(None)
        drawn = self._resampler.together(measures)
        (top, tops), (bottom, bottoms) = _applied(part, drawn), _applied(whole, drawn)
        if not math.isfinite(top) or not np.isfinite(tops).all():
            return Estimate(None)
        reach = student(min(one.groups for one in drawn) - 1)
        ends = fieller(top, bottom, np.cov(tops, bottoms, ddof=1), reach)
        return Estimate(top / bottom, *ends, few=any(one.few for one in drawn))


def _applied(formula: Callable[..., Any], drawn: Sequence[ResampledMetric]) -> tuple[float, NDArray[np.float64]]:
    """What a formula gives of the values, and of each resample."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(formula(*(np.float64(one.value) for one in drawn)))
        return value, np.asarray(formula(*(one.around for one in drawn)), np.float64)
