"""Models for human pose estimation."""
