"""The classes of detection models and datasets, matched by name."""

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
"""What VOC and others call a class, and what COCO calls it."""

_DROPPED = -1


def canonical(name: str) -> str:
    """The name that two spellings of a class share.

    >>> canonical("TV_monitor"), canonical("Aeroplane"), canonical("traffic light")
    ('tv', 'airplane', 'traffic light')
    """
    plain = " ".join(name.lower().replace("_", " ").replace("-", " ").split())
    return SYNONYMS.get(plain, plain)


@dataclass(frozen=True)
class Translation:
    """Turns detections in a model's classes into detections in a dataset's; call it.

    Args:
        table: int64[len(model's classes)], the dataset's label of each of the model's, -1 for those it lacks, whose
            detections are left out.
        missing: the dataset's classes that the model lacks. Nothing can find their objects, so their AP is 0 and
            counts in the mean: results of one dataset stay comparable between models.
    """

    table: NDArray[np.int64]
    missing: tuple[str, ...]

    def __call__(self, prediction: Detections) -> Detections:
        labels = self.table[prediction.labels]
        known = labels != _DROPPED
        return Detections(prediction.boxes[known], prediction.scores[known], labels[known])


def translation(model_classes: Sequence[str], dataset_classes: Sequence[str], dataset: str) -> Translation:
    """The translation between two lists of classes, by name and `SYNONYMS`.

    A name of the model's that appears twice is no problem; one of the dataset's takes its first place. Background and
    unused entries ("__background__", "N/A") of a model have no counterpart and are dropped.

    Raises:
        WeightsError: the two have no class in common.
    """
    places: dict[str, int] = {}
    for index, name in enumerate(dataset_classes):
        places.setdefault(canonical(name), index)
    table = np.array([places.get(canonical(name), _DROPPED) for name in model_classes], np.int64)
    if not (table != _DROPPED).any():
        raise WeightsError(
            f"the weights know the classes {some(model_classes)}; dataset {dataset} has {some(dataset_classes)}: "
            f"none in common. Choose a dataset of the model's classes, or retrain the model on this one."
        )
    reached = set(table.tolist())
    return Translation(
        table,
        missing=tuple(name for index, name in enumerate(dataset_classes) if index not in reached),
    )


def some(names: Sequence[str], limit: int = 10) -> str:
    """The first names of a list, and how many more there are."""
    rest = len(names) - limit
    return (", ".join(names[:limit]) or "none at all") + (f" and {rest} more" if rest > 0 else "")
