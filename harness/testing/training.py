"""What every model that can be trained promises."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from harness.testing.model import PredictionPromises
from harness.testing.tools.broken import promise, skip
from harness.testing.tools.likeness import alike

if TYPE_CHECKING:
    from harness.model import Model

__all__ = ["ModelPromises"]


class ModelPromises(PredictionPromises):
    """What every model promises. A class of tests of a model derives from it::

        from harness.testing import ModelPromises

        class TestMyModel(ModelPromises):
            spec = "my-model"
            dataset = "demo-world"     # where it finds something; its split and root by `split` and `root`

    Class attributes:
        dataset: a dataset whose first samples the model is tried on. Without one it sees pictures without targets, and
            what needs targets is skipped.
        split: the split of the dataset; "" for its first.
        root: the folder of the dataset; None if it needs none.
        weights: the weights, as for `--weights`; None for the model's own.
        classes: the classes if there is no dataset.
        count: how many samples are tried, at least 3.
        device: the torch device.
        tolerance: by how much, as a share, predictions in another batch may differ.
        steps: the steps of training on one batch in which the loss has to fall.
        learning_rate: the rate of these steps (Adam).
    """

    def _trained(self) -> tuple[Model, Any]:
        """A model with a new network, and a batch of examples; skips if there are none."""
        import numpy as np
        import torch

        made: Model = self.make()
        if not made.trainable:
            skip("the model cannot be trained")
        if self.source is None:
            skip("there is no dataset with targets: name one in `dataset`")
        torch.manual_seed(0)
        made._network = made.build(self.class_names)
        rng = np.random.default_rng(0)
        examples = [made.prepare_train(sample.frames, sample.targets, rng) for _, sample in self.pairs[:2]]
        return made, made.collate_train(examples)

    def test_augmentation_draws_from_its_generator(self) -> None:
        """The same generator gives the same training example; frames and targets are not changed."""
        import numpy as np

        made: Model = self.make()
        if not made.trainable or self.source is None:
            skip("the model cannot be trained, or there is no dataset with targets")
        sample = self.pairs[0][1]
        before = copy.deepcopy((sample.frames, dict(sample.targets)))
        first, again = (made.prepare_train(sample.frames, sample.targets, np.random.default_rng(4)) for _ in range(2))
        promise(alike(first, again), "the same generator gives another example: draw all random numbers from `rng`.")
        promise(alike(before, (sample.frames, dict(sample.targets))), "prepare_train() changes frames or targets.")

    def test_the_loss_is_finite_and_falls(self) -> None:
        """On one batch the loss of each part is finite, and falls when the part is trained."""
        import torch

        made, batch = self._trained()
        for part in made.parts:
            parameters = made.parameters(part)
            promise(parameters, f"part {part!r} has no parameters to train.")
            optimizer = torch.optim.Adam(parameters, lr=self.learning_rate)
            values = []
            for _ in range(self.steps):
                torch.manual_seed(1)
                made.network.train()
                loss = sum(made.losses(batch, part).values(), torch.zeros(()))
                values.append(float(loss.detach()))
                promise(torch.isfinite(loss).all(), f"the loss of part {part!r} is {values[-1]} at step {len(values)}.")
                optimizer.zero_grad()
                promise(loss.requires_grad, f"the loss of part {part!r} has no gradient: do not detach it.")
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            promise(
                min(values[1:]) < values[0],
                f"in {self.steps} steps on one batch the loss of part {part!r} goes {_words(values)}: does it depend "
                "on the parameters, and has it the right sign? (`steps` and `learning_rate` may need other values.)",
            )

    def test_parts_have_their_own_parameters(self) -> None:
        """No parameter belongs to two parts."""
        made, _ = self._trained()
        seen: dict[int, str] = {}
        for part in made.parts:
            for parameter in made.parameters(part):
                promise(
                    seen.setdefault(id(parameter), part) == part,
                    f"a parameter belongs to the parts {seen[id(parameter)]!r} and {part!r}: each has its optimizer.",
                )


def _words(values: list[float]) -> str:
    return " -> ".join(f"{value:.4g}" for value in (values[0], values[-1]))
