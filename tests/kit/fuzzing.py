"""What fuzz tests share: how long they run, and what happens to a text file on its way.

A fuzz test takes a few seconds. With HARNESS_FUZZ_MINUTES, each runs that long, with new inputs in each round; a find
is made small by Hypothesis and printed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from harness.errors import DatasetError, SampleError

T = TypeVar("T")
MINUTES = float(os.environ.get("HARNESS_FUZZ_MINUTES", "0"))
EXAMPLES = 300 if MINUTES else 120
"""Inputs of a round."""

NUMBERS = (
    *("0", "1", "2", "-1", "1.0", "\n\t1\n", "01", "+1", "1e0", "0.5", "-0", "5", "20", "1e9", "9007199254740993"),
    *("yes", "true", "", " ", "nan", "-inf", "1e308", "1e-320", "9" * 400, "9" * 5000, "1_0", "\u0661", "0x1", "1,5"),
)
"""Texts where a number was: numbers in other forms, and what looks like one."""
NAMES = (
    *(
        "",
        " ",
        "a b",
        "..",
        "../x",
        "/",
        "/etc/passwd",
        "C:\\x",
        "a\\b",
        "#",
        "# a",
        "\u00a0",
        "\u3000",
        "\x85",
        "\u2028",
    ),
    *(
        "x" * 300,
        "x" * 5000,
        "e\u0301",
        "\u00e9",
        "照片",
        "\U0001f600",
        "\x07",
        "\x7f",
        "%s",
        "{0}",
        "*",
        "?",
        "[a]",
        "~",
    ),
)
"""Texts where a name was."""
TEXTS = st.sampled_from(NUMBERS) | st.sampled_from(NAMES) | st.text(max_size=8)


def fuzz(strategy: st.SearchStrategy[T], check: Callable[[T], None]) -> int:
    """Call `check` with values of the strategy, and return with how many. Rounds differ by their seed alone."""
    tried = 0

    def counted(value: T) -> None:
        nonlocal tried
        tried += 1
        check(value)

    settled = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    end, number = time.monotonic() + 60 * MINUTES, 0
    while not number or time.monotonic() < end:
        seed(number)(settled(given(strategy)(counted)))()
        number += 1
    print(f"{tried} inputs in {number} rounds")
    return tried


def outcome(call: Callable[[], T]) -> tuple[T | None, str]:
    """Return what a call gives, or None and the text of its DatasetError or SampleError. Other errors come through."""
    try:
        return call(), ""
    except (DatasetError, SampleError) as error:
        return None, str(error)


def encoded(text: str) -> st.SearchStrategy[bytes]:
    """A text as bytes, as editors, tools and faulty disks leave them. Half of the results are plain UTF-8."""
    plain = st.just(text.encode("utf-8", "surrogatepass"))
    names = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252", "gb18030", "shift_jis"]
    ends = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\x85"])
    other = st.builds(
        lambda name, end: text.replace("\n", end).encode(name, "replace"), st.sampled_from([*names, "utf-8"]), ends
    )
    return plain | other | st.one_of(plain, other).flatmap(damaged)


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """Bytes that are cut short, or of which a few are others, missing or doubled."""
    places = st.integers(0, max(0, len(data) - 1))
    cut = places.map(lambda end: data[:end])
    changed = st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=3).map(
        lambda some: _set(data, some)
    )
    part = st.tuples(places, st.integers(1, 40))
    missing = part.map(lambda where: data[: where[0]] + data[where[0] + where[1] :])
    doubled = part.map(lambda where: data[: where[0] + where[1]] + data[where[0] :])
    return cut | changed | missing | doubled


def _set(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    copy = bytearray(data)
    for place, value in changes:
        if place < len(copy):
            copy[place] = value
    return bytes(copy)
