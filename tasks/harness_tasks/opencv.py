"""Find the installed version of OpenCV, which is distributed in several packages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["opencv_version"]

_PACKAGES = (
    "opencv-python-headless",
    "opencv-contrib-python-headless",
    "opencv-python",
    "opencv-contrib-python",
)


def opencv_version() -> str:
    """Return the name and version of the installed OpenCV package, without importing OpenCV.

    A build that was not installed as a package is imported; the result is then its own version string.
    """
    for name in _PACKAGES:
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    import cv2

    return str(cv2.__version__)
