"""Checks what datasets and models give where it enters, and names the plugin, the sample and the frame.

What a prediction or a target must be is the task's matter (`Task.check_prediction`, `Task.check_target`). What all
tasks have in common is checked here: a list with a prediction for each scored frame, a mapping of frame numbers to
targets, and numbers that a database can store.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from harness.dataset import Sample, Source
from harness.errors import ContentError, HarnessError, PluginError, found, plain_text
from harness.planning.given import check_text, named

if TYPE_CHECKING:
    from harness.dataset import Outline
    from harness.unit import Subject

__all__ = [
    "check_batch",
    "check_predictions",
    "check_sample",
    "check_statistics",
    "check_targets",
    "sample_score",
]

_MOST = 2**63


def check_batch(predictions: Any, samples: int) -> None:
    """Check that `Model.predict` gave one entry for each sample of a batch.

    What it gave for one sample may not be what it gave for another: a list or a writable array that is used again holds
    the last sample's predictions for all of them. Arrays that are read-only may be shared.

    Raises:
        ContentError: it gave no list, one of another length, or one thing for two samples.
    """
    if not isinstance(predictions, list | tuple):
        raise ContentError(f"predict gave {found(predictions)}; a list with one entry for each sample is expected.")
    if len(predictions) != samples:
        raise ContentError(f"{samples} samples went in, {len(predictions)} predictions came back")
    owners: dict[tuple[str, int], int] = {}
    for place, predicted in enumerate(predictions if samples > 1 else ()):
        for kind, address in _places(predicted):
            if (owner := owners.setdefault((kind, address), place)) != place:
                raise ContentError(
                    f"predict gave one {kind} for samples {owner + 1} and {place + 1} of its batch: for each sample "
                    "new lists, predictions and arrays are expected, because one that is used again is overwritten."
                )


def _places(predicted: Any) -> Iterator[tuple[str, int]]:
    """Yield where what was predicted for a sample lies in memory, as far as it can be changed there."""
    import numpy as np

    if isinstance(predicted, list):
        yield "list", id(predicted)
    for prediction in predicted if isinstance(predicted, list | tuple) else ():
        fields = getattr(prediction, "__dict__", None)
        for value in (prediction, *fields.values()) if isinstance(fields, dict) else (prediction,):
            if isinstance(value, np.ndarray) and value.flags.writeable and value.nbytes:
                yield "array", value.__array_interface__["data"][0]
            elif isinstance(value, list | dict | bytearray):
                yield type(value).__name__, id(value)


def check_predictions(subject: Subject, classes: int, outline: Outline, predicted: Any, unseen: int = 0) -> None:
    """Check what a model predicted for one sample.

    Args:
        subject: task, model and dataset.
        classes: the number of the model's classes.
        outline: the facts about the sample, as it was read.
        predicted: what `predict` gave for the sample.
        unseen: how many of its first scored frames are not judged; their predictions are not checked.

    Raises:
        ContentError: it is no list with one prediction for each scored frame, or the task refuses a prediction. The
            message names the model, its plugin, the sample, and the frame where several are scored.
    """
    where, scored = f"{named('model', subject)}: sample {outline.id!r}", outline.scored
    if not isinstance(predicted, list | tuple):
        given = type(predicted).__name__
        raise ContentError(
            f"{where}: predict gave [{given}, ...] where [[{given}, ...], ...] is expected: for each sample a list "
            "with one prediction for each scored frame."
        )
    if len(predicted) != len(scored):
        frames = "the 1 scored frame" if len(scored) == 1 else f"the {len(scored)} scored frames"
        count = "1 prediction" if len(predicted) == 1 else f"{len(predicted)} predictions"
        raise ContentError(f"{where}: predict gave {count} for {frames} of the sample.")
    for frame, prediction in list(zip(scored, predicted, strict=True))[unseen:]:
        try:
            subject.task.check_prediction(prediction, (outline.height, outline.width), classes)
        except HarnessError as error:
            several = f", frame {frame}" if len(scored) > 1 else ""
            raise ContentError(f"{where}{several}: {error}") from error


def check_targets(subject: Subject, outline: Outline, targets: Mapping[int, Any]) -> None:
    """Check the targets of one sample by the task's own function.

    Raises:
        ContentError: the task refuses a target. The message begins with the frame's number where there are several.
        PluginError: the task's function raised another error.
    """
    for frame in outline.scored:
        try:
            subject.task.check_target(targets[frame], (outline.height, outline.width))
        except HarnessError as error:
            several = f"frame {frame}: " if len(outline.scored) > 1 else ""
            raise ContentError(f"{several}{error}") from error
        except Exception as error:
            problem = f"task {subject.task.name}: check_target: {type(error).__name__}: {plain_text(error)}"
            raise PluginError(problem) from error


def check_sample(sample: Any) -> Sample:
    """Return what a dataset gave for an index, if it is a sample whose facts can be stored.

    Raises:
        ContentError: it is anything else; the message begins with the field.
    """
    import numpy as np

    if not isinstance(sample, Sample):
        raise ContentError(f"a harness.dataset.Sample is expected, found {found(sample)}.")
    frames, targets, source = sample.frames, sample.targets, sample.source
    if not isinstance(frames, np.ndarray):
        raise ContentError(f"frames: uint8[T, H, W, 3] is expected, found {found(frames)}.")
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not frames.size:
        raise ContentError(f"frames: uint8[T, H, W, 3] is expected, found {frames.dtype}{list(frames.shape)}.")
    if not isinstance(targets, Mapping):
        raise ContentError(f"targets: a mapping of frame numbers to targets is expected, found {found(targets)}.")
    if not targets:
        raise ContentError("targets: there is none; a sample has a target at one frame at least.")
    frame: Any
    for frame in targets:
        if not _is_whole(frame):
            raise ContentError(f"targets: whole numbers of frames are expected, found {found(frame)}.")
        if not 0 <= frame < len(frames):
            length = "1 frame" if len(frames) == 1 else f"{len(frames)} frames"
            raise ContentError(f"targets: frame {frame} of a sample with {length}.")
    fps = sample.fps
    if fps is not None and not (_is_number(fps) and 0 < fps < math.inf):
        raise ContentError(f"fps: a number above 0 or None is expected, found {found(fps)}.")
    if not isinstance(source, Source):
        raise ContentError(f"source: a harness.dataset.Source is expected, found {found(source)}.")
    check_text("source.format", source.format)
    for field in ("bytes", "quality"):
        value = getattr(source, field)
        if value is not None and (not _is_whole(value) or not 0 <= value < _MOST):
            raise ContentError(f"source.{field}: a whole number below 2^63 or None is expected, found {found(value)}.")
    return sample


def check_statistics(statistics: Sequence[Any]) -> None:
    """Check that `Task.score` gave mappings.

    Raises:
        PluginError: it gave anything else.
    """
    for frame in statistics:
        if not isinstance(frame, Mapping):
            raise PluginError(f"score gave {found(frame)}; a mapping of names to arrays is expected.")


def sample_score(score: Any) -> float | None:
    """Return what `Task.sample_score` gave; None for a number that is not finite.

    Raises:
        PluginError: it is no number.
    """
    if score is None:
        return None
    if not _is_number(score) or (isinstance(score, int) and abs(score) > _MOST):
        raise PluginError(f"sample_score gave {found(score)}; a number or None is expected.")
    return float(score) if math.isfinite(score) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
