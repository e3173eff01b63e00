"""OpenCV's threads end before workers are forked: a process of its own, since it may crash or hang."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import multiprocessing
import cv2
import numpy as np
from harness.media.opencv import end_threads

cv2.setNumThreads(4)
picture = np.random.default_rng(0).integers(0, 255, (2000, 2000, 3), np.uint8)
cv2.GaussianBlur(picture, (31, 31), 5)  # by the pool of threads
{end}

def child():
    cv2.setNumThreads(1)
    cv2.GaussianBlur(picture, (5, 5), 1)

process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join(20)
print(process.exitcode)
process.kill()
"""


def ended(end: str) -> str:
    """How the child ended: 0 well, None not at all, else it crashed."""
    code = CODE.format(end=end)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return found.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")
def test_a_forked_worker_can_use_opencv() -> None:
    if ended("") == "0":
        pytest.skip("this OpenCV has no threads that a fork breaks")
    assert ended("end_threads()") == "0"


def test_the_number_of_threads_stays() -> None:
    code = "import cv2\nfrom harness.media.opencv import end_threads\ncv2.setNumThreads(3)\nend_threads()\n"
    code += "print(cv2.getNumThreads())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["3"]


def test_without_opencv_there_is_nothing_to_end() -> None:
    code = "import sys\nfrom harness.media.opencv import end_threads\nend_threads()\nprint('cv2' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False"]
