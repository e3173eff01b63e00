"""The dataset formats of segmentation."""
