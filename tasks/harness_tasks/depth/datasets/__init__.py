"""Formats of depth datasets."""
