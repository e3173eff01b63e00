"""Statistics packed into bytes: what goes in comes out, and nothing else does."""

import random
import struct
import zlib
from typing import Any

import numpy as np
import pytest

from harness.errors import StoreError
from harness.statistics.packing import pack, unpack

FRAMES: list[dict[str, Any]] = [
    {
        "confusion": np.arange(12, dtype=np.int64).reshape(3, 4),
        "scores": np.array([0.1, np.nan, np.inf], np.float32),
        "error": np.array(2.5),
        "empty": np.zeros((0, 4), np.float64),
    },
    {},
    {"hit": np.array([True, False, True]), "class": np.array([255], np.uint8), "half": np.array([1.5], np.float16)},
]


def same(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> bool:
    return len(first) == len(second) and all(
        list(a) == list(b)
        and all(a[n].dtype == b[n].dtype and a[n].shape == b[n].shape and a[n].tobytes() == b[n].tobytes() for n in a)
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("frames", [FRAMES, [], [{}], FRAMES[:1]])
def test_what_goes_in_comes_out(frames: list[dict[str, Any]]) -> None:
    assert same(unpack(pack(frames)), frames)


@pytest.mark.parametrize("dtype", ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", ">i4", ">f8"])
def test_every_plain_dtype(dtype: str) -> None:
    array = np.array([[0, 1], [1, 0]]).astype(dtype)
    (found,) = unpack(pack([{"a": array}]))
    np.testing.assert_array_equal(found["a"], array)
    assert found["a"].dtype == array.dtype.newbyteorder("<")


@pytest.mark.parametrize("order", ["C", "F"])
def test_any_layout_in_memory(order: Any) -> None:
    array = np.asarray(np.arange(24.0).reshape(2, 3, 4), order=order)[:, ::2]
    np.testing.assert_array_equal(unpack(pack([{"a": array}]))[0]["a"], array)


def test_arrays_are_aligned_and_cannot_be_changed() -> None:
    for array in unpack(pack(FRAMES))[0].values():
        assert array.flags.aligned
        assert not array.flags.writeable


def test_equal_statistics_are_equal_bytes() -> None:
    assert pack(FRAMES) == pack(FRAMES)


@pytest.mark.parametrize(
    "array",
    [
        np.array([object()], dtype=object),
        np.array(["text"]),
        np.array([1j]),
        np.array(["2020-01-01"], "datetime64[D]"),
        np.zeros(2, np.longdouble),
        np.zeros(2, [("a", "i4")]),
    ],
    ids=["object", "text", "complex", "datetime", "longdouble", "record"],
)
def test_other_dtypes_are_refused(array: Any) -> None:
    with pytest.raises(StoreError, match="statistic 'odd' has dtype"):
        pack([{"odd": array}])


def test_altered_bytes_are_found_or_make_no_difference() -> None:
    whole = pack(FRAMES)
    draw = random.Random(0)
    found = 0
    for _ in range(2000):
        altered = bytearray(whole)
        altered[draw.randrange(len(altered))] ^= 1 << draw.randrange(8)
        try:
            frames = unpack(bytes(altered))
        except StoreError:
            found += 1
        else:  # bits that only fill up the stream's last byte
            assert same(frames, FRAMES)
    assert found > 1900


def test_cut_bytes_are_found() -> None:
    whole = pack(FRAMES)
    for length in range(len(whole)):
        with pytest.raises(StoreError, match="damaged"):
            unpack(whole[:length])
    with pytest.raises(StoreError, match="damaged"):
        unpack(whole + b"more")


def forged(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    """Bytes with a right checksum around any header."""
    header += b" " * (-len(header) % 8)
    body = struct.pack("<Q", len(header)) + header + data
    return b"HST1" + struct.pack("<Q", len(body) if length is None else length) + zlib.compress(body, 1)


@pytest.mark.parametrize(
    "header",
    [
        b"null",
        b"7",
        b"[7]",
        b"{}x",
        b"[[[1,2]]]",
        b'[[["a","|O8",[1]]]]',
        b'[[["a","|V8",[1]]]]',
        b'[[["a","<f8",[-1]]]]',
        b'[[["a","<f8",[1.5]]]]',
        b'[[["a","<f8",[true]]]]',
        b'[[["a","<f8","8"]]]',
        b'[[["a","<f8",[1073741824,1073741824,1073741824]]]]',
        b'[[["a","<f8",[2]]]]',
        b'[[["a",["<f8"],[1]]]]',
        b'[[[7,"<f8",[1]]]]',
        b'[[["a","<f8",[1e999]]]]',
        b"[" * 100000,
        b"\xff\xfe",
        b"[]",
    ],
)
def test_forged_headers_are_refused(header: bytes) -> None:
    with pytest.raises(StoreError, match="damaged"):
        unpack(forged(header, bytes(8)))


def test_a_bomb_is_not_inflated() -> None:
    bomb = b"HST1" + struct.pack("<Q", 100) + zlib.compress(bytes(50_000_000), 9)
    with pytest.raises(StoreError, match="damaged"):
        unpack(bomb)
    with pytest.raises(StoreError, match=r"damaged.*claim"):
        unpack(forged(b"[]", length=1 << 40))
