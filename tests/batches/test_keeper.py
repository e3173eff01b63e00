"""What is kept of a sample: shared where it is the same, and made anew for an edited plugin and for `--again`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.batches.keeper import Keeper
from harness.batches.read_sample import ReadSample
from harness.experiment import Experiment
from harness.unit import Cell
from harness_codecs.pillow_family import Jpeg
from kit.store_rows import cell
from kit.units import read_sample


class Slow(Jpeg):
    costly = True
    calls = 0

    def encode(self, frames: Any, level: Any, fps: Any = None) -> Any:
        Slow.calls += 1
        return super().encode(frames, level, fps)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReadSample:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    frames = np.full((1, 16, 16, 3), 7, np.uint8)
    return read_sample(frames, None)


def of(model: dict[str, Any] | None = None, codec: dict[str, Any] | None = None, fresh: bool = False) -> Cell:
    """A cell whose model and codec have these facts in their identities, beside their names."""
    identity = {"codec": {"name": "slow", **(codec or {})}, "model": {"kind": "flow", **(model or {})}}
    experiment: Experiment = replace(cell(), identity=identity)
    return Cell(experiment, Slow(), 50.0, False, fresh)


def derived(made: Cell, source: ReadSample) -> bool:
    """Whether derived data of a name are computed, or were kept."""
    computed = []

    def compute() -> Any:
        computed.append(True)
        until = time.process_time() + 0.01  # worth keeping
        while time.process_time() < until:
            pass
        return np.zeros(3)

    Keeper().memo(made, source)("flow", compute)
    return bool(computed)


def test_derived_data_of_an_edited_model_are_derived_anew(source: ReadSample) -> None:
    assert [derived(of(), source) for _ in range(2)] == [True, False]
    assert not derived(of({"kind": "another of the harness"}), source), "models of the harness share them"
    assert [derived(of({"source": "1" * 64}), source) for _ in range(2)] == [True, False]
    assert derived(of({"source": "2" * 64}), source)
    assert not derived(of({"source": "1" * 64}), source)


def test_streams_of_an_edited_codec_are_encoded_anew(source: ReadSample) -> None:
    Slow.calls = 0
    for facts, calls in (
        ({}, 1),
        ({}, 1),
        ({"source": "1" * 64}, 2),
        ({"source": "2" * 64}, 3),
        ({"source": "1" * 64}, 3),
    ):
        Keeper().encode(of(codec=facts), source)
        assert Slow.calls == calls, facts


def test_a_fresh_cell_takes_nothing_from_the_cache_and_leaves_what_it_made(source: ReadSample) -> None:
    Slow.calls = 0
    first = Keeper().encode(of(), source)[0]
    assert Keeper().encode(of(fresh=True), source)[0] == first
    assert Slow.calls == 2
    Keeper().encode(of(), source)
    assert Slow.calls == 2
    assert [derived(of(fresh=fresh), source) for fresh in (False, True, True, False)] == [True, True, True, False]
