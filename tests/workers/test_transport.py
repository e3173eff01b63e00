"""Messages whose tensors need no copy: what arrives is what was sent, bit for bit, in the same memory layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness.workers.transport import ALIGNMENT, flattened, offsets, restored

TENSORS = {
    "float32": torch.rand(2, 3, 4, 5),
    "channels last": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "channels last by permutation": torch.randint(0, 256, (2, 4, 5, 3), dtype=torch.uint8).permute(0, 3, 1, 2),
    "part of a larger one": torch.rand(3, 100)[1:2, 5:],
    "bfloat16": torch.rand(7).bfloat16(),
    "empty": torch.empty(0, 3),
    "scalar": torch.tensor(3.5),
    "expanded": torch.rand(3, 1).expand(3, 7),
    "bool": torch.rand(9) > 0.5,
}


def sent(message: Any) -> Any:
    text, buffers = flattened(message)
    return restored(text, [bytearray(buffer) for buffer in buffers])


@pytest.mark.parametrize("name", TENSORS)
def test_a_tensor_arrives_with_its_bits_and_its_layout(name: str) -> None:
    tensor = TENSORS[name]
    (arrived,) = sent({"x": tensor}).values()
    assert arrived.dtype == tensor.dtype
    assert arrived.shape == tensor.shape
    assert arrived.stride() == tensor.stride()
    assert torch.equal(arrived, tensor)


def test_a_small_part_does_not_take_the_whole_with_it() -> None:
    large = torch.zeros(1000, 1000)
    _, buffers = flattened(large[3])
    assert sum(buffer.nbytes for buffer in buffers) == 4 * 1000


def test_nested_messages_of_arrays_and_tensors() -> None:
    message = ("a", [{"map": np.arange(6, dtype=np.uint8).reshape(2, 3), "x": torch.ones(2)}], None)
    name, ((kind,), nothing) = sent(message)[0], sent(message)[1:]
    assert (name, nothing) == ("a", None)
    np.testing.assert_array_equal(kind["map"], [[0, 1, 2], [3, 4, 5]])
    assert torch.equal(kind["x"], torch.ones(2))


def test_large_memory_is_not_in_the_text() -> None:
    text, buffers = flattened({"x": torch.zeros(1 << 20), "y": np.zeros(1 << 20, np.uint8)})
    assert len(text) < 1000
    assert sorted(buffer.nbytes for buffer in buffers) == [1 << 20, 4 << 20]


def test_what_arrives_lies_in_the_buffers() -> None:
    text, buffers = flattened(torch.zeros(4))
    memory = bytearray(buffers[0])
    arrived = restored(text, [memory])
    memory[:4] = np.float32(2.5).tobytes()
    assert arrived.tolist() == [2.5, 0, 0, 0]


def test_buffers_begin_aligned() -> None:
    places = offsets([1, ALIGNMENT, 0, 5], start=3)
    assert places == [64, 128, 192, 192, 197]
    assert offsets([]) == [0]
