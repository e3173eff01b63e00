"""Peak memory of a run against its number of samples.

    python tests/benchmarks/memory.py [--few 100] [--many 1000]

Runs the demo detector on demo images, uncompressed and at JPEG quality 50, once for few and once for many samples, each
in processes of their own; prints the peak resident size of the largest of them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile


def peak(samples: int) -> float:
    """Peak resident megabytes of the largest process of a run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "harness", "run", "--codec", "jpeg@50", "--task", "detection"]
        command += ["--split", "train", "--limit", str(samples), "--db", f"{folder}/harness.db"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, process.returncode
    return usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=100)
    parser.add_argument("--many", type=int, default=1000)
    arguments = parser.parse_args()
    few, many = peak(arguments.few), peak(arguments.many)
    print(
        f"{arguments.few} samples: {few:.0f} MB, {arguments.many} samples: {many:.0f} MB, growth {many - few:+.0f} MB"
    )


if __name__ == "__main__":
    main()
