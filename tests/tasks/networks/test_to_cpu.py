"""The tensors of a batch travel as one, and arrive as they were."""

import pytest
import torch

from harness_tasks.networks.to_cpu import joined, on_cpu, taken_apart

TENSORS = [
    torch.tensor([True, False, True]),
    torch.arange(12, dtype=torch.float32).reshape(3, 4)[:, 1:3] / 7,
    torch.zeros(0, 4),
    torch.tensor([3, -(2**60)]),
    torch.arange(5, dtype=torch.bfloat16),
    torch.tensor(7, dtype=torch.uint8),
    torch.full((2, 3, 1), float("nan"), dtype=torch.float64),
]


def bits(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.reshape(-1).contiguous().view(torch.uint8).tolist())


def test_they_are_taken_apart_as_they_were_joined() -> None:
    whole = joined(TENSORS)
    assert whole.dtype == torch.uint8
    assert len(whole) == sum(tensor.numel() * tensor.element_size() for tensor in TENSORS)
    for found, sent in zip(taken_apart(whole, TENSORS), TENSORS, strict=True):
        assert (found.dtype, found.shape, bits(found)) == (sent.dtype, sent.shape, bits(sent))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_outputs_keep_their_names(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    outputs = [{"boxes": TENSORS[1].to(device), "labels": TENSORS[3].to(device)}, {"boxes": TENSORS[2].to(device)}]
    found = on_cpu(outputs)
    assert [list(output) for output in found] == [["boxes", "labels"], ["boxes"]]
    assert torch.equal(found[0]["boxes"], TENSORS[1])
    assert torch.equal(found[0]["labels"], TENSORS[3])
    assert found[1]["boxes"].shape == (0, 4)
    assert all(tensor.device.type == "cpu" for output in found for tensor in output.values())
    assert on_cpu([]) == []
