"""Helpers for the dataset formats: check relative paths, check that files exist, choose strata, compare sizes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from harness.dataset import Dataset
from harness.errors import SampleError

__all__ = ["check_size", "is_file", "rarest_classes", "require_files", "stays_inside"]


def stays_inside(name: str) -> bool:
    """Return whether a relative path stays inside its folder.

    >>> [stays_inside(name) for name in ("a.jpg", "sub/a.jpg")]
    [True, True]
    >>> [stays_inside(name) for name in ("../a.jpg", "/a.jpg", "C:/a.jpg", "sub\\\\..\\\\..\\\\a.jpg", "")]
    [False, False, False, False, False]
    """
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False  # half of a surrogate pair: no file can have this name
    windows = PureWindowsPath(name)
    absolute = PurePosixPath(name).is_absolute() or windows.is_absolute() or windows.drive or windows.root
    return bool(name.strip()) and not absolute and ".." not in windows.parts and "\0" not in name


def is_file(path: Path) -> bool:
    """Return whether a path is a file. A name that no file can have, such as one that is too long, is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def require_files(dataset: Dataset, folder: Path, names: Sequence[str]) -> None:
    """Check that every relative name is a file in the folder. The folder is listed only once, for speed.

    Raises:
        DatasetError: files are missing; the message has their number and the first few names.
    """
    try:
        with os.scandir(folder) as entries:
            present = {entry.name for entry in entries}
    except OSError:
        present = set()
    missing = [name for name in names if name not in present and not ("/" in name and is_file(folder / name))]
    if missing:
        few = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise dataset.problem(f"{len(missing)} of {len(names)} files are not in {folder}: {few}")


def rarest_classes(classes: Sequence[str], present: Sequence[Iterable[int]]) -> list[str]:
    """Return for each sample its rarest class: the one that the fewest samples contain. "" for a sample without
    objects.

    Args:
        classes: the class names.
        present: for each sample, the labels of its objects.

    >>> rarest_classes(["cat", "dog"], [[0, 1, 0], [0], []])
    ['dog', 'cat', '']
    """
    label_sets = [set(labels) for labels in present]
    counts = Counter(label for labels in label_sets for label in labels)
    return [classes[min(labels, key=lambda n: (counts[n], n))] if labels else "" for labels in label_sets]


def check_size(path: Path, stated: tuple[int, int] | None, found: tuple[int, int]) -> None:
    """Check that the annotations and the image file state the same size (height, width).

    Raises:
        SampleError: the sizes differ, so the boxes would not fit the pixels.
    """
    if stated is not None and stated != found:
        raise SampleError(
            f"{path}: the annotations say {stated[1]}x{stated[0]}, the file has {found[1]}x{found[0]} pixels (width x "
            "height). Were the annotations made on the picture as EXIF turns it? Boxes are in stored pixels here."
        )
