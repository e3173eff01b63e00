"""Uncertainty of metrics: resampling, confidence intervals, ratios, and the format of the stored statistics."""
