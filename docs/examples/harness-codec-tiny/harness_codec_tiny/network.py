"""The network: three convolutions to a grid of whole numbers at an eighth of the size, and three back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNELS, LATENTS, STRIDE, LARGEST = 32, 24, 8, 63

_GAIN = 16.0
"""What latents are multiplied by, so that rounding costs little from the first step of the training."""


class TinyAutoencoder(nn.Module):
    """An autoencoder with a factorised prior: every channel of the latents has a logistic distribution of its own."""

    def __init__(self) -> None:
        super().__init__()
        down = [(3, CHANNELS), (CHANNELS, CHANNELS), (CHANNELS, LATENTS)]
        up = [(LATENTS, CHANNELS), (CHANNELS, CHANNELS), (CHANNELS, 3)]
        first = [nn.Conv2d(i, o, 5, stride=2, padding=2) for i, o in down]
        last = [nn.ConvTranspose2d(i, o, 5, stride=2, padding=2, output_padding=1) for i, o in up]
        self.analysis = nn.Sequential(first[0], nn.LeakyReLU(), first[1], nn.LeakyReLU(), first[2])
        self.synthesis = nn.Sequential(last[0], nn.LeakyReLU(), last[1], nn.LeakyReLU(), last[2])
        self.location = nn.Parameter(torch.zeros(LATENTS))
        self.log_scale = nn.Parameter(torch.zeros(LATENTS))

    def encode(self, images: Tensor) -> Tensor:
        """Return the latents float[N, LATENTS, H / 8, W / 8] of images float[N, 3, H, W] (-0.5 to 0.5)."""
        latents: Tensor = self.analysis(images)
        return latents * _GAIN

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images of latents."""
        images: Tensor = self.synthesis(latents / _GAIN)
        return images

    def probability(self, values: Tensor) -> Tensor:
        """Return the probability of values float[N, LATENTS, ...]: that of the interval of width 1 around each."""
        shape = (1, -1, *[1] * (values.ndim - 2))
        centred = (values - self.location.reshape(shape)).abs()
        scale = self.log_scale.exp().reshape(shape)
        return torch.sigmoid((0.5 - centred) / scale) - torch.sigmoid((-0.5 - centred) / scale)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return images float[N, 3, H, W] (-0.5 to 0.5) as they come back with noise for rounding, and their bits."""
        latents = self.encode(images)
        noisy = latents + torch.rand_like(latents) - 0.5
        bits = -self.probability(noisy).clamp_min(1e-9).log2().sum()
        return self.decode(noisy), bits
