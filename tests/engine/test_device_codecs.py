"""Codecs that want the device: they run in the process that owns it, beside the model, and never in workers."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.batches.coding import codes_batches
from harness.batches.device_codecs import beside_the_model, in_workers, moved
from harness.codec import ImageCodec, Scale
from harness.dataset import Outline, Sample
from harness.device.device import left_alone
from harness.engine.predict import run_unit
from harness.errors import CodecError, HungModelError, UsageError
from harness.keep.kept import Kept
from harness.keep.streams import encode
from harness.media.levers import ReducedCodec
from harness.options import Value
from harness.planning.codecs import choose_codec
from harness.progress import Silence
from harness.records import SampleRow
from harness.statistics.packing import Packed
from harness.unit import Cell, Unit
from kit.pictures import textured
from kit.store_rows import cell
from kit.units import SETTINGS, Numbered, unit


class Halved(ImageCodec):
    """Keeps the upper bits of an image, on the device alone. It notes in a file in which process it did what."""

    name = "halved"
    scale = Scale("bits", ladder=(4, 2), minimum=1, maximum=8, higher_is_better=True)
    wants_device = True
    costly = True

    def __init__(self, notes: Path, refuses: bool = False) -> None:
        super().__init__()
        self.notes, self.refuses, self.device = notes, refuses, ""

    def to_device(self, device: str) -> None:
        if self.refuses:
            raise RuntimeError("out of memory")
        self.device = device
        self._note("moved")

    def encode_image(self, image: np.ndarray, level: float | None) -> bytes:
        assert self.device == "cpu"
        assert level is not None
        self._note("encoded")
        return bytes([int(level), *image.shape[:2]]) + (image >> (8 - int(level))).tobytes()

    def decode_image(self, data: bytes) -> np.ndarray:
        level, height, width = data[:3]
        return (np.frombuffer(data, np.uint8, offset=3) << (8 - level)).reshape(height, width, 3)

    def fingerprint(self) -> Mapping[str, Value]:
        return {"weights": "0" * 64}

    def _note(self, what: str) -> None:
        with self.notes.open("a") as file:
            file.write(f"{os.getpid()} {what}\n")


class HalvedAtOnce(Halved):
    """The same, several images at once. It notes how many. A batch with a bright image, or alone, may be refused."""

    def __init__(self, notes: Path, faults: tuple[str, ...] = ()) -> None:
        super().__init__(notes)
        self.faults = faults

    def encode_images(self, images: Sequence[np.ndarray], level: float | None) -> list[bytes]:
        if "batch" in self.faults:
            raise MemoryError("too many")
        if "writes" in self.faults:
            _write(images[1])
        self._note(f"encodes {len(images)}")
        return [self.encode_image(image, level) for image in images]

    def encode_image(self, image: np.ndarray, level: float | None) -> bytes:
        if "sample" in self.faults and image.tobytes() == textured(24, 32, 3).tobytes():
            raise CodecError("image 3 is refused")
        return super().encode_image(image, level)

    def decode_images(self, streams: Sequence[bytes]) -> list[np.ndarray]:
        self._note(f"decodes {len(streams)}")
        return [self.decode_image(stream) for stream in streams][: -1 if "short" in self.faults else None]


def _write(image: np.ndarray) -> None:
    """Write to an image that is read-only, as C code can."""
    address = image.__array_interface__["data"][0]
    (ctypes.c_uint8 * image.nbytes).from_address(address)[:3] = b"\1\2\3"


class Hanging(Halved):
    """Takes two seconds for the fifth image."""

    def __init__(self, notes: Path, step: str) -> None:
        super().__init__(notes)
        self.step = step
        self.fifth = textured(24, 32, 4) >> 4

    def encode_image(self, image: np.ndarray, level: float | None) -> bytes:
        if self.step == "encode" and (image >> 4 == self.fifth).all():
            time.sleep(2)
        return super().encode_image(image, level)

    def decode_image(self, data: bytes) -> np.ndarray:
        if self.step == "decode" and data[3:] == self.fifth.tobytes():
            time.sleep(2)
        return super().decode_image(data)


class Told(Silence):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def warning(self, message: str) -> None:
        self.told.append(message)


def with_halved(codec: ImageCodec | ReducedCodec, plain: Unit | None = None) -> Unit:
    """Three cells for workers, and two for the device, over twelve images."""
    plain = plain or unit(12)
    added = [
        Cell(cell("halved", level, task="brightness", baseline=plain.cells[0].experiment.key), codec, level, False)
        for level in (4.0, 2.0)
    ]
    cells = (*plain.cells, *added)
    todo = tuple(replace(entry, cells=tuple(range(len(cells)))) for entry in plain.todo)
    return replace(plain, cells=cells, todo=todo)


def rows_of(
    asked: Unit, workers: int, progress: Silence | None = None
) -> dict[tuple[str, int], tuple[SampleRow, bytes]]:
    """Each row without times, and its statistics as bytes."""
    found = [
        row for batch in run_unit(asked, replace(SETTINGS, workers=workers), progress or Silence()) for row in batch
    ]
    assert len(found) == asked.size
    rows = {}
    for row in found:
        bare = replace(row, encode_ms=None, decode_ms=None, seconds=None, statistics=())
        rows[row.key, row.index] = bare, row.statistics.data if isinstance(row.statistics, Packed) else b""
    return rows


@pytest.mark.parametrize("levers", [False, True])
def test_they_run_here_and_the_others_in_workers(tmp_path: Path, levers: bool) -> None:
    plain = Halved(tmp_path / "notes")
    asked = with_halved(ReducedCodec(plain, scale=0.5) if levers else plain)
    alone = rows_of(asked, 0)
    assert all(row.status == "ok" for row, _ in alone.values())
    (tmp_path / "notes").unlink()
    assert rows_of(asked, 2) == alone
    notes = (tmp_path / "notes").read_text().splitlines()
    assert notes == [f"{os.getpid()} moved", *[f"{os.getpid()} encoded"] * 24]
    assert plain.device == ""  # workers that are forked later get what was never moved


@pytest.mark.parametrize("levers", [False, True])
def test_a_planned_batch_is_coded_at_once(tmp_path: Path, levers: bool) -> None:
    alone, at_once = Halved(tmp_path / "alone"), HalvedAtOnce(tmp_path / "at once")
    found = rows_of(with_halved(ReducedCodec(at_once, scale=0.5) if levers else at_once), 0)
    assert found == rows_of(with_halved(ReducedCodec(alone, scale=0.5) if levers else alone), 0)
    notes = (tmp_path / "at once").read_text()
    assert notes.count("encodes 2") == notes.count("decodes 2") == 12


def test_only_samples_of_one_size_are_coded_at_once(tmp_path: Path) -> None:
    class Mixed(Numbered):
        """Images of two widths; the model takes both."""

        def __getitem__(self, index: int) -> Sample:
            return Sample(f"image {index}", textured(24, 32 + 8 * (index % 3 == 0), index)[None], {0: index})

        def outline(self, index: int) -> Outline:
            return Outline(f"image {index}", 24, 32 + 8 * (index % 3 == 0))

    rows = {}
    for codec in (HalvedAtOnce(tmp_path / "at once"), Halved(tmp_path / "alone")):
        asked = with_halved(codec, unit(12, dataset=Mixed(12), batch=4))
        rows[type(codec)] = rows_of(asked, 0)
    assert rows[HalvedAtOnce] == rows[Halved]
    notes = (tmp_path / "at once").read_text()
    assert {"encodes 2", "encodes 3"} >= {line.split(" ", 1)[1] for line in notes.splitlines() if "encodes" in line}
    assert "encodes 3" in notes


def test_a_batch_that_fails_costs_only_who_fails_alone(tmp_path: Path) -> None:
    right = rows_of(with_halved(Halved(tmp_path / "notes")), 0)
    for fault in ("batch", "short"):
        told = Told()
        assert rows_of(with_halved(HalvedAtOnce(tmp_path / "notes", (fault,))), 0, told) == right
        assert any("2 samples at once" in one and one.endswith("Each of them was coded alone.") for one in told.told)
    found = rows_of(with_halved(HalvedAtOnce(tmp_path / "notes", ("sample",))), 0)
    failed = {place: row.error for place, (row, _) in found.items() if row.status == "failed"}
    assert {index for _, index in failed} == {3}
    assert set(failed.values()) == {"codec halved: image 3 is refused"}
    assert {place: one for place, one in found.items() if place not in failed}.items() <= right.items()


def test_a_batch_that_writes_to_a_sample_costs_that_sample(tmp_path: Path) -> None:
    right = rows_of(with_halved(Halved(tmp_path / "notes")), 0)
    found = rows_of(with_halved(HalvedAtOnce(tmp_path / "notes", ("writes",))), 0)
    failed = {place for place, (row, _) in found.items() if row.status == "failed"}
    assert {index for _, index in failed} == {1, 3, 5, 7, 9, 11}
    assert all("wrote to the frames" in str(found[place][0].error) for place in failed)
    assert {place: one for place, one in found.items() if place not in failed}.items() <= right.items()


def test_codecs_in_workers_code_one_by_one(tmp_path: Path) -> None:
    codec = HalvedAtOnce(tmp_path / "notes")
    assert codes_batches(codec)
    assert codes_batches(ReducedCodec(codec, scale=0.5))
    assert not codes_batches(Halved(tmp_path / "notes"))
    codec.wants_device = False  # type: ignore[misc]
    assert not codes_batches(codec)


def test_references_come_to_both_sides(tmp_path: Path) -> None:
    asked = replace(with_halved(Halved(tmp_path / "notes")), reference=True)
    assert rows_of(asked, 2) == rows_of(asked, 0)


def test_a_unit_of_nothing_else_needs_no_worker(tmp_path: Path) -> None:
    asked = beside_the_model(with_halved(Halved(tmp_path / "notes")))
    assert {place for entry in asked.todo for place in entry.cells} == {3, 4}
    assert not in_workers(asked).todo
    assert rows_of(asked, 2) == rows_of(asked, 0)


def test_cells_share_a_copy_on_the_device(tmp_path: Path) -> None:
    asked = with_halved(Halved(tmp_path / "notes"))
    on_device, refused = moved(asked, "cpu")
    first, second = (one.codec for one in on_device.cells[3:])
    assert first is second
    assert first is not asked.cells[3].codec
    assert on_device.cells[:3] == asked.cells[:3]
    assert not refused


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("levers", [False, True])
def test_one_that_cannot_be_moved_costs_its_cells(tmp_path: Path, workers: int, levers: bool) -> None:
    right = rows_of(with_halved(Halved(tmp_path / "notes")), 0)
    codec, told = Halved(tmp_path / "notes", refuses=True), Told()
    asked = with_halved(ReducedCodec(codec, scale=0.5) if levers else codec)
    found = rows_of(asked, workers, told)
    why = "codec halved: to_device('cpu'): RuntimeError: out of memory"
    lost = {cell.experiment.key for cell in asked.cells[3:]}
    assert {row.error for (key, _), (row, _) in found.items() if key in lost} == {why}
    assert {place: one for place, one in found.items() if place[0] not in lost}.items() <= right.items()
    assert told.told == [f"{why}. Its experiments fail."]


@pytest.mark.parametrize("step", ["encode", "decode"])
def test_one_that_hangs_costs_its_cell_and_ends_the_run(tmp_path: Path, step: str) -> None:
    asked = with_halved(Hanging(tmp_path / "notes", step))
    settings = replace(SETTINGS, workers=1, sample_timeout=0.5)
    rows: list[SampleRow] = []
    told = rf"codec halved took longer than 0.5 s to {step} sample 4 of .*halved@4.* \(--sample-timeout\)"
    with pytest.raises(HungModelError, match=told) as raised:
        rows.extend(row for batch in run_unit(asked, settings, Silence()) for row in batch)
    assert raised.value.cells == (3,)
    assert len(rows) == 3 * 12 + 2 * 4  # all of the workers' cells, and two batches of both cells on the device
    assert left_alone()


def test_who_stops_in_the_middle_leaves_no_thread(tmp_path: Path) -> None:
    rows = run_unit(beside_the_model(with_halved(Halved(tmp_path / "notes"))), replace(SETTINGS, workers=1), Silence())
    next(iter(rows))
    rows.close()  # type: ignore[attr-defined]
    assert (tmp_path / "notes").read_text().count("encoded") < 24
    deadline = time.monotonic() + 5  # threads of the tests before may still sleep
    while left_alone() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left_alone()


def test_its_streams_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    codec = Halved(tmp_path / "notes")
    codec.to_device("cpu")
    for _ in range(2):
        encode(codec, np.zeros((1, 8, 8, 3), np.uint8), 4.0, None, Kept("encoded"), lambda: "a" * 64)
    assert (tmp_path / "notes").read_text().count("encoded") == 2


def test_one_that_does_not_name_its_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.discovery.plugins import installed
    from harness.discovery.registry import load_registry

    monkeypatch.setattr("harness_codecs.none.Uncompressed.wants_device", True)
    with pytest.raises(UsageError, match="codec none wants the device, and its fingerprint is empty"):
        choose_codec("none", installed(), load_registry(()))
