"""`--compile`: the network is compiled in place, gives almost the same, and its experiments are others."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.device.compiling import check_compiler, compile_network
from harness.errors import HarnessError, UsageError
from harness.model import Memo, Model, Precision, Weights
from kit.command import Session

Frames = Any


class Tiny(Model):
    """A network of one layer."""

    name = "tiny"
    task = "counting"

    def prepared_shape(self, outline: Any) -> tuple[int, ...]:
        return (3,)

    def prepare(self, frames: Frames, scored: tuple[int, ...], memo: Memo) -> torch.Tensor:
        return torch.ones(3)

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        torch.manual_seed(0)
        self._network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.GELU()).eval()

    def predict(self, batch: torch.Tensor) -> list[list[float]]:
        return [[float(row.sum())] for row in self.network(batch)]


class Rules(Tiny):
    """A model without a network."""

    name = "rules"

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        pass


def test_a_compiled_network_is_called_and_stays_the_model_s_own() -> None:
    model = Tiny()
    model.load(Weights("none", None, ""), (), "cpu")
    names = list(model.network.state_dict())
    batch = torch.arange(12.0).reshape(4, 3)
    with torch.inference_mode():
        before = model.predict(batch)
    calls: list[int] = []

    def backend(module: torch.fx.GraphModule, inputs: Any) -> Any:
        calls.append(len(inputs))
        return module.forward

    network, default = model.network, torch.compile
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch._dynamo.reset()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(torch, "compile", lambda function, **_: default(function, backend=backend))
            compile_network(model)
            with torch.inference_mode():
                assert model.predict(batch) == before
        torch._dynamo.reset()
    assert calls
    assert model.network is network
    assert list(model.network.state_dict()) == names


def test_a_model_without_a_network_is_told() -> None:
    model = Rules()
    model.load(Weights("none", None, ""), (), "cpu")
    with pytest.raises(HarnessError, match="--compile: model rules has no network"):
        compile_network(model)


def test_a_missing_compiler_is_found_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(function: Any) -> Any:
        def call(values: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("Failed to find C compiler.\nPlease specify one.")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.raises(UsageError, match=r"--compile: torch cannot compile for cpu: RuntimeError: Failed to find C"):
        check_compiler("cpu")


COMPILE_QUICKLY = """
import functools
import torch

torch.compile = functools.partial(torch.compile, backend="aot_eager")
"""
"""Networks are traced and cut into graphs as ever, but no C++ is made of the graphs, which takes minutes."""


def test_a_run_with_a_compiled_network(tmp_path: Path, cache: Path) -> None:
    """Its experiments are others, with almost the same results, and tables say which are which."""
    session = Session(tmp_path, cache)
    few = ("--resamples", "100", "--device", "cpu")
    session.run("run", "--task", "segmentation", "--codec", "jpeg@50", "--limit", "2", *few)
    (tmp_path / "compiled.toml").write_text('task = "segmentation"\ncodec = "jpeg@50"\ncompile = true\nlimit = 2\n')
    out = session.run_process("run", "compiled.toml", *few, before=COMPILE_QUICKLY)
    assert "0 found in the database, 2 to do" in out.stderr
    query = "SELECT codec, compiled, value FROM results WHERE metric = 'mIoU' AND status = 'finished' ORDER BY 1, 2"
    rows = session.select(query)
    assert [row[:2] for row in rows] == [("jpeg", 0), ("jpeg", 1), ("none", 0), ("none", 1)]
    assert rows[0][2] == pytest.approx(rows[1][2], abs=0.02)
    assert rows[2][2] == pytest.approx(rows[3][2], abs=0.02)
    assert session.select("SELECT json_extract(settings, '$.compiled') FROM runs ORDER BY id") == [(0,), (1,)]
    assert "all found in the database" in session.run("run", "compiled.toml", *few).stderr
    table = session.run("results").stdout.splitlines()
    assert table[1].split()[:2] == ["compiled", "codec"]
    assert [line.startswith("not compiled") for line in table[2:6]] == [True, True, False, False]
    panel = session.run("results", "show", "--task", "segmentation", "--codec", "jpeg", "-o", "panel.png")
    assert "There are also" in panel.stderr
    assert (tmp_path / "panel.png").is_file()
