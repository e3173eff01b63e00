"""The example of a learned codec: its coder gives back what it was given, and its rates are in order."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harness
from harness.discovery.plugins import installed
from kit.command import Session
from kit.pictures import textured

EXAMPLE = Path(harness.__file__).parents[1] / "docs" / "examples" / "harness-codec-tiny"
RUN = ("run", "--task", "detection", "--codec", "tiny", "--limit", "3", "--resamples", "100")


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    import harness_codec_tiny

    yield harness_codec_tiny
    for name in [name for name in sys.modules if name.startswith("harness_codec_tiny") or name == "train"]:
        del sys.modules[name]


def test_the_coder_gives_back_what_it_was_given_at_the_entropy(example: Any) -> None:
    from harness_codec_tiny.coder import TOTAL, compress, expand, frequencies

    draw = np.random.default_rng(0)
    table = frequencies(draw.dirichlet(np.full(40, 0.2), size=5))
    assert (table.sum(axis=1) == TOTAL).all()
    assert (table >= 1).all()
    rows = draw.integers(0, 5, 20000)
    symbols = np.array([draw.choice(40, p=table[row] / TOTAL) for row in rows[:4000]])
    data = compress(symbols, rows[:4000], table)
    assert (expand(data, rows[:4000], table) == symbols).all()
    entropy = -np.log2(table[rows[:4000], symbols] / TOTAL).sum() / 8
    assert entropy <= len(data) + 1 <= entropy * 1.001 + 8
    with pytest.raises(ValueError, match="ends too early"):
        expand(data[: len(data) // 2], rows[:4000], table)
    assert (expand(compress(symbols[:0], rows[:0], table), rows[:0], table) == symbols[:0]).all()


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (64, 64), (61, 130)])
def test_every_size_comes_back_and_rates_fall(example: Any, shape: tuple[int, int]) -> None:
    codec = example.Tiny()
    image = textured(*shape, 3)[None] if max(shape) > 1 else np.full((1, 1, 1, 3), 200, np.uint8)
    before = image.copy()
    sizes = []
    for level in (3.0, 2.0, 1.0):
        encoded = codec.encode(image, level)
        assert encoded.bits == 8 * len(encoded.data) - 64
        decoded = codec.decode(encoded)
        assert decoded.shape == image.shape
        assert (codec.decode(encoded) == decoded).all()
        sizes.append(encoded.bits)
    assert (image == before).all()
    if min(shape) > 8:
        assert sizes == sorted(set(sizes), reverse=True)


def test_a_higher_rate_takes_more_bits_and_is_nearer_on_every_test_image(example: Any) -> None:
    codec = example.Tiny()
    assert codec.scale.ladder == (3, 2, 1)
    assert codec.scale.higher_is_better
    dataset = installed().get("dataset", "demo-world")("detection", "test")
    dataset.open()
    for index in range(0, len(dataset), len(dataset) // 8):
        frames = dataset[index].frames[:1]
        bits, errors = [], []
        for level in (1.0, 2.0, 3.0):
            encoded = codec.encode(frames, level)
            bits.append(encoded.bits)
            errors.append(np.square(codec.decode(encoded) - frames.astype(np.float64)).mean())
        assert bits == sorted(set(bits)), index
        assert errors == sorted(set(errors), reverse=True), index


def test_the_training_learns_and_is_the_same_each_time(example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import train  # the example's
    from harness_codec_tiny.network import TinyAutoencoder

    monkeypatch.setattr(train, "IMAGES", 4)
    monkeypatch.setattr(train, "HELD_OUT", 2)
    images = train.frames()
    assert len(images) == 6
    weights = []
    for _ in range(2):
        torch.manual_seed(0)
        network = TinyAutoencoder()
        before = train.measure(network.state_dict(), images[4:])
        weights.append(train.train(network, 3, 20, images, random.Random(0)))
        assert network.state_dict().keys() == weights[-1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    after = train.measure(weights[0], images[4:])
    assert after[0] + train.WEIGHT[3] * after[1] < before[0] + train.WEIGHT[3] * before[1]


def test_the_weights_are_part_of_the_key(example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = example.Tiny().fingerprint()["weights"]
    for file in (EXAMPLE / "harness_codec_tiny").glob("*.safetensors"):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(example, "_FOLDER", tmp_path)
    assert example.Tiny().fingerprint()["weights"] == before
    changed = bytearray((tmp_path / "tiny-2.safetensors").read_bytes())
    changed[-1] ^= 1
    (tmp_path / "tiny-2.safetensors").write_bytes(changed)
    assert example.Tiny().fingerprint()["weights"] != before


def test_it_runs_beside_the_model(tmp_path: Path, cache: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(EXAMPLE / "harness_codec_tiny", site / "harness_codec_tiny")
    facts = site / "harness_codec_tiny-0.1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: harness-codec-tiny\nVersion: 0.1.0\n")
    (facts / "entry_points.txt").write_text("[harness]\ntiny = harness_codec_tiny\n")
    values = {}
    for workers in ("0", "1"):
        (tmp_path / workers).mkdir()
        session = Session(tmp_path / workers, cache, path=site)
        session.run_process(*RUN, "--workers", workers)
        values[workers] = session.values()
        chosen = "from results where metric = 'AP' and codec = 'tiny' order by level desc"
        for measured in ("bpp", "psnr"):
            falling = session.select(f"select {measured} {chosen}")
            assert len(falling) == 3
            assert falling == sorted(set(falling), reverse=True)
    assert values["0"] == values["1"]
