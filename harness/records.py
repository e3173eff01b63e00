"""The records that are written to a store and read from it. Each belongs to an experiment, a run or a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from harness.task import Statistics

__all__ = [
    "Checkpoint",
    "Claim",
    "Comparison",
    "Merged",
    "MetricValue",
    "Placed",
    "RecordedRun",
    "RunInfo",
    "SampleRow",
    "SampleStatistics",
    "State",
    "Status",
    "Totals",
]

Status = Literal["running", "finished", "failed", "interrupted", "partial"]


@dataclass(frozen=True)
class RunInfo:
    """The provenance of one run (one invocation of the command line).

    Args:
        command: the command line.
        host: the machine's name.
        device: the torch device, described in words.
        versions: distribution -> version of every plugin and every library that can affect results.
        git: the git revision of the checkout that the harness runs from, with "+dirty" appended if files were changed;
            None if the harness is installed as a package.
        settings: workers, threads and other settings that are recorded but are not part of an experiment's identity.
    """

    command: str
    host: str
    device: str
    versions: Mapping[str, str]
    git: str | None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordedRun:
    """A run as it is read from a store.

    Args:
        id: the run's number.
        status: how the run ended. A run whose process was killed also has the status `running`.
        started_at: the start, ISO 8601 in UTC.
        finished_at: the end, ISO 8601 in UTC; None while the run is running.
        info: the run's provenance.
    """

    id: int
    status: Status
    started_at: str
    finished_at: str | None
    info: RunInfo


@dataclass(frozen=True)
class Claim:
    """A claim: it says which process works on an experiment.

    Args:
        owner: the unique name of the process. It contains the host and the process id, for messages.
        run: the run's id.
        lease: the number of seconds after which the claim expires if it is not renewed.
    """

    owner: str
    run: int
    lease: float = 60.0


@dataclass(frozen=True)
class State:
    """The state of an experiment in the database.

    Args:
        status: the status; `partial` if only a shard of it was asked for (`harness.planning.shards`). It is
            `interrupted` also if the experiment is still marked as running but its lease has
            expired or its process has ended.
        owner: the process that claims, or last claimed, the experiment.
        samples: the number of sample rows in the database.
        failed: the number of samples that failed, once the experiment is finished.
        reason: why the experiment failed.
    """

    status: Status
    owner: str | None = None
    samples: int = 0
    failed: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class SampleRow:
    """The result of one sample in one experiment.

    Args:
        key: the experiment's key.
        index: the sample's number in the dataset's split.
        id: the sample's id.
        group: the sample's group.
        status: "ok" or "failed".
        error: why the sample failed; None if it did not fail.
        bits: the rate in bits; None if failed.
        pixels: T * H * W of the source; None if failed.
        duration: seconds of video; None for images.
        squared_error: sum of squared differences over all RGB values; None for the exact baseline and if failed.
        source_bytes: size of the source on disk; None for rendered frames.
        source_format: the format of the source file.
        source_quality: estimated JPEG quality of the source.
        encode_ms: encoding time in milliseconds.
        decode_ms: decoding time in milliseconds.
        seconds: the sample's total time in this experiment, including prediction and scoring.
        score: the score of this single sample, if the task has one.
        statistics: the sufficient statistics of the judged frames, in order; empty if failed. The frames are the
            sample's last scored ones: with `fps=` a clip's first frames may not be judged.
        frames: the number of frames (T) of the source; None if it could not be read, and in rows of version 0.1.0.
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
    frames: int | None = None

    def as_failed(self, error: str | None) -> SampleRow:
        """Return the row of the sample that failed for this reason: what was measured of it before does not count."""
        return replace(
            self,
            status="failed",
            error=error,
            bits=None,
            pixels=None,
            squared_error=None,
            encode_ms=None,
            decode_ms=None,
            seconds=None,
            score=None,
            statistics=(),
        )


@dataclass(frozen=True)
class SampleStatistics:
    """The sufficient statistics of one sample that did not fail, as input for `Task.reduce` and for resampling.

    They are of the frames that were judged: the sample's last scored frames, in order (`harness.statistics.judged`).
    """

    index: int
    group: str
    statistics: Sequence[Statistics]


@dataclass(frozen=True)
class Totals:
    """Totals of a finished experiment over the samples that did not fail. None means "not measured".

    Args:
        samples: number of samples that did not fail.
        failed: number of samples that failed.
        bits: total rate in bits.
        pixels: total pixels of the sources.
        bpp: bits per pixel: `bits` / `pixels`.
        bpp_mean: the mean over samples of the bits per pixel of each sample.
        kbps: kbit/s over the whole duration; None for images.
        psnr: PSNR in dB, computed from the total squared error; None for the exact baseline.
        source_bpp: bits of the source files / pixels; None for rendered frames.
        encode_ms: mean encoding time of a sample in milliseconds.
        decode_ms: mean decoding time of a sample in milliseconds.
        seconds: total time of all samples in seconds.
        groups: number of groups that the samples belong to.
        interval_method: how the confidence intervals of the metrics were computed.
        resamples: number of resamples for the intervals; None if nothing was resampled.
        interval_seed: the seed of the resampling.
        frames: total number of frames of the sources; None if a row does not have it.
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
    frames: int | None = None


@dataclass(frozen=True)
class Merged:
    """The outcome of merging one database (the source) into another (the target).

    Args:
        taken: number of experiments that were copied because the target did not have them, or had fewer results.
        doubles: number of experiments that were finished in both databases.
        differing: metrics of such doubles that differ between the databases. Each entry is the experiment's key, the
            metric's name, the value that was kept, and the other value.
        problems: what is damaged in the source, or was altered: a sentence each, the first of them.
    """

    taken: int
    doubles: int
    differing: Sequence[tuple[str, str, float | None, float | None]] = ()
    problems: Sequence[str] = ()


@dataclass(frozen=True)
class MetricValue:
    """One metric of one experiment.

    Args:
        metric: the metric's name.
        value: the value; None if it is undefined (see `reason`).
        ci_low: lower end of the 95 % confidence interval; None if there is no interval (see `reason`).
        ci_high: upper end of the interval.
        n: number of samples from which the value is computed: those of which a frame was judged.
        is_primary: whether this is the task's primary metric.
        higher_is_better: whether a larger value is better.
        unit: the unit.
        reason: why the value or the interval is None.
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
    """A paired difference (or ratio of differences) between two experiments. A database view cannot compute it.

    Args:
        key: the key of the experiment.
        other: the key of the experiment that it is compared with.
        metric: the metric's name.
        kind: "drop" (positive if the experiment is worse than the other). For retrained experiments also "gain"
            (positive if the retrained model is better than the pretrained model), and the ratios "recovery",
            "net_recovery" and "study_gain".
        value: the value; None if it is undefined (see `reason`).
        ci_low: lower end of the paired 95 % confidence interval.
        ci_high: upper end of the interval.
        n: number of samples of which a frame was judged in every one of the compared experiments.
        reason: why the value or the interval is None.
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
class Placed:
    """How many rows of an experiment a run computed at one place.

    Args:
        experiment: the experiment's key.
        run: the run's id.
        place: the place, as the executor names it ("process 2"); "" for the run's own process.
        device: the torch device ("cuda:1").
        rows: the number of rows.
    """

    experiment: str
    run: int
    place: str
    device: str
    rows: int


@dataclass(frozen=True)
class Checkpoint:
    """The record of the weights that a training produced.

    Args:
        key: the training's key.
        identity: everything that determines the weights.
        path: the file of weights, on the machine that trained them.
        sha256: hex digest of the file.
        bytes: the file's size.
        steps: number of training iterations.
        seconds: the duration of the training, on the machine that ran it; None if it is unknown (for example, if the
            training was interrupted and continued).
        loss_curve: the losses as CSV: iteration, part, loss, value.
    """

    key: str
    identity: Mapping[str, Any]
    path: str
    sha256: str
    bytes: int
    steps: int
    seconds: float | None
    loss_curve: str
