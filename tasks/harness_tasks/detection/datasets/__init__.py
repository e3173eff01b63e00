"""The dataset formats of detection."""
