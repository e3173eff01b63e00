"""The interface that every store implements: a database of runs, experiments, samples and metrics.

A store is opened by a URL. All results are stored under the experiment's key, so that no cell is computed twice and no
result is reported under another key. A process claims an experiment before it works on it. Rows of samples are written
in chunks of whole batches, each chunk in one transaction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import StoreError

if TYPE_CHECKING:
    from harness.experiment import Experiment
    from harness.records import (
        Checkpoint,
        Claim,
        Comparison,
        MetricValue,
        Placed,
        RecordedRun,
        RunInfo,
        SampleRow,
        SampleStatistics,
        State,
        Status,
        Totals,
    )

__all__ = ["STAGES", "Filters", "KeptResamples", "Store"]

STAGES = ("read", "encode", "decode", "prepare", "hand_over", "wait", "predict", "score", "write", "finish", "wall")
"""The stages of an experiment whose seconds are stored (`Store.add_stages`).

`read`, `encode`, `decode`, `prepare` and `score` (with the squared error) are work of the worker processes, added up
over them. `hand_over` (receiving a batch), `wait` (for the workers), `predict`, `write` and `finish` (metrics and
intervals) are of the main process and its threads. `wall` is the experiment's share of the time that passed. An image
that several experiments share is shared out to them.
"""


@dataclass(frozen=True)
class Filters:
    """A selection of rows of a view.

    Args:
        columns: column -> allowed values; empty selects all rows.
    """

    columns: Mapping[str, Sequence[object]] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptResamples:
    """The resampled metrics of one experiment, which a store keeps so that they need not be computed again.

    They can be computed from the experiment's statistics at any time. `harness.statistics.kept` makes and reads them,
    and believes them only if `origin` is what it would be now.

    Args:
        key: the experiment's key.
        resamples: the number of resamples (R).
        seed: the seed of the resamples.
        origin: a digest (SHA-256 in hex) of all that they were computed from.
        data: the values, as bytes.
    """

    key: str
    resamples: int
    seed: int
    origin: str
    data: bytes = field(repr=False)


class Store(ABC):
    """Base class of stores: a database of results.

    Class attributes:
        name: the store's name in `harness list stores`.
        summary: one line of description.
        schemes: the URL schemes that the store opens ("sqlite", "postgresql").
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    schemes: ClassVar[tuple[str, ...]]

    def __init__(self, url: str) -> None:
        self.url = url

    @abstractmethod
    def open(self, write: bool = True) -> None:
        """Connect to the database; if `write` is true, also create or upgrade its schema.

        Raises:
            StoreError: there is no database, its schema is newer than this version knows, it cannot be written, or
                another process has locked it for too long (the message names the process).
        """

    @abstractmethod
    def close(self) -> None: ...

    # Runs

    @abstractmethod
    def begin_run(self, info: RunInfo) -> int:
        """Record a new run and return its id."""

    @abstractmethod
    def end_run(self, run: int, status: Status) -> None: ...

    def add_warnings(self, run: int, warnings: Sequence[str]) -> None:  # noqa: B027 - optional
        """Add warnings to those in the settings of a run that has ended (`RunInfo.settings["warnings"]`).

        The default does nothing: a store that has no place for them loses them, after they were told.
        """

    @abstractmethod
    def runs(self) -> list[RecordedRun]:
        """Return all runs, the oldest first."""

    # Experiments and claims

    @abstractmethod
    def register(self, experiments: Sequence[Experiment], run: int) -> None:
        """Record the experiments that the database does not have yet. No status is changed."""

    @abstractmethod
    def experiments(self) -> list[Experiment]:
        """Return all experiments, in the order in which they were registered."""

    @abstractmethod
    def states(self, keys: Sequence[str]) -> dict[str, State]:
        """Return the state of each experiment; unknown keys are left out."""

    @abstractmethod
    def identities(self, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Return the identity of each experiment, which its key is the hash of; unknown keys are left out."""

    @abstractmethod
    def classes(self, keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the class names of each experiment; the labels of its targets are indices into them.

        Experiments whose class names are unknown are left out.
        """

    @abstractmethod
    def claim(self, keys: Sequence[str], claim: Claim) -> set[str]:
        """Claim the experiments that are neither finished nor under another valid claim; return the claimed keys.

        All claims are made in one transaction. A failed experiment can be claimed again; the rows of its failed
        samples are then removed, so that these samples are computed again. An interrupted experiment keeps all rows.
        """

    @abstractmethod
    def renew(self, claim: Claim) -> set[str]:
        """Extend the leases of all claims of an owner; return the keys of the experiments that are still claimed."""

    @abstractmethod
    def release(self, keys: Sequence[str], claim: Claim, status: Status, reason: str | None = None) -> None:
        """Give up claims and set the experiments' status: `failed` (with a reason) or `interrupted`."""

    # Samples

    @abstractmethod
    def done(self, key: str) -> set[int]:
        """Return the indices of the samples that have a row in this experiment."""

    @abstractmethod
    def write(self, rows: Sequence[SampleRow], claim: Claim) -> None:
        """Append rows of samples in one transaction.

        Raises:
            StoreError: the claim on one of the experiments was lost; then nothing is written.
        """

    @abstractmethod
    def statistics(self, key: str) -> Iterator[SampleStatistics]:
        """Yield the statistics of the samples that did not fail, by ascending index."""

    @abstractmethod
    def rows(self, key: str) -> Iterator[SampleRow]:
        """Yield all rows of an experiment, without their statistics, by ascending index."""

    # Results

    @abstractmethod
    def finish(
        self, key: str, claim: Claim, totals: Totals, metrics: Sequence[MetricValue], failed: str | None = None
    ) -> None:
        """Write the totals and the metrics of an experiment and give up its claim, in one transaction.

        Args:
            key: the experiment's key.
            claim: the claim under which the experiment was computed.
            totals: the experiment's totals.
            metrics: the experiment's metrics.
            failed: the reason, if more samples failed than are allowed; the status is then `failed`. The metrics are
                stored all the same, with the number of samples that they are computed from.
        """

    @abstractmethod
    def uncompared(self, keys: Sequence[str]) -> set[str]:
        """Return the keys of finished experiments that lack a drop against their baseline.

        Only experiments whose baseline is finished too are returned.
        """

    @abstractmethod
    def compare(self, comparisons: Sequence[Comparison]) -> None:
        """Write comparisons. They replace older comparisons with the same pair, metric and kind."""

    @abstractmethod
    def comparisons(self, key: str) -> list[Comparison]:
        """Return all comparisons of one experiment with other experiments."""

    # Computing again. A store that does not override both cannot be used with `harness run --again`.

    def begin_again(self, keys: Sequence[str]) -> dict[str, str]:
        """Give finished experiments a second record each, under a provisional key; return key -> provisional key.

        All methods above take provisional keys. The second record is in no view, and `experiments` leaves it out. A
        second record that an interrupted run left is continued.

        Raises:
            StoreError: the store keeps no superseded records, an experiment is not finished, or another process
                computes one of them again at this time.
        """
        raise StoreError(f"store {self.name} keeps no superseded records, so nothing can be computed again in it.")

    def supersede(self, keys: Sequence[str]) -> dict[str, str]:
        """Put second records (`begin_again`) in the place of the experiments' records, if they are finished.

        The record of before is kept under a key of its own, with its rows and metrics. It is in the view `superseded`,
        and in no other view. Comparisons with it are deleted, so that they are computed anew.

        Returns:
            key -> the key of the record that is superseded; experiments without a finished second record are left out.
        """
        raise StoreError(f"store {self.name} keeps no superseded records, so nothing can be computed again in it.")

    # Results of older versions. A store that does not override these keeps them as they are.

    def outdated(self, keys: Sequence[str], method: str) -> set[str]:
        """Return the keys of finished experiments whose intervals were computed by another method.

        The default returns none.

        Args:
            keys: the keys of experiments.
            method: the method, as in `Totals.interval_method`.
        """
        return set()

    def replace_metrics(self, key: str, metrics: Sequence[MetricValue], method: str, resamples: int, seed: int) -> None:
        """Replace the metrics of a finished experiment, and delete all its comparisons, in one transaction.

        Args:
            key: the experiment's key.
            metrics: the metrics.
            method: how their intervals were computed.
            resamples: the number of resamples for the intervals.
            seed: the seed of the resampling.
        """
        raise NotImplementedError("this store cannot replace metrics")

    # Where the time went. A store that does not override this keeps no seconds, and has no view `profile`.

    def add_stages(self, key: str, run: int, seconds: Mapping[str, float]) -> None:  # noqa: B027 - optional
        """Add seconds to those that are stored for an experiment and a run. The default keeps nothing.

        The seconds of an interrupted experiment stay under the run that spent them.

        Args:
            key: the experiment's key.
            run: the run's id.
            seconds: stage -> seconds; the stages are `STAGES`. `workers`, the number of worker processes, is kept too:
                it replaces an earlier number of that run.
        """

    # Where rows were computed. A store that does not override these keeps none of it.

    def add_places(self, placed: Sequence[Placed]) -> None:  # noqa: B027 - optional
        """Add numbers of rows to those that are stored for an experiment, a run, a place and a device, in one
        transaction. The default keeps nothing.
        """

    def places(self, keys: Sequence[str]) -> list[Placed]:
        """Return where the rows of experiments were computed, sorted by experiment, run, place and device.

        The default returns nothing.
        """
        return []

    # Resampled metrics. A store that does not override these keeps none: they are computed whenever they are asked for.

    def keep_resamples(self, kept: KeptResamples) -> None:  # noqa: B027 - optional
        """Keep the resampled metrics of an experiment. They replace those that were kept before."""

    def resamples(self, key: str) -> KeptResamples | None:
        """Return the resampled metrics that are kept of an experiment; None if there are none."""
        return None

    # Checkpoints

    @abstractmethod
    def keep_checkpoint(self, checkpoint: Checkpoint, run: int) -> None:
        """Record the checkpoint of a training. It replaces an older record of the same training."""

    @abstractmethod
    def checkpoints(self, keys: Sequence[str]) -> dict[str, Checkpoint]:
        """Return the checkpoint of each training, by the training's key; unknown keys are left out."""

    # Damage. A store that does not override these finds none.

    def check(self) -> Iterator[str]:
        """Yield a sentence for each thing in the database that was altered, or is damaged. The default yields nothing.

        Metrics and totals are not computed again (`harness.finish.recheck` does that).
        """
        yield from ()

    def altered(self, keys: Sequence[str]) -> dict[str, str]:
        """Return why experiments that are not finished are not to be continued: what is known of them was altered.

        Others are left out. The default knows of none.
        """
        return {}

    def not_covered(self) -> Iterator[str]:
        """Yield a sentence for each kind of row of which `check` cannot tell whether it was altered. Nothing is wrong.

        The default yields nothing.
        """
        yield from ()

    def why_not_writable(self) -> str | None:
        """Return why the database could not be opened for writing, in a sentence; None if nothing is known against it.

        Nothing is written to find out.
        """
        return None

    # Queries

    @abstractmethod
    def view(self, name: str, filters: Filters = Filters()) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Return the columns and rows of a public view.

        The views are `results`, `curves`, `recovery`, `seeds`, `per_sample`, `profile` and `superseded`.
        """

    def read(
        self, name: str, columns: Sequence[str], filters: Filters = Filters(), distinct: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """Yield some columns of the rows of a public view.

        A store can override this method to read only these columns, row by row; this one calls `view`.

        Args:
            name: the view's name.
            columns: the names of the columns to read, in the order of the yielded values.
            filters: selects rows; its columns need not be among those that are read.
            distinct: whether rows with equal values are yielded only once. Only rows with the column `experiment` are
                then in the order of `view`.

        Raises:
            StoreError: there is no such view, or it lacks one of the columns.
        """
        known, rows = self.view(name, filters)
        if unknown := [column for column in (*columns, *filters.columns) if column not in known]:
            raise StoreError(f"view {name} has no column {unknown[0]!r}. Its columns: {', '.join(known)}.")
        places = [known.index(column) for column in columns]
        chosen = (tuple(row[place] for place in places) for row in rows)
        yield from dict.fromkeys(chosen) if distinct else chosen

    @abstractmethod
    def select(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run a read-only SQL query and return its columns and rows.

        Raises:
            StoreError: the query is malformed, or tries to write or to attach another database.
        """
