"""Settings of glibc's memory allocator for a run.

Frames and tensors of several megabytes are taken and given back for every batch. What glibc gives back to the system
comes again as empty pages, which the kernel clears one by one. That can cost more than the work on them. With the
settings of this module large blocks stay with the process, up to `KEPT`, and are used again.
"""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["KEPT", "LARGEST", "keep_memory"]

LARGEST = 32 << 20
"""Blocks below this size, in bytes, come from the heap; it is the largest value that glibc takes on 64-bit systems.

The value is fixed. By default glibc begins at 128 KiB and raises it to the size of each larger block that is freed."""

KEPT = 256 << 20
"""How much free memory at the end of the heap a process keeps, in bytes: more than a batch needs of most models."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h."""


def keep_memory() -> bool:
    """Let this process, and those that it forks, use freed memory again instead of giving it back to the system.

    Nothing is changed without glibc, and if the user has set the allocator (`MALLOC_...`, `GLIBC_TUNABLES`).

    Returns:
        whether the settings were changed.
    """
    by_user = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if by_user or not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not (hasattr(library, "gnu_get_libc_version") and hasattr(library, "mallopt")):
        return False
    return bool(library.mallopt(_MMAP_THRESHOLD, LARGEST)) and bool(library.mallopt(_TRIM_THRESHOLD, KEPT))
