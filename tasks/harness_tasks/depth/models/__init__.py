"""Models for depth estimation."""
