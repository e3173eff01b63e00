"""Dataset formats of segmentation."""
