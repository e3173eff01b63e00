"""Which OpenCV is installed: it comes in several packages."""

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
    """The installed package and its version, without importing it; of a build of one's own what it says itself."""
    for name in _PACKAGES:
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    import cv2

    return str(cv2.__version__)
