"""What a user asks for: the texts of the command line, before any name is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Reference", "Request"]

Reference = Literal["labels", "predictions"]


@dataclass(frozen=True)
class Request:
    """A cross product to run.

    Args:
        codecs: `name[:options][@levels]` each.
        tasks: names, or "all".
        models: `name[:options]` each; empty takes each task's default.
        datasets: `name[:options]` each; empty takes each task's default.
        weights: a file or a name that the model knows; None takes the model's default.
        data_roots: dataset name -> folder; under "" the folder of any other.
        split: the split to evaluate on; None takes the dataset's own.
        limit: a stratified subset of so many samples.
        seed: of that subset, and of training.
        precision: of the forward pass.
        batch: samples a batch; None takes the model's default for the device.
        device: the torch device's type ("cpu", "cuda", "mps"), for that default.
        baseline: whether the uncompressed baseline belongs to the plan.
        retrain: "matched", "all", "mixed", "clean", a level, or `codec@level` each; empty trains nothing.
        scratch: whether retraining starts from random weights instead of the pretrained ones.
        recipe: of the retraining; None takes the task's default for it.
        settings: values of the recipe that are changed, "key=value" each.
        seeds: how often each training is done, each time from another seed.
        parts: the parts of the model that are retrained; empty for all.
        reference: what predictions are judged by: the dataset's labels, or the model's own output on uncompressed
            frames.
    """

    codecs: tuple[str, ...]
    tasks: tuple[str, ...]
    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    weights: str | None = None
    data_roots: tuple[tuple[str, str], ...] = ()
    split: str | None = None
    limit: int | None = None
    seed: int = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    batch: int | None = None
    device: str = "cpu"
    baseline: bool = True
    retrain: tuple[str, ...] = ()
    scratch: bool = False
    recipe: str | None = None
    settings: tuple[str, ...] = ()
    seeds: int = 1
    parts: tuple[str, ...] = ()
    reference: Reference = "labels"
