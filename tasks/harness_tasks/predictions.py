"""Writes kept predictions in the formats of other tools: COCO results, label maps, depth maps, tables of classes."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from harness.dataset import WHOLE
from harness.files import whole_file

if TYPE_CHECKING:
    from pathlib import Path

    from harness.dataset import KeptFrame

__all__ = ["write_boxes", "write_depths", "write_label_maps", "write_poses", "write_scores"]


def write_boxes(frames: Iterable[KeptFrame], target: Path) -> None:
    """Write COCO detection results: a list of `image_id`, `category_id`, `bbox` (x, y, width, height) and `score`.

    Category ids are those of the dataset's own file; without one they are 1, 2, 3, ... in the order of the classes.
    """
    entries: list[dict[str, Any]] = []
    for frame in frames:
        boxes, scores, labels = (frame.arrays[name] for name in ("boxes", "scores", "labels"))
        for (x1, y1, x2, y2), score, label in zip(boxes.tolist(), scores.tolist(), labels.tolist(), strict=True):
            number = frame.numbers[label] if frame.numbers else label + 1
            box = [x1, y1, x2 - x1, y2 - y1]
            entries.append({"image_id": image_id(frame), "category_id": number, "bbox": box, "score": score})
    _write_json(entries, target)


def write_poses(frames: Iterable[KeptFrame], target: Path) -> None:
    """Write COCO key point results: a list of `image_id`, `category_id`, `keypoints` (x, y, confidence) and `score`."""
    entries: list[dict[str, Any]] = []
    for frame in frames:
        number = frame.numbers[0] if frame.numbers else 1
        for points, score in zip(frame.arrays["keypoints"], frame.arrays["scores"].tolist(), strict=True):
            person = {"image_id": image_id(frame), "category_id": number}
            entries.append({**person, "keypoints": points.ravel().tolist(), "score": score})
    _write_json(entries, target)


def write_label_maps(frames: Iterable[KeptFrame], target: Path) -> None:
    """Write a PNG for each frame: 8 bits, or 16 if there is a class above 255. A pixel is the number of its class.

    The number of the classes themselves stands for what the model takes for a class that the dataset does not have.
    """
    import numpy as np
    from PIL import Image

    target.mkdir(parents=True, exist_ok=True)
    names = _Names()
    for frame in frames:
        labels = frame.arrays[WHOLE]
        plain = labels.astype(np.uint8 if labels.max(initial=0) < 256 else np.uint16)
        with whole_file(target / f"{names.of(frame)}.png") as part, part.open("wb") as file:
            Image.fromarray(plain).save(file, "png")


def write_depths(frames: Iterable[KeptFrame], target: Path) -> None:
    """Write an .npz file with a depth map for each frame, float32[H, W] in the dataset's unit, under its name."""
    import numpy as np

    names = _Names()
    with whole_file(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for frame in frames:
            with archive.open(f"{names.of(frame)}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(frame.arrays[WHOLE]), allow_pickle=False)


def write_scores(frames: Iterable[KeptFrame], target: Path, classes: Sequence[str]) -> None:
    """Write a CSV file with a row for each clip and stream: the likeliest class, and the score of each class."""
    with whole_file(target) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sample", "stream", "class", *classes])
        for frame in frames:
            for stream, scores in frame.arrays.items():
                values = scores.tolist()
                writer.writerow([frame.id, stream, classes[int(scores.argmax())], *map(repr, values)])


def image_id(frame: KeptFrame) -> int | str:
    """Return the id of a frame's image as COCO has it: a whole number where the sample's name is one.

    A frame of a clip is named by the clip and its number in it.
    """
    if not frame.still:
        return f"{frame.id}#{frame.frame}"
    return int(frame.id) if re.fullmatch(r"0|[1-9][0-9]*", frame.id) else frame.id


class _Names:
    """Names of files for frames: letters, digits, points, dashes and underscores of the sample's name; each once."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def of(self, frame: KeptFrame) -> str:
        name = re.sub(r"[^\w.-]+", "_", frame.id).lstrip(".") or "_"
        if not frame.still:
            name += f"-{frame.frame:06d}"
        plain, number = name, 1
        while name.casefold() in self._used:
            number += 1
            name = f"{plain}-{number}"
        self._used.add(name.casefold())
        return name


def _write_json(entries: Sequence[dict[str, Any]], target: Path) -> None:
    with whole_file(target) as part, part.open("w", encoding="utf-8") as file:
        json.dump(entries, file)
