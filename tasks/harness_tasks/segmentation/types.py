"""The type of predictions and targets in segmentation: label maps.

A prediction is an integer array [H, W] of the model's class numbers, in the size of the source frame. A target is
uint8[H, W] of the dataset's class numbers, with `IGNORE` where a pixel is not scored. `Segmentation.translator`
converts a prediction to the dataset's classes; a class that the dataset does not have becomes C, the number of classes.
"""

from __future__ import annotations

__all__ = ["IGNORE"]

IGNORE = 255
"""The label of pixels that no statistic counts."""
