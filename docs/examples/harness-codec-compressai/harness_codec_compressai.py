"""The codec `compressai`: a learned codec of CompressAI (factorised prior, Ballé et al. 2018), its weights in a file.

The file has the networks of some qualities; the quality stands before the names of tensors ("3.g_a.0.weight").
"""

import struct
from importlib.util import find_spec

import numpy as np

from harness import codec, hookimpl
from harness.options import Option
from harness.weights import for_codec, load_state, save_state

_HEADER, _STRIDE = struct.Struct(">BHH"), 16


class CompressAi(codec.ImageCodec):
    name = "compressai"
    summary = "a learned codec of CompressAI with a factorised prior (weights=FILE)"
    options = (Option("weights", str, None, "the networks of some qualities, as pack() writes them", file=True),)
    wants_device = True

    def __init__(self, **options):
        super().__init__(**options)
        self._device, self._networks = "cpu", {}
        ladder = tuple(range(8, 0, -1))
        if self.option("weights") is not None:
            from safetensors import safe_open

            with safe_open(self._weights().path, "np") as file:
                ladder = tuple(sorted({int(name.partition(".")[0]) for name in file.keys()}, reverse=True))  # noqa: SIM118
        self.scale = codec.Scale("quality", ladder, ladder[-1], ladder[0], higher_is_better=True)

    def available(self):
        if find_spec("compressai") is None:
            return "compressai is not installed: pip install compressai."
        return None if self.option("weights") else "it has no weights of its own: write compressai:weights=FILE."

    def to_device(self, device):
        self._device, self._networks = device, {}

    def fingerprint(self):
        import compressai
        import torch

        return {"weights": self._weights().digest, "compressai": compressai.__version__, "torch": torch.__version__}

    def encode_image(self, image, level):  # uint8[H, W, 3] -> bytes
        return self.encode_images([image], level)[0]

    def decode_image(self, data):
        return self.decode_images([data])[0]

    def encode_images(self, images, level):  # each image alone, the entropy coder over all of them
        import torch

        height, width, _ = images[0].shape
        network, latents = self._network(int(level)), []
        with torch.inference_mode():
            for image in images:
                padded = np.pad(image, ((0, -height % _STRIDE), (0, -width % _STRIDE), (0, 0)), mode="edge")
                pixels = torch.from_numpy(padded).to(self._device).permute(2, 0, 1)[None] / 255
                latents.append(network.g_a(pixels))
            strings = network.entropy_bottleneck.compress(torch.cat(latents))
        return [_HEADER.pack(int(level), height, width) + string for string in strings]

    def decode_images(self, streams):
        import torch

        level, height, width = _HEADER.unpack_from(streams[0])
        network, strings = self._network(level), [stream[_HEADER.size :] for stream in streams]
        with torch.inference_mode():
            latents = network.entropy_bottleneck.decompress(strings, (-(-height // _STRIDE), -(-width // _STRIDE)))
            images = [(network.g_s(one[None])[0] * 255).round().clamp(0, 255).byte() for one in latents]
        return [np.ascontiguousarray(one.permute(1, 2, 0).cpu().numpy()[:height, :width]) for one in images]

    def _weights(self):
        return for_codec(self.name, self.option("weights"))

    def _network(self, level):
        if level not in self._networks:
            from compressai.models import FactorizedPrior

            state = load_state(self._weights())
            own = {name.partition(".")[2]: one for name, one in state.items() if name.startswith(f"{level}.")}
            self._networks[level] = FactorizedPrior.from_state_dict(own).eval().to(self._device)
        return self._networks[level]


def pack(path, networks):
    """Write networks of CompressAI, by quality, to a file, with the frequencies that `update()` has computed."""
    states = {f"{quality}.{name}": one for quality, net in networks.items() for name, one in net.state_dict().items()}
    save_state(path, states, ())


@hookimpl
def harness_codecs():
    return [CompressAi]
