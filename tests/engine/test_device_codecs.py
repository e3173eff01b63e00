"""Codecs that want the device: they run in the process that owns it, beside the model, and never in workers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.batches.device_codecs import beside_the_model, in_workers, moved
from harness.codec import ImageCodec, Scale
from harness.engine.predict import run_unit
from harness.errors import PluginError, UsageError
from harness.keep.kept import Kept
from harness.keep.streams import encode
from harness.media.levers import ReducedCodec
from harness.options import Value
from harness.planning.codecs import choose_codec
from harness.progress import Silence
from harness.records import SampleRow
from harness.statistics.packing import Packed
from harness.unit import Cell, Unit
from kit.store_rows import cell
from kit.units import SETTINGS, unit


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


def with_halved(codec: ImageCodec | ReducedCodec) -> Unit:
    """Three cells for workers, and two for the device, over twelve images."""
    plain = unit(12)
    added = [
        Cell(cell("halved", level, task="brightness", baseline=plain.cells[0].experiment.key), codec, level, False)
        for level in (4.0, 2.0)
    ]
    cells = (*plain.cells, *added)
    todo = tuple(replace(entry, cells=tuple(range(len(cells)))) for entry in plain.todo)
    return replace(plain, cells=cells, todo=todo)


def rows_of(asked: Unit, workers: int) -> dict[tuple[str, int], tuple[SampleRow, bytes]]:
    """Each row without times, and its statistics as bytes."""
    found = [row for batch in run_unit(asked, replace(SETTINGS, workers=workers), Silence()) for row in batch]
    assert len(found) == asked.size
    rows = {}
    for row in found:
        assert isinstance(row.statistics, Packed)
        bare = replace(row, encode_ms=None, decode_ms=None, seconds=None, statistics=())
        rows[row.key, row.index] = bare, row.statistics.data
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
    first, second = (one.codec for one in moved(asked, "cpu").cells[3:])
    assert first is second
    assert first is not asked.cells[3].codec
    assert moved(asked, "cpu").cells[:3] == asked.cells[:3]


def test_one_that_cannot_be_moved_is_named(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"codec halved: to_device\('cpu'\): RuntimeError: out of memory"):
        rows_of(with_halved(Halved(tmp_path / "notes", refuses=True)), 0)


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
