"""What a model may know of a sample beside its frames: its outline, and hints that the model asks for by name.

A model names what it needs (`Model.needs`), takes it by the argument `known` of `prepare`, and has an option of each
name, which says where the hint comes from: `truth`, or a file of COCO results (`topdown:boxes=detections.json`).
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import PluginError, UsageError
from harness.model import TRUTH, Known

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.codec import Frames
    from harness.dataset import Dataset, Outline
    from harness.model import Memo, Model
    from harness.task import Task

__all__ = ["check_hints", "prepare", "read_boxes"]


def prepare(model: Model, task: Task, frames: Frames, outline: Outline, targets: Mapping[int, Any], memo: Memo) -> Any:
    """Return what `Model.prepare` makes of a sample; the model gets what it needs to know.

    Args:
        model: the model.
        task: its task.
        frames: the decoded frames, uint8[T, H, W, 3].
        outline: the facts about the sample.
        targets: the dataset's targets of the sample's frames.
        memo: a cache for data derived from the frames.
    """
    scored = tuple(sorted(targets))
    if not _takes_known(type(model)):
        return model.prepare(frames, scored, memo)
    hints = {name: _hint(name, str(model.config[name]), task, outline, targets) for name in model.needs}
    call: Callable[..., Any] = model.prepare
    return call(frames, scored, memo, known=Known(outline, hints))


def check_hints(model: Model, name: str, task: Task, dataset: Dataset, reference: str) -> list[str]:
    """Check that a model can have what it needs to know; return notes for the user.

    Args:
        model: the model.
        name: its name in results.
        task: its task.
        dataset: the opened dataset.
        reference: what the model is judged by: "labels" or "predictions".

    Raises:
        UsageError: the truth does not tell it, or the file does not.
        PluginError: the model's `prepare` does not take it.
    """
    if model.needs and not _takes_known(type(model)):
        raise PluginError(
            f"model {name} needs {', '.join(model.needs)}, and its prepare takes no argument `known: Known | None`."
        )
    notes = []
    for need in model.needs:
        source = str(model.config[need])
        if source == TRUTH:
            if reference != "labels" or not dataset.labelled or need not in task.tells:
                why = (
                    f"dataset {dataset.name} has no labels that tell them"
                    if reference == "labels"
                    else ("--reference predictions takes nothing from labels")
                )
                raise UsageError(
                    f"model {name} needs {need} of each sample, and {why}. Give a file of COCO results: "
                    f"{model.name}:{need}=FILE."
                )
            notes.append(f"model {name} is told {need} of the labels: its results are those of a perfect finder.")
            continue
        if need != "boxes":
            raise UsageError(f"model {name}: {need}={source}: only boxes can come from a file; write {need}={TRUTH}.")
        if not dataset.still:
            raise UsageError(f"model {name}: boxes={source}: a file has boxes of images, not of clips.")
        ids = {dataset.outline(index).id for index in range(len(dataset))}
        if not ids & read_boxes(source).keys():
            here, there = ", ".join(list(read_boxes(source))[:3]), ", ".join(sorted(ids)[:3])
            raise UsageError(
                f"model {name}: boxes={source} has no box in any of the {len(ids)} images of dataset {dataset.name}: "
                f"its image_id are {here}, the images are {there}."
            )
    return notes


@lru_cache(maxsize=8)
def read_boxes(file: str) -> Mapping[str, NDArray[np.float64]]:
    """Read a file of COCO detection results: a list of objects with `image_id`, `bbox` (x, y, width, height), `score`.

    Returns:
        image_id as text -> float64[N, 5]: x1, y1, x2, y2 in pixels, and the score.

    Raises:
        UsageError: the file cannot be read, or is none of these.
    """
    import numpy as np

    found: dict[str, list[list[float]]] = {}
    try:
        entries = json.loads(Path(file).read_text("utf-8"))
        for entry in entries:
            x, y, width, height = map(float, entry["bbox"])
            box = [x, y, x + width, y + height, float(entry["score"])]
            found.setdefault(str(entry["image_id"]), []).append(box)
        boxes = {name: np.array(rows, np.float64) for name, rows in found.items()}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        form = "a list of image_id, bbox, score"
        raise UsageError(
            f"boxes={file} is no file of COCO results ({form}): {type(error).__name__}: {error}."
        ) from error
    if not all(np.isfinite(rows).all() for rows in boxes.values()):
        raise UsageError(f"boxes={file}: a box or a score is not finite.")
    return boxes


def _hint(name: str, source: str, task: Task, outline: Outline, targets: Mapping[int, Any]) -> Mapping[int, Any]:
    """Return a hint for each scored frame of a sample."""
    if source == TRUTH:
        return {frame: task.hint(name, target) for frame, target in targets.items()}
    import numpy as np

    return {frame: read_boxes(source).get(outline.id, np.empty((0, 5))) for frame in targets}


@lru_cache(maxsize=256)
def _takes_known(model: Callable[..., Any]) -> bool:
    """Return whether a class of models takes `known`."""
    return "known" in inspect.signature(model.prepare).parameters  # type: ignore[attr-defined]
