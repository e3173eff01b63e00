"""Cached results that are reused (encoded streams, derived data), and names of the processes that work on a task."""
