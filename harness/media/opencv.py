"""OpenCV in processes that fork workers."""

from __future__ import annotations

import sys

__all__ = ["end_threads"]


def end_threads() -> None:
    """End OpenCV's pool of threads in this process, if OpenCV was ever imported here.

    Call it before workers are forked. A forked child has OpenCV's record of the pool, but none of its threads, so the
    child's first call that changes the number of threads waits for them for ever. The pool starts again when it is
    needed.
    """
    if (cv2 := sys.modules.get("cv2")) is not None:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        cv2.setNumThreads(threads)
