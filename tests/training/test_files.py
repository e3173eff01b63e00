"""The files of a training: damaged ones are not believed, and a full or read-only disk is told in a sentence."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.errors import TrainingError
from harness.training.loop import Runtime, TrainingResult, train
from harness.training.state import Place
from kit.disks import fill, flipped, read_only, small_disk
from kit.small_training import RECIPE, CutError, Knife, Log, job


def again(folder: Path) -> tuple[TrainingResult, list[str]]:
    log = Log()
    return train(job(), Place(folder), Runtime(workers=0), log), log.warnings


@pytest.fixture
def done(tmp_path: Path) -> tuple[Path, TrainingResult]:
    return tmp_path, train(job(), Place(tmp_path), Runtime(workers=0), Log())


def test_damaged_weights_are_written_anew_from_the_checkpoint(done: tuple[Path, TrainingResult]) -> None:
    folder, first = done
    whole = first.weights.read_bytes()
    draw = random.Random(0)
    for _ in range(10):
        first.weights.write_bytes(flipped(whole, draw))
        found, warnings = again(folder)
        assert (found.sha256, found.iterations) == (first.sha256, 0)
        assert first.weights.read_bytes() == whole
        assert len(warnings) == 1
        assert "weights.safetensors or their digest were damaged" in warnings[0]
    assert again(folder) == (found, [])


@pytest.mark.parametrize("content", [None, b"", b"0" * 64])
def test_weights_without_their_digest_are_written_anew(
    done: tuple[Path, TrainingResult], content: bytes | None
) -> None:
    folder, first = done
    stated = folder / "weights.safetensors.sha256"
    before = stated.read_bytes()
    assert before == f"{first.sha256}  weights.safetensors\n".encode()
    if content is None:
        stated.unlink()
    else:
        stated.write_bytes(content)
    assert again(folder)[0].sha256 == first.sha256
    assert stated.read_bytes() == before


def test_no_flip_of_a_checkpoint_is_believed(done: tuple[Path, TrainingResult]) -> None:
    folder, _ = done
    checkpoint = folder / "checkpoint.pt"
    whole = checkpoint.read_bytes()
    draw = random.Random(0)
    for _ in range(200):
        checkpoint.write_bytes(flipped(whole, draw))
        with pytest.raises(TrainingError, match=r"checkpoint\.pt cannot be read \(it is damaged.*Delete it"):
            again(folder)


def test_a_damaged_curve_is_written_anew(done: tuple[Path, TrainingResult]) -> None:
    folder, first = done
    whole = first.curve.read_bytes()
    for content in (whole[:-9], b"", whole.replace(b"two", b"\xff\xfe\x00"), whole.replace(b"1", b"7")):
        first.curve.write_bytes(content)
        assert again(folder)[0].iterations == 0
        assert first.curve.read_bytes() == whole


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    whole = train(job(), Place(tmp_path / "whole"), Runtime(workers=0), Log())
    with small_disk() as disk:
        with pytest.raises(CutError):
            train(job(), Place(disk / "t"), Runtime(workers=0), Knife())
        filler = fill(disk)
        before = (disk / "t" / "checkpoint.pt").read_bytes()
        with pytest.raises(TrainingError, match=r"cannot write .*: No space left on device\. The last checkpoint"):
            train(job(), Place(disk / "t"), Runtime(workers=0), Log())
        assert (disk / "t" / "checkpoint.pt").read_bytes() == before
        assert not list(disk.rglob("*.part"))
        filler.unlink()
        found, _ = again(disk / "t")
        assert (found.sha256, found.iterations) == (whole.sha256, RECIPE.iterations - 10)


def test_a_read_only_folder_is_told(tmp_path: Path) -> None:
    with small_disk() as disk:
        with pytest.raises(CutError):
            train(job(), Place(disk / "t"), Runtime(workers=0), Knife())
        with read_only(disk), pytest.raises(TrainingError, match=r"cannot write .*/lock: Read-only file system"):
            again(disk / "t")
