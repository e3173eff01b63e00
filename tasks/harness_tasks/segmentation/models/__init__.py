"""The segmentation models."""
