"""`name[:key=value,...][@level,...]`, options and levels."""

from __future__ import annotations

import pytest

from harness.codec import Scale
from harness.errors import UsageError
from harness.options import Option
from harness.planning.grammar import ParsedName, parse


def test_all_parts() -> None:
    assert parse("jpeg:subsampling=4:4:4,optimize=true@95,50,7.5") == ParsedName(
        "jpeg", {"subsampling": "4:4:4", "optimize": "true"}, (95.0, 50.0, 7.5)
    )
    assert parse("none") == ParsedName("none", {}, None)
    assert parse("m:path=a@b", levels=False) == ParsedName("m", {"path": "a@b"}, None)


@pytest.mark.parametrize(
    "text", ["", ":a=1", "@5", "jpeg:", "jpeg:a", "jpeg:a=", "jpeg:=1", "jpeg:a=1,a=2", "jpeg@", "jpeg@5,", "jpeg@x"]
)
def test_what_cannot_be_read_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be read|is no option|is no level|given twice"):
        parse(text)


@pytest.mark.parametrize("level", [float("inf"), float("nan")])
def test_levels_are_finite(level: float) -> None:
    with pytest.raises(UsageError, match="is no level"):
        parse(f"jpeg@{level}")


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        (Option("q", int, 3, ""), "7", 7),
        (Option("q", float, 3.0, ""), "7", 7.0),
        (Option("q", bool, False, ""), "yes", True),
        (Option("q", str, "a", "", choices=("a", "b")), "b", "b"),
        (Option("q", int, None, ""), None, None),
    ],
)
def test_options_parse(option: Option, text: str | None, value: object) -> None:
    parsed = option.parse(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (Option("q", int, 3, ""), "7.5"),
        (Option("q", int, 3, "", minimum=5), "4"),
        (Option("q", int, 3, "", maximum=5), "6"),
        (Option("q", bool, True, ""), "maybe"),
        (Option("q", float, 1.0, ""), "nan"),
        (Option("q", str, "a", "", choices=("a", "b")), "c"),
        (Option("q", int, 3, ""), True),
    ],
)
def test_options_refuse(option: Option, text: object) -> None:
    with pytest.raises(UsageError, match="option q="):
        option.parse(text)


def test_scales_check_and_order_levels() -> None:
    quality = Scale("quality", (95, 5), 1, 100, higher_is_better=True)
    crf = Scale("crf", (23, 50), 0, 51, higher_is_better=False)
    assert quality.mildest_first((5, 95, 50, 5)) == (95, 50, 5)
    assert crf.mildest_first((50, 23, 40)) == (23, 40, 50)
    for level in (0, 101, 50.5):
        with pytest.raises(UsageError, match="quality is a whole number from 1 to 100"):
            quality.check(level, "jpeg")
