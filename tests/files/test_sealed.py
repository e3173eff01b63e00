"""Sealed files: what was written, or nothing; and nothing is left of what could not be written."""

from pathlib import Path

import pytest

from harness.files import read_sealed, whole_file, write_sealed, write_whole


def test_every_single_bit_counts(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    write_sealed(path, b"some", bytearray(b" content"))
    assert read_sealed(path) == b"some content"
    whole = path.read_bytes()
    for place in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        assert read_sealed(path) is None, place
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert read_sealed(path) is None, length
    path.write_bytes(whole + b"?")
    assert read_sealed(path) is None


def test_a_sealed_file_may_be_empty_and_its_memory_written(tmp_path: Path) -> None:
    write_sealed(tmp_path / "nothing")
    assert read_sealed(tmp_path / "nothing") == b""
    write_sealed(tmp_path / "one", b"1")
    content = read_sealed(tmp_path / "one")
    assert content is not None
    content[0] = ord("2")
    assert read_sealed(tmp_path / "one") == b"1"
    with pytest.raises(FileNotFoundError):
        read_sealed(tmp_path / "absent")


def write_half(path: Path) -> None:
    with whole_file(path) as part:
        part.write_bytes(b"half")
        raise RuntimeError


def test_after_an_error_the_old_file_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "made" / "for" / "it" / "page.html"
    with pytest.raises(RuntimeError):
        write_half(path)
    assert list(tmp_path.iterdir()) == []
    write_whole(path, b"old", durable=True)
    with pytest.raises(RuntimeError):
        write_half(path)
    assert [(file.name, file.read_bytes()) for file in path.parent.iterdir()] == [("page.html", b"old")]
