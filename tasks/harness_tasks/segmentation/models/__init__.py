"""Models for semantic segmentation."""
