"""The command line. Commands are imported when they are asked for, so that `harness --help` answers at once."""

from harness.cli.main import main

__all__ = ["main"]
