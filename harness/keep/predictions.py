"""Predictions that a run keeps (`--keep predictions`): a sealed file for each sample, in the cache folder.

A prediction is kept as the task scored it: in the dataset's classes, in pixels of the source frame. It is an array, or
a dataclass of arrays (fields that are None are left out). No pickle is written or read.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from harness.dataset import WHOLE, KeptFrame
from harness.errors import HarnessError, found
from harness.files import cache_dir, read_sealed, write_sealed

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["arrays_of", "keep_predictions", "kept_frames", "move_predictions"]


def keep_predictions(key: str, index: int, frames: Sequence[KeptFrame]) -> None:
    """Keep the predictions of one sample.

    Args:
        key: the experiment's key.
        index: the sample's index in the dataset.
        frames: its predictions.

    Raises:
        HarnessError: they cannot be written.
    """
    import numpy as np

    names = ("id", "frame", "still", "size", "numbers")
    facts = [{name: getattr(one, name) for name in names} for one in frames]
    arrays: dict[str, Any] = {
        f"{n}/{name}": array for n, one in enumerate(frames) for name, array in one.arrays.items()
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)
    try:
        write_sealed(_file(key, index), buffer.getbuffer())
    except OSError as error:
        raise HarnessError(f"its predictions cannot be kept in {_file(key, index).parent}: {error}.") from error


def kept_frames(key: str, index: int) -> list[KeptFrame] | None:
    """Return the kept predictions of one sample; None if they were not kept, or the file is damaged."""
    import numpy as np

    try:
        content = read_sealed(_file(key, index))
    except OSError:
        return None
    if content is None:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    frames = []
    for number, one in enumerate(json.loads(arrays.pop("facts").tobytes())):
        own = {name.partition("/")[2]: a for name, a in arrays.items() if name.startswith(f"{number}/")}
        height, width = one["size"]
        place = (one["id"], one["frame"], one["still"], (height, width))
        frames.append(KeptFrame(*place, own, tuple(one["numbers"])))
    return frames


def move_predictions(key: str, other: str) -> None:
    """Give kept predictions to another experiment, in place of those that it has."""
    if (folder := _folder(key)).is_dir():
        shutil.rmtree(_folder(other), ignore_errors=True)
        folder.rename(_folder(other))


def arrays_of(prediction: Any) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of a prediction.

    Raises:
        HarnessError: it is neither an array nor a dataclass of arrays.
    """
    import numpy as np

    if is_dataclass(prediction):
        named = {field.name: getattr(prediction, field.name) for field in fields(prediction)}
    else:
        named = {WHOLE: prediction}
    arrays = {name: np.asarray(value) for name, value in named.items() if value is not None}
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise HarnessError(
                f"its prediction cannot be kept: {name} is {found(named[name])}, not an array of numbers."
            )
    return arrays


def _folder(key: str) -> Path:
    return cache_dir() / "predictions" / key


def _file(key: str, index: int) -> Path:
    return _folder(key) / f"{index}.npz"
