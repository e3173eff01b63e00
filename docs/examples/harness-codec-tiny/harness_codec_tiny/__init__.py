"""The codec `tiny`: a small learned codec with three rates, whose networks run on the device."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

import harness
from harness.codec import ImageCodec, Scale
from harness.files import digest_files

_HEADER = struct.Struct(">BHH")
_FOLDER = Path(__file__).parent


class Tiny(ImageCodec):
    """Rounds what a small network makes of an image, and codes it with the network's own distributions."""

    name = "tiny"
    summary = "a small autoencoder with a factorised prior, trained on the demo's images"
    scale = Scale("rate", ladder=(3, 2, 1), minimum=1, maximum=3, higher_is_better=True)
    wants_device = True

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._device = "cpu"
        self._loaded: dict[int, Any] = {}

    def to_device(self, device: str) -> None:
        self._device, self._loaded = device, {}

    def fingerprint(self) -> dict[str, str]:
        import torch

        return {"weights": digest_files(sorted(_FOLDER.glob("*.safetensors"))), "torch": torch.__version__}

    def encode_image(self, image: np.ndarray, level: float | None) -> bytes:
        import torch

        from harness_codec_tiny.coder import compress
        from harness_codec_tiny.network import LARGEST, STRIDE

        assert level is not None
        network, table = self._network(int(level))
        height, width, _ = image.shape
        edges = ((0, -height % STRIDE), (0, -width % STRIDE), (0, 0))
        pixels = torch.from_numpy(np.pad(image, edges, mode="edge")).to(self._device)
        with torch.inference_mode():
            latents = network.encode(pixels.permute(2, 0, 1)[None] / 255.0 - 0.5)[0].round()
        symbols = latents.clamp(-LARGEST, LARGEST).cpu().numpy().astype(np.int64) + LARGEST
        return _HEADER.pack(int(level), height, width) + compress(symbols.ravel(), _rows(symbols.shape), table)

    def decode_image(self, data: bytes) -> np.ndarray:
        import torch

        from harness_codec_tiny.coder import expand
        from harness_codec_tiny.network import LARGEST, LATENTS, STRIDE

        level, height, width = _HEADER.unpack_from(data)
        network, table = self._network(level)
        shape = (LATENTS, -(-height // STRIDE), -(-width // STRIDE))
        symbols = expand(data[_HEADER.size :], _rows(shape), table).reshape(shape)
        latents = torch.from_numpy((symbols - LARGEST).astype(np.float32)).to(self._device)
        with torch.inference_mode():
            image = ((network.decode(latents[None])[0] + 0.5) * 255).round().clamp(0, 255).byte()
        return np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy()[:height, :width])

    def _network(self, level: int) -> Any:
        """Return the network of a level on the device, and the frequencies of its latents."""
        if level not in self._loaded:
            import torch
            from safetensors.torch import load_file

            from harness_codec_tiny.coder import frequencies
            from harness_codec_tiny.network import LARGEST, LATENTS, TinyAutoencoder

            network = TinyAutoencoder()
            network.load_state_dict(load_file(_FOLDER / f"tiny-{level}.safetensors"))
            network.eval()
            # On the CPU and with double precision: both sides must have the same whole frequencies.
            with torch.inference_mode():
                values = torch.arange(-LARGEST, LARGEST + 1, dtype=torch.float64)
                chances = network.double().probability(values.expand(1, LATENTS, -1))[0]
            self._loaded[level] = network.float().to(self._device), frequencies(chances.numpy())
        return self._loaded[level]


def _rows(shape: tuple[int, ...]) -> np.ndarray:
    """Return the channel of each of the latents, int64[N]."""
    return np.repeat(np.arange(shape[0]), shape[1] * shape[2])


@harness.hookimpl
def harness_codecs() -> list[type[ImageCodec]]:
    return [Tiny]
