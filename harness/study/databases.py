"""How the databases were made on which the page in the documentation stands."""

from __future__ import annotations

__all__ = ["MADE"]

MADE = """\
## How the documentation's databases were made

The page in the harness's own documentation stands on databases that these commands make, on a CPU. Each may have a
database of its own (`--db FILE`), or all one; what several have is taken from the first that is named. The weights of
the demo's networks are shipped.

Pretrained networks, all tasks:

    harness run --codec jpeg --codec h264 --task all

Retrained at each level, and the control that is trained as long on uncompressed data:

    harness run --codec jpeg --task segmentation --retrain matched --retrain clean
    harness run --codec jpeg --task depth --retrain matched --retrain clean --retrain all --retrain mixed
    harness run --codec jpeg --task detection --retrain matched --retrain clean
    harness run --codec jpeg --task pose --retrain matched --retrain clean
    harness run --codec jpeg --task action --retrain matched --retrain clean
    harness run --codec jpeg@95,10,5 --task action --retrain matched --retrain clean --seeds 3
    harness run --codec h264 --task action --retrain matched --retrain clean
    harness run --codec h264 --task action --retrain matched --retrain-parts spatial

OpenPose with another threshold of body parts, for X in 0.03, 0.05, 0.1, 0.2, 0.3 and 0.4:

    harness run --codec jpeg --task pose --model demo-pose:part_threshold=X --limit 60

SegNet with another up-sampling, for X in unpool, bilinear and transposed. These weights are not shipped; each is
trained by the same command, from the same seed, on the same data, but for X:

    harness train --task segmentation --dataset demo --model demo-segnet:upsampling=X,skips=false \\
        --set iterations=300 --set warmup=30 --set average=0.98 --set checkpoint=60 --threads 1 -o seg-X.safetensors
    harness run --codec jpeg --task segmentation --model demo-segnet:upsampling=X,skips=false \\
        --weights seg-X.safetensors --limit 66

CamVid: as in [its guide](../how-to/camvid.md), whose photographs and weights are not shipped.

What is listed here and not above was not finished when the page was made.
"""
