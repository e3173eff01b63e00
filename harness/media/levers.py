"""Levers: options of every codec that reduce resolution and frame rate: `jpeg:scale=0.5`, `h264:scale=0.5,fps=10`.

A lever reduces the frames before encoding and restores their size and number after decoding, so that the model always
gets frames of the source's size and number:

- `scale=` resizes each frame to `scale` times its height and width (rounded to pixels, at least one) before encoding,
  and back after decoding. Both use Pillow's bicubic filter, which is widened for downscaling (antialiasing), as is the
  default in Pillow and ffmpeg. The filter computes in integers, so that every machine gets the same pixels.
- `fps=` drops frames evenly before encoding. After decoding, each dropped frame is replaced by the last kept frame
  before it; the frames before the first kept one are replaced by that one. `fps=` never adds frames: a value above the
  clip's own frame rate is refused, with a tolerance of one percent, because 30 and 29.97 differ by less. An image has
  no frame rate, so a run over images with `fps=` is refused.

Which frames `fps=` keeps depends on its *phase*, a number from 0 up to 1: the share of a period between two kept frames
that has passed when the clip begins. At phase 0 the first frame is kept. A camera that sends 5 frames a second does not
know which frames somebody will judge, so a run draws a phase for each sample (`harness.planning.phases`). A codec knows
no sample. So the phase is no option: `at_phase` makes a codec with a phase from the codec of the plan.

Which frames are not judged says `unseen_frames`: the first ones of a clip, up to the latest that is the first kept one
at some phase.

Rates (bits per pixel, kbit/s) refer to the source's pixels and duration: the `Encoded` object that a lever returns has
the source's size and frame count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from harness.codec import Codec, Encoded, Level, check_frames
from harness.errors import CodecError, PluginError
from harness.images.framing import as_many
from harness.media.contract import check_encoded, check_frames_back
from harness.options import Option, Value

if TYPE_CHECKING:
    from harness.codec import Frames

__all__ = [
    "LEVERS",
    "LEVER_NAMES",
    "LEVER_REVISIONS",
    "ReducedCodec",
    "at_phase",
    "drops_frames",
    "frames_sent",
    "is_baseline",
    "lever_revisions",
    "split_levers",
    "unseen_frames",
    "with_levers",
]

LEVERS = (
    Option("scale", float, None, "height and width given to the encoder, over the source's", minimum=0.01, maximum=1),
    Option("fps", float, None, "frames a second given to the encoder", minimum=0.01, maximum=1000),
)
"""The options that every codec has in addition to its own."""

LEVER_NAMES = frozenset(lever.name for lever in LEVERS)

_SAME_RATE = 1.01
"""Frame rates whose ratio is at most this count as equal: for example 30 and 30000/1001."""


_ROUNDING = 1e-6
"""What a number of frames may miss a whole number by, from rounding."""

LEVER_REVISIONS: Mapping[str, int] = {"scale": 1, "fps": 2}
"""A number for each lever, raised when the lever gives other frames than before."""


def lever_revisions(levers: Iterable[str]) -> dict[str, Value]:
    """Return the revisions of levers, as a codec's fingerprint has them: those above 1."""
    return {f"{name}_revision": LEVER_REVISIONS[name] for name in levers if LEVER_REVISIONS[name] > 1}


def split_levers(options: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """Split options into the levers and the codec's own options.

    >>> split_levers({"scale": 0.5, "subsampling": "4:4:4"})
    ({'scale': 0.5}, {'subsampling': '4:4:4'})
    """
    levers = {name: value for name, value in options.items() if name in LEVER_NAMES}
    return levers, {name: value for name, value in options.items() if name not in LEVER_NAMES}


def with_levers(codec: type[Codec], options: Mapping[str, object]) -> Codec:
    """Create a codec with options, which may include levers.

    A lever that changes nothing (`scale=1`) is ignored: the result is the codec without it, with the same identity.

    Args:
        codec: the codec's class.
        options: the options, including levers.

    Raises:
        UsageError: the codec does not have an option, or a value does not fit its option.
        PluginError: the codec has an option with the name of a lever.
    """
    levers, own = split_levers(options)
    if not levers:
        return codec(**own)
    resampled = ReducedCodec(codec(**own), 0.0, **levers)
    return resampled if resampled.levers else resampled.codec


def drops_frames(codec: Codec) -> bool:
    """Return whether a codec has the lever `fps=`, so that it needs a phase."""
    return isinstance(codec, ReducedCodec) and "fps" in codec.levers


def at_phase(codec: Codec, phase: float) -> Codec:
    """Return the codec with a phase, from 0 up to 1. A codec without `fps=` has none, and is returned unchanged."""
    if not isinstance(codec, ReducedCodec) or "fps" not in codec.levers:
        return codec
    levers: Mapping[str, Any] = codec.levers
    return ReducedCodec(codec.codec, phase, **levers)


def frames_sent(codec: Codec, count: int, fps: float | None) -> list[int] | None:
    """Return which frames of a clip a codec encodes at its phase; None if it has no `fps=`, and encodes all.

    Args:
        codec: the codec, including its levers.
        count: the number of frames of the clip.
        fps: the clip's frame rate in frames per second.
    """
    return codec.sent(count, fps)[0] if isinstance(codec, ReducedCodec) and "fps" in codec.levers else None


def unseen_frames(codec: Codec, count: int, fps: float | None) -> int:
    """Return how many of a clip's first frames are not judged, because at some phase none was sent before them.

    They are the same at every phase. If a frame was judged at the phases alone at which a frame was sent by then, the
    frames at a clip's beginning would be judged at those phases alone at which they are fresh.

    Args:
        codec: the codec, including its levers.
        count: the number of frames of the clip.
        fps: the clip's frame rate in frames per second.
    """
    return codec.unseen(count, fps) if isinstance(codec, ReducedCodec) else 0


def is_baseline(codec: Codec) -> bool:
    """Return whether the codec is the bit-exact baseline: `none` without levers (`none:scale=0.5` loses pixels)."""
    return codec.name == "none" and not isinstance(codec, ReducedCodec)


class ReducedCodec(Codec):
    """A codec with levers: it wraps another codec, reduces the frames before encoding and restores them after decoding.

    It has the name and the scale of the wrapped codec.

    Args:
        codec: the wrapped codec, which codes the reduced frames.
        phase: the phase of `fps`, from 0 up to 1.
        levers: `scale` and `fps`.

    Attributes:
        codec: the wrapped codec.
        phase: the phase of `fps`. It is no option, because it belongs to a sample.
        levers: the levers that change something, with their values.
        config: the options of the wrapped codec, then the levers.
    """

    options = LEVERS

    def __init__(self, codec: Codec, phase: float = 0.0, **levers: object) -> None:
        if taken := {lever.name for lever in LEVERS} & {option.name for option in codec.options}:
            raise PluginError(f"codec {codec.name} has an option {min(taken)!r}; that is a lever every codec has.")
        if not 0 <= phase < 1:
            raise ValueError(f"phase {phase}: a phase is a number from 0 up to 1")
        super().__init__(**levers)
        self.codec = codec
        self.phase = phase
        self.levers = {k: v for k, v in self.config.items() if v is not None and (k, v) != ("scale", 1)}
        self.config = {**codec.config, **self.levers}
        self._lasting = {**codec.lasting_config(), **self.levers}
        self.scale = codec.scale
        # A codec defines these as class attributes. Here each object copies them from the codec that it wraps.
        class_attributes = ("name", "summary", "coding", "revision", "option_revisions", "wants_device", "costly")
        vars(self).update({name: getattr(codec, name) for name in class_attributes})

    def lasting_config(self) -> dict[str, Value]:
        return dict(self._lasting)

    def __repr__(self) -> str:
        phase = [f"phase={self.phase!r}"] if self.phase else []
        return (
            ", ".join([f"ReducedCodec({self.codec!r}", *phase, *(f"{k}={v!r}" for k, v in self.levers.items())]) + ")"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReducedCodec):
            return False
        return (self.codec, self.phase, self.levers) == (other.codec, other.phase, other.levers)

    def __hash__(self) -> int:
        return hash((self.codec, self.phase, tuple(self.levers.items())))

    def encode(self, frames: Frames, level: Level, fps: float | None = None) -> Encoded:
        reduced, reduced_fps = self._reduced(frames, fps)
        return self._source_sized(self.codec.encode(reduced, level, reduced_fps), reduced, reduced_fps, frames, fps)

    def decode(self, encoded: Encoded) -> Frames:
        reduced, kept = self._stream(encoded)
        return self._restored(self.codec.decode(reduced), encoded, kept)

    def encode_batch(self, batch: Sequence[Frames], level: Level, fps: float | None = None) -> Sequence[Encoded]:
        several = [self._reduced(frames, fps) for frames in batch]
        reduced_fps = several[0][1]
        reduced = [frames for frames, _ in several]
        coded = as_many(self.codec.encode_batch(reduced, level, reduced_fps), len(batch), f"{self.name}: encode_batch")
        return [
            self._source_sized(one, small, reduced_fps, frames, fps)
            for one, small, frames in zip(coded, reduced, batch, strict=True)
        ]

    def decode_batch(self, batch: Sequence[Encoded]) -> Sequence[Frames]:
        streams = [self._stream(encoded) for encoded in batch]
        given = self.codec.decode_batch([reduced for reduced, _ in streams])
        decoded = as_many(given, len(batch), f"{self.name}: decode_batch")
        return [
            self._restored(one, encoded, kept) for one, encoded, (_, kept) in zip(decoded, batch, streams, strict=True)
        ]

    def _reduced(self, frames: Frames, fps: float | None) -> tuple[Frames, float | None]:
        """Return the frames that are encoded, and their rate."""
        check_frames(frames, self.name)
        count, height, width, _ = frames.shape
        kept, reduced_fps = self.sent(count, fps)
        return _resize(frames if len(kept) == count else frames[kept], *self._reduced_size(height, width)), reduced_fps

    def _source_sized(
        self, coded: Encoded, reduced: Frames, reduced_fps: float | None, frames: Frames, fps: float | None
    ) -> Encoded:
        """Return a stream of reduced frames as one of the source's frames."""
        coded = check_encoded(coded, reduced, reduced_fps, self.name)
        count, height, width, _ = frames.shape
        return Encoded(coded.data, coded.bits, count, height, width, fps)

    def _stream(self, encoded: Encoded) -> tuple[Encoded, list[int]]:
        """Return the stream as that of the reduced frames, and which frames of the source those are."""
        kept, fps = self.sent(encoded.frames, encoded.fps)
        height, width = self._reduced_size(encoded.height, encoded.width)
        return Encoded(encoded.data, encoded.bits, len(kept), height, width, fps), kept

    def _restored(self, decoded: Frames, encoded: Encoded, kept: list[int]) -> Frames:
        """Return decoded frames at the source's size and number."""
        size = self._reduced_size(encoded.height, encoded.width)
        check_frames_back(decoded, (len(kept), *size, 3), self.name)
        frames = _resize(decoded, encoded.height, encoded.width)
        if len(kept) == encoded.frames:
            return frames
        bounds = [0, *kept[1:], encoded.frames]
        return frames.repeat([after - first for first, after in pairwise(bounds)], axis=0)

    def fingerprint(self) -> Mapping[str, Value]:
        facts = dict(self.codec.fingerprint()) | lever_revisions(self.levers)
        if "scale" not in self.levers:
            return facts
        import PIL

        return {**facts, "resize": f"bicubic, pillow {PIL.__version__}"}

    def available(self) -> str | None:
        return self.codec.available()

    def problems(self) -> Sequence[str]:
        return self.codec.problems()

    def implementation(self) -> str | None:
        return self.codec.implementation()

    def clips_only(self) -> str | None:
        if "fps" in self.levers:
            return f"fps={self.levers['fps']:g} drops frames of a clip, and an image has none to drop."
        return self.codec.clips_only()

    def too_fast(self, fps: float) -> str | None:
        """Return a sentence if `fps=` is higher than a clip's frame rate, otherwise None.

        Args:
            fps: the clip's frame rate in frames per second.
        """
        requested = float(self.levers.get("fps") or 0)
        if requested <= fps * _SAME_RATE:
            return None
        return (
            f"fps={requested:g} is above the clip's own {fps:g} frames a second: it drops frames, and adds none. "
            f"Ask for {fps:g} or less, or leave fps= out."
        )

    def to_device(self, device: str) -> None:
        self.codec.to_device(device)

    def warn(self, level: Level, source_format: str | None, source_quality: int | None) -> str | None:
        return self.codec.warn(level, source_format, source_quality)

    def _reduced_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and the width of the frames that are encoded."""
        factor = float(self.levers.get("scale") or 1)
        return max(1, math.floor(height * factor + 0.5)), max(1, math.floor(width * factor + 0.5))

    def sent(self, count: int, fps: float | None) -> tuple[list[int], float | None]:
        """Return the indices of the frames that are encoded at this phase, and their frame rate.

        A clip that is shorter than a period sends one frame; over all phases it is each of its frames equally often.

        Raises:
            CodecError: `fps=` is above the clip's frame rate, or the clip has none.
        """
        share = self._share(count, fps)
        if share is None:
            return list(range(count)), fps
        # The small term keeps 30 * (10 / 30) from falling below 10.
        slots = [math.floor(index * share + self.phase + _ROUNDING) for index in range(-1, count)]
        kept = [index for index in range(count) if slots[index + 1] != slots[index]]
        if not kept:
            # The phases at which no frame falls into the clip are shared out among its frames.
            place = (self.phase - share) / (1 - count * share)
            kept = [min(count - 1, max(0, math.floor(place * count)))]
        return kept, float(self.levers["fps"])

    def unseen(self, count: int, fps: float | None) -> int:
        """Return how many of a clip's first frames have no sent frame before them at some phase (`unseen_frames`)."""
        share = self._share(count, fps)
        return 0 if share is None else math.ceil(1 / share - _ROUNDING) - 1

    def _share(self, count: int, fps: float | None) -> float | None:
        """Return the share of a clip's frames that is sent; None if all are."""
        requested = float(self.levers.get("fps") or 0)
        if not requested or count == 1:
            return None
        if not fps:
            raise CodecError(f"{self.name} with fps={requested:g} needs to know the frame rate of a clip; it has none.")
        if problem := self.too_fast(fps):
            raise CodecError(f"{self.name}: {problem}")
        return None if requested >= fps else requested / fps


def _resize(frames: Frames, height: int, width: int) -> Frames:
    """Resize frames uint8[T, H, W, 3]. Frames that already have the size are returned unchanged."""
    import numpy as np
    from PIL import Image

    if frames.shape[1:3] == (height, width):
        return frames
    resized = np.empty((len(frames), height, width, 3), np.uint8)
    for target, frame in zip(resized, frames, strict=True):
        target[:] = np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC))
    return resized
