"""Plugins whose every answer is wrong in one way: models, datasets, codecs and tasks, each fault under its own name.

A plugin module of a test gives `hooks()` away. The models have no network: what they predict is written down here, so
that a run with dozens of them takes seconds. The task is detection; two good plugins of each kind show what is not
touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from harness.codec import Codec, Encoded, ImageCodec, Scale
from harness.dataset import Dataset, Outline, Sample, Source
from harness.model import Model, Weights
from harness.task import Metric, Task
from harness.weights import from_file
from harness_tasks.detection.types import Boxes, Detections
from kit.pictures import textured

__all__ = ["CODECS", "DATASETS", "DISABLED", "MODELS", "SAMPLES", "SOURCE", "TASKS", "found", "objects"]

SOURCE = """
from harness import hookimpl
from kit import hostile

@hookimpl
def harness_models(): return hostile.models()

@hookimpl
def harness_datasets(): return hostile.datasets()

@hookimpl
def harness_codecs(): return hostile.codecs()

@hookimpl
def harness_tasks(): return hostile.tasks()
"""
"""A plugin module with everything that is here."""

SAMPLES, HEIGHT, WIDTH = 3, 48, 64
CLASSES = ("cat", "dog", "cow")
SURROGATE = "the file \udcff is broken"


def found() -> Detections:
    """Two good detections."""
    boxes = np.array([[4, 4, 30, 40], [20, 10, 60, 44]], np.float32)
    return Detections(boxes, np.array([0.9, 0.8], np.float32), np.array([0, 1], np.int64))


def objects() -> Boxes:
    """Three good objects, one of which is found."""
    return Boxes.of([[4, 4, 30, 40], [22, 9, 58, 47], [1, 1, 1, 9]], [0, 2, 1])


def spoilt(field: str, value: Any) -> Detections:
    return replace(found(), **{field: value})


def at(array: np.ndarray, place: Any, value: float) -> np.ndarray:
    """A copy with another value at a place."""
    changed = array.copy()
    changed[place] = value
    return changed


# Models: name -> what `predict` gives for one sample, and what is recorded of it.

_F = found()
MODELS: dict[str, tuple[Callable[[], Any], str]] = {
    "minus-one": (lambda: [spoilt("labels", at(_F.labels, 0, -1))], "labels: 1 of 2 values is outside 0-2: -1"),
    "beyond": (lambda: [spoilt("labels", _F.labels + 2)], "labels: 1 of 2 values is outside 0-2: 3"),
    "real-labels": (lambda: [spoilt("labels", _F.labels / 1.0)], "labels: whole numbers are expected, found float64"),
    "sure": (lambda: [spoilt("scores", _F.scores * 2)], "scores: 2 of 2 values are outside 0-1: 1.8"),
    "nan-score": (lambda: [spoilt("scores", at(_F.scores, 1, np.nan))], "scores: 1 of 2 values is outside 0-1: nan"),
    "flipped": (lambda: [spoilt("boxes", _F.boxes[:, ::-1])], "boxes: 2 of 2 have x2 < x1 or y2 < y1: "),
    "outside": (lambda: [spoilt("boxes", _F.boxes + 70)], "boxes: 2 of 2 lie wholly outside the image of 64x48 pixels"),
    "nan-box": (lambda: [spoilt("boxes", at(_F.boxes, (0, 2), np.nan))], "boxes: 1 of 8 numbers is not finite: nan"),
    "whole-boxes": (
        lambda: [spoilt("boxes", _F.boxes.astype(int))],
        "boxes: float32 or float64 is expected, found int",
    ),
    "five-corners": (lambda: [spoilt("boxes", np.ones((2, 5), np.float32))], "boxes: [N, 4] is expected, found [2, 5]"),
    "too-few": (lambda: [spoilt("scores", _F.scores[:1])], "boxes, scores and labels are of 2, 1 and 2 detections"),
    "listed": (lambda: [spoilt("scores", [0.9, 0.8])], "scores: a NumPy array is expected, found a list"),
    "tensors": (lambda: [spoilt("scores", torch.ones(2))], "scores: a NumPy array is expected, found a torch.Tensor"),
    "tuple": (lambda: [(_F.boxes, _F.scores, _F.labels)], "a Detections is expected, found a tuple"),
    "dict": (lambda: [{"boxes": _F.boxes}], "a Detections is expected, found a dict"),
    "tensor": (lambda: [torch.ones(2, 6)], "a Detections is expected, found a torch.Tensor"),
    "list": (lambda: [[_F]], "a Detections is expected, found a list"),
    "nothing": (lambda: [None], "a Detections is expected, found None"),
    "flat": (lambda: _F, "predict gave [Detections, ...] where [[Detections, ...], ...] is expected"),
    "double": (lambda: [_F, _F], "predict gave 2 predictions for the 1 scored frame"),
}
"""A fault of the prediction for each sample."""
WHOLE: dict[str, tuple[Callable[[int], Any], str]] = {
    "no-list": (lambda count: None, "predict gave None; a list with one entry for each sample is expected"),
    "generator": (lambda count: ([_F] for _ in range(count)), "predict gave a generator; a list with one entry"),
    "mapping": (lambda count: {key: [_F] for key in range(count)}, "predict gave a dict; a list with one entry"),
}
"""A fault of all that `predict` gives for a batch."""


def _one_list(count: int) -> Any:
    listed: list[Any] = [_F]
    return [listed] * count


def _one_array(count: int) -> Any:
    boxes = _F.boxes.copy()
    return [[spoilt("boxes", boxes)] for _ in range(count)]


def _one_read_only(count: int) -> Any:
    parts = {field: getattr(_F, field).copy() for field in ("boxes", "scores", "labels")}
    for part in parts.values():
        part.setflags(write=False)
    return [[Detections(**parts)] for _ in range(count)]


AGAIN: dict[str, tuple[Callable[[int], Any], str]] = {
    "one-list": (_one_list, "predict gave one list for samples 1 and 2 of its batch"),
    "one-prediction": (lambda count: [[_F] for _ in range(count)], "predict gave one array for samples 1 and 2 of"),
    "one-array": (_one_array, "predict gave one array for samples 1 and 2 of its batch"),
}
"""One object for all samples of a batch, which a model that overwrites it would give its last sample's predictions."""
GOOD: dict[str, Callable[[], Any]] = {
    "good": lambda: [found()],
    "double-precision": lambda: [spoilt("boxes", _F.boxes.astype(np.float64))],
    "empty": lambda: [Detections(_F.boxes[:0], _F.scores[:0], _F.labels[:0])],
    "flat-boxes": lambda: [spoilt("boxes", np.float32([[9, 9, 9, 20], [64, 0, 64, 48]]))],
}
"""Nothing is wrong: boxes without an area occur among those of real detectors, which cut at the border."""


class Canned(Model):
    """Predicts what was written down.

    Class attributes:
        answer: what is predicted for a sample.
        whole: what is predicted for a batch of so many samples; None for the answer for each.
        only: the number of the sample that gets the answer; the others get good ones. None for all.
    """

    name = "canned"
    task = "detection"
    answer: Callable[[], Any]
    whole: Callable[[int], Any] | None = None
    only: int | None = None

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        return Weights("none", None, "0" * 64, CLASSES)

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        return (outline.height, outline.width, 3)

    def prepare(self, frames: np.ndarray, scored: tuple[int, ...], memo: Any) -> torch.Tensor:
        return torch.from_numpy(frames.copy())

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: str = "fp32") -> None:
        self.classes, self._seen = classes, 0

    def predict(self, batch: torch.Tensor) -> Any:
        cls = type(self)
        if cls.whole is not None:
            return cls.whole(len(batch))
        answers = []
        for _ in batch:
            sample, self._seen = self._seen // 2, self._seen + 1  # two cells, one after the other
            answers.append([found()] if cls.only not in (None, sample) else cls.answer())
        return answers


def made(base: type, name: str, **body: Any) -> type:
    """A subclass that can be pickled by its name."""
    kind = type("Hostile_" + name.replace("-", "_"), (base,), {"name": name, "__module__": __name__, **body})
    globals()[kind.__name__] = kind
    return kind


def models() -> Sequence[type[Model]]:
    kinds = [made(Canned, name, answer=staticmethod(answer)) for name, (answer, _) in MODELS.items()]
    kinds += [made(Canned, name, whole=staticmethod(answer)) for name, (answer, _) in WHOLE.items()]
    kinds += [made(Canned, name, whole=staticmethod(answer)) for name, (answer, _) in AGAIN.items()]
    kinds.append(made(Canned, "one-read-only", whole=staticmethod(_one_read_only)))
    kinds += [made(Canned, name, answer=staticmethod(answer)) for name, answer in GOOD.items()]
    kinds.append(made(Canned, "sometimes", answer=staticmethod(MODELS["minus-one"][0]), only=1))
    kinds.append(made(Canned, "exits-loading", answer=staticmethod(GOOD["good"]), load=_exit))
    kinds.append(made(Canned, "exits-resolving", answer=staticmethod(GOOD["good"]), resolve_weights=_exit))
    kinds.append(made(Canned, "exits", whole=staticmethod(_exit)))
    kinds.append(made(Canned, "classless", answer=staticmethod(GOOD["good"]), load=lambda self, *_: None))
    kinds.append(made(Canned, "odd-classes", answer=staticmethod(GOOD["good"]), load=_odd_classes))
    kinds.append(made(Canned, "writes-frames", answer=staticmethod(GOOD["good"]), prepare=_write_frames))
    kinds.append(made(Canned, "nameless", answer=staticmethod(GOOD["good"]), resolve_weights=_nameless))
    kinds.append(made(Canned, "raising-print", answer=staticmethod(GOOD["good"]), fingerprint=_raise))
    kinds.append(made(Canned, "odd-print", answer=staticmethod(GOOD["good"]), fingerprint=lambda self: {"a": {1}}))
    kinds.append(made(Canned, "of-task", task="counting", answer=staticmethod(lambda: [3])))
    kinds += [made(Canned, f"of-{name}", task=name, answer=staticmethod(lambda: [3])) for name in (*TASKS, *INFINITE)]
    return kinds


def _write_frames(self: Any, frames: np.ndarray, scored: tuple[int, ...], memo: Any) -> torch.Tensor:
    return torch.from_numpy(frames).zero_().clone()


def _nameless(self: Any, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
    return from_file(self.name, asked)


def _odd_classes(self: Any, *_: Any) -> None:
    self.classes = "cat"


def _exit(*_: Any) -> Any:
    raise SystemExit(0)


def _raise(self: Any, *_: Any) -> Any:
    raise OSError(SURROGATE)


# Datasets: name -> the changes of the second sample, and what is recorded of it.


class Pictures(Dataset):
    """Textured images with three objects. The second one is spoilt.

    Class attributes:
        change: changes a sample.
        described: changes an outline.
    """

    name = "pictures"
    tasks = ("detection",)
    splits = ("test",)
    needs_root = False
    change: Callable[[Sample], Any] = staticmethod(lambda sample: sample)
    described: Callable[[Outline], Any] = staticmethod(lambda outline: outline)

    def open(self) -> None:
        self.classes = CLASSES

    def __len__(self) -> int:
        return SAMPLES

    def outline(self, index: int) -> Outline:
        outline = Outline(f"image {index}", HEIGHT, WIDTH)
        return type(self).described(outline) if index == 1 else outline

    def __getitem__(self, index: int) -> Sample:
        frames = textured(HEIGHT, WIDTH, index)[None]
        sample = Sample(f"image {index}", frames, {0: self.target()})
        return type(self).change(sample) if index == 1 else sample

    def target(self) -> Any:
        return objects()

    def fingerprint(self) -> str:
        return self.name


def target(**changes: Any) -> Callable[[Sample], Sample]:
    return lambda sample: replace(sample, targets={0: replace(objects(), **changes)})


def whole_target(value: Any) -> Callable[[Sample], Sample]:
    return lambda sample: replace(sample, targets={0: value})


_O = objects()
DATASETS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "nan-object": (target(boxes=at(_O.boxes, (1, 0), np.nan)), "boxes: 1 of 12 numbers is not finite: nan"),
    "flipped-object": (target(boxes=_O.boxes[:, ::-1].copy()), "boxes: 3 of 3 have x2 < x1 or y2 < y1: "),
    "negative-object": (target(labels=at(_O.labels, 2, -1)), "labels: 1 of 3 values is outside 0-2: -1"),
    "object-beyond": (target(labels=_O.labels + 1), "labels: 1 of 3 values is outside 0-2: 3"),
    "real-object": (target(labels=_O.labels / 2.0), "labels: whole numbers are expected, found float64"),
    "odd-crowd": (target(crowd=_O.labels), "crowd: bool is expected, found int64"),
    "nan-area": (target(area=at(_O.area, 0, np.nan)), "area: 1 of 3 values is outside 0-1e+18: nan"),
    "objects-missing": (target(area=_O.area[:1]), "boxes, labels, crowd, difficult and area are of 3, 3, 3, 3 and 1"),
    "tuple-target": (whole_target((1, 2)), "a Boxes is expected, found a tuple"),
    "no-target": (whole_target(None), "a Boxes is expected, found None"),
    "dict-target": (whole_target({"boxes": _O.boxes}), "a Boxes is expected, found a dict"),
    "listed-targets": (lambda sample: replace(sample, targets=[_O]), "targets: a mapping of frame numbers to targets"),
    "late-target": (lambda sample: replace(sample, targets={3: _O}), "targets: frame 3 of a sample with 1 frame"),
    "no-targets": (lambda sample: replace(sample, targets={}), "targets: there is none"),
    "named-frame": (lambda sample: replace(sample, targets={"0": _O}), "targets: whole numbers of frames are expected"),
    "listed-frames": (
        lambda sample: replace(sample, frames=[[1]]),
        "frames: uint8[T, H, W, 3] is expected, found a",
    ),
    "real-frames": (
        lambda s: replace(s, frames=s.frames / 255),
        "frames: uint8[T, H, W, 3] is expected, found",
    ),
    "no-sample": (lambda sample: sample.frames, "a harness.dataset.Sample is expected, found a numpy.ndarray"),
    "nan-rate": (
        lambda sample: replace(sample, fps=float("nan")),
        "fps: a number above 0 or None is expected, found",
    ),
    "negative-rate": (lambda sample: replace(sample, fps=-25), "fps: a number above 0 or None is expected, found -25"),
    "vast-source": (
        lambda s: replace(s, source=Source("png", 2**70)),
        "source.bytes: a whole number below 2^63",
    ),
    "odd-quality": (
        lambda s: replace(s, source=Source("jpeg", 9, "high")),
        "source.quality: a whole number",
    ),
    "other-id": (lambda s: replace(s, id="another"), "id: its outline says 'image 1', the sample that was"),
    "other-size": (
        lambda s: replace(s, frames=s.frames[:, :40].copy()),
        "height: its outline says 48, the sample that was read has 40",
    ),
    "other-width": (
        lambda s: replace(s, frames=s.frames[:, :, 1:].copy()),
        "width: its outline says 64, the sample that was read has 63",
    ),
    "more-frames": (
        lambda s: replace(s, frames=np.repeat(s.frames, 2, axis=0)),
        "frames: its outline says 1, the sample that was read has 2",
    ),
    "more-scored": (
        lambda s: replace(s, frames=np.repeat(s.frames, 2, axis=0), targets={0: _O, 1: _O}),
        "frames: its outline says 1, the sample that was read has 2",
    ),
    "odd-format": (lambda s: replace(s, source=Source(b"png")), "source.format: a text is expected, found b'png'"),
    "odd-source": (lambda s: replace(s, source="png"), "source: a harness.dataset.Source is expected, found 'png'"),
}
MISSTATED: dict[str, tuple[Callable[[Outline], Any], str]] = {
    "unscored": (lambda o: replace(o, scored=()), "scored: its outline says none, the sample that was read has 1 (0)"),
    "twice-scored": (
        lambda o: replace(o, scored=(0, 0)),
        "scored: its outline says 2 (0, 0), the sample that was read has 1 (0)",
    ),
    "clip-stated": (
        lambda o: replace(o, frames=2, scored=(0, 1)),
        "frames: its outline says 2, the sample that was read has 1",
    ),
}
"""The sample is right, and what the dataset states before it is read is not."""
DESCRIBED: dict[str, tuple[Callable[[Outline], Any], str]] = {
    "numbered-id": (lambda outline: replace(outline, id=7), "outline.id: a text is expected, found 7"),
    "odd-group": (
        lambda outline: replace(outline, group=2**70),
        "outline.group: a text is expected, found 118",
    ),
    "no-outline": (lambda outline: (48, 64), "a harness.dataset.Outline is expected, found a tuple"),
}


def _twins(self: Any, index: int) -> Outline:
    return Outline("image 1", HEIGHT, WIDTH)


def _twins_elsewhere(self: Any, index: int) -> Outline:
    return Outline("image 0" if index == 2 else f"image {index}", HEIGHT, WIDTH)


LENGTHS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "endless": (lambda self: 10**12, "its length is 1000000000000; at most 20000000 samples can be planned"),
    "beyond-words": (lambda self: 2**70, "its length cannot be had: OverflowError: "),
    "negative": (lambda self: -3, "its length cannot be had: ValueError: "),
    "half-length": (lambda self: 2.5, "its length cannot be had: TypeError: "),
    "no-length": (lambda self: None, "its length cannot be had: TypeError: "),
    "raising-length": (lambda self: _raise(self), "its length cannot be had: OSError: the file \\udcff is broken"),
    "exiting-length": (lambda self: _exit(self), "its length cannot be had: SystemExit: 0"),
}
"""What `len` of a dataset gives, and how that is refused before the run."""


def datasets() -> Sequence[type[Dataset]]:
    kinds = [made(Pictures, "good-pictures")]
    kinds += [made(Pictures, name, change=staticmethod(change)) for name, (change, _) in DATASETS.items()]
    stated = {**MISSTATED, **DESCRIBED}
    kinds += [made(Pictures, name, described=staticmethod(change)) for name, (change, _) in stated.items()]
    kinds.append(made(Pictures, "twins", outline=_twins))
    kinds.append(made(Pictures, "twins-elsewhere", outline=_twins_elsewhere))
    kinds += [made(Pictures, name, __len__=count) for name, (count, _) in LENGTHS.items()]
    kinds.append(made(Pictures, "odd-print", fingerprint=lambda self: b"digest"))
    kinds.append(made(Pictures, "odd-classes", classes=None, open=lambda self: None))
    kinds.append(made(Pictures, "numbered-classes", classes=(1, 2), open=lambda self: None))
    kinds.append(made(Pictures, "twin-classes", classes=("cat", "cat"), open=lambda self: None))
    kinds.append(made(Pictures, "exits-opening", open=_exit))
    kinds.append(made(Pictures, "raising-decoders", decoders=_raise))
    kinds.append(made(Pictures, "surrogate", __getitem__=_raise))
    kinds.append(made(Pictures, "counted", tasks=("counting", *TASKS, *INFINITE), target=lambda self: 2))
    return kinds


# Codecs


class Plain(ImageCodec):
    """Raw bytes at any level: lossless, and without a library that could object."""

    name = "plain"
    scale: Scale | None = Scale("quality", (5,), 1, 10, higher_is_better=True)

    def encode_image(self, image: np.ndarray, level: float) -> Any:
        return np.array(image.shape, np.int64).tobytes() + image.tobytes()

    def decode_image(self, data: bytes) -> Any:
        return np.frombuffer(data[24:], np.uint8).reshape(np.frombuffer(data[:24], np.int64))


def _wrong(**changes: Any) -> Mapping[str, Any]:
    """A codec's body, whose `Encoded` has other values."""

    def encode(self: Any, frames: np.ndarray, level: Any, fps: float | None = None) -> Encoded:
        return replace(Plain.encode(self, frames, level, fps), **changes)

    return {"encode": encode}


def _scribble(self: Any, frames: np.ndarray, level: Any, fps: float | None = None) -> Encoded:
    encoded = Plain.encode(self, frames, level, fps)
    torch.from_numpy(frames).zero_()  # torch does not heed that an array is read-only
    return encoded


def _decoded(change: Callable[[np.ndarray], Any]) -> Mapping[str, Any]:
    return {"decode": lambda self, encoded: change(Plain.decode(self, encoded))}


class UnspeakableError(Exception):
    """An error that cannot be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def _unspeakable(self: Any, *_: Any) -> Any:
    raise UnspeakableError


class Shy:
    """A value that cannot be printed."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


CODECS: dict[str, tuple[Mapping[str, Any], str]] = {
    "vast": (_wrong(bits=2**70), "a rate of 1180591620717411303424 (int)"),
    "real-bits": (_wrong(bits=8.0), "a rate of 8.0 (float)"),
    "no-bits": (_wrong(bits=None), "a rate of None (NoneType)"),
    "shy": (_wrong(bits=Shy()), "a rate of (kit.hostile.Shy)"),
    "text-data": (_wrong(data="stream"), "encode gave a stream of type str; bytes are expected"),
    "tall": (_wrong(height=7), "Encoded.height = 7 (int)"),
    "odd-fps": (_wrong(fps="fast"), "Encoded.fps = 'fast' (str)"),
    "array-fps": (_wrong(fps=np.ones(2)), "Encoded.fps = "),
    "bare": ({"encode": lambda self, frames, *_: bytes(10_000_000)}, "a harness.codec.Encoded is expected"),
    "scribbler": ({"encode": _scribble}, "encode or decode wrote to the frames that it was given"),
    "small": (_decoded(lambda frames: frames[:, :-1]), "uint8(1, 48, 64, 3) went in, uint8(1, 47, 64, 3) came back"),
    "real": (_decoded(lambda frames: frames / 1.0), "float64(1, 48, 64, 3) came back"),
    "torch-decoded": (_decoded(torch.from_numpy), "(torch.Tensor) came back, no NumPy array"),
    "listing": (_decoded(lambda frames: frames.tolist()), "(list) came back, no NumPy array"),
    "text-image": ({"encode_image": lambda *_: "stream"}, "encode_image gave 'stream'; bytes are expected"),
    "tuple-image": (
        {"decode_image": lambda self, data: (1, 2)},
        "decode_image gave a tuple; a NumPy array",
    ),
    "true-bits": (
        {"stream_bits": lambda self, data: True},
        "stream_bits gave a bool; a whole number of bits is expected",
    ),
    "surrogates": ({"encode": _raise}, "OSError: the file \\udcff is broken"),
    "unspeakable": (
        {"encode": _unspeakable},
        "UnspeakableError: (a UnspeakableError whose text cannot be had: RuntimeError)",
    ),
}
DISABLED: dict[str, tuple[Mapping[str, Any], str]] = {
    "raising-print": ({"fingerprint": _raise}, "its fingerprint() raised OSError: the file \\udcff is broken"),
    "set-print": ({"fingerprint": lambda self: {"flags": {1, 2}}}, "its fingerprint() is no plain JSON"),
    "nan-print": ({"fingerprint": lambda self: {"a": float("nan")}}, "its fingerprint() is no plain JSON"),
    "no-print": ({"fingerprint": lambda self: None}, "its fingerprint() gave None; a mapping is expected"),
    "odd-print": ({"fingerprint": lambda self: {"a": "\udcff"}}, "its fingerprint() is no plain JSON"),
    "raising-available": ({"available": _raise}, "its available() raised OSError: the file \\udcff is broken"),
    "odd-available": ({"available": lambda self: True}, "its available() gave True; None or a sentence is expected"),
    "exits-available": ({"available": _exit}, "its available() raised SystemExit: 0"),
    "exits-printing": ({"fingerprint": _exit}, "its fingerprint() raised SystemExit: 0"),
    "raising-clips": ({"clips_only": _raise}, "its clips_only() raised OSError: the file \\udcff is broken"),
}
"""Codecs that cannot be used at all."""


def codecs() -> Sequence[type[Codec]]:
    return [
        made(Plain, "good-plain"),
        *(made(Plain, f"c-{name}", **body) for name, (body, _) in {**CODECS, **DISABLED}.items()),
    ]


# Tasks


class Counting(Task):
    """Mean absolute error of a number of objects."""

    name = "counting"
    metrics = (Metric("mae", higher_is_better=False, primary=True),)

    def score(self, prediction: int, target: int) -> Any:
        return {"error": np.array(abs(prediction - target), np.float64)}

    def reduce(self, statistics: Any, weights: Any = None) -> Any:
        errors = np.array([s["error"] for s in statistics])
        weights = np.ones((1, len(errors))) if weights is None else weights
        return {"mae": weights @ errors / weights.sum(axis=1)}


def _reduced(change: Callable[[np.ndarray], Any]) -> Mapping[str, Any]:
    return {"reduce": lambda self, statistics, weights=None: change(Counting.reduce(self, statistics, weights)["mae"])}


TASKS: dict[str, tuple[Mapping[str, Any], str]] = {
    "scoring-raises": ({"score": _raise}, "OSError: the file \\udcff is broken"),
    "objects-kept": ({"score": lambda *_: {"a": np.array([object()])}}, "statistic 'a' has dtype object"),
    "list-scored": ({"score": lambda *_: [1, 2]}, "score gave a list; a mapping of names to arrays is expected"),
    "text-score": ({"sample_score": lambda *_: "good"}, "sample_score gave 'good'; a number or None is expected"),
    "vast-score": ({"sample_score": lambda *_: 2**2000}, "sample_score gave "),
    "reduce-raises": ({"reduce": _raise}, "OSError: the file \\udcff is broken"),
    "metric-missing": (_reduced(lambda values: {"other": values}), "reduce gave no 'mae'"),
    "text-metric": (_reduced(lambda values: {"mae": values.astype(str)}), "'mae': float64[1] is expected, found <U"),
    "long-metric": (
        _reduced(lambda values: {"mae": np.append(values, 1)}),
        "'mae': float64[1] is expected, found float",
    ),
    "complex-metric": (
        _reduced(lambda values: {"mae": values * 1j}),
        "'mae': float64[1] is expected, found comp",
    ),
    "no-metrics": (_reduced(lambda values: values), "reduce gave a numpy.ndarray; a mapping of names to arrays is"),
    "targets-raise": ({"check_target": _raise}, "check_target: OSError: the file \\udcff is broken"),
    "checking-raises": ({"check_prediction": _raise}, "OSError: the file \\udcff is broken"),
}


def _everywhere(value: float) -> Callable[[np.ndarray], Any]:
    return lambda values: {"mae": np.full_like(values, value)}


INFINITE = {"infinite": math.inf, "minus-infinite": -math.inf}
"""Tasks whose metric is infinite, on all samples and on each resample."""


def tasks() -> Iterable[type[Task]]:
    endless = (made(Counting, name, **_reduced(_everywhere(value))) for name, value in INFINITE.items())
    return [Counting, *(made(Counting, name, **body) for name, (body, _) in TASKS.items()), *endless]
