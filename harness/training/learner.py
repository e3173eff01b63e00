"""The network in the form that Lightning needs, the optimizer of each part, and the moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from harness.model import Model
    from harness.training.recipe import Recipe

__all__ = ["Average", "Learner", "optimizer"]


class Learner(torch.nn.Module):
    """A torch module that contains a model's network; calling it computes the losses of one part on a batch.

    The losses are computed in `forward`, so that Lightning's mixed precision and gradient exchange apply to them.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network = model.network
        self._model = (model,)  # in a tuple, so that torch does not register it as a submodule

    def forward(self, batch: Any, part: str) -> Mapping[str, torch.Tensor]:
        return self._model[0].losses(batch, part)


def optimizer(parameters: Iterable[torch.nn.Parameter], recipe: Recipe, rate: float) -> torch.optim.Optimizer:
    """Return the recipe's optimizer for one part. Weight decay applies to tensors of two or more dimensions only.

    Args:
        parameters: the parameters of the part.
        recipe: the training recipe.
        rate: the learning rate.
    """
    trained = list(parameters)
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=recipe.momentum)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=rate, betas=(recipe.momentum, 0.999))


class Average:
    """The exponential moving average of a network's weights and buffers. With a decay of 0 it keeps no average.

    The decay rises from 0.1 to its final value over the first iterations, so that the initial weights lose their
    influence quickly.
    """

    def __init__(self, network: torch.nn.Module, decay: float) -> None:
        self._network = network
        self._decay = decay
        self.state = {name: value.detach().clone() for name, value in network.state_dict().items()} if decay else {}

    @torch.no_grad()
    def update(self, iteration: int) -> None:
        """Update the average with the network's state after an iteration (counted from 0)."""
        if not self._decay:
            return
        share = 1.0 - min(self._decay, (1 + iteration) / (10 + iteration))
        for name, value in self._network.state_dict().items():
            average = self.state[name]
            if average.dtype.is_floating_point:
                average.lerp_(value, share)
            else:
                average.copy_(value)

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Load an average that was saved in a checkpoint; later updates continue from it."""
        for name, value in state.items():
            self.state[name].copy_(value)

    def result(self) -> Mapping[str, torch.Tensor]:
        """Return the average, or the network's current state if no average is kept."""
        return self.state if self._decay else self._network.state_dict()
