"""The contract of a store: where runs, experiments, samples and metrics are kept, and how work is claimed.

A store is opened by URL. Everything is keyed by the experiment's key, so that the same cell is never computed twice and
nothing is reported under another key. Rows of samples come in chunks of whole batches, each chunk in one transaction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from harness.experiment import Experiment
    from harness.records import (
        Checkpoint,
        Claim,
        Comparison,
        MetricValue,
        RecordedRun,
        RunInfo,
        SampleRow,
        SampleStatistics,
        State,
        Status,
        Totals,
    )

__all__ = ["Filters", "Store"]


@dataclass(frozen=True)
class Filters:
    """What rows of a view are wanted: column -> allowed values; empty means all."""

    columns: Mapping[str, Sequence[object]] = field(default_factory=dict)


class Store(ABC):
    """A database of results.

    Class attributes:
        name: for `harness list stores`.
        summary: one line.
        schemes: the URL schemes it opens ("sqlite", "postgresql").
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    schemes: ClassVar[tuple[str, ...]]

    def __init__(self, url: str) -> None:
        self.url = url

    @abstractmethod
    def open(self, write: bool = True) -> None:
        """Connect; create or upgrade the schema (when `write`).

        Raises:
            StoreError: no database, one of a newer schema, not writable, or locked for too long (by whom).
        """

    @abstractmethod
    def close(self) -> None: ...

    # Runs

    @abstractmethod
    def begin_run(self, info: RunInfo) -> int:
        """Record an invocation; gives its id."""

    @abstractmethod
    def end_run(self, run: int, status: Status) -> None: ...

    @abstractmethod
    def runs(self) -> list[RecordedRun]:
        """All invocations, the oldest first."""

    # Experiments and claims

    @abstractmethod
    def register(self, experiments: Sequence[Experiment], run: int) -> None:
        """Record experiments that are not yet there (no status is changed)."""

    @abstractmethod
    def experiments(self) -> list[Experiment]:
        """All experiments as they were registered, in that order."""

    @abstractmethod
    def states(self, keys: Sequence[str]) -> dict[str, State]:
        """What is known of each key; keys never seen are left out."""

    @abstractmethod
    def identities(self, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """What determines the result of each experiment: what its key is the hash of. Unknown keys are left out."""

    @abstractmethod
    def classes(self, keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The names that the labels of each experiment's targets index; keys whose are not known are left out."""

    @abstractmethod
    def claim(self, keys: Sequence[str], claim: Claim) -> set[str]:
        """Claim what is neither finished nor held by a living claim, in one transaction; gives the keys obtained.

        An experiment that failed is claimed anew and its failed samples' rows are removed, so that they are tried
        again. An interrupted one keeps its rows.
        """

    @abstractmethod
    def renew(self, claim: Claim) -> set[str]:
        """Prolong the leases of an owner; gives the keys still held."""

    @abstractmethod
    def release(self, keys: Sequence[str], claim: Claim, status: Status, reason: str | None = None) -> None:
        """Give claims up with a status (`failed` with a reason, or `interrupted`)."""

    # Samples

    @abstractmethod
    def done(self, key: str) -> set[int]:
        """The indices of samples that have a row."""

    @abstractmethod
    def write(self, rows: Sequence[SampleRow], claim: Claim) -> None:
        """Append rows in one transaction.

        Raises:
            StoreError: the claim on one of the experiments was lost (nothing is written).
        """

    @abstractmethod
    def statistics(self, key: str) -> Iterator[SampleStatistics]:
        """The statistics of the samples that finished, by ascending index."""

    @abstractmethod
    def rows(self, key: str) -> Iterator[SampleRow]:
        """All rows of an experiment by ascending index, without their statistics."""

    # Results

    @abstractmethod
    def finish(
        self, key: str, claim: Claim, totals: Totals, metrics: Sequence[MetricValue], failed: str | None = None
    ) -> None:
        """Write totals and metrics and give the claim up, in one transaction.

        Args:
            key: the experiment.
            claim: the claim it was done under.
            totals: its totals.
            metrics: its metrics.
            failed: the reason when more samples failed than were allowed: then the status is `failed` (the metrics
                are kept, and say on how many samples they stand).
        """

    @abstractmethod
    def uncompared(self, keys: Sequence[str]) -> set[str]:
        """Those finished experiments whose baseline is finished too, but that have no drop against it yet."""

    @abstractmethod
    def compare(self, comparisons: Sequence[Comparison]) -> None:
        """Write comparisons, replacing older ones of the same pair, metric and kind."""

    @abstractmethod
    def comparisons(self, key: str) -> list[Comparison]:
        """What an experiment was compared with."""

    # Checkpoints

    @abstractmethod
    def keep_checkpoint(self, checkpoint: Checkpoint, run: int) -> None:
        """Record what a training made, in place of an older record of the same training."""

    @abstractmethod
    def checkpoints(self, keys: Sequence[str]) -> dict[str, Checkpoint]:
        """The record of each training; keys that are not known are left out."""

    # What people ask

    @abstractmethod
    def view(self, name: str, filters: Filters = Filters()) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Columns and rows of a public view (`results`, `curves`, `recovery`, `seeds`, `per_sample`)."""

    @abstractmethod
    def select(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Columns and rows of a query that can only read.

        Raises:
            StoreError: the query is malformed, or tries to write or to attach.
        """
