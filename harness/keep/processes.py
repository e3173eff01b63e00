"""Which process is at work: the name a claim goes by, and whether the process behind a name is still there.

Process ids are used again and say nothing on another machine, so that a name also holds the boot, the namespace of
process ids (a container has its own) and the moment the process started. Where the system does not tell (anything but
Linux), nothing is known of the process, and only its lease counts.
"""

from __future__ import annotations

import functools
import os
import platform
import secrets
from pathlib import Path

__all__ = ["describe", "is_gone", "this_process"]


def this_process() -> str:
    """The name of this process: `host:pid:start:boot:namespace:nonce`, unique to it."""
    return _name(os.getpid())


def describe(owner: str) -> str:
    """The name as a person reads it.

    >>> describe("gpu7:4711:886:b00t:4026531836:9f")
    'process 4711 on gpu7'
    """
    parts = owner.split(":")
    return f"process {parts[1]} on {parts[0]}" if len(parts) == 6 else owner


def is_gone(owner: str) -> bool:
    """Whether the process is known to have ended: it was on this machine, in this boot, and is no longer there."""
    parts = owner.split(":")
    if len(parts) != 6 or not parts[1].isdecimal() or not parts[3]:
        return False
    host, pid, start, boot, namespace, _ = parts
    if (host, boot, namespace) != (_host(), _boot(), _namespace()):
        return False
    return _start(int(pid)) != start


@functools.lru_cache(maxsize=4)  # a forked child has a pid, and so a name, of its own
def _name(pid: int) -> str:
    return ":".join([_host(), str(pid), _start(pid), _boot(), _namespace(), secrets.token_hex(4)])


def _host() -> str:
    return platform.node().replace(":", "-") or "localhost"


def _boot() -> str:
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
    """When the process started (clock ticks since boot); "" when there is none, or it is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]
