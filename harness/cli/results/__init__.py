"""`harness results` and the commands below it."""

from harness.cli.results.group import results

__all__ = ["results"]
