"""Levers: options of every codec that reduce resolution and frame rate: `jpeg:scale=0.5`, `h264:scale=0.5,fps=10`.

A lever reduces the frames before encoding and restores their size and number after decoding, so that the model always
gets frames of the source's size and number:

- `scale=` resizes each frame to `scale` times its height and width (rounded to pixels, at least one) before encoding,
  and back after decoding. Both use Pillow's bicubic filter, which is widened for downscaling (antialiasing), as is the
  default in Pillow and ffmpeg. The filter computes in integers, so that every machine gets the same pixels.
- `fps=` drops frames evenly before encoding; the first frame is always kept. After decoding, each dropped frame is
  replaced by the last kept frame before it. `fps=` never adds frames: a value above the clip's own frame rate is
  refused, with a tolerance of one percent, because 30 and 29.97 differ by less. An image has no frame rate, so a run
  over images with `fps=` is refused.

Rates (bits per pixel, kbit/s) refer to the source's pixels and duration: the `Encoded` object that a lever returns has
the source's size and frame count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from harness.codec import Codec, Encoded, Level, check_frames
from harness.errors import CodecError, PluginError
from harness.media.contract import check_encoded
from harness.options import Option, Value

if TYPE_CHECKING:
    from harness.codec import Frames

__all__ = [
    "LEVERS",
    "LEVER_NAMES",
    "LEVER_REVISIONS",
    "Resampled",
    "is_baseline",
    "lever_revisions",
    "split_levers",
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


LEVER_REVISIONS: Mapping[str, int] = {"scale": 1, "fps": 1}
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
    resampled = Resampled(codec(**own), **levers)
    return resampled if resampled.levers else resampled.codec


def is_baseline(codec: Codec) -> bool:
    """Return whether the codec is the bit-exact baseline: `none` without levers (`none:scale=0.5` loses pixels)."""
    return codec.name == "none" and not isinstance(codec, Resampled)


class Resampled(Codec):
    """A codec with levers: it wraps another codec, reduces the frames before encoding and restores them after decoding.

    It has the name and the scale of the wrapped codec.

    Args:
        codec: the wrapped codec, which codes the reduced frames.
        levers: `scale` and `fps`.

    Attributes:
        codec: the wrapped codec.
        levers: the levers that change something, with their values.
        config: the options of the wrapped codec, then the levers.
    """

    options = LEVERS

    def __init__(self, codec: Codec, **levers: object) -> None:
        if taken := {lever.name for lever in LEVERS} & {option.name for option in codec.options}:
            raise PluginError(f"codec {codec.name} has an option {min(taken)!r}; that is a lever every codec has.")
        super().__init__(**levers)
        self.codec = codec
        self.levers = {k: v for k, v in self.config.items() if v is not None and (k, v) != ("scale", 1)}
        self.config = {**codec.config, **self.levers}
        self.scale = codec.scale
        # A codec defines these as class attributes. Here each object copies them from the codec that it wraps.
        class_attributes = ("name", "summary", "coding", "revision", "option_revisions", "wants_device", "costly")
        vars(self).update({name: getattr(codec, name) for name in class_attributes})

    def __repr__(self) -> str:
        return ", ".join([f"Resampled({self.codec!r}", *(f"{k}={v!r}" for k, v in self.levers.items())]) + ")"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resampled) and (self.codec, self.levers) == (other.codec, other.levers)

    def __hash__(self) -> int:
        return hash((self.codec, tuple(self.levers.items())))

    def encode(self, frames: Frames, level: Level, fps: float | None = None) -> Encoded:
        check_frames(frames, self.name)
        count, height, width, _ = frames.shape
        kept, reduced_fps = self._kept_frames(count, fps)
        reduced = frames if len(kept) == count else frames[kept]
        resized = _resize(reduced, *self._reduced_size(height, width))
        coded = check_encoded(self.codec.encode(resized, level, reduced_fps), resized, reduced_fps, self.name)
        return Encoded(coded.data, coded.bits, count, height, width, fps)

    def decode(self, encoded: Encoded) -> Frames:
        kept, fps = self._kept_frames(encoded.frames, encoded.fps)
        height, width = self._reduced_size(encoded.height, encoded.width)
        decoded = self.codec.decode(Encoded(encoded.data, encoded.bits, len(kept), height, width, fps))
        frames = _resize(decoded, encoded.height, encoded.width)
        if len(kept) == encoded.frames:
            return frames
        bounds = [*kept, encoded.frames]
        return frames.repeat([after - first for first, after in zip(kept, bounds[1:], strict=True)], axis=0)

    def fingerprint(self) -> Mapping[str, Value]:
        facts = dict(self.codec.fingerprint()) | lever_revisions(self.levers)
        if "scale" not in self.levers:
            return facts
        import PIL

        return {**facts, "resize": f"bicubic, pillow {PIL.__version__}"}

    def available(self) -> str | None:
        return self.codec.available()

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

    def _kept_frames(self, count: int, fps: float | None) -> tuple[list[int], float | None]:
        """Return the indices of the frames that are encoded, and their frame rate."""
        requested = float(self.levers.get("fps") or 0)
        if not requested or count == 1:
            return list(range(count)), fps
        if not fps:
            raise CodecError(f"{self.name} with fps={requested:g} needs to know the frame rate of a clip; it has none.")
        if problem := self.too_fast(fps):
            raise CodecError(f"{self.name}: {problem}")
        if requested >= fps:
            return list(range(count)), fps
        # The small term keeps 30 * (10 / 30) from falling below 10.
        slots = [math.floor(index * requested / fps + 1e-6) for index in range(count)]
        return [index for index in range(count) if index == 0 or slots[index] != slots[index - 1]], requested


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
