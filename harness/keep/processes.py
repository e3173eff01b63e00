"""Unique names of processes, which identify the owner of a claim, and a test whether such a process still runs.

The operating system reuses process ids, and a process id is valid on one machine only. A name therefore also contains
the boot, the namespace of process ids (a container has its own) and the start time of the process. Systems other than
Linux do not provide these. There the test is not possible, and a claim ends only when its lease expires.
"""

from __future__ import annotations

import functools
import os
import platform
import secrets
from pathlib import Path

__all__ = ["boot", "describe", "has_ended", "how_ended", "is_gone", "this_process"]


def this_process() -> str:
    """Return the unique name of this process: `host:pid:start:boot:namespace:nonce`."""
    return _name(os.getpid())


def describe(owner: str) -> str:
    """Return the name of a process in a readable form.

    >>> describe("gpu7:4711:886:b00t:4026531836:9f")
    'process 4711 on gpu7'
    """
    parts = owner.split(":")
    return f"process {parts[1]} on {parts[0]}" if len(parts) == 6 else owner


def is_gone(owner: str) -> bool:
    """Return whether a process has certainly ended.

    Only a process of this machine, this boot and this namespace can be tested; for others the result is False.
    """
    parts = owner.split(":")
    if len(parts) != 6 or not parts[1].isdecimal() or not parts[3]:
        return False
    host, pid, start, its_boot, namespace, _ = parts
    if (host, its_boot, namespace) != (_host(), boot(), _namespace()):
        return False
    return _start(int(pid)) != start


def has_ended(pid: int) -> bool:
    """Return whether a process of this machine has certainly ended, be it that its parent has not asked yet how."""
    return Path("/proc/self/stat").exists() and not _start(pid)


def how_ended(code: int | None) -> str:
    """Say how a process ended: its exit status, or the negative number of the signal; None if that is not known."""
    if code is None:
        return "ended, and it is not known how"
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit status {code}"


@functools.lru_cache(maxsize=4)  # keyed by pid, so that a forked child gets its own name
def _name(pid: int) -> str:
    return ":".join([_host(), str(pid), _start(pid), boot(), _namespace(), secrets.token_hex(4)])


def _host() -> str:
    return platform.node().replace(":", "-") or "localhost"


def boot() -> str:
    """Return the name of this boot of the machine; "" where the system does not give it one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def _start(pid: int) -> str:
    """Return when a process started (clock ticks since boot); "" if it does not exist or is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]
