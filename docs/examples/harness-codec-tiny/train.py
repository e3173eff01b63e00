"""Trains the three rates of the example on the demo's training frames: `python train.py` (some minutes on a CPU).

One run makes all of the weights, from nothing, with fixed seeds and one thread.
"""

from __future__ import annotations

import argparse
import logging
import random
from pathlib import Path

import torch
from harness_codec_tiny.network import LARGEST, TinyAutoencoder
from safetensors.torch import save_file
from torch import Tensor

from harness.discovery.plugins import installed

WEIGHT = {3: 0.032, 2: 0.008, 1: 0.002}
"""Level -> what a squared error of one (of 255) a value counts against one bit a pixel."""
SHARED, OWN = 8000, 4000
"""The steps that all rates share, from random weights and with rate 3's weight, and those of each rate after them."""
CROP, BATCH, IMAGES, HELD_OUT, EVERY = 64, 6, 256, 16, 500
RATE, RATE_OF_PRIOR = 2e-3, 2e-2
"""The highest learning rates. The prior's few numbers have a longer way to go."""

Weights = dict[str, Tensor]


def frames() -> list[Tensor]:
    """Return the first training images of detection in the demo, float[3, H, W] from -0.5 to 0.5."""
    dataset = installed().get("dataset", "demo-world")("detection", "train")
    dataset.open()
    images = [dataset[index].frames[0] for index in range(IMAGES + HELD_OUT)]
    return [torch.from_numpy(image.copy()).permute(2, 0, 1) / 255.0 - 0.5 for image in images]


def batch(images: list[Tensor], draw: random.Random) -> Tensor:
    """Return random crops, float[BATCH, 3, CROP, CROP]."""
    crops = []
    for _ in range(BATCH):
        image = draw.choice(images)
        top, left = draw.randrange(image.shape[1] - CROP + 1), draw.randrange(image.shape[2] - CROP + 1)
        crops.append(image[:, top : top + CROP, left : left + CROP])
    return torch.stack(crops)


def measure(weights: Weights, images: list[Tensor]) -> tuple[float, float]:
    """Return the bits a pixel and the squared error (of 255) that images have with weights as they are shipped."""
    network, inputs = TinyAutoencoder(), torch.stack(images)
    network.load_state_dict(weights)
    with torch.inference_mode():
        latents = network.encode(inputs).round().clamp(-LARGEST, LARGEST)
        bits = -network.probability(latents).clamp_min(2**-16).log2().sum()
        outputs = ((network.decode(latents) + 0.5) * 255).round().clamp(0, 255)
    error = (outputs - (inputs + 0.5) * 255).square().mean()
    return bits.item() / inputs[:, 0].numel(), error.item()


def train(network: TinyAutoencoder, level: int, steps: int, images: list[Tensor], draw: random.Random) -> Weights:
    """Train on the first images, and return the weights at the step that is best for the images that are held out."""
    prior = [network.location, network.log_scale]
    others = [*network.analysis.parameters(), *network.synthesis.parameters()]
    optimizer = torch.optim.Adam([{"params": others}, {"params": prior}])
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, [RATE, RATE_OF_PRIOR], total_steps=steps, pct_start=0.1)
    least, best = float("inf"), Weights()
    for step in range(1, steps + 1):
        inputs = batch(images[:IMAGES], draw)
        outputs, bits = network(inputs)
        error = ((outputs - inputs) * 255).square().mean()
        optimizer.zero_grad()
        (bits / (BATCH * CROP * CROP) + WEIGHT[level] * error).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        rates.step()
        if step % EVERY == 0 or step == steps:
            weights = {name: tensor.half() for name, tensor in network.state_dict().items()}
            bpp, squared = measure(weights, images[IMAGES:])
            loss = bpp + WEIGHT[level] * squared
            logging.info("level %d, step %d: %.3f bits/pixel, squared error %.1f", level, step, bpp, squared)
            if loss < least:
                least, best = loss, weights
    return best


def main() -> None:
    """Train the part that the rates share, and from there each rate, and save them when they are in order."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "harness_codec_tiny")
    parser.add_argument("--share", type=float, default=1.0, help="of the steps; a small one for a trial")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    draw, images, network = random.Random(0), frames(), TinyAutoencoder()
    shared, own = (max(1, round(steps * options.share)) for steps in (SHARED, OWN))
    start = train(network, max(WEIGHT), shared, images, draw)
    trained = {}
    for level in WEIGHT:
        network.load_state_dict(start)
        trained[level] = train(network, level, own, images, draw)
    points = {level: measure(weights, images[IMAGES:]) for level, weights in trained.items()}
    for level, (bpp, error) in points.items():
        logging.info("level %d, held out: %.3f bits/pixel, squared error %.1f", level, bpp, error)
    for level in (1, 2):
        if not (points[level][0] < points[level + 1][0] and points[level][1] > points[level + 1][1]):
            raise SystemExit(f"rates {level} and {level + 1} are not in order; nothing was saved")
    for level, weights in trained.items():
        save_file(weights, options.out / f"tiny-{level}.safetensors")


if __name__ == "__main__":
    main()
