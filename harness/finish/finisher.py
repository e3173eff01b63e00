"""Writes an experiment's results: totals, metrics with intervals, and paired drops against the baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.batches.preparing import reason
from harness.discovery.events import Events
from harness.errors import StoreError, UnknownNameError
from harness.finish.found import missing_recoveries
from harness.finish.metrics import Calculated, Calculator, Samples
from harness.finish.recovery import recoveries
from harness.media.contract import MOST_BITS
from harness.media.levers import drops_frames
from harness.media.quality import psnr_of
from harness.planning.recorded_task import changed_task, made_by
from harness.records import Comparison, MetricValue, SampleRow, Totals
from harness.statistics.intervals import Replicates
from harness.statistics.judged import judged_in_all
from harness.statistics.kept import READING_SEED

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.experiment import Experiment
    from harness.progress import Progress
    from harness.records import Claim
    from harness.statistics.kept import Draft
    from harness.store import Store
    from harness.task import Task
    from harness.unit import Cell

__all__ = ["FinishedExperiment", "Finisher", "totals_of"]

NOTHING_JUDGED = (
    "no sample has a judged frame: the scored frames of every clip lie in its first period of fps=, in which no frame "
    "may have been sent yet. Ask for a higher fps=, for longer clips, or for judged frames that are closer together "
    "(a folder of videos: frames=, every=)."
)
METHOD = "delete-d jackknife, counts and tails"
"""The name of the method of `harness.statistics.intervals` in the database."""


@dataclass(frozen=True)
class FinishedExperiment:
    """The results of an experiment.

    Args:
        totals: the totals over all samples.
        metrics: the metrics.
        failed: the reason, if more samples failed than are allowed; otherwise None.
    """

    totals: Totals
    metrics: Sequence[MetricValue]
    failed: str | None


@dataclass
class _SourceWarnings:
    """The number of samples of one cell whose source files are already compressed, and the warning for one of them."""

    count: int = 0
    text: str = ""


class Finisher:
    """Writes the results of experiments whose samples are all processed.

    Args:
        store: the store, which has the rows and receives the results.
        progress: receives warnings.
        plugins: the plugins whose hook `harness_experiment_finished` is called.
        run: the run's id.
        resamples: the number of resamples for the intervals.
        seed: the seed of the resampling.
    """

    def __init__(
        self, store: Store, progress: Progress, plugins: Plugins, run: int, resamples: int = 1000, seed: int = 0
    ) -> None:
        self.store = store
        self.progress = progress
        self.plugins = plugins
        self.run = run
        self.resamples = resamples
        self.seed = seed
        self.events = Events(plugins, progress, run)
        self._calculator = Calculator(resamples, seed)
        self._untold: dict[str, dict[str, Any]] = {}
        self._sources: dict[str, list[tuple[str | None, int | None]]] = {}

    def see(self, row: SampleRow) -> None:
        """Record the format and quality of a sample's source file, for a warning at the end of its experiment."""
        if row.source_quality is not None:
            self._sources.setdefault(row.key, []).append((row.source_format, row.source_quality))

    def samples(self, key: str) -> Samples:
        """Read the statistics of an experiment's samples. They are unpacked when they are used."""
        return {sample.index: sample for sample in self.store.statistics(key)}

    def is_lossless(self, experiment: Experiment) -> bool:
        """Return whether the model is pretrained and got exactly the source's frames in all samples."""
        if experiment.training.kind != "pretrained":
            return False
        rows = (row for row in self.store.rows(experiment.key) if row.status == "ok")
        return all(row.squared_error in (0, None) for row in rows)

    def write(self, cell: Cell, claim: Claim, max_failures: int, calculated: Calculated) -> FinishedExperiment:
        """Write the results of a cell to the store.

        Args:
            cell: the cell.
            claim: the claim under which the cell was computed; it is given up.
            max_failures: the number of failed samples up to which the experiment counts as finished.
            calculated: its metrics and drops.
        """
        experiment, key = cell.experiment, cell.experiment.key
        self._warn_of_sources(cell)
        totals = replace(
            totals_of(self.store.rows(key)),
            interval_method=METHOD,
            resamples=self.resamples,
            interval_seed=self.seed,
        )
        failed = self._failure_reason(cell, totals, max_failures, calculated.judged)
        if totals.bits is not None and totals.bits >= MOST_BITS:
            failed = f"the rates of {totals.samples} samples sum to {totals.bits} bits: a sum below 2^63 is expected."
            totals = replace(totals, bits=None)
        self.store.finish(key, claim, totals, calculated.metrics, failed)
        if calculated.drops:
            self._write_drops(key, calculated.drops)
        if calculated.draft and failed is None:
            self.keep(experiment, calculated.draft)
        if failed is None and calculated.warning:
            self.progress.warning(f"{experiment.label}: {calculated.warning}")
        status = "failed" if failed else "finished"
        self._untold[key] = {"experiment": experiment, "status": status, "totals": totals}
        self._untold[key] |= {"metrics": list(calculated.metrics), "drops": []}
        if failed or calculated.drops or experiment.baseline is None:
            self.tell([key], calculated.drops)
        return FinishedExperiment(totals, calculated.metrics, failed)

    def finish_stored(self, task: Task, experiment: Experiment, claim: Claim, max_failures: int) -> str | None:
        """Write the results of an experiment whose samples other runs computed; return why it failed, if it did."""
        key = experiment.key
        totals = replace(
            totals_of(self.store.rows(key)),
            interval_method=METHOD,
            resamples=self.resamples,
            interval_seed=self.seed,
        )
        samples = self.samples(key)
        metrics = self._calculator.metrics(task, experiment, samples) if samples else []
        failed = self._too_many_failed(key, totals, max_failures)
        if failed is None and not any(sample.statistics for sample in samples.values()):
            failed = NOTHING_JUDGED
        self.store.finish(key, claim, totals, metrics, failed)
        return failed

    def tell(self, keys: Iterable[str] | None = None, drops: Sequence[Comparison] = ()) -> None:
        """Call the hook of finished experiments, each once.

        Args:
            keys: their keys; None for all that were not told, because no drops of them could be computed.
            drops: the drops of one experiment.
        """
        for key in list(self._untold) if keys is None else keys:
            if facts := self._untold.pop(key, None):
                self.events.emit("harness_experiment_finished", **{**facts, "drops": list(drops)})

    def keep(self, experiment: Experiment, draft: Draft) -> None:
        """Let the store keep the resampled metrics of an experiment, unless no installed plugin has its task.

        Those of another seed than that of the reading commands are not kept.
        """
        if self.seed != READING_SEED:
            return
        with suppress(UnknownNameError):
            version = made_by(experiment.identity, self.plugins)
            facts = (experiment.key, experiment.identity, experiment.classes, version)
            self.store.keep_resamples(draft.of_experiment(*facts, self.resamples, self.seed))

    def _write_drops(self, key: str, drops: Sequence[Comparison]) -> None:
        """Write an experiment's drops, unless it or its baseline failed, or they are there already."""
        if self.store.uncompared([key]):
            self.store.compare(drops)

    def _failure_reason(self, cell: Cell, totals: Totals, max_failures: int, judged: int) -> str | None:
        """Return a sentence if more samples failed than are allowed, all failed, or none was judged; otherwise None."""
        if why := self._too_many_failed(cell.experiment.key, totals, max_failures):
            return why
        return None if judged or not drops_frames(cell.codec) else NOTHING_JUDGED

    def _too_many_failed(self, key: str, totals: Totals, max_failures: int) -> str | None:
        if totals.failed <= max_failures and totals.samples:
            return None
        first = next(row for row in self.store.rows(key) if row.status == "failed")
        count = f"{totals.failed} of {totals.samples + totals.failed} samples failed"
        return f"{count} (allowed: {max_failures}); sample {first.id}: {first.error}"

    def renew(self, task: Task, experiments: Sequence[Experiment]) -> int:
        """Compute the metrics of finished experiments again whose intervals were computed by an older method.

        Their comparisons are deleted, so `compare` and `recover` compute them again. An experiment whose task has
        changed since stays as it is, with a warning: its values would be others.

        Returns:
            the number of these experiments.
        """
        outdated = self.store.outdated([experiment.key for experiment in experiments], METHOD)
        renewed = 0
        for experiment in experiments:
            if experiment.key not in outdated:
                continue
            try:
                if change := changed_task(experiment.identity, self.plugins):
                    self.progress.warning(f"{experiment.label}: its intervals stay as they are: {change}")
                    continue
                metrics = self._calculator.metrics(task, experiment, self.samples(experiment.key))
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - an error of a task costs this experiment, and is told
                self.progress.warning(f"{experiment.label}: no new intervals: {reason(f'task {task.name}', error)}")
                continue
            self.store.replace_metrics(experiment.key, metrics, METHOD, self.resamples, self.seed)
            renewed += 1
        return renewed

    # Comparisons

    def compare(self, task: Task, experiments: Sequence[Experiment]) -> None:
        """Compute the paired drops of the finished experiments that have none yet and whose baseline is finished.

        This is called at the end of a run. So then the drops of its plan are complete, also if another run finished an
        experiment or its baseline, or if an earlier run was interrupted.
        """
        uncompared = self.store.uncompared([experiment.key for experiment in experiments])
        for experiment in experiments:
            if experiment.key not in uncompared or experiment.baseline is None:
                continue
            try:
                if self._calculator.baseline != experiment.baseline:
                    self._calculator.keep_baseline(task, experiment.baseline, self.samples(experiment.baseline))
                resampled = self._calculator.resample(task, experiment.key, self.samples(experiment.key))
                drops = self._calculator.drops(task, resampled, self.is_lossless(experiment))
                draft = self._calculator.draft(task, resampled)
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - an error of a task costs this comparison, and is told
                self.progress.warning(f"{experiment.label}: no drop: {reason(f'task {task.name}', error)}")
                continue
            self.store.compare(drops)
            self.tell([experiment.key], drops)
            if draft and self.store.resamples(experiment.key) is None:
                self.keep(experiment, draft)

    def recover(self, task: Task, experiments: Sequence[Experiment]) -> None:
        """Compute the missing comparisons of retrained experiments (gain, recovery, ...) for a plan's experiments."""
        for quartet in missing_recoveries(self.store, experiments):
            try:
                found = recoveries(quartet, task, lambda keys: self._resample_shared(task, keys))
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                label = next(e.label for e in experiments if e.key == quartet.pretrained)
                self.progress.warning(f"{label}: no recovery by retraining: {reason(f'task {task.name}', error)}")
                continue
            self.store.compare(found)

    def _resample_shared(self, task: Task, keys: Sequence[str]) -> tuple[list[Replicates], int]:
        """Resample several experiments on the frames that were judged in all of them.

        Returns:
            The metrics of each experiment on all resamples, and the number of these samples.
        """
        shared = judged_in_all([self.samples(key) for key in keys])
        resampled = [self._calculator.resample(task, key, samples) for key, samples in zip(keys, shared, strict=True)]
        return [experiment.replicates for experiment in resampled], len(shared[0])

    def _warn_of_sources(self, cell: Cell) -> None:
        """Warn, once for a cell, of source files that are already compressed more strongly than the cell's level."""
        warnings = _SourceWarnings()
        for source_format, quality in self._sources.pop(cell.experiment.key, []):
            try:
                text = cell.codec.warn(cell.level, source_format, quality)
            except Exception as error:  # noqa: BLE001 - results are whole without a codec's warning; the error is told
                self.progress.warning(f"{cell.experiment.label}: {reason(f'codec {cell.codec.name}', error)}")
                return
            if text:
                warnings.count += 1
                warnings.text = warnings.text or text
        if warnings.count:
            self.progress.warning(f"{cell.experiment.label}: {warnings.count} samples, e.g.: {warnings.text}")


def totals_of(rows: Iterable[SampleRow]) -> Totals:
    """Compute the totals over the rows of an experiment; rates and times only over the rows that did not fail.

    `bpp` is total bits / total pixels; `bpp_mean` is the mean over samples. Sums of integers are exact, and sums of
    times are rounded only once (`math.fsum`), so that the order of the rows does not change the result.
    """
    good: list[SampleRow] = []
    failed = 0
    for row in rows:
        if row.status == "ok":
            good.append(row)
        else:
            failed += 1
    if not good:
        return Totals(samples=0, failed=failed)
    bits = sum(row.bits or 0 for row in good)
    pixels = sum(row.pixels or 0 for row in good)
    durations = [row.duration for row in good if row.duration is not None]
    duration = math.fsum(durations) if len(durations) == len(good) else 0.0
    errors = [row.squared_error for row in good if row.squared_error is not None]
    frames = [row.frames for row in good if row.frames is not None]
    sources = [row.source_bytes for row in good if row.source_bytes is not None]
    return Totals(
        samples=len(good),
        failed=failed,
        bits=bits,
        pixels=pixels,
        bpp=bits / pixels,
        bpp_mean=math.fsum((row.bits or 0) / (row.pixels or 1) for row in good) / len(good),
        kbps=bits / duration / 1000 if duration else None,
        psnr=psnr_of(sum(errors), 3 * pixels) if len(errors) == len(good) else None,
        source_bpp=8 * sum(sources) / pixels if len(sources) == len(good) else None,
        encode_ms=math.fsum(row.encode_ms or 0 for row in good) / len(good),
        decode_ms=math.fsum(row.decode_ms or 0 for row in good) / len(good),
        seconds=math.fsum(row.seconds or 0 for row in good),
        groups=len({row.group for row in good}),
        frames=sum(frames) if len(frames) == len(good) else None,
    )
