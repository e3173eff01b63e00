"""Every task's demo model computes its network in the precision that it is loaded with, and lists those it heeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness.discovery.plugins import installed
from harness.model import PRECISIONS, NoMemo, Precision, autocast

KINDS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "tf32": torch.float32}
DEMO = ("demo-faster-rcnn", "demo-segnet", "demo-depth-gan", "demo-openpose", "demo-two-stream")


def predicted(name: str, precision: Precision) -> tuple[set[torch.dtype], str]:
    """The types in which a demo model's convolutions come out, and its predictions as text."""
    model = installed().get("model", name)()
    weights = model.resolve_weights(None, ())
    model.load(weights, weights.classes, "cpu", precision)
    found: set[torch.dtype] = set()

    def note(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
        found.add(output.dtype)

    for module in model.network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(note)
    frames = np.random.default_rng(0).integers(0, 256, (12 if model.task == "action" else 1, 96, 128, 3), np.uint8)
    with torch.inference_mode():
        predictions = model.predict(model.collate([model.prepare(frames, (0,), NoMemo())]))
    return found, str(predictions)


@pytest.mark.parametrize("name", DEMO)
def test_the_network_computes_in_the_precision_that_was_asked_for(name: str) -> None:
    made = {precision: predicted(name, precision) for precision in PRECISIONS}
    assert {precision: kinds for precision, (kinds, _) in made.items()} == {
        precision: {kind} for precision, kind in KINDS.items()
    }
    assert made["tf32"][1] == made["fp32"][1]  # the flags, which the engine sets, mean nothing to the CPU


def test_every_model_that_comes_with_the_harness_heeds_every_precision() -> None:
    plugins = installed()
    assert {plugins.get("model", name).precisions for name in plugins.names("model")} == {PRECISIONS}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_autocast_is_torch_s(precision: Precision) -> None:
    with autocast("cpu", precision):
        assert torch.is_autocast_enabled("cpu") == (precision in ("bf16", "fp16"))
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == KINDS[precision]
    assert not torch.is_autocast_enabled("cpu")
