"""What segmentation models give and segmentation datasets want: label maps.

A prediction is an integer array [H, W] of the model's class numbers, in the size of the source frame; a target is
uint8[H, W] of the dataset's class numbers, `IGNORE` where a pixel is not scored. A prediction in the dataset's classes
(what `Segmentation.translator` makes) has the number of classes, C, where the model saw a class that the dataset does
not have.
"""

from __future__ import annotations

__all__ = ["IGNORE"]

IGNORE = 255
"""The label of pixels that are left out of every statistic."""
