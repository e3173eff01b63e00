"""The contract of a store: where runs, experiments, samples and metrics are kept, and how work is claimed.

A store is opened by URL. Everything is keyed by the experiment's key, so that the same cell is never computed twice and
nothing is reported under another key. Rows of samples come in chunks of whole batches, each chunk in one transaction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.experiment import Experiment

if TYPE_CHECKING:
    from harness.task import Statistics

__all__ = [
    "Checkpoint",
    "Claim",
    "Comparison",
    "Filters",
    "MetricValue",
    "RunInfo",
    "SampleRow",
    "SampleStatistics",
    "State",
    "Status",
    "Store",
    "Totals",
]

Status = Literal["running", "finished", "failed", "interrupted"]


@dataclass(frozen=True)
class RunInfo:
    """Provenance of one invocation.

    Args:
        command: the command line.
        host: the machine's name.
        device: the torch device, in words.
        versions: distribution -> version of every plugin and library that matters.
        git: revision of the checkout the harness runs from ("+dirty" behind it when changed), None when installed.
        settings: workers, threads, batch and the like: what is provenance and not identity.
    """

    command: str
    host: str
    device: str
    versions: Mapping[str, str]
    git: str | None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """Who works on an experiment.

    Args:
        owner: unique to a process; also what the message about a held claim shows (host, process id).
        run: the run's id.
        lease: seconds until the claim lapses unless renewed.
    """

    owner: str
    run: int
    lease: float = 60.0


@dataclass(frozen=True)
class State:
    """What the database knows of an experiment.

    Args:
        status: `interrupted` also when the lease of a running one has lapsed or its process is gone.
        owner: who holds or held it.
        samples: rows of samples kept.
        failed: how many of them failed, once the experiment is finished.
        reason: why it failed.
    """

    status: Status
    owner: str | None = None
    samples: int = 0
    failed: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class SampleRow:
    """What is known of one sample in one experiment.

    Args:
        key: the experiment's key.
        index: the sample's number in the dataset's split.
        id: the sample's id.
        group: the sample's group.
        status: "ok" or "failed".
        error: why it failed; None when ok.
        bits: the rate in bits; None when failed.
        pixels: T * H * W of the source; None when failed.
        duration: seconds of video; None for images.
        squared_error: sum of squared differences over all RGB values; None for the exact baseline and when failed.
        source_bytes: size of the source on disk; None for rendered frames.
        source_format: how the source was stored.
        source_quality: estimated JPEG quality of the source.
        encode_ms: milliseconds of encoding.
        decode_ms: milliseconds of decoding.
        seconds: all the sample cost in this experiment, prediction and scoring included.
        score: the sample's own score, where the task has one.
        statistics: the sufficient statistics of its scored frames, in order; empty when failed.
    """

    key: str
    index: int
    id: str
    group: str
    status: Literal["ok", "failed"]
    error: str | None = None
    bits: int | None = None
    pixels: int | None = None
    duration: float | None = None
    squared_error: int | None = None
    source_bytes: int | None = None
    source_format: str | None = None
    source_quality: int | None = None
    encode_ms: float | None = None
    decode_ms: float | None = None
    seconds: float | None = None
    score: float | None = None
    statistics: Sequence[Statistics] = ()


@dataclass(frozen=True)
class SampleStatistics:
    """The statistics of one finished sample, as `reduce` and the resampling want them."""

    index: int
    group: str
    statistics: Sequence[Statistics]


@dataclass(frozen=True)
class Totals:
    """Totals of a finished experiment, over its samples that did not fail. None is "not measured".

    Args:
        samples: samples that finished.
        failed: samples that failed.
        bits: total rate in bits.
        pixels: total pixels of the sources.
        bpp: bits / pixels.
        bpp_mean: the mean over samples of each one's bpp.
        kbps: kbit/s over the whole duration; None for images.
        psnr: dB, from the total squared error; None for the exact baseline.
        source_bpp: bits of the source files / pixels; None for rendered frames.
        encode_ms: mean milliseconds of encoding a sample.
        decode_ms: mean milliseconds of decoding a sample.
        seconds: of all samples together.
        groups: how many groups the samples come from that did not fail.
        interval_method: how the intervals of the metrics were computed.
        resamples: from how many resamples; None where nothing was resampled.
        interval_seed: their seed.
    """

    samples: int
    failed: int
    bits: int | None = None
    pixels: int | None = None
    bpp: float | None = None
    bpp_mean: float | None = None
    kbps: float | None = None
    psnr: float | None = None
    source_bpp: float | None = None
    encode_ms: float | None = None
    decode_ms: float | None = None
    seconds: float | None = None
    groups: int | None = None
    interval_method: str | None = None
    resamples: int | None = None
    interval_seed: int | None = None


@dataclass(frozen=True)
class MetricValue:
    """One metric of one experiment.

    Args:
        metric: its name.
        value: None where undefined, with the reason.
        ci_low: lower end of the 95 % interval; None with the reason where there is none.
        ci_high: upper end.
        n: samples it stands on.
        is_primary: whether it is the task's primary metric.
        higher_is_better: its direction.
        unit: its unit.
        reason: why value or interval is None.
    """

    metric: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    is_primary: bool
    higher_is_better: bool
    unit: str = ""
    reason: str | None = None


@dataclass(frozen=True)
class Comparison:
    """What a view cannot compute: a paired difference between two experiments.

    Args:
        key: the experiment.
        other: the key of the experiment it is compared with.
        metric: the metric's name.
        kind: "drop" (positive when the experiment is worse than the other); for retrained experiments "gain" (positive
            when it is better than the pretrained one), and the shares "recovery", "net_recovery" and "study_gain".
        value: None with a reason.
        ci_low: lower end of the paired 95 % interval.
        ci_high: upper end.
        n: samples that finished in both.
        reason: why something is None.
    """

    key: str
    other: str
    metric: str
    kind: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    reason: str | None = None


@dataclass(frozen=True)
class Checkpoint:
    """Weights that a training of a run made.

    Args:
        key: the training's.
        identity: all that decides the weights.
        path: the file, on the machine that made it.
        sha256: hex digest of the file.
        bytes: its size.
        steps: iterations of training.
        seconds: what training took on the machine that made it, over all runs it took; None where it is not known.
        loss_curve: CSV: iteration, part, loss, value.
    """

    key: str
    identity: Mapping[str, Any]
    path: str
    sha256: str
    bytes: int
    steps: int
    seconds: float | None
    loss_curve: str


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

    # Experiments and claims

    @abstractmethod
    def register(self, experiments: Sequence[Experiment], run: int) -> None:
        """Record experiments that are not yet there (no status is changed)."""

    @abstractmethod
    def states(self, keys: Sequence[str]) -> dict[str, State]:
        """What is known of each key; keys never seen are left out."""

    @abstractmethod
    def identities(self, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """What determines the result of each experiment: what its key is the hash of. Unknown keys are left out."""

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
        """Columns and rows of a public view (`results`, `curves`, `recovery`, `per_sample`)."""

    @abstractmethod
    def select(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Columns and rows of a query that can only read.

        Raises:
            StoreError: the query is malformed, or tries to write or to attach.
        """
