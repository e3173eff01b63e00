"""Models for object detection."""
