"""Kept resamples: the same bits come back, and only for the statistics, task and resamples they were made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from harness.errors import StoreError
from harness.records import SampleStatistics
from harness.statistics.intervals import Replicates, replicates
from harness.statistics.kept import METRICS, Restored, draft_of, metrics_to_keep, origin_of, outline_of, restored
from harness.statistics.packing import Packed, pack
from harness.statistics.proportions import Hits
from harness.store import KeptResamples
from harness.task import Metric, Task

R = 100
IDENTITY = {"task": {"name": "means", "options": {}, "scoring": 1}, "reference": "labels"}
FACTS: tuple[Any, ...] = (IDENTITY, ("car",), "codec-harness 1", R, 7)


class Means(Task):
    """The mean, the mean of the positive values (undefined in some resamples), and one of a class."""

    name = "means"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("positive", unit="points"),
        Metric("mean", primary=True),
        Metric("count", interval=False),
    )

    def all_metrics(self) -> tuple[Metric, ...]:
        return (*self.metrics, Metric("mean[car]"))

    def score(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        return {"value": np.array(prediction, np.float64)}

    def reduce(self, statistics: Sequence[Mapping[str, Any]], weights: Any = None) -> dict[str, Any]:
        values = np.array([one["value"] for one in statistics], np.float64)
        drawn = np.ones((1, len(values))) if weights is None else weights
        up = values > 2.6
        with np.errstate(invalid="ignore"):
            positive = drawn @ (values * up) / (drawn @ up)
        mean = drawn @ values / drawn.sum(axis=1)
        return {"mean": mean, "mean[car]": mean, "count": drawn.sum(axis=1), "positive": positive}


def sample(index: int, value: float, frames: int = 1, group: str = "") -> SampleStatistics:
    scored = [{"value": np.array(value + place), "more": np.arange(200)} for place in range(frames)]
    return SampleStatistics(index, group or f"g{index}", Packed(pack(scored)))


VALUES = np.random.default_rng(0).normal(0, 1, 60)
SAMPLES = [sample(3 * n, value, frames=0 if n in (0, 9) else 1 + n % 2) for n, value in enumerate(VALUES)]


def resampled(samples: Sequence[SampleStatistics]) -> Replicates:
    frames = [frame for one in samples for frame in one.statistics]
    groups = [one.group for one in samples for _ in one.statistics]
    return replicates(Means(("car",)), frames, groups, R, 7)


def kept(samples: Sequence[SampleStatistics]) -> tuple[KeptResamples, Replicates]:
    found = resampled(samples)
    draft = draft_of(found, samples, Means(("car",)), R)
    assert draft is not None
    return draft.of_experiment("k", *FACTS), found


def read(made: KeptResamples, samples: Sequence[SampleStatistics], facts: Sequence[Any] = FACTS) -> Restored:
    outline = outline_of(samples)
    return restored(made, outline, origin_of(outline.digest, facts[0], facts[1], facts[2], facts[3], facts[4]))


def test_the_same_bits_come_back() -> None:
    made, found = kept(SAMPLES)
    back = read(made, SAMPLES)
    assert list(back.replicates.values) == ["mean", "positive"]
    for name in ("mean", "positive"):
        assert back.replicates.resampled[name].tobytes() == found.resampled[name].tobytes()
        assert np.float64(back.replicates.values[name]).tobytes() == np.float64(found.values[name]).tobytes()
    assert np.isnan(found.resampled["positive"]).any()
    assert (back.replicates.groups, back.replicates.source) == (found.groups, found.source)
    assert back.replicates.ratios == {"mean"}
    assert back.groups == tuple(one.group for one in SAMPLES if one.statistics)
    assert back.frames == {one.index: len(one.statistics) for one in SAMPLES}


def test_all_that_replicates_have_is_kept() -> None:
    """What is added to `Replicates` must be kept too (`draft_of`, `restored`), or be left out here for a reason."""
    kept = {"values", "resampled", "groups", "ratios", "source", "seed"}
    # A metric with hits is not kept; a class's own groups are of metrics that are not kept; whether a value is certain
    # is known from the experiment (`Resampler`); a metric that is infinite is not kept.
    assert {field.name for field in fields(Replicates)} == kept | {"hits", "own", "certain", "infinite"}


def test_a_share_of_right_frames_is_not_kept() -> None:
    hits = Hits(np.arange(2), np.array([True, False]), np.arange(2))
    draft = draft_of(replace(resampled(SAMPLES), hits={"mean": hits}), SAMPLES, Means(("car",)), R)
    assert draft is not None
    assert list(read(draft.of_experiment("k", *FACTS), SAMPLES).replicates.values) == ["positive"]


def test_an_infinite_metric_is_not_kept() -> None:
    draft = draft_of(replace(resampled(SAMPLES), infinite={"mean": float("inf")}), SAMPLES, Means(("car",)), R)
    assert draft is not None
    assert list(read(draft.of_experiment("k", *FACTS), SAMPLES).replicates.values) == ["positive"]


def test_they_cover_the_frames_that_were_judged_and_no_fewer() -> None:
    back = read(kept(SAMPLES)[0], SAMPLES)
    every = {one.index: float("inf") for one in SAMPLES}
    counts = {one.index: float(len(one.statistics)) for one in SAMPLES if one.statistics}
    assert back.covers(every)
    assert back.covers(counts)
    assert not back.covers({index: frames for index, frames in every.items() if index != 3})
    assert not back.covers({**counts, 9: 1})
    assert counts[9] == 2


@pytest.mark.parametrize(
    "changed",
    [
        [*SAMPLES[:5], sample(15, VALUES[5] + 1e-12, frames=2), *SAMPLES[6:]],
        [*SAMPLES[:5], sample(16, VALUES[5], frames=2), *SAMPLES[6:]],
        [*SAMPLES[:5], sample(15, VALUES[5], frames=2, group="other"), *SAMPLES[6:]],
        SAMPLES[:-1],
        [*SAMPLES, sample(500, 0.0)],
        [],
    ],
)
def test_they_are_refused_for_other_statistics(changed: list[SampleStatistics]) -> None:
    made, _ = kept(SAMPLES)
    assert read(made, [sample(one.index, VALUES[n], len(one.statistics)) for n, one in enumerate(SAMPLES)])
    with pytest.raises(StoreError, match="other statistics"):
        read(made, changed)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, {**IDENTITY, "reference": "predictions"}),
        (0, {**IDENTITY, "task": {**IDENTITY["task"], "scoring": 2}}),  # type: ignore[dict-item]
        (0, {**IDENTITY, "task": {**IDENTITY["task"], "options": {"a": 1}}}),  # type: ignore[dict-item]
        (1, ("lorry",)),
        (2, "codec-harness 2"),
        (3, 200),
        (4, 8),
    ],
)
def test_they_are_refused_for_another_task_version_or_resampling(place: int, value: Any) -> None:
    facts = [*FACTS]
    facts[place] = value
    with pytest.raises(StoreError, match="other statistics, or were made by another version"):
        read(kept(SAMPLES)[0], SAMPLES, facts)


def test_they_are_refused_if_resamples_are_drawn_in_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = kept(SAMPLES)
    monkeypatch.setattr("harness.statistics.resamples.KEPT", 0.5)
    with pytest.raises(StoreError, match="another version"):
        read(made, SAMPLES)


def test_damaged_bytes_are_refused() -> None:
    made, found = kept(SAMPLES)
    data = bytearray(made.data)
    data[len(data) // 2] ^= 4
    few = pack([{"frames": np.ones(3, np.uint32)}, {}])
    short = draft_of(replace(found, resampled={"mean": found.resampled["mean"][:50]}), SAMPLES, Means(()), R)
    assert short is not None
    for wrong in (bytes(data), made.data[:-1], b"", few, short.data, pack([{}])):
        with pytest.raises(StoreError, match="damaged"):
            read(replace(made, data=wrong), SAMPLES)


def test_as_many_metrics_are_kept_as_fit_into_a_tenth_of_the_statistics() -> None:
    class Many(Means):
        metrics: ClassVar[tuple[Metric, ...]] = (
            *(Metric(f"m{n}") for n in range(20)),
            Metric("mean", primary=True),
            Metric("count", interval=False),
        )

    one = 10 * 8 * (R + 1)
    assert metrics_to_keep(Many(), 0, R) == ["mean"]
    assert metrics_to_keep(Many(), 3 * one, R) == ["mean", "m0", "m1"]
    assert len(metrics_to_keep(Many(), 1000 * one, R)) == METRICS == 12
    assert metrics_to_keep(Means(), 1000 * one, R) == ["mean", "positive"]


def test_of_one_group_nothing_is_kept() -> None:
    samples = [sample(n, value, group="one") for n, value in enumerate(VALUES)]
    assert draft_of(resampled(samples), samples, Means(()), R) is None
