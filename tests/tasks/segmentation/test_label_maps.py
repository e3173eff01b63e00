"""Label maps are torch's argmax, in both layouts, with ties, infinities and NaN."""

import numpy as np
import pytest
import torch

from harness_tasks.segmentation.models.label_maps import label_maps

SHAPES = [(1, 11, 201, 330), (2, 1, 7, 9), (3, 2, 64, 1), (1, 256, 5, 6), (2, 19, 181, 182)]


def scores_of(shape: tuple[int, ...], layout: torch.memory_format) -> torch.Tensor:
    """Few different numbers, so that many are equal; some infinite; both zeros."""
    rng = np.random.default_rng(sum(shape))
    values = rng.choice(np.array([-np.inf, -1, -0.0, 0.0, 1, 2, np.inf], np.float32), shape)
    return torch.from_numpy(values).contiguous(memory_format=layout)


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_argmax(shape: tuple[int, ...], layout: torch.memory_format, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for scores in (scores_of(shape, layout), scores_of(shape, layout)[:, :, ::2, 1:] if shape[3] > 1 else None):
            if scores is not None:
                labels = label_maps(scores)
                assert labels.dtype == np.uint8
                np.testing.assert_array_equal(labels, scores.argmax(dim=1).numpy())
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
def test_nan_is_the_largest(layout: torch.memory_format) -> None:
    scores = scores_of((2, 5, 201, 330), layout)
    scores[torch.rand(scores.shape, generator=torch.Generator().manual_seed(0)) < 1e-3] = float("nan")
    labels = label_maps(scores)
    np.testing.assert_array_equal(labels, scores.argmax(dim=1).numpy())
    first, row, column = scores[:, 4].isnan().nonzero()[0].tolist()
    assert scores[first, labels[first, row, column], row, column].isnan()


def test_half_precision() -> None:
    scores = scores_of((1, 4, 30, 40), torch.channels_last).to(torch.bfloat16)
    np.testing.assert_array_equal(label_maps(scores), scores.argmax(dim=1).numpy())
