"""Match the class names of detection models and datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import WeightsError
from harness_tasks.detection.types import Detections

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SYNONYMS", "Translation", "canonical", "some", "translation"]

SYNONYMS: dict[str, str] = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
    "television": "tv",
    "tv monitor": "tv",
    "pedestrian": "person",
    "people": "person",
    "cellphone": "cell phone",
    "mobile phone": "cell phone",
    "hairdryer": "hair drier",
    "hair dryer": "hair drier",
    "doughnut": "donut",
}
"""Class names of VOC and other datasets, with COCO's name for the same class."""

_DROPPED = -1


def canonical(name: str) -> str:
    """Return the canonical spelling of a class name.

    >>> canonical("TV_monitor"), canonical("Aeroplane"), canonical("traffic light")
    ('tv', 'airplane', 'traffic light')
    """
    plain = " ".join(name.lower().replace("_", " ").replace("-", " ").split())
    return SYNONYMS.get(plain, plain)


@dataclass(frozen=True)
class Translation:
    """A function that converts detections from a model's classes to a dataset's classes.

    Args:
        table: int64[number of the model's classes], the dataset's label of each class of the model; -1 for a class that
            the dataset does not have. Detections of such a class are dropped.
        missing: the dataset's classes that the model does not have. Their AP is 0 and counts in the mean, so results on
            one dataset stay comparable between models.
    """

    table: NDArray[np.int64]
    missing: tuple[str, ...]

    def __call__(self, prediction: Detections) -> Detections:
        labels = self.table[prediction.labels]
        known = labels != _DROPPED
        return Detections(prediction.boxes[known], prediction.scores[known], labels[known])


def translation(model_classes: Sequence[str], dataset_classes: Sequence[str], dataset: str) -> Translation:
    """Return the translation between two lists of classes, matched by name and `SYNONYMS`.

    A class name may occur twice in the model's list. In the dataset's list, the first occurrence is used. Background
    and unused entries of the model ("__background__", "N/A") match no class and are dropped.

    Raises:
        WeightsError: the two lists have no class in common.
    """
    dataset_labels: dict[str, int] = {}
    for index, name in enumerate(dataset_classes):
        dataset_labels.setdefault(canonical(name), index)
    table = np.array([dataset_labels.get(canonical(name), _DROPPED) for name in model_classes], np.int64)
    if not (table != _DROPPED).any():
        raise WeightsError(
            f"the weights know the classes {some(model_classes)}; dataset {dataset} has {some(dataset_classes)}: "
            f"none in common. Choose a dataset of the model's classes, or retrain the model on this one."
        )
    found_labels = set(table.tolist())
    return Translation(
        table,
        missing=tuple(name for index, name in enumerate(dataset_classes) if index not in found_labels),
    )


def some(names: Sequence[str], limit: int = 10) -> str:
    """Return the first names of a list as text, and the number of further names."""
    rest = len(names) - limit
    return (", ".join(names[:limit]) or "none at all") + (f" and {rest} more" if rest > 0 else "")
