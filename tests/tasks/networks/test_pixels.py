"""What the networks see is what the usual formula makes of the decoded frames, to the bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from harness.model import Model, NoMemo
from harness_tasks.action.models.two_stream import TwoStreamModel
from harness_tasks.depth.models.depth_gan import DepthGan
from harness_tasks.images import frames_tensor
from harness_tasks.networks.image_list import ImageListModel, Labels
from harness_tasks.networks.pixels import float_images, normalise_
from harness_tasks.pose.models.openpose import OpenPose
from harness_tasks.segmentation.models.segnet import SegNet

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
DEVIATION = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
Formula = Callable[[torch.Tensor], torch.Tensor]
MODELS: dict[str, tuple[Callable[[], Model], str, Formula]] = {
    "segmentation": (lambda: SegNet(width=0.05), "", lambda x: (x / 255 - MEAN) / DEVIATION),
    "segmentation, unit": (lambda: SegNet(width=0.05, normalise="unit"), "", lambda x: x / 255),
    "depth": (lambda: DepthGan(width=2), "", lambda x: x / 255),
    "pose": (lambda: OpenPose(height=64, stages=1), "front", lambda x: x.flip(1) / 256 - 0.5),
    "pose, small": (
        lambda: OpenPose(height=64, front="small", stages=1),
        "front.stem",
        lambda x: (x / 255 - 0.44) / 0.22,
    ),
}
"""The model, the module that is looked at, and the formula for an image float32[N, 3, H, W] of 0-255."""


def noise(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (count, height, width, 3), np.uint8)


def planar(frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(frames.transpose(0, 3, 1, 2).copy()).to(torch.float32)


def ready(model: Model, precision: str = "fp32") -> Any:
    torch.manual_seed(0)
    model.build(("a", "b"))
    model.network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model._precision = precision  # type: ignore[attr-defined]
    return model


def seen_by(module: torch.nn.Module) -> list[torch.Tensor]:
    seen: list[torch.Tensor] = []
    module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    return seen


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("width", [64, 81])
@pytest.mark.parametrize("name", MODELS)
def test_networks_see_what_the_formula_says(name: str, width: int, precision: str) -> None:
    make, place, formula = MODELS[name]
    model = ready(make(), precision)
    seen, frames = seen_by(model.network.get_submodule(place)), noise(3, 64, width)
    batch = model.collate([model.prepare(frames[:2], (0, 1), NoMemo()), model.prepare(frames, (0, 2), NoMemo())])
    with torch.inference_mode():
        model.predict(batch)
    images = planar(frames[[0, 1, 0, 2]])
    if name.startswith("pose"):
        images = torch.nn.functional.pad(images, (0, -width % 16), value=128)
    expected = formula(images).contiguous(memory_format=torch.channels_last)
    assert torch.equal(seen[0], expected)
    assert seen[0].stride() == expected.stride()


@pytest.mark.parametrize("backbone", ["small", "mobilenet_v3_small", "resnet18"])
def test_streams_see_what_the_formula_says(backbone: str) -> None:
    model = ready(TwoStreamModel(backbone=backbone, length=2, samples=2, stacks=2, size=37, crop=0, flow_size=37))
    spatial, motion = seen_by(model.network.spatial), seen_by(model.network.motion)
    frames = noise(4, 37, 45)
    batch = model.collate([model.prepare(frames, (0,), NoMemo())])
    with torch.inference_mode():
        ((found,),) = model.predict(batch)
        images = planar(frames[[0, 3]])
        usual = (images / 255 - 0.44) / 0.22 if backbone == "small" else (images / 255 - MEAN) / DEVIATION
        assert torch.equal(spatial[0], usual)
        assert torch.equal(motion[0], batch["motion"][0].float() * (4 / 127))
        # The network's first layer is channels last, so images of both layouts give the same bits.
        logits = model.network.spatial(usual.contiguous())
    np.testing.assert_array_equal(found.spatial, logits.softmax(1).view(1, 2, -1).mean(1)[0].numpy())


class _Mean(torch.nn.Module):
    """A network with torchvision's calling convention, but without its transform."""

    def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        assert isinstance(images, list)
        assert all(image.is_contiguous() for image in images)
        return [{"mean": image.mean(dim=(1, 2)), "image": image} for image in images]


class _Means(ImageListModel):
    name = "means"
    task = "means"

    def make(self, outputs: int) -> torch.nn.Module:
        return _Mean()

    def found(self, output: Any) -> Any:
        return output


def test_other_networks_get_a_list_of_float_images() -> None:
    model = _Means()
    model._place(model._use(model.make(1), Labels.of(())), "cpu", "fp32")
    frames = noise(3, 31, 45)
    ((first, last),) = model.predict(model.collate([model.prepare(frames, (0, 2), NoMemo())]))
    for found, image in ((first, planar(frames)[0] / 255), (last, planar(frames)[2] / 255)):
        assert torch.equal(found["image"], image)
        assert torch.equal(found["mean"], image.mean(dim=(1, 2)))


def test_frames_are_not_copied_without_need() -> None:
    frames = noise(3, 5, 7)
    assert frames_tensor(frames, (0, 1, 2)).data_ptr() == frames.ctypes.data
    assert torch.equal(frames_tensor(frames, (2, 0)), torch.from_numpy(frames[[2, 0]]))
    assert torch.equal(frames_tensor(frames[:, ::-1], (0, 1, 2)), torch.from_numpy(frames[:, ::-1].copy()))
    one = frames_tensor(frames, (1,))
    frames[:] = 0
    assert one.any(), "a part of a clip does not keep the clip in memory"
    frames.setflags(write=False)  # as the engine does with sources; torch warns of such arrays
    assert frames_tensor(frames, (0, 1, 2)).data_ptr() != frames.ctypes.data


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_normalises_in_place(layout: torch.memory_format, dtype: torch.dtype) -> None:
    frames = torch.from_numpy(noise(2, 9, 11))
    images = float_images(frames, "cpu")
    assert torch.equal(images, planar(frames.numpy()))
    images = images.to(dtype).contiguous(memory_format=layout)
    mean, deviation = [1.5, 2.0, 0.1], [3.0, 0.7, 255.0]
    expected = (images - torch.tensor(mean, dtype=dtype)[:, None, None]) / torch.tensor(deviation, dtype=dtype)[
        :, None, None
    ]
    assert normalise_(images, mean, deviation) is images
    assert torch.equal(images, expected)
