"""A model as Lightning wants it, one optimizer a part, and the running average of its weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from harness.model import Model
    from harness.training.recipe import Recipe

__all__ = ["Average", "Learner", "optimizer"]


class Learner(torch.nn.Module):
    """The network of a model; calling it computes a part's losses.

    Losses go through `forward` so that Lightning's precision and its gradient exchange between devices apply.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network = model.network
        self._model = (model,)  # in a tuple, so that torch does not take it for a submodule

    def forward(self, batch: Any, part: str) -> Mapping[str, torch.Tensor]:
        return self._model[0].losses(batch, part)


def optimizer(parameters: Iterable[torch.nn.Parameter], recipe: Recipe, rate: float) -> torch.optim.Optimizer:
    """The recipe's optimizer for one part. Weight decay is for tensors of two or more dimensions."""
    owned = list(parameters)
    groups = [
        {"params": [p for p in owned if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in owned if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=recipe.momentum)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=rate, betas=(recipe.momentum, 0.999))


class Average:
    """The exponential moving average of a network's state.

    The decay rises from 0.1 to its final value over the first iterations, so that the beginning is forgotten.
    """

    def __init__(self, network: torch.nn.Module, decay: float) -> None:
        self._network = network
        self._decay = decay
        self.state = {name: value.detach().clone() for name, value in network.state_dict().items()} if decay else {}

    @torch.no_grad()
    def update(self, iteration: int) -> None:
        """Takes in the network's state after an iteration (from 0)."""
        if not self._decay:
            return
        share = 1.0 - min(self._decay, (1 + iteration) / (10 + iteration))
        for name, value in self._network.state_dict().items():
            kept = self.state[name]
            if kept.dtype.is_floating_point:
                kept.lerp_(value, share)
            else:
                kept.copy_(value)

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Goes on from a saved average."""
        for name, value in state.items():
            self.state[name].copy_(value)

    def result(self) -> Mapping[str, torch.Tensor]:
        """The average, or the network's own state where none is kept."""
        return self.state if self._decay else self._network.state_dict()
