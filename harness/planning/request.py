"""A user's request: the texts of the command line, before any name is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harness.model import Precision

__all__ = ["Reference", "Request"]

Reference = Literal["labels", "predictions"]


@dataclass(frozen=True)
class Request:
    """A request to run the cross product of codecs, tasks, models and datasets.

    Args:
        codecs: the codecs, each `name[:options][@levels]`.
        tasks: the names of the tasks, or "all".
        models: the models, each `name[:options]`; empty for each task's default.
        datasets: the datasets, each `name[:options]`; empty for each task's default.
        weights: a file of weights, or a name that the model knows; None for the model's default.
        data_roots: pairs of dataset name and folder; the name "" gives the folder for all other datasets.
        split: the split to evaluate on; None for the dataset's default.
        limit: the size of a stratified subset of the samples; None for all samples.
        seed: the seed for selecting the subset and for training.
        precision: the precision of the forward pass.
        compiled: whether torch compiles the network.
        batch: the number of samples in a batch; None for the model's default; "auto" for the number with which the
            device is fastest, which the engine measures.
        baseline: whether the plan includes the uncompressed baseline.
        retrain: the retrainings, each "matched", "all", "mixed", "clean", a level, or `codec@level`; empty for no
            retraining.
        scratch: whether retraining starts from random weights instead of the pretrained weights.
        recipe: the name of the recipe for retraining; None for the task's default.
        settings: changes to the recipe, each "key=value".
        seeds: how often each training is repeated; each repetition has another seed.
        parts: the parts of the model that are retrained; empty for all parts.
        reference: what predictions are compared with: the dataset's labels, or the model's own output on uncompressed
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
    precision: Precision = "fp32"
    compiled: bool = False
    batch: int | Literal["auto"] | None = None
    baseline: bool = True
    retrain: tuple[str, ...] = ()
    scratch: bool = False
    recipe: str | None = None
    settings: tuple[str, ...] = ()
    seeds: int = 1
    parts: tuple[str, ...] = ()
    reference: Reference = "labels"
