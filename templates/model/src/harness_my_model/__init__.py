"""The model `my-model`: a small convolutional network for segmentation, which comes with its weights."""

from pathlib import Path

import numpy as np

from harness import hookimpl
from harness.model import Model, autocast
from harness.options import Option
from harness.weights import from_file, load_into, load_state
from harness_tasks.segmentation.types import IGNORE

WEIGHTS = Path(__file__).with_name("my-model.safetensors")
"""Trained on the demo world: `harness train --model my-model --task segmentation --dataset demo` makes others."""


class MyModel(Model):
    """Four layers that see 31x31 pixels around each one.

    torch is imported in the functions that need it, because every command imports this module.
    """

    name = "my-model"
    summary = "four layers of 3x3 convolutions, trained on the demo world"
    task = "segmentation"
    default_batch = 4
    own_weights = WEIGHTS
    trainable = True
    options = (Option("channels", int, 16, "The channels of each layer.", minimum=1, maximum=512),)

    def resolve_weights(self, asked, dataset_classes):
        """The weights that the user names by --weights, or those that come with the package."""
        return from_file(self.name, asked or str(WEIGHTS))

    # In worker processes, without the network

    def prepared_shape(self, outline):
        """Samples of equal shapes share a batch."""
        return (outline.height, outline.width)

    def prepare(self, frames, scored, memo):
        """uint8[T, H, W, 3], RGB -> the scored frames as bytes; what can be done on the device is done there."""
        import torch

        return torch.from_numpy(np.array(frames[list(scored)]))

    # On the device

    def load(self, weights, classes, device, precision="fp32"):
        self.classes = weights.classes or classes
        self.device, self.precision = device, precision
        self._network = self._new(len(self.classes))
        load_into(self._network, load_state(weights), f"weights {weights.name}")
        self._network.to(device).eval()

    def predict(self, batch):
        """uint8[N, S, H, W, 3] -> for each sample a list with one label map uint8[H, W] for each scored frame."""
        count, scored, height, width, _ = batch.shape
        with autocast(self.device, self.precision):
            scores = self.network(_normalised(batch.reshape(count * scored, height, width, 3)))
        labels = scores.float().argmax(dim=1).byte().cpu().numpy()  # one copy for the whole batch
        return [list(maps) for maps in labels.reshape(count, scored, height, width)]

    # Training. A model that cannot be trained leaves this out, and `trainable` too.

    def build(self, classes, initial=None):
        self.classes = classes
        self._network = self._new(len(classes))
        if initial is not None:
            load_into(self._network, load_state(initial), f"weights {initial.name}")
        return self._network

    def prepare_train(self, frames, targets, rng):
        """One example: a labelled frame and its label map, mirrored or not. All chance is drawn from `rng`."""
        import torch

        place = sorted(targets)[rng.integers(len(targets))]
        step = -1 if rng.random() < 0.5 else 1
        image, labels = frames[place][:, ::step], targets[place][:, ::step]
        return torch.from_numpy(image.copy()), torch.from_numpy(labels.astype(np.int64))

    def losses(self, batch, part):
        from torch.nn.functional import cross_entropy

        images, labels = batch
        return {"cross_entropy": cross_entropy(self.network(_normalised(images)), labels, ignore_index=IGNORE)}

    def _new(self, classes):
        from torch import nn

        width = self.option("channels")
        layers = []
        for channels, dilation in ((3, 1), (width, 2), (width, 4), (width, 8)):
            layers += [nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation), nn.ReLU()]
        return nn.Sequential(*layers, nn.Conv2d(width, classes, 1))


def _normalised(images):
    """uint8[N, H, W, 3] -> float32[N, 3, H, W], from -1 to 1."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


@hookimpl
def harness_models():
    return [MyModel]
