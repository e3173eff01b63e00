"""Runs one sample again at a level, as the engine does, but keeps the decoded frames and the predictions."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.batches.checking import check_batch, check_predictions
from harness.batches.preparing import WROTE, unseen_targets
from harness.batches.read_sample import frames_mark
from harness.dataset import Outline
from harness.device.device import set_up_torch
from harness.errors import HarnessError
from harness.media.contract import check_decoded, check_encoded
from harness.model import NoMemo
from harness.planning.given import check_classes
from harness.planning.hints import prepare
from harness.planning.phases import SamplePhases
from harness.statistics.agreement import Agreement
from harness.training.transfer import to_device

if TYPE_CHECKING:
    from harness.codec import Frames
    from harness.dataset import Sample
    from harness.unit import Cell, Settings, Subject

__all__ = ["SampleRun", "SampleRunner"]


@dataclass(frozen=True)
class SampleRun:
    """The result of one sample at one level.

    Args:
        frames: uint8[T, H, W, 3], the decoded frames.
        predictions: the prediction on each scored frame, by the frame's index, in the dataset's classes.
        bits: the size of the coded sample in bits.
        score: the sample's own score; None if it has none.
    """

    frames: Frames
    predictions: Mapping[int, Any]
    bits: int
    score: float | None


class SampleRunner:
    """A loaded model that runs samples one at a time.

    The batch size is always 1, even if the experiment had larger batches. This may change the last bits of a network's
    output.

    Args:
        subject: the task, model and dataset.
        settings: the device, precision and threads.
    """

    def __init__(self, subject: Subject, settings: Settings) -> None:
        self._subject = subject
        # The subject's own model stays without a network, so that other weights can be loaded at the same time.
        self._model = copy.copy(subject.model)
        self._device = settings.device
        set_up_torch(settings)
        self._model.load(subject.weights, subject.dataset.classes, settings.device, settings.precision)
        check_classes(subject, self._model.classes)
        self._phases = SamplePhases(subject)
        self._translate = subject.task.translator(self._model.classes, subject.dataset_name)

    def referred(self, sample: Sample) -> Sample:
        """Return the sample with the targets that the task scores against.

        If the reference is the model's own output (`Agreement`), the targets are its predictions on the uncompressed
        frames. Otherwise the sample is returned unchanged, with its labels.

        Raises:
            HarnessError: the model fails on the sample.
        """
        if not isinstance(self._subject.task, Agreement):
            return sample
        try:
            predictions = self._predict(sample.frames, sample)
        except HarnessError:
            raise
        except Exception as error:
            raise HarnessError(f"sample {sample.id}, uncompressed: {type(error).__name__}: {error}") from error
        return replace(
            sample,
            targets={frame: self._subject.task.as_target(prediction) for frame, prediction in predictions.items()},
        )

    def run(self, cell: Cell, sample: Sample) -> SampleRun:
        """Code and decode a sample, predict on its frames, and score the predictions.

        Args:
            cell: the codec and level.
            sample: the sample, as `referred` returns it.

        Raises:
            HarnessError: the codec, model or task fails on the sample.
        """
        try:
            return self._run(cell, sample)
        except HarnessError:
            raise
        except Exception as error:
            what = f"{cell.experiment.label}, sample {sample.id}"
            raise HarnessError(f"{what}: {type(error).__name__}: {error}") from error

    def _run(self, cell: Cell, sample: Sample) -> SampleRun:
        task = self._subject.task
        scored = tuple(sorted(sample.targets))
        codec = self._phases.codec(cell, sample.id)
        mark = frames_mark(sample.frames)
        encoded = codec.encode(sample.frames, cell.level, sample.fps)
        encoded = check_encoded(encoded, sample.frames, sample.fps, codec.name)
        frames = check_decoded(codec.decode(encoded), sample.frames, codec.name)
        if frames_mark(sample.frames) != mark:
            raise HarnessError(f"codec {codec.name}: {WROTE}")
        predictions = self._predict(frames, sample)
        judged = scored[unseen_targets(task, codec, sample) :]
        statistics = [task.score(predictions[at], sample.targets[at]) for at in judged]
        score = task.sample_score(statistics) if judged or not scored else None
        return SampleRun(frames, predictions, encoded.bits, score)

    def _predict(self, frames: Frames, sample: Sample) -> dict[int, Any]:
        """Return the model's predictions by frame index, on the scored frames, in the dataset's classes.

        Raises:
            ContentError: the task refuses a prediction.
        """
        import torch

        scored = tuple(sorted(sample.targets))
        count, height, width, _ = frames.shape
        outline = Outline(sample.id, height, width, count, scored)
        prepared = prepare(self._model, self._subject.task, frames, outline, sample.targets, NoMemo())
        batch = self._model.collate([prepared])
        with torch.inference_mode():
            found = self._model.predict(to_device(batch, torch.device(self._device)))
        check_batch(found, 1)
        check_predictions(self._subject, len(self._model.classes), outline, found[0])
        return dict(zip(scored, map(self._translate, found[0]), strict=True))


def frame_to_show(sample: Sample, frame: int | None, unseen: int = 0) -> int:
    """Return the index of the frame to show: the requested frame, or the first judged frame for None.

    Args:
        sample: the sample.
        frame: the requested frame.
        unseen: how many of the first scored frames are not judged in a shown experiment.

    Raises:
        HarnessError: the requested frame is not scored, so there is no prediction on it.
    """
    scored: Sequence[int] = sorted(sample.targets)
    if frame is None:
        return scored[min(unseen, len(scored) - 1)]
    if frame not in scored:
        known = ", ".join(map(str, scored))
        raise HarnessError(f"--frame {frame}: sample {sample.id} is scored on frames {known} only.")
    return frame
