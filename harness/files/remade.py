"""Notes of kept files that were damaged and are made anew, in each process that reads such files. A run tells them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["note_damage", "told_damage"]

_MOST = 5
"""After so many files of one folder, a process says once that there are more: one bad disk can have thousands."""

_counts: dict[Path, int] = {}
_notes: list[str] = []


def note_damage(path: Path, what: str, folder: Path) -> None:
    """Note that a file is damaged, and that what it holds is made anew.

    Args:
        path: the file.
        what: what it holds: "a rendered scene".
        folder: the folder of all files that hold such things.
    """
    count = _counts[folder] = _counts.get(folder, 0) + 1
    if count <= _MOST:
        _notes.append(f"{path} is damaged ({what}), or of an earlier version: it is not used, and made anew.")
    elif count == _MOST + 1:
        _notes.append(f"more files in {folder} are damaged ({what}): none is used, and each is made anew.")


def told_damage() -> list[str]:
    """Return what was noted since this was asked last, to be told to the user."""
    notes = [*_notes]
    _notes.clear()
    return notes
