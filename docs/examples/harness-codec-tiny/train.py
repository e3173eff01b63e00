"""Trains the three rates of the example on the demo's training frames: `python train.py` (minutes on a CPU)."""

from __future__ import annotations

import argparse
import logging
import random
from pathlib import Path

import torch
from harness_codec_tiny.network import TinyAutoencoder
from safetensors.torch import save_file

from harness.discovery.plugins import installed

WEIGHT = {3: 0.02, 2: 0.005, 1: 0.00125}
"""Level -> what a squared error of one (of 255) a value counts against one bit a pixel."""
ORDER = (3, 2, 1, 3)
"""Each goes on from the one before. The highest rate, which was first, comes once more."""
CROP, BATCH, IMAGES = 64, 6, 48


def frames() -> list[torch.Tensor]:
    """Return some of the demo's training images of detection, float[3, H, W] from -0.5 to 0.5."""
    dataset = installed().get("dataset", "demo-world")("detection", "train")
    dataset.open()
    images = [dataset[index].frames[0] for index in range(IMAGES)]
    return [torch.from_numpy(image.copy()).permute(2, 0, 1) / 255.0 - 0.5 for image in images]


def batch(images: list[torch.Tensor], draw: random.Random) -> torch.Tensor:
    """Return random crops, float[BATCH, 3, CROP, CROP]."""
    crops = []
    for _ in range(BATCH):
        image = draw.choice(images)
        top, left = draw.randrange(image.shape[1] - CROP + 1), draw.randrange(image.shape[2] - CROP + 1)
        crops.append(image[:, top : top + CROP, left : left + CROP])
    return torch.stack(crops)


def main() -> None:
    """Train the rates one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=500)
    steps = parser.parse_args().steps
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.manual_seed(0)
    draw, images, network = random.Random(0), frames(), TinyAutoencoder()
    for level in ORDER:
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
        for step in range(steps):
            inputs = batch(images, draw)
            outputs, bits = network(inputs)
            error = ((outputs - inputs) * 255).square().mean()
            bpp = bits / (BATCH * CROP * CROP)
            optimizer.zero_grad()
            (bpp + WEIGHT[level] * error).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            rates.step()
            if step % 100 == 99:
                told = f"{bpp.item():.3f} bits/pixel, squared error {error.item():.1f}"
                logging.info("level %d, step %d: %s", level, step + 1, told)
        file = Path(__file__).parent / "harness_codec_tiny" / f"tiny-{level}.safetensors"
        save_file({name: tensor.half() for name, tensor in network.state_dict().items()}, file)


if __name__ == "__main__":
    main()
