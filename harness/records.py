"""The records that a store is given and gives back, all keyed by an experiment, a run or a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from harness.task import Statistics

__all__ = [
    "Checkpoint",
    "Claim",
    "Comparison",
    "Merged",
    "MetricValue",
    "RecordedRun",
    "RunInfo",
    "SampleRow",
    "SampleStatistics",
    "State",
    "Status",
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
class RecordedRun:
    """An invocation as a store gives it back.

    Args:
        id: its number.
        status: how it ended; `running` also where its process died without a word.
        started_at: ISO 8601 in UTC.
        finished_at: likewise; None while it runs.
        info: its provenance.
    """

    id: int
    status: Status
    started_at: str
    finished_at: str | None
    info: RunInfo


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
class Merged:
    """What came of taking one database into another.

    Args:
        taken: experiments that the target did not have, or had less of.
        doubles: experiments that both had finished.
        differing: of these, metrics that differ: the experiment's key, the metric's name, the value that was kept, and
            the other.
    """

    taken: int
    doubles: int
    differing: Sequence[tuple[str, str, float | None, float | None]] = ()


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
