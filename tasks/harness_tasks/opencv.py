"""Find the installed version of OpenCV, which is distributed in several packages."""

from __future__ import annotations

from harness_tasks.library import library_version, packaged_version

__all__ = ["opencv_version"]

_PACKAGES = (
    "opencv-python-headless",
    "opencv-contrib-python-headless",
    "opencv-python",
    "opencv-contrib-python",
)


def opencv_version() -> str:
    """Return the name and version of the installed OpenCV package, without importing OpenCV.

    A build that was not installed as a package is imported; the result is then its own version, and a digest of its
    files.
    """
    for name in _PACKAGES:
        if version := packaged_version(name, "cv2"):
            return f"{name} {version}"
    import cv2

    return f"{cv2.__version__}, {library_version('cv2').rpartition(', ')[2]}"
