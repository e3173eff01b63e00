"""What detectron2's weights and configs say of their classes, and which of a file's tensors a network takes."""

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
    """The classes of the dataset that the config is tested on, if detectron2 knows them and the head has as many."""
    from detectron2.data import MetadataCatalog

    for name in cfg.DATASETS.TEST:
        known = tuple(MetadataCatalog.get(name).get("thing_classes", None) or ())
        if len(known) == _head_classes(cfg):
            return known
    return ()


def _head_classes(cfg: Any) -> int:
    single = cfg.MODEL.META_ARCHITECTURE in ("RetinaNet", "FCOS")
    return int(cfg.MODEL.RETINANET.NUM_CLASSES if single else cfg.MODEL.ROI_HEADS.NUM_CLASSES)


def trained_classes(cfg: Any, state: Mapping[str, torch.Tensor]) -> int:
    """How many classes the head of a state dict has; the config's number where it has no such head."""
    head = next((t for n, t in state.items() if n.endswith("box_predictor.cls_score.weight")), None)
    return _head_classes(cfg) if head is None else head.shape[0] - 1


def check_classes(
    cfg: Any, state: Mapping[str, torch.Tensor], names: tuple[str, ...], weights: Weights, *, stated: bool
) -> None:
    """Compare the classes' names with the size of the head.

    Raises:
        WeightsError: they differ; the message says both numbers.
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
    """Leave out what detectron2's checkpointer leaves out, too: constants, and the heads that are not built."""
    own = network.state_dict()

    def constant(name: str) -> bool:
        return name in _NOT_LEARNT or "anchor_generator.cell_anchors" in name or name.endswith("num_batches_tracked")

    return {n: t for n, t in state.items() if n in own or not (constant(n) or n.startswith(_OTHER_HEADS))}
