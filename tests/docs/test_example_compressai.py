"""The example with CompressAI: its streams come back, a batch is coded as each image alone, and it runs by a file."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness
from harness.engine.predict import run_unit
from harness.errors import WeightsError
from harness.planning.identity import codec_identity
from harness.progress import Silence
from harness.unit import Cell
from kit.pictures import textured
from kit.store_rows import cell
from kit.units import SETTINGS, unit

if find_spec("compressai") is None:
    pytest.skip("compressai is not installed", allow_module_level=True)

EXAMPLE = Path(harness.__file__).parents[1] / "docs" / "examples" / "harness-codec-compressai"
pytestmark = pytest.mark.filterwarnings("ignore")  # of CompressAI's own imports


@pytest.fixture(scope="module")
def example() -> Iterator[Any]:
    sys.path.insert(0, str(EXAMPLE))
    import harness_codec_compressai

    yield harness_codec_compressai
    sys.path.remove(str(EXAMPLE))
    del sys.modules["harness_codec_compressai"]


def torch_image(image: np.ndarray) -> Any:
    """An image uint8[H, W, 3] as CompressAI's networks take it."""
    import torch

    return torch.from_numpy(image).permute(2, 0, 1)[None] / 255


@pytest.fixture(scope="module")
def weights(example: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained networks of two qualities: the latents of the second are larger, so that they take more bits."""
    picture = torch_image(textured(64, 64, 0))
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from compressai.models import FactorizedPrior

    torch.manual_seed(0)
    networks = {}
    for quality, spread in ((1, 2.0), (2, 40.0)):
        network = FactorizedPrior(8, 12)
        with torch.no_grad():
            network.g_a[6].weight *= spread / network.g_a(picture).std()
            assert len(network.g_a(picture).round().unique()) > 5
        network.update()
        networks[quality] = network
    path = tmp_path_factory.mktemp("weights") / "two.safetensors"
    example.pack(path, networks)
    return path


@pytest.mark.parametrize("shape", [(1, 1), (17, 40), (64, 64)])
def test_streams_are_coded_as_the_library_codes_them(example: Any, weights: Path, shape: tuple[int, int]) -> None:
    import torch

    codec = example.CompressAi(weights=str(weights))
    assert codec.scale.ladder == (2, 1)
    image = textured(*shape, 3) if max(shape) > 1 else np.full((1, 1, 3), 200, np.uint8)
    height, width = shape
    padded = np.pad(image, ((0, -height % 16), (0, -width % 16), (0, 0)), mode="edge")
    sizes = []
    for level in (2.0, 1.0):
        encoded = codec.encode(image[None], level)
        with torch.inference_mode():
            network = codec._network(int(level))
            own = network.compress(torch_image(padded))
            back = network.decompress(**own)["x_hat"][0].permute(1, 2, 0)[:height, :width]
        assert encoded.bits == 8 * (5 + len(own["strings"][0][0]))
        assert encoded.data.endswith(own["strings"][0][0])
        decoded = example.CompressAi(weights=str(weights)).decode(encoded)
        assert decoded.shape == (1, *image.shape)
        assert (decoded[0] == (back * 255).round().byte().numpy()).all()
        sizes.append(encoded.bits)
    assert sizes[1] < sizes[0] or max(shape) == 1


def test_a_batch_is_coded_as_each_alone(example: Any, weights: Path) -> None:
    codec = example.CompressAi(weights=str(weights))
    batch = [textured(40, 56, seed)[None] for seed in range(4)]
    together = codec.encode_batch(batch, 2.0)
    assert list(together) == [codec.encode(frames, 2.0) for frames in batch]
    for frames, encoded in zip(codec.decode_batch(together), together, strict=True):
        assert (frames == codec.decode(encoded)).all()


def test_it_runs_beside_the_model_and_its_weights_are_in_the_key(example: Any, weights: Path, tmp_path: Path) -> None:
    codec = example.CompressAi(weights=str(weights))
    plain = unit(4)
    cells = (
        Cell(cell("compressai", 2.0, task="brightness", baseline=plain.cells[0].experiment.key), codec, 2.0, False),
    )
    asked = replace(plain, cells=cells, todo=tuple(replace(entry, cells=(0,)) for entry in plain.todo))
    for workers in (0, 1):
        rows = [row for batch in run_unit(asked, replace(SETTINGS, workers=workers), Silence()) for row in batch]
        assert [row.status for row in rows] == ["ok"] * 4
        assert [row.bits for row in rows] == [codec.encode(textured(24, 32, i)[None], 2.0).bits for i in range(4)]
    moved = tmp_path / weights.name
    moved.write_bytes(weights.read_bytes())
    identity = codec_identity(codec, "p 1")
    assert codec_identity(example.CompressAi(weights=str(moved)), "p 1") == identity
    moved.write_bytes(weights.read_bytes()[:-1] + b"\1")
    changed = example.CompressAi(weights=str(moved))
    assert codec_identity(changed, "p 1") != identity
    with pytest.raises(WeightsError, match="does not exist"):
        example.CompressAi(weights=str(tmp_path / "none.safetensors"))
