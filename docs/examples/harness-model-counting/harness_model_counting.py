"""A model of the task `counting`: it counts dots, as the bright area of a frame by the area of one dot."""

import hashlib

from harness import hookimpl
from harness.errors import WeightsError
from harness.model import Model, Weights
from harness.options import Option


class DotCounter(Model):
    name = "dot-counter"
    summary = "counts bright dots by their area"
    task = "counting"
    own_weights = "none: it has nothing to learn"
    options = (
        Option("area", int, 16, "pixels of one dot", minimum=1),
        Option("threshold", int, 128, "grey value from which a pixel is bright", minimum=1, maximum=255),
    )

    def resolve_weights(self, asked, dataset_classes):
        if asked is not None:
            raise WeightsError(f"{self.name} has no weights; leave --weights out.")
        return Weights("none", None, hashlib.sha256(b"dot-counter 1").hexdigest())

    def prepared_shape(self, outline):  # samples of one shape share a batch
        return (outline.height, outline.width, 3)

    def prepare(self, frames, scored, memo):  # uint8[T, H, W, 3] -> what travels to the device
        import torch

        return torch.from_numpy(frames[0].copy())

    def load(self, weights, classes, device, precision="fp32"):
        self.classes = classes

    def predict(self, batch):  # uint8[B, H, W, 3] -> for each sample, a prediction for each scored frame
        bright = (batch.float().mean(-1) >= self.option("threshold")).sum((1, 2))
        return [[round(pixels / self.option("area"))] for pixels in bright.cpu().tolist()]


@hookimpl
def harness_models():
    return [DotCounter]
