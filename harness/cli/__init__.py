"""The command line. A command's module is imported only when the command is called, so `harness --help` is fast."""

from harness.cli.main import main

__all__ = ["main"]
