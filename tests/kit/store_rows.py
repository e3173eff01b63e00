"""Experiments, samples and metrics to put into a store: those of the kit for authors of stores."""

from harness.testing.tools.store_rows import INFO, NONE_KEY, cell, failed, metric, put_results, row, rows_of

__all__ = ["INFO", "NONE_KEY", "cell", "failed", "metric", "put_results", "row", "rows_of"]
