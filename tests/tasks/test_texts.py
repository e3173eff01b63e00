"""The shared reader of text lists: encodings, ends of lines, comments, and words for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import DatasetError
from harness_tasks.datasets.texts import LARGEST, Line, number, number_in, read_lines, repeated, splits_of

TEXT = "first\r\n\r\n  Zürich 照片　1\t \n# word\nlast"
LINES = [Line(1, "first"), Line(3, "Zürich 照片　1"), Line(4, "# word"), Line(5, "last")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_lines_of_every_encoding_that_says_what_it_is(tmp_path: Path, encoding: str) -> None:
    """Python's utf-16 and utf-32 write a byte order mark, as Windows' editors do."""
    (tmp_path / "list.txt").write_bytes(TEXT.encode(encoding))
    assert read_lines(tmp_path / "list.txt") == LINES
    assert read_lines(tmp_path / "list.txt", comment="#") == [*LINES[:2], LINES[3]]


@pytest.mark.parametrize("order", ["be", "le"])
def test_both_byte_orders(tmp_path: Path, order: str) -> None:
    (tmp_path / "list.txt").write_bytes(("\ufeff" + TEXT).encode(f"utf-16-{order}"))
    assert read_lines(tmp_path / "list.txt") == LINES


def test_only_the_ends_that_editors_write_end_a_line(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes("a\u2028b\x0cc\x85\rd".encode())
    assert read_lines(tmp_path / "list.txt") == [Line(1, "a\u2028b\x0cc\x85"), Line(2, "d")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("eins\nZürich\n".encode("latin-1"), r"line 2: the bytes fc are not UTF-8\. Save the file as UTF-8"),
        ("a\n照片".encode("gb18030"), r"line 2: the bytes .* are not UTF-8"),
        ("a\nb".encode("utf-16-le"), r"line 1: a byte 0 was found"),
        (b"a\nb\nc\0d", r"line 3: a byte 0 was found"),
        (b"\xff\xfea\0\n\0b", r"line 2: the bytes 62 are not UTF-16-LE"),
    ],
)
def test_what_is_no_text_is_said_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"list\.txt, {message}"):
        read_lines(tmp_path / "list.txt")


def test_a_list_that_cannot_be_opened(tmp_path: Path) -> None:
    for name in ("absent.txt", "x" * 300, "a\0b"):
        with pytest.raises(DatasetError, match="cannot be read"):
            read_lines(tmp_path / name)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_lines(tmp_path)


def test_numbers_are_those_that_a_float_holds_exactly() -> None:
    """int() and float() of Python read more: underscores, digits of other scripts, nan and infinity."""
    for text in ("1_0", "\u0661", "nan", "inf", "Infinity", "1e999", "0x10", "1,5", "", "-", ".", "1 2"):
        assert number_in(text) is None, text
    assert [number_in(text) for text in ("+5", "5.", ".5", "1e2", "\n\t1\n", "-0")] == [5, 5, 0.5, 100, 1, 0]
    assert number(LARGEST) == LARGEST
    assert number(LARGEST + 1) is number(-(10**400)) is number("1") is None


def test_repeated_items_and_cuts() -> None:
    assert repeated([]) is None
    assert repeated("abcb") == (1, 3)
    assert list(splits_of("one")) == []
    assert list(splits_of("a \t b")) == [("a", "b")]
    assert list(splits_of("a " * 5000)) == []
