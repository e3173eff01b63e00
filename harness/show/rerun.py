"""One sample run anew at a level, as the engine does it, but with the pictures and predictions kept."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.engine.predict import set_up_torch
from harness.errors import HarnessError
from harness.model import NoMemo
from harness.statistics.agreement import Agreement
from harness.training.transfer import to_device

if TYPE_CHECKING:
    from harness.codec import Frames
    from harness.dataset import Sample
    from harness.unit import Cell, Settings, Subject

__all__ = ["SampleRun", "SampleRunner"]


@dataclass(frozen=True)
class SampleRun:
    """What came of one sample at one level.

    Args:
        frames: as they were decoded, uint8[T, H, W, 3].
        predictions: of each scored frame, in the dataset's classes.
        bits: the rate.
        score: the sample's own score.
    """

    frames: Frames
    predictions: Mapping[int, Any]
    bits: int
    score: float | None


class SampleRunner:
    """A model, loaded, to which samples are given one at a time.

    Each is predicted by itself, also where the experiment had larger batches: that may change the last bits of what
    a network gives.

    Args:
        subject: task, model and dataset.
        settings: device, precision and threads.
    """

    def __init__(self, subject: Subject, settings: Settings) -> None:
        self._subject = subject
        self._model = copy.copy(subject.model)  # which stays without a network: others may be loaded beside this one
        self._device = settings.device
        set_up_torch(settings)
        self._model.load(subject.weights, subject.dataset.classes, settings.device, settings.precision)
        self._translate = subject.task.translator(self._model.classes, subject.dataset_name)

    def referred(self, sample: Sample) -> Sample:
        """The sample with what the model predicts on its uncompressed frames as targets, where these are the reference.

        Raises:
            HarnessError: the model refuses it.
        """
        if not isinstance(self._subject.task, Agreement):
            return sample
        try:
            found = self._predict(sample.frames, tuple(sorted(sample.targets)))
        except HarnessError:
            raise
        except Exception as error:
            raise HarnessError(f"sample {sample.id}, uncompressed: {type(error).__name__}: {error}") from error
        return replace(sample, targets={at: self._subject.task.as_target(one) for at, one in found.items()})

    def run(self, cell: Cell, sample: Sample) -> SampleRun:
        """A sample coded, decoded, predicted and scored.

        Raises:
            HarnessError: codec, model or task refuses it.
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
        encoded = cell.codec.encode(sample.frames, cell.level, sample.fps)
        frames = cell.codec.decode(encoded)
        predictions = self._predict(frames, scored)
        statistics = [task.score(predictions[at], sample.targets[at]) for at in scored]
        return SampleRun(frames, predictions, encoded.bits, task.sample_score(statistics))

    def _predict(self, frames: Frames, scored: tuple[int, ...]) -> dict[int, Any]:
        """Predictions on the scored frames, in the dataset's classes."""
        import torch

        batch = self._model.collate([self._model.prepare(frames, scored, NoMemo())])
        with torch.inference_mode():
            (found,) = self._model.predict(to_device(batch, torch.device(self._device)))
        return dict(zip(scored, map(self._translate, found), strict=True))


def frame_of(sample: Sample, asked: int | None) -> int:
    """The frame to show: the one asked for, else the first that is scored.

    Raises:
        HarnessError: that frame is not scored: no model predicts anything on it.
    """
    scored: Sequence[int] = sorted(sample.targets)
    if asked is None:
        return scored[0]
    if asked not in scored:
        known = ", ".join(map(str, scored))
        raise HarnessError(f"--frame {asked}: sample {sample.id} is scored on frames {known} only.")
    return asked
