"""Depth models."""
