"""The options of the two-stream model."""

from __future__ import annotations

from harness.options import Option
from harness_tasks.action.flow import CAMERA, METHODS, PRESETS

__all__ = ["OPTIONS"]

BACKBONES = ("resnet18", "resnet50", "resnet101", "vgg16", "mobilenet_v3_small", "mobilenet_v3_large", "small")
OPTIONS = (
    Option("backbone", str, "resnet18", "the CNN of both streams: one of torchvision's, or a small one", BACKBONES),
    Option("size", int, 256, "pixels of the frames' shorter side, for the spatial stream", minimum=32, maximum=1024),
    Option("flow_size", int, 256, "the same for the frames that flow is computed on", minimum=32, maximum=1024),
    Option(
        "motion_size", int, 256, "the same for the motion stream, which sees flow so scaled", minimum=32, maximum=1024
    ),
    Option(
        "crop",
        float,
        0.875,
        "side of the central square that is seen, as a share of the shorter side; 0: no crop",
        minimum=0,
        maximum=1,
    ),
    Option("length", int, 10, "flow fields in a stack", minimum=1, maximum=64),
    Option("samples", int, 25, "frames of a clip that are averaged", minimum=1, maximum=1000, only="prediction"),
    Option("stacks", int, 25, "stacks of a clip that are averaged", minimum=1, maximum=1000, only="prediction"),
    Option("flow", str, "dis", "how optical flow is computed (tvl1 needs OpenCV's contrib modules)", METHODS),
    Option("preset", str, "medium", "of flow=dis: the effort", PRESETS),
    Option("camera", str, "median", "what is subtracted from a flow field as the camera's movement", CAMERA),
    Option("bound", float, 20.0, "pixels at which displacements are cut off", minimum=0.1, maximum=1000),
    Option("flip", bool, True, "whether clips are mirrored (not for actions that differ by side)", only="training"),
    Option(
        "keep_flow",
        bool,
        False,
        "whether the flow of whole clips is kept in the cache folder: fast, large",
        only="training",
    ),
)
