"""Figures of results, drawn with matplotlib (the extra `plot`)."""
