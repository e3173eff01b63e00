"""Weights of codecs: an option names a file, whose content is a part of the key, and whose folder is not."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.errors import UsageError, WeightsError
from harness.media.levers import with_levers
from harness.options import Option, Value
from harness.planning.codecs import choose_codec
from harness.planning.identity import changed_options, codec_identity
from harness.weights import for_codec, load_state, save_state
from harness_codecs.none import Uncompressed

WEIGHTS = Option("weights", str, None, "a file of weights", file=True)


class Weighed(Uncompressed):
    """A codec with a file of weights."""

    options = (WEIGHTS,)

    def fingerprint(self) -> Mapping[str, Value]:
        return {"weights": for_codec(self.name, self.option("weights")).digest}


def saved(path: Path, value: float) -> Path:
    path.parent.mkdir(exist_ok=True)
    save_state(path, {"gain": torch.tensor([value])}, ())
    return path


def test_the_content_is_in_the_key_and_the_folder_is_not(tmp_path: Path) -> None:
    here = saved(tmp_path / "a" / "one.safetensors", 1.0)
    other = saved(tmp_path / "b" / "one.safetensors", 2.0)
    there = tmp_path / "one.safetensors"
    shutil.copy(here, there)
    for levers in ({}, {"scale": 0.5}):
        first, moved, changed = (
            codec_identity(with_levers(Weighed, {"weights": str(path), **levers}), "p 1")
            for path in (here, there, other)
        )
        assert first == moved
        assert first["options"]["weights"] == "one.safetensors"
        assert first["fingerprint"]["weights"] != changed["fingerprint"]["weights"]
        assert str(tmp_path) not in str(first)
    assert changed_options(Weighed(weights=str(here))) == {"weights": "one.safetensors"}
    assert load_state(for_codec("weighed", str(other)))["gain"].tolist() == [2.0]


def test_an_entry_of_a_file_is_named(tmp_path: Path) -> None:
    torch.save({"model": {"gain": torch.zeros(1)}, "ema": {"gain": torch.ones(1)}}, tmp_path / "a.pth")
    weights = for_codec("weighed", f"{tmp_path}/a.pth:key=ema")
    assert load_state(weights)["gain"].tolist() == [1.0]
    assert Weighed(weights=f"{tmp_path}/a.pth:key=ema").lasting_config() == {"weights": "a.pth:key=ema"}
    assert weights.digest != for_codec("weighed", f"{tmp_path}/a.pth").digest


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"weights .*no.pth for codec none: the file does not exist"):
        Weighed(weights=str(tmp_path / "no.pth")).fingerprint()
    with pytest.raises(WeightsError, match="codec weighed has no weights of its own"):
        for_codec("weighed", None)


def test_a_codec_that_does_not_name_its_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "one.safetensors", 1.0)
    monkeypatch.setattr(Uncompressed, "options", (WEIGHTS,))
    text = f"none:weights={path}"
    with pytest.raises(UsageError, match=r"codec none: its fingerprint lacks the SHA-256 of the file in weights="):
        choose_codec(text, installed(), load_registry(()))
    monkeypatch.setattr(Uncompressed, "fingerprint", Weighed.fingerprint)
    assert choose_codec(text, installed(), load_registry(())).codec.config == {"weights": str(path)}
