"""CPU seconds of commands that compute nothing, beyond those of Python and of SQLAlchemy.

    python tests/benchmarks/startup.py [--rounds 5]

Each command runs as a process in a folder with a small database, in turn with `python -c pass` and `python -c "import
sqlalchemy"`; the smallest of all rounds is printed. The run is one that finds all its experiments in the database. It
is made first, which takes some seconds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

SCOPE = ["--codec", "jpeg", "--task", "segmentation", "--limit", "4"]
HARNESS = [sys.executable, "-m", "harness"]
COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "python, sqlalchemy": [sys.executable, "-c", "import sqlalchemy"],
    "--help": [*HARNESS, "--help"],
    "list codecs": [*HARNESS, "list", "codecs"],
    "list models": [*HARNESS, "list", "models"],
    "results": [*HARNESS, "results"],
    "plan": [*HARNESS, "plan", *SCOPE],
    "run that finds all": [*HARNESS, "run", *SCOPE],
}


def cpu_seconds(command: Sequence[str], folder: str) -> float:
    """User and system seconds of a process."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=folder, **quiet)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cpu_seconds(COMMANDS["run that finds all"], folder)
        taken: dict[str, list[float]] = {}
        for _ in range(arguments.rounds):
            for name, command in COMMANDS.items():
                taken.setdefault(name, []).append(cpu_seconds(command, folder))
    needed = min(taken["python, sqlalchemy"])
    for name, seconds in taken.items():
        print(f"{name:20s} {min(seconds):.2f} s, beyond Python and SQLAlchemy {min(seconds) - needed:+.2f} s")


if __name__ == "__main__":
    main()
