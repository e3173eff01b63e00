"""What the fuzzers of images and videos share: how files are spoilt, and how long it is tried.

The environment's HARNESS_FUZZ_MINUTES says for how many minutes each fuzzer runs; without it, seconds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import SampleError
from kit.fuzzing import MINUTES

EXAMPLES = 40
"""Inputs of a fuzzer without HARNESS_FUZZ_MINUTES."""
SLOW = 20.0
"""Seconds that an input may take. All files are small: more is a hang."""


@st.composite
def spoilt(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file that was changed: bits, bytes, a cut, a part that is missing, comes twice or is junk."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(("bit", "byte", "cut", "missing", "twice", "junk", "number", "head")))
        place = draw(st.integers(0, max(0, len(data) - 1)))
        length = draw(st.integers(1, 64))
        if not data:
            break
        if kind == "bit":
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "byte":
            data[place] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[place:]
        elif kind == "missing":
            del data[place : place + length]
        elif kind == "twice":
            data[place:place] = data[place : place + length]
        elif kind == "junk":
            data[place : place + length] = draw(st.binary(min_size=length, max_size=length))
        elif kind == "number":
            data[place : place + 4] = draw(st.sampled_from((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff")))
        else:  # within the headers
            data[place % min(len(data), 256)] = draw(st.integers(0, 255))
    return bytes(data)


def fuzz(path: Path, whole: bytes, read: Callable[[Path], object], minutes: float = MINUTES) -> Counter[str]:
    """Read spoilt copies of a file: each is read, or refused with a SampleError that names it.

    Args:
        path: where the copies are written; its ending may matter.
        whole: the file's content.
        read: reads the file.
        minutes: how long; 0 for a fixed number of inputs, always the same ones.

    Returns:
        How many were read and how many refused.
    """
    found: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=not minutes,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(content=spoilt(whole))
    def try_one(content: bytes) -> None:
        path.write_bytes(content)
        began = time.monotonic()
        try:
            read(path)
            refusal = None
        except SampleError as error:
            refusal = str(error)
        found["read" if refusal is None else "refused"] += 1
        assert refusal is None or path.name in refusal
        assert time.monotonic() - began < SLOW, "it hangs"

    end = time.monotonic() + 60 * minutes
    try_one()
    while time.monotonic() < end:
        try_one()
    return found
