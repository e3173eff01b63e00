"""Check the classes of detectron2's weights and configs, and select the tensors of a file that a network needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.errors import WeightsError
from harness.model import Weights

if TYPE_CHECKING:
    import torch

__all__ = ["check_classes", "own_tensors", "tested_classes", "trained_classes"]

_OTHER_HEADS = ("roi_heads.mask_", "roi_heads.keypoint_")
_NOT_LEARNT = ("pixel_mean", "pixel_std")


def tested_classes(cfg: Any) -> tuple[str, ...]:
    """Return the class names of the config's test dataset.

    The result is empty if detectron2 does not know the dataset's classes, or if the head has another number of classes.
    """
    from detectron2.data import MetadataCatalog

    for name in cfg.DATASETS.TEST:
        classes = tuple(MetadataCatalog.get(name).get("thing_classes", None) or ())
        if len(classes) == _head_classes(cfg):
            return classes
    return ()


def _head_classes(cfg: Any) -> int:
    """Return the number of classes in the config."""
    single = cfg.MODEL.META_ARCHITECTURE in ("RetinaNet", "FCOS")
    return int(cfg.MODEL.RETINANET.NUM_CLASSES if single else cfg.MODEL.ROI_HEADS.NUM_CLASSES)


def trained_classes(cfg: Any, state: Mapping[str, torch.Tensor]) -> int:
    """Return the number of classes of the head in a state dict; without such a head, the config's number."""
    head = next((t for n, t in state.items() if n.endswith("box_predictor.cls_score.weight")), None)
    return _head_classes(cfg) if head is None else head.shape[0] - 1


def check_classes(
    cfg: Any, state: Mapping[str, torch.Tensor], names: tuple[str, ...], weights: Weights, *, stated: bool
) -> None:
    """Check that the number of class names equals the size of the head.

    Raises:
        WeightsError: the numbers differ; the message has both.
    """
    found = trained_classes(cfg, state)
    if found != len(names):
        origin = "their file names" if stated else "the dataset has"
        raise WeightsError(
            f"weights {weights.path} were trained on {found} classes, {origin} {len(names)}. Name the weights' own in "
            'a file beside them (NAME.json: {"classes": [...]}), or give weights for these.'
        )
    if not stated and found != _head_classes(cfg):
        raise WeightsError(
            f"weights {weights.path} were trained on {found} classes, the config has {_head_classes(cfg)} "
            "(MODEL.ROI_HEADS.NUM_CLASSES)."
        )


def own_tensors(network: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of a state dict that the network needs.

    As detectron2's own checkpointer does, it leaves out constants and the heads that are not built.
    """
    tensors = network.state_dict()

    def constant(name: str) -> bool:
        return name in _NOT_LEARNT or "anchor_generator.cell_anchors" in name or name.endswith("num_batches_tracked")

    return {n: t for n, t in state.items() if n in tensors or not (constant(n) or n.startswith(_OTHER_HEADS))}
