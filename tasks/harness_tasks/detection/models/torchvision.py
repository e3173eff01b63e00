"""torchvision's detectors by name: Faster R-CNN, RetinaNet, FCOS, SSD, and the boxes of Mask and Keypoint R-CNN."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from harness import hookimpl
from harness.errors import UsageError, closest
from harness.model import Model
from harness.options import Option
from harness_tasks.detection.models.common import ImageListDetector
from harness_tasks.networks.torchvision_detector import TorchvisionDetector

if TYPE_CHECKING:
    import torch

__all__ = ["Torchvision"]

_OTHER_HEADS = ("roi_heads.mask_", "roi_heads.keypoint_")


class Torchvision(TorchvisionDetector, ImageListDetector):
    """A torchvision detector, with torchvision's own weights or with weights from a file. Only its boxes are used."""

    name = "torchvision"
    summary = "any torchvision detector, by its torchvision name"
    options: ClassVar[tuple[Option, ...]] = (
        Option("arch", str, "fasterrcnn_resnet50_fpn", "torchvision's name of the detector"),
        *TorchvisionDetector.options,
    )

    def arch(self) -> str:
        import torchvision

        arch = str(self.option("arch"))
        known = torchvision.models.list_models(module=torchvision.models.detection)
        if arch not in known:
            suggestion = closest(arch, known)
            hint = f" Did you mean {suggestion}?" if suggestion else ""
            raise UsageError(f"torchvision has no detector {arch!r}.{hint} It has: {', '.join(known)}.")
        return arch

    def trim(self, network: torch.nn.Module) -> None:
        """Remove the mask and keypoint heads: they cost time and do not change the boxes."""
        heads: Any = getattr(network, "roi_heads", None)
        for kind, part in itertools.product(("mask", "keypoint"), ("roi_pool", "head", "predictor")):
            if getattr(heads, f"{kind}_{part}", None) is not None:
                setattr(heads, f"{kind}_{part}", None)

    def kept(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the state dict without the mask and keypoint heads."""
        return {name: tensor for name, tensor in state.items() if not name.startswith(_OTHER_HEADS)}


@hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [Torchvision]
