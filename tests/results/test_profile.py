"""Where the time went, on constructed seconds: who held the others up, and how many cores would change it."""

from __future__ import annotations

import pytest

from harness.results.profile import StageProfile, advice, together
from harness.store import STAGES


def profile(samples: int = 100, workers: int | None = 4, **seconds: float) -> StageProfile:
    assert set(seconds) <= set(STAGES)
    return StageProfile(samples, seconds, workers)


def test_shares_and_rate() -> None:
    found = profile(300, predict=45.0, wait=10.0, wall=60.0)
    assert (found.rate, found.busy_share, found.share("wait", "score")) == (5.0, 0.75, pytest.approx(1 / 6))


@pytest.mark.parametrize("seconds", [{}, {"predict": 3.0}, {"predict": 3.0, "wall": 0.0}])
def test_nothing_is_said_without_wall_time(seconds: dict[str, float]) -> None:
    found = profile(**seconds)
    assert [found.rate, found.busy_share, found.bottleneck, advice(found)] == [None] * 4


@pytest.mark.parametrize(
    ("worker_seconds", "predict", "workers", "lacking"),
    [
        (200.0, 10.0, 6, 14),  # 20 workers prepare as fast as the device predicts
        (200.0, 10.0, 20, 0),
        (200.0, 10.0, 40, 0),
        (201.0, 10.0, 20, 1),
        (30.0, 10.0, 0, 3),  # the predicting process did their work
        (200.0, 0.0, 6, None),
        (200.0, 10.0, None, None),
    ],
)
def test_cores_that_lack(worker_seconds: float, predict: float, workers: int | None, lacking: int | None) -> None:
    part = worker_seconds / 5
    stages = dict.fromkeys(("read", "encode", "decode", "prepare", "score"), part)
    found = profile(workers=workers, **stages, predict=predict)
    assert found.cores_lacking == lacking


def test_with_the_cores_that_lack_workers_keep_pace_with_the_device() -> None:
    """Simulated: n workers that take w seconds an image-level, one device that takes p, both at work all the time."""
    for per_worker, per_device, workers in ((0.9, 0.05, 3), (0.21, 0.2, 1), (2.0, 0.3, 5)):
        found = profile(1000, workers, encode=1000 * per_worker, predict=1000 * per_device)
        assert found.cores_lacking is not None
        enough = workers + found.cores_lacking
        assert enough / per_worker >= 1 / per_device
        assert (enough - 1) / per_worker < 1 / per_device


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (
            {"predict": 97.0, "wait": 2.0, "wall": 100.0},
            "device-bound: the device was busy 97% of the time; a larger batch or a faster device would help",
        ),
        (
            {"encode": 390.0, "decode": 10.0, "wait": 75.0, "predict": 20.0, "wall": 100.0},
            "codec-bound: the device was busy 20% of the time and waited 75% for workers; 16 more cores would keep it "
            "busy",
        ),
        (
            {"read": 60.0, "encode": 30.0, "wait": 75.0, "predict": 20.0, "wall": 100.0},
            "read-bound: the device was busy 20% of the time and waited 75% for workers; 1 more core would keep it "
            "busy",
        ),
        (
            {"prepare": 60.0, "wait": 75.0, "predict": 20.0, "wall": 100.0},
            "prepare-bound: the device was busy 20% of the time and waited 75% for workers; the workers are fast "
            "enough on average: it waited for first or slow batches",
        ),
        (
            {"hand_over": 50.0, "wait": 75.0, "predict": 20.0, "encode": 60.0, "wall": 100.0},
            "hand-over-bound: the device was busy 20% of the time, and 50% went into receiving batches; smaller inputs "
            "would help",
        ),
        (
            {"score": 60.0, "decode": 50.0, "wait": 75.0, "predict": 20.0, "wall": 100.0},
            "score-bound: the device was busy 20% of the time and waited 75% for workers; 2 more cores would keep it "
            "busy",
        ),
        (
            {"write": 50.0, "finish": 20.0, "predict": 20.0, "wall": 100.0},
            "store-bound: the device was busy 20% of the time, and 70% went into the database and intervals; a faster "
            "disk or fewer --resamples help",
        ),
        (
            {"predict": 20.0, "wall": 100.0},
            "other-bound: the device was busy 20% of the time; what the rest went into was not measured",
        ),
    ],
)
def test_what_would_move_it(seconds: dict[str, float], words: str) -> None:
    assert advice(profile(**seconds)) == words


def test_without_a_device_s_seconds_the_number_of_cores_is_not_known() -> None:
    words = advice(profile(encode=60.0, wait=75.0, wall=100.0))
    assert words == "codec-bound: the device was busy 0% of the time and waited 75% for workers; more cores would help"


def test_experiments_together() -> None:
    whole = together([profile(10, 2, encode=1.0, wall=2.0), profile(20, 6, wall=3.0, predict=4.0), profile(5, None)])
    assert whole == StageProfile(35, {"encode": 1.0, "wall": 5.0, "predict": 4.0}, 6)
