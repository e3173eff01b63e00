"""Computes finished experiments again from their rows and statistics, and says what is not as it was recorded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.finish.finisher import totals_of
from harness.planning.recorded_task import changed_task, task_of
from harness.statistics.judged import judged_in_all
from harness.store import Filters

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.finish.metrics import Samples
    from harness.store import Store
    from harness.task import Task

__all__ = ["recheck_metrics", "recheck_totals", "uncheckable"]

_TOTALS = (
    *("samples", "failed_samples", "bpp", "kbps", "bytes", "psnr", "encode_ms", "decode_ms", "seconds", "groups"),
)
_ROUNDING = 1e-9
"""The relative difference that another machine or version of NumPy may make."""


def recheck_totals(store: Store) -> Iterator[str]:
    """Yield a sentence for each total of a finished experiment that its rows do not give.

    Args:
        store: an open store.
    """
    finished = Filters({"status": ["finished"]})
    for key, codec, *recorded in store.read("results", ("experiment", "codec", *_TOTALS), finished, distinct=True):
        try:
            totals = totals_of(store.rows(key))
        except Exception as error:  # noqa: BLE001 - a damaged row can raise anything, and that it does is the answer
            yield f"experiment {key[:12]}: its samples cannot be read ({type(error).__name__}: {error})"
            continue
        bits = totals.bits
        found = {name: getattr(totals, name, None) for name in _TOTALS}
        found |= {"failed_samples": totals.failed, "bytes": None if bits is None else (bits + 7) // 8}
        for name, value in zip(_TOTALS, recorded, strict=True):
            if value is not None and not _equal(value, found[name]):
                yield f"experiment {key[:12]} ({codec}): {name} is {value}, its samples give {found[name]}"


def recheck_metrics(store: Store, plugins: Plugins) -> Iterator[str]:
    """Yield a sentence for each metric and drop of a finished experiment that its statistics do not give.

    Intervals are not computed again. An experiment whose task no plugin has is named; one whose task has changed since
    (`uncheckable`) is passed over.

    Args:
        store: an open store.
        plugins: the installed plugins.
    """
    for experiment in store.experiments():
        key = experiment.key
        measured = list(store.read("results", ("metric", "value", "status"), Filters({"experiment": [key]})))
        if {status for _, _, status in measured} != {"finished"}:
            continue
        try:
            if changed_task(experiment.identity, plugins) is not None:
                continue
            task = task_of(experiment.identity, experiment.classes, plugins)
            samples = _samples(store, key)
            yield from _differing(key, "", {name: value for name, value, _ in measured}, _values(task, samples))
            drops = [found for found in store.comparisons(key) if found.kind == "drop"]
            for other in {drop.other for drop in drops}:
                first, second = judged_in_all([samples, _samples(store, other)])
                signs = {metric.name: 1 if metric.higher_is_better else -1 for metric in task.all_metrics()}
                after, before = _values(task, first), _values(task, second)
                found = {name: signs[name] * (before[name] - after[name]) for name in after}
                recorded = {drop.metric: drop.value for drop in drops if drop.other == other}
                yield from _differing(key, "the drop of ", recorded, found)
        except HarnessError as error:
            yield f"experiment {key[:12]}: it cannot be computed again: {error}"
        except Exception as error:  # noqa: BLE001 - a damaged row can raise anything, and that it does is the answer
            yield f"experiment {key[:12]}: it cannot be computed again ({type(error).__name__}: {error})"


def uncheckable(store: Store, plugins: Plugins) -> Iterator[str]:
    """Yield a sentence for each experiment that cannot be computed again, because its task has changed since.

    Args:
        store: an open store.
        plugins: the installed plugins.
    """
    for experiment in store.experiments():
        with suppress(HarnessError):  # which `recheck_metrics` tells
            if change := changed_task(experiment.identity, plugins):
                yield f"experiment {experiment.key[:12]} is not computed again: {change}"


def _samples(store: Store, key: str) -> Samples:
    return {sample.index: sample for sample in store.statistics(key)}


def _values(task: Task, samples: Samples) -> Mapping[str, float]:
    """Return the metrics on all samples; NaN where undefined."""
    from harness.statistics.intervals import replicates

    frames = [frame for index in sorted(samples) for frame in samples[index].statistics]
    return replicates(task, frames, [""] * len(frames), 0).values


def _differing(key: str, what: str, recorded: Mapping[str, Any], found: Mapping[str, float]) -> Sequence[str]:
    """Return a sentence for each recorded value that is not the one that was found.

    A metric that the task has now, and did not have when the experiment finished, is not recorded.
    """
    problems = []
    for name, value in recorded.items():
        here = found.get(name)
        here = None if here is None or math.isnan(here) else here
        if name is not None and (name not in found or not _equal(value, here)):
            problems.append(f"experiment {key[:12]}: {what}{name} is {value}, its statistics give {here}")
    return problems


def _equal(one: Any, other: Any) -> bool:
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return bool(one == other)
    return math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=1e-12)
