"""Workers beside the device: nothing is lost, nothing waits for ever, and what dies says so."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from harness.codec import Encoded
from harness.engine.predict import run_unit
from harness.errors import PluginError, WeightsError
from harness.model import Weights
from harness.progress import Silence
from harness.records import SampleRow
from harness.unit import RowBatch, Settings, Unit
from harness_codecs.pillow_family import Jpeg
from kit.units import SETTINGS, Brightness, Difference, Numbered, unit

ALONE = Settings("cpu", "fp32", 0, 1)


@pytest.fixture(autouse=True)
def no_process_and_no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert not multiprocessing.active_children()
    assert set(threading.enumerate()) <= before


def rows(work: Unit, settings: Settings = SETTINGS) -> list[SampleRow]:
    found = [row for batch in run_unit(work, settings, Silence()) for row in batch]
    return sorted(found, key=lambda row: (row.key, row.index))


def values(found: list[SampleRow]) -> list[Any]:
    return [
        (row.key, row.index, row.status, row.error, row.bits, [one["value"].tolist() for one in row.statistics])
        for row in found
    ]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_any_number_of_workers_gives_the_rows_of_none(workers: int) -> None:
    work = unit(13)
    found = rows(work, Settings("cpu", "fp32", workers, 1))
    assert [row.status for row in found] == ["ok"] * 3 * 13
    assert values(found) == values(rows(work, ALONE))
    assert values(found)[0][5][0] == pytest.approx(work.subject.dataset[0].frames.mean(), abs=3)


def test_more_batches_than_slots_with_a_slow_device() -> None:
    def slow(batch: torch.Tensor) -> list[list[Any]]:
        time.sleep(0.01)
        return [[float(image.double().mean())] for image in batch]

    assert values(rows(unit(30, Brightness(slow)))) == values(rows(unit(30)))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_sample_that_cannot_be_read_fails_alone(workers: int) -> None:
    work = unit(6, dataset=Numbered(6, broken=(2, 4, 5)))
    found = rows(work, Settings("cpu", "fp32", workers, 1))
    assert {row.index for row in found if row.status == "failed"} == {2, 4, 5}
    assert len(found) == 18
    assert "the file is broken" in str(next(row.error for row in found if row.status == "failed"))


@pytest.mark.parametrize("workers", [0, 2])
def test_references_are_the_models_own_predictions(workers: int) -> None:
    counted: list[int] = []

    def predict(batch: torch.Tensor) -> list[list[Any]]:
        counted.append(len(batch))
        return [[float(image.double().mean())] for image in batch]

    work = unit(12, Brightness(predict), reference=True)
    found = rows(work, Settings("cpu", "fp32", workers, 1))
    assert len(found) == 36
    for row in found:
        uncompressed = work.subject.dataset[row.index].frames.astype(np.float64).mean()
        assert row.statistics[0]["number"] == round(1000 * uncompressed)
    assert sum(counted) == 36  # the uncompressed frames are predicted once


class Maps(Difference):
    """Compares maps with maps: a prediction is a target as it is."""

    def score(self, prediction: np.ndarray, target: Any) -> dict[str, np.ndarray]:
        return {"value": np.array([float(prediction.sum()), float(np.abs(prediction - target).sum())])}

    def as_target(self, prediction: np.ndarray) -> np.ndarray:
        return prediction


def as_maps(batch: torch.Tensor) -> list[list[Any]]:
    return [[image.float().mean(dim=2).numpy()] for image in batch]


def test_references_that_are_arrays_outlive_the_memory_they_came_in() -> None:
    work = unit(
        24, Brightness(as_maps), reference=True, task=Maps(("light",)), levels=(95.0, 70.0, 50.0, 30.0, 10.0, 5.0)
    )
    alone, beside = (values(rows(work, settings)) for settings in (ALONE, SETTINGS))
    assert len(alone) == 7 * 24
    assert beside == alone
    exact = work.cells[0].experiment.key
    assert {row[5][0][1] for row in beside if row[0] == exact} == {0.0}
    assert all(row[5][0][1] > 0 for row in beside if row[0] != exact)


def test_large_predictions_come_back_whole() -> None:
    def large(batch: torch.Tensor) -> list[list[Any]]:
        return [[np.full(700_000, float(image.double().mean()))] for image in batch]

    found = rows(unit(4, Brightness(large)))
    assert [row.status for row in found] == ["ok"] * 12
    assert all(len(row.statistics[0]["value"]) == 700_000 for row in found)
    plain = rows(unit(4))
    assert [row.statistics[0]["value"][-1] for row in found] == [row.statistics[0]["value"] for row in plain]


def test_predictions_that_share_the_inputs_memory() -> None:
    def echo(batch: torch.Tensor) -> list[list[Any]]:
        return [[image.numpy()] for image in batch]

    work = unit(8, Brightness(echo))
    for row in rows(work):
        if row.squared_error is None:
            np.testing.assert_array_equal(row.statistics[0]["value"], work.subject.dataset[row.index].frames[0])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_model_that_raises_fails_its_batch(workers: int) -> None:
    def moody(batch: torch.Tensor) -> list[list[Any]]:
        if float(batch.double().mean()) > 127:
            raise ArithmeticError("too bright")
        return [[float(image.double().mean())] for image in batch]

    found = rows(unit(12, Brightness(moody)), Settings("cpu", "fp32", workers, 1))
    assert len(found) == 36
    failed = [row for row in found if row.status == "failed"]
    assert 0 < len(failed) < 36
    assert {row.error for row in failed} == {"model brightness: ArithmeticError: too bright"}


def test_predictions_that_cannot_be_sent_fail_their_batch() -> None:
    found = rows(unit(4, Brightness(lambda batch: [[lambda: None] for _ in batch])))
    assert {row.status for row in found} == {"failed"}
    assert "its predictions cannot be sent to the worker that scores them" in str(found[0].error)


def test_weights_that_do_not_fit_end_the_unit() -> None:
    class Unfit(Brightness):
        def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: str = "fp32") -> None:
            raise WeightsError("the weights do not fit")

    with pytest.raises(WeightsError, match="do not fit"):
        rows(unit(12, Unfit()))


def test_a_model_that_ends_its_thread_is_told() -> None:
    class OwnError(BaseException):
        """No Exception."""

    def leaves(batch: torch.Tensor) -> list[list[Any]]:
        raise OwnError("gone")

    with pytest.raises(PluginError, match="model brightness: OwnError: gone"):
        rows(unit(12, Brightness(leaves)))


def test_a_model_that_asks_for_the_end_fails_its_batches() -> None:
    def leaves(batch: torch.Tensor) -> list[list[Any]]:
        raise SystemExit(3)

    assert {row.error for row in rows(unit(12, Brightness(leaves)))} == {"model brightness: SystemExit: 3"}


class Uncopied(float):
    """Can be pickled, but not copied."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("one of a kind")

    def __reduce__(self) -> Any:
        return Uncopied, (float(self),)


def test_references_that_cannot_be_copied_fail_their_batch() -> None:
    found = rows(unit(4, Brightness(lambda batch: [[Uncopied(1.0)] for _ in batch]), reference=True))
    assert {row.status for row in found} == {"failed"}
    assert "a prediction cannot be copied: TypeError: one of a kind" in str(found[0].error)


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_a_caller_that_stops_leaves_nothing_behind(taken: int) -> None:
    before = threading.active_count()
    results = run_unit(unit(40), SETTINGS, Silence())
    for _ in range(taken):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    assert multiprocessing.active_children() == []


def test_each_batch_says_what_its_stages_took() -> None:
    for batch in run_unit(unit(6), SETTINGS, Silence()):
        assert isinstance(batch, RowBatch)
        stages = {"read", "encode", "decode", "prepare", "score", "hand_over", "wait", "predict", "wall"}
        assert set(batch.seconds) == stages
        assert all(seconds >= 0 for seconds in batch.seconds.values())
        assert {row.key for row in batch} == {batch.key}


class Reusing(Jpeg):
    """Decodes every image into the same array."""

    def decode(self, encoded: Encoded) -> np.ndarray:
        if not hasattr(self, "_buffer"):
            self._buffer = np.empty((1, encoded.height, encoded.width, 3), np.uint8)
        self._buffer[:] = super().decode(encoded)
        return self._buffer


@pytest.mark.parametrize("workers", [0, 2])
def test_a_codec_that_gives_the_same_memory_again_is_found_out(workers: int) -> None:
    work = unit(7)
    cells = tuple(
        cell if cell.exact else type(cell)(cell.experiment, Reusing(), cell.level, False) for cell in work.cells
    )
    found = rows(Unit(work.subject, cells, work.todo), Settings("cpu", "fp32", workers, 1))
    assert len(found) == 21
    right = {(row.key, row.index): values([row]) for row in rows(work)}
    for row in found:
        if row.status == "ok":
            assert values([row]) == right[row.key, row.index]
        else:
            assert "a codec has to return a new array each time" in str(row.error)
    coded = [row for row in found if row.key != work.cells[0].experiment.key]
    assert [row.index for row in coded if row.status == "ok"] == [6, 6]  # the last batch has one sample
