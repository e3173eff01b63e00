"""A sound model, which finds a red and a green rectangle, and models that have one fault each."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.dataset import Dataset, Outline, Sample
from harness.errors import WeightsError
from harness.model import Model
from harness.testing import ModelPromises
from harness.weights import Weights
from harness_tasks.detection.types import Boxes, Detections

COLOURS = ("red", "green")


class Rectangles(Dataset):
    """Dark pictures with a red and a green rectangle."""

    name = "kit-rectangles"
    tasks = ("detection",)
    splits = ("test",)
    needs_root = False

    def open(self) -> None:
        self.classes = COLOURS

    def __len__(self) -> int:
        return 3

    def outline(self, index: int) -> Outline:
        return Outline(f"picture {index}", 48, 64)

    def __getitem__(self, index: int) -> Sample:
        frames = np.full((1, 48, 64, 3), 20, np.uint8)
        boxes = [(30 + 5 * index, 3, 44 + 6 * index, 13 + index), (2, 26 - 4 * index, 12, 46 - 3 * index)]
        for colour, (left, top, right, bottom) in enumerate(boxes):
            frames[0, top:bottom, left:right, colour] = 230
        return Sample(f"picture {index}", frames, {0: Boxes.of(boxes, [0, 1])})

    def fingerprint(self) -> str:
        return "0" * 64


class SoundModel(Model):
    """Finds the pixels of each colour, and gives the box around them."""

    name = "kit-rectangles"
    summary = "the rectangles around red and green pixels"
    task = "detection"
    trainable = True

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        if asked is not None and not Path(asked).is_file():
            raise WeightsError(f"model {self.name}: there is no file {asked}.")
        return Weights("none", None, "0" * 64, ())

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        return (outline.height, outline.width, 3)

    def prepare(self, frames: Any, scored: tuple[int, ...], memo: Any) -> Any:
        import torch

        return torch.from_numpy(frames[0].copy())

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Any = "fp32") -> None:
        self.classes = COLOURS

    def predict(self, batch: Any) -> list[list[Any]]:
        return [[self.found(image)] for image in batch.numpy()]

    def found(self, image: Any) -> Detections:
        boxes, labels = [], []
        for colour in range(2):
            rows, columns = np.nonzero(image[..., colour] > 128)
            if len(rows):
                boxes.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
                labels.append(colour)
        corners = np.array(boxes, np.float32).reshape(-1, 4)
        return Detections(corners, np.full(len(boxes), 0.9, np.float32), np.array(labels, np.int64))

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> Any:
        import torch

        return torch.nn.Linear(3, 1)

    def prepare_train(self, frames: Any, targets: Mapping[int, Any], rng: Any) -> Any:
        import torch

        image = frames[0].astype(np.float32) / 255 + rng.normal(0, 0.01)
        return torch.from_numpy(image.mean((0, 1)).astype(np.float32))

    def losses(self, batch: Any, part: str) -> Mapping[str, Any]:
        return {"error": ((self.network(batch) - 1) ** 2).mean()}


class RectanglesPromises(ModelPromises):
    """How the sound model and its mutants are tested."""

    dataset = "kit-rectangles"

    @property
    def source(self) -> Dataset:
        if "source" not in self._kept:
            self._kept["source"] = Rectangles("detection")
            self._kept["source"].open()
        return self._kept["source"]


def changed(found: Detections, **fields: Any) -> Detections:
    """Detections with other fields."""
    return Detections(**{name: fields.get(name, getattr(found, name)) for name in ("boxes", "scores", "labels")})


class PreparesByTheNetwork(SoundModel):
    """Prepares with what `load` has set."""

    broken = "preparing_needs_no_network"

    def prepare(self, frames: Any, scored: tuple[int, ...], memo: Any) -> Any:
        return super().prepare(frames, scored, memo) + (len(self.classes) > 0)


class PreparesInPlace(SoundModel):
    """Darkens the frames that it prepares."""

    broken = "preparing_leaves_the_frames"

    def prepare(self, frames: Any, scored: tuple[int, ...], memo: Any) -> Any:
        frames //= 2
        return super().prepare(frames * 2, scored, memo)


class OneShapeForAll(SoundModel):
    """Says that all samples are prepared to one shape."""

    broken = "prepared_shapes_tell_what_fits_into_a_batch"

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        return (48, 64, 3)


class OnePredictionForTheBatch(SoundModel):
    """Gives one list for the whole batch."""

    broken = "each_scored_frame_has_a_prediction"

    def predict(self, batch: Any) -> list[list[Any]]:
        return [[self.found(image) for image in batch.numpy()]]


class LabelsOutOfRange(SoundModel):
    """Counts labels from one, the last is out of range."""

    broken = "each_scored_frame_has_a_prediction"

    def found(self, image: Any) -> Detections:
        found = super().found(image)
        return changed(found, labels=found.labels + 1)


class OtherTypeOfPrediction(SoundModel):
    """Gives dictionaries, as torchvision does."""

    broken = "each_scored_frame_has_a_prediction"

    def predict(self, batch: Any) -> list[list[Any]]:
        return [[vars(self.found(image))] for image in batch.numpy()]


class SortsTheBatch(SoundModel):
    """Gives the predictions of a batch sorted by the position of the first box."""

    broken = "order_is_kept"

    def predict(self, batch: Any) -> list[list[Any]]:
        return sorted(super().predict(batch), key=lambda one: -one[0].boxes[:, 0].sum())


class TurnsTheBatch(SoundModel):
    """Gives the predictions of a batch in the wrong order."""

    broken = "a_batch_is_its_samples"

    def predict(self, batch: Any) -> list[list[Any]]:
        return super().predict(batch)[::-1]


class NormalisesByTheBatch(SoundModel):
    """Scores a sample by the batch that it is in, as batch norm in training mode does."""

    broken = "a_batch_is_its_samples"

    def predict(self, batch: Any) -> list[list[Any]]:
        level = batch.float().mean().item() / 255
        return [
            [changed(one, scores=one.scores * np.float32(level)) for one in ones] for ones in super().predict(batch)
        ]


class DrawsRandomNumbers(SoundModel):
    """Has random scores."""

    broken = "the_same_again"

    def found(self, image: Any) -> Detections:
        found = super().found(image)
        return changed(found, scores=found.scores * np.float32(random.random()))


class FindsTheSame(SoundModel):
    """Finds the same in every picture."""

    broken = "predictions_depend_on_the_picture"

    def found(self, image: Any) -> Detections:
        return Detections(np.array([[4, 4, 20, 20]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))


class NothingIsAnError(SoundModel):
    """Fails where it finds nothing."""

    broken = "nothing_found"

    def found(self, image: Any) -> Detections:
        found = super().found(image)
        found.scores.max()
        return found


class NothingHasNoShape(SoundModel):
    """Gives boxes of shape [0] where it finds nothing."""

    broken = "nothing_found"

    def found(self, image: Any) -> Detections:
        found = super().found(image)
        return found if len(found.boxes) else changed(found, boxes=np.zeros(0, np.float32))


class NoClasses(SoundModel):
    """Sets no classes."""

    broken = "classes_are_set"

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Any = "fp32") -> None:
        pass


class ClassesAreNumbers(SoundModel):
    """Sets numbers for classes."""

    broken = "classes_are_set"

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Any = "fp32") -> None:
        self.classes = (0, 1)  # type: ignore[assignment]


class LabelsExchanged(SoundModel):
    """Has its labels in another order than its classes."""

    broken = "it_recognises_what_the_dataset_shows"

    def found(self, image: Any) -> Detections:
        found = super().found(image)
        return changed(found, labels=1 - found.labels)


class RowsBeforeColumns(SoundModel):
    """Gives boxes as y1, x1, y2, x2."""

    broken = "it_recognises_what_the_dataset_shows"

    def found(self, image: Any) -> Detections:
        found = super().found(image)
        return changed(found, boxes=found.boxes[:, [1, 0, 3, 2]])


class WidthAndHeight(SoundModel):
    """Gives boxes as x, y, width, height."""

    broken = "each_scored_frame_has_a_prediction"

    def found(self, image: Any) -> Detections:
        found = super().found(image)
        boxes = found.boxes.copy()
        boxes[:, 2:] -= boxes[:, :2]
        return changed(found, boxes=boxes)


class BoxesOfTheModelsScale(SoundModel):
    """Resizes to 64x48, and leaves boxes at that scale."""

    broken = "coordinates_are_the_sources"

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        return (48, 64, 3)

    def prepare(self, frames: Any, scored: tuple[int, ...], memo: Any) -> Any:
        import torch

        down, right = frames.shape[1] // 48, frames.shape[2] // 64
        return torch.from_numpy(frames[0, ::down, ::right].copy())


class BoxesOfOneToZero(SoundModel):
    """Gives boxes as shares of the picture."""

    broken = "it_recognises_what_the_dataset_shows"

    def found(self, image: Any) -> Detections:

        found = super().found(image)
        return changed(found, boxes=found.boxes / np.float32(64))


class TensorsOfTorch(SoundModel):
    """Gives tensors of torch."""

    broken = "predictions_travel"

    def found(self, image: Any) -> Detections:
        import torch

        found = super().found(image)
        return changed(found, scores=torch.from_numpy(found.scores))


class WeightsOfTheMoment(SoundModel):
    """Has another identity of its weights each time."""

    broken = "weights_are_resolved_alike"

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        return Weights("none", None, f"{random.getrandbits(256):064x}", ())


class MissingWeightsAreAnError(SoundModel):
    """Raises what Python raises for a missing file."""

    broken = "weights_are_resolved_alike"

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        if asked is not None:
            Path(asked).read_bytes()
        return super().resolve_weights(None, dataset_classes)


class PrintsWhenPredicting(SoundModel):
    """Prints each batch."""

    broken = "it_is_silent"

    def predict(self, batch: Any) -> list[list[Any]]:
        print("batch", len(batch))
        return super().predict(batch)


class AugmentsFromOutside(SoundModel):
    """Draws its augmentation from Python's own generator."""

    broken = "augmentation_draws_from_its_generator"

    def prepare_train(self, frames: Any, targets: Mapping[int, Any], rng: Any) -> Any:
        return super().prepare_train(frames, targets, rng) + random.random()


class LossIsNotANumber(SoundModel):
    """Has a loss that is NaN."""

    broken = "the_loss_is_finite_and_falls"

    def losses(self, batch: Any, part: str) -> Mapping[str, Any]:
        return {"error": super().losses(batch, part)["error"] * float("nan")}


class LossHasTheWrongSign(SoundModel):
    """Has a loss that is smallest where the model is worst, and is told so only by its shape."""

    broken = "the_loss_is_finite_and_falls"

    def losses(self, batch: Any, part: str) -> Mapping[str, Any]:
        error = super().losses(batch, part)["error"]
        return {"error": error.detach() * 2 - error}


class LossOfNothing(SoundModel):
    """Has a loss without a gradient."""

    broken = "the_loss_is_finite_and_falls"

    def losses(self, batch: Any, part: str) -> Mapping[str, Any]:
        return {"error": super().losses(batch, part)["error"].detach()}


class PartsShareParameters(SoundModel):
    """Has two parts with the same parameters."""

    broken = "parts_have_their_own_parameters"
    parts = ("one", "two")


MUTANTS: Sequence[Any] = SoundModel.__subclasses__()
