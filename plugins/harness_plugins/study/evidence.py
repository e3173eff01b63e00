"""Formulas of the metrics of several experiments, with paired 95% intervals, from the results in databases.

The database stores only the intervals of single metrics and of drops. The study's claims are about slopes, ratios and
sums over several experiments. So the samples' statistics are resampled again (`harness.statistics.intervals`), and the
formula is applied to each resample. All experiments are resampled with the same seed, so experiments on the same
samples are paired.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.experiment import canonical
from harness.results.cells import ResultCell, read_cells
from harness.results.resampled import RATE, Measure, ResampledMetric, Resampler
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import CONFIDENCE, student
from harness.statistics.ratios import fieller
from harness.statistics.spread import Spread
from harness.store import Filters
from harness_plugins.study.model_results import ExperimentOrigin, ModelResults

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.discovery.plugins import Plugins
    from harness.store import Store

__all__ = ["RATE", "Evidence", "Measure"]

_FINISHED = Filters({"status": ["finished"]})
_SHARED = ("task", "dataset", "limit", "precision", "reference")
"""The parts of the identity that are equal for all variants of a model, besides the model's other options."""


class Evidence:
    """The finished experiments of one or more databases, and estimates from them.

    Args:
        stores: open stores, which must stay open. An experiment that several stores have is taken from the first.
        plugins: the installed plugins; their tasks reduce the samples' statistics to metrics.
        resamples: the number of resamples for the intervals.
        seed: the seed of the resamples.
        warn: is called with a sentence if resampled metrics are kept, but cannot be used.
    """

    def __init__(
        self,
        stores: Sequence[Store],
        plugins: Plugins,
        resamples: int = 1000,
        seed: int = 0,
        warn: Callable[[str], None] = warnings.warn,
    ) -> None:
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
        self._resampler = Resampler(home, self._identities, plugins, resamples, seed, warn)
        groups: dict[str, list[ResultCell]] = {}
        for cell in cells:
            groups.setdefault(cell.subject, []).append(cell)
        origins = self._origins(stores)
        subjects = [ModelResults.of(group, origins) for group in groups.values()]
        self.subjects = [subject for subject in subjects if subject.cells]

    def _origins(self, stores: Sequence[Store]) -> dict[str, ExperimentOrigin]:
        """Return the codec, training and control training of each experiment, by its key."""
        jobs = {key: identity["training"].get("job") for key, identity in self._identities.items()}
        controls: dict[str, str] = {}
        for store in stores:
            pairs = ("retrained_experiment", "clean_experiment")
            for retrained, clean in set(store.read("recovery", pairs, distinct=True)):
                if retrained in jobs and clean in jobs:
                    controls[jobs[retrained]] = jobs[clean]
        origins = {}
        for key, identity in self._identities.items():
            codec = {name: value for name, value in identity["codec"].items() if name != "level"}
            default = self._defaults(codec["name"]) == codec["options"]
            origins[key] = ExperimentOrigin(canonical(codec), default, jobs[key], controls.get(jobs[key]))
        return origins

    def _defaults(self, codec: str) -> Mapping[str, Any] | None:
        """Return the default options of a codec; None if it is not installed."""
        if codec not in self._plugins.names("codec"):
            return None
        return dict(self._plugins.get("codec", codec)().config)

    def main(self, task: str) -> ModelResults:
        """Return the model of a task with the most experiments; an empty `ModelResults` if the task was not run."""
        candidates = [subject for subject in self.subjects if subject.task == task]
        return max(candidates, key=lambda subject: len(subject.cells), default=ModelResults(task, "", ()))

    def variants(self, task: str, option: str) -> dict[str, ModelResults]:
        """Return the results of models that differ in one option only, by the option's value.

        All other options of model and task, the data, the number of samples, the precision and the reference are equal.
        The weights are also equal, unless the option changes training, so that each value needs weights of its own.

        Args:
            task: the task.
            option: the name of the model's option.

        Returns:
            The largest such set of models; empty if it has fewer than two values. If several models have the same
            value, the model with the most experiments.
        """
        families: dict[str, dict[str, ModelResults]] = {}
        for subject in sorted((s for s in self.subjects if s.task == task), key=lambda subject: len(subject.cells)):
            identity = self._identities[subject.facts["experiment"]]
            model, options = identity["model"], dict(identity["model"]["options"])
            if option in options:
                value = str(options.pop(option))
                rest = {name: identity[name] for name in _SHARED} | {"kind": model["kind"], "options": options}
                rest |= {"compiled": identity.get("compiled", False)}
                if not self._decides_training(model["kind"], option):
                    rest |= {"weights": model["weights"], "key": model.get("key")}
                families.setdefault(canonical(rest), {})[value] = subject
        largest = max(families.values(), key=len, default={})
        return largest if len(largest) > 1 else {}

    def _decides_training(self, model: str, option: str) -> bool:
        """Whether an option of a model changes its training, so that another value needs other weights."""
        if model not in self._plugins.names("model"):
            return False
        options = self._plugins.get("model", model).options
        return any(known.name == option and known.only != "prediction" for known in options)

    def option(self, subject: ModelResults, name: str) -> Any:
        """Return the value of an option of a model; None if the model has no such option."""
        return self._identities[subject.facts["experiment"]]["model"]["options"].get(name)

    def weights(self, subject: ModelResults) -> str:
        """Return the name of a model's weights, with the first 8 characters of their SHA-256."""
        digest = self._identities[subject.facts["experiment"]]["model"]["weights"]
        return f"{subject.facts['weights']} ({digest[:8]})"

    def value(self, cells: Sequence[ResultCell], metric: str) -> Estimate:
        """Return a metric, the mean over some experiments, with the same kind of interval as single results have."""
        if not cells:
            return Estimate(None)
        (resampled,) = self._resampler.together([(cells, metric)])
        interval = resampled.interval()
        return Estimate(interval.value, interval.low, interval.high, few=resampled.few)

    def estimate(self, formula: Callable[..., Any], *measures: Measure, confidence: float = CONFIDENCE) -> Estimate:
        """Compute a formula of metrics, with its interval.

        Only samples that finished in all of these experiments on the same data count.

        Args:
            formula: takes one number for each measure and returns a number; with arrays float64[R] it returns an array.
            measures: pairs of experiments and the name of a metric.
            confidence: the confidence of the interval, such as 0.95.

        Returns:
            An estimate; without a value if an experiment is missing or a metric is undefined.
        """
        if not all(cells for cells, _ in measures):
            return Estimate(None)
        metrics = self._resampler.together(measures)
        value, resampled = _apply(formula, metrics)
        groups, few = min(metric.groups for metric in metrics), any(metric.few for metric in metrics)
        if not math.isfinite(value):
            return Estimate(None)
        if groups < 2 or not np.isfinite(resampled).all():
            return Estimate(value)
        bounded = all(metric.metric in metric.replicates.ratios for metric in metrics)
        below, above = Spread.of_scaled(resampled, groups, metrics[0].replicates.seed, bounded).reach(confidence)
        return Estimate(value, value - below, value + above, few=few)

    def share(self, part: Callable[..., Any], whole: Callable[..., Any], *measures: Measure) -> Estimate:
        """Compute the ratio of two formulas of metrics, with Fieller's interval (`harness.statistics.ratios`).

        Args:
            part: the formula of the numerator, as in `estimate`.
            whole: the formula of the denominator.
            measures: pairs of experiments and the name of a metric; both formulas take all of them.

        Returns:
            An estimate; without a value if the denominator is not significantly above 0, because the ratio is then not
            meaningful.
        """
        if self.estimate(whole, *measures).sign <= 0:
            return Estimate(None)
        metrics = self._resampler.together(measures)
        (top, tops), (bottom, bottoms) = _apply(part, metrics), _apply(whole, metrics)
        if not math.isfinite(top) or not np.isfinite(tops).all():
            return Estimate(None)
        reach = student(min(metric.groups for metric in metrics) - 1)
        ends = fieller(top, bottom, np.cov(tops, bottoms, ddof=1), reach)
        return Estimate(top / bottom, *ends, few=any(metric.few for metric in metrics))


def _apply(formula: Callable[..., Any], metrics: Sequence[ResampledMetric]) -> tuple[float, NDArray[np.float64]]:
    """Return a formula's value on the metrics' values, and its values float64[R] on the metrics' resamples."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(formula(*(np.float64(metric.value) for metric in metrics)))
        return value, np.asarray(formula(*(metric.around for metric in metrics)), np.float64)
