"""The interface that every codec implements: encode frames, count the bits, decode the frames again.

A codec does not depend on a task, a model or a dataset. It receives frames `uint8[T, H, W, 3]` (RGB; T = 1 for an
image) and encodes them at a level of its own scale. Decoding returns the same number of frames at the same size. A
complete image codec::

    class Zlib(ImageCodec):
        name = "posterize"
        summary = "PNG of an image reduced to a few grey levels a channel"
        scale = Scale("bits", ladder=(8, 6, 4, 2), minimum=1, maximum=8, higher_is_better=True)

        def encode_image(self, image, level):          # uint8[H, W, 3] -> bytes
            buffer = io.BytesIO()
            step = 1 << (8 - int(level))
            Image.fromarray(image // step * step).save(buffer, "png")
            return buffer.getvalue()

        def decode_image(self, data):                  # bytes -> uint8[H, W, 3]
            return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

        def fingerprint(self):                         # what else, apart from the options, can change pixels or bytes
            return {"pillow": PIL.__version__}
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from harness.errors import CodecError, UsageError
from harness.images.framing import as_many, check_image, check_stream, joined, only_stream, separated
from harness.options import Configured, Scale, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Frames: TypeAlias = NDArray[np.uint8]
    """RGB frames, uint8[T, H, W, 3]."""

__all__ = ["Codec", "Encoded", "Frames", "ImageCodec", "Level", "Scale", "check_frames"]


def __getattr__(name: str) -> object:
    if name != "Frames":  # which is made when it is asked for, so that this module does not import NumPy
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from numpy import uint8
    from numpy.typing import NDArray

    return NDArray[uint8]


Level = float | None
"""A position on a codec's scale; None for a codec without one (`none`)."""


@dataclass(frozen=True)
class Encoded:
    """The result of encoding some frames.

    Args:
        data: the bytes that `decode` needs. They may include framing that does not count as rate.
        bits: the rate: bits of the elementary stream, without the container and without the encoder's banner (a text
            about itself that an encoder writes into the stream).
        frames: the number of source frames (T).
        height: the source's height (H) in pixels.
        width: the source's width (W) in pixels.
        fps: the source's frame rate in frames per second; None for an image.
    """

    data: bytes
    bits: int
    frames: int
    height: int
    width: int
    fps: float | None = None


class Codec(Configured, ABC):
    """A lossy (or lossless) compressor of frames.

    Class attributes:
        coding: "image" for a codec that codes each frame on its own, also the frames of a video. "video" for a codec
            of clips; it codes a single image as a clip of one frame, and results label that `intra`.
        revision: a number that is raised when the same options give other pixels or other bits than before. It is part
            of every experiment's key, so results of an earlier revision are not found, and commands that read results
            mark them as superseded.
        option_revisions: the same for results with one value of an option alone, by option and value:
            `{("rate", "cbr"): 2}`. Results with other values stay valid.
        wants_device: whether the codec computes on the device (learned codecs). It then runs in the process that owns
            the device, beside the model, and its `fingerprint` has the digest of its weights. Its streams are not kept
            in the cache folder, because another device may not be able to decode them.
        costly: whether encoding is so slow that encoded streams are kept in the cache folder. The next model,
            retraining or run that codes the same frames in the same way then reads the stream from there.

    Attributes:
        scale: the codec's compression control; None for a codec that has none. A codec may set it in `__init__`,
            because it may depend on the options.
    """

    coding: ClassVar[Literal["image", "video"]]
    revision: ClassVar[int] = 1
    option_revisions: ClassVar[Mapping[tuple[str, Value], int]] = {}
    wants_device: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    scale: Scale | None

    @abstractmethod
    def encode(self, frames: Frames, level: Level, fps: float | None = None) -> Encoded:
        """Encode frames uint8[T, H, W, 3] (RGB) at a level. Must not change its input.

        Args:
            frames: the frames.
            level: a position on the codec's scale; None for a codec without a scale.
            fps: frames per second; None for an image.

        Raises:
            CodecError: the encoder refuses these frames; the message says why.
        """

    @abstractmethod
    def decode(self, encoded: Encoded) -> Frames:
        """Return the decoded frames, uint8[T, H, W, 3] (RGB): as many as the source has, at the source's size.

        The next decoded sample has an array of its own.
        """

    def encode_batch(self, batch: Sequence[Frames], level: Level, fps: float | None = None) -> Sequence[Encoded]:
        """Encode several samples at once; return what `encode` gives for each of them alone, bit for bit. Optional.

        It is called for a codec that `wants_device`, with samples of one planned batch whose frames have one shape and
        one rate. If it raises, each of them is encoded alone.

        Args:
            batch: the frames of each sample, uint8[T, H, W, 3].
            level: as of `encode`.
            fps: as of `encode`.
        """
        return [self.encode(frames, level, fps) for frames in batch]

    def decode_batch(self, batch: Sequence[Encoded]) -> Sequence[Frames]:
        """Decode several samples at once; return what `decode` gives for each of them alone. Optional.

        The arrays may be parts of one that do not overlap.
        """
        return [self.decode(encoded) for encoded in batch]

    def fingerprint(self) -> Mapping[str, Value]:
        """Return what else, apart from the options, can change pixels or bytes.

        For example: library versions, thread counts, build flags, and the digest of a data file that the codec reads.
        The plugin's own source need not be here (`harness.discovery.sources`).
        """
        return {}

    def available(self) -> str | None:
        """Return None if the codec works on this machine, otherwise a sentence that says what is missing."""

    def problems(self) -> Sequence[str]:
        """Return warnings for the user about coding in this process, such as a library that codes slowly."""
        return ()

    def implementation(self) -> str | None:
        """Return in words what codes on this machine, where that may differ without any effect on results.

        None if there is nothing to say. What can change pixels or bytes belongs to `fingerprint`.
        """
        return None

    def clips_only(self) -> str | None:
        """Return why the codec, with its current options, can only code clips; None if it can code single images.

        The reason is a sentence.
        """
        return None

    def to_device(self, device: str) -> None:
        """Move the codec to a torch device ("cpu", "cuda:0", ...). Called only if `wants_device` is true.

        If it raises, the codec's experiments fail. It is called for a deep copy, before the first frames. Without a
        call the codec works on the CPU: trainings on coded data, and commands that show a sample, do not call it.
        Whoever forks processes never calls it before.
        """

    def warn(self, level: Level, source_format: str | None, source_quality: int | None) -> str | None:
        """Return a warning if the source file is already compressed so strongly that this level shows little.

        Return None if there is nothing to warn of.

        Args:
            level: the level to test.
            source_format: the format of the source file ("jpeg", ...).
            source_quality: the estimated quality of a JPEG source, 1-100; None if unknown.
        """
        return None


class ImageCodec(Codec):
    """Base class of codecs that code single images.

    A subclass implements `encode_image` and `decode_image`. This class applies them to every frame of a video, and
    joins the streams in `Encoded.data`, each after its length, which does not count as rate: `Encoded.bits` is the sum
    of `stream_bits` over the streams.
    """

    coding = "image"

    @abstractmethod
    def encode_image(self, image: NDArray[np.uint8], level: float) -> bytes:
        """Encode one image uint8[H, W, 3] (RGB). The level has already been checked against the scale."""

    @abstractmethod
    def decode_image(self, data: bytes) -> NDArray[np.uint8]:
        """Decode a stream from `encode_image` to an image, uint8[H, W, 3] (RGB): a new array for each call."""

    def stream_bits(self, data: bytes) -> int:
        """Return the rate, in bits, of one stream: all its bytes, unless a codec leaves its container out."""
        return 8 * len(data)

    def encode_images(self, images: Sequence[NDArray[np.uint8]], level: float) -> Sequence[bytes]:
        """Encode images of one size, of different samples: what `encode_image` gives for each. Optional."""
        return [self.encode_image(image, level) for image in images]

    def decode_images(self, streams: Sequence[bytes]) -> Sequence[NDArray[np.uint8]]:
        """Decode streams of images of one size: what `decode_image` gives for each. Optional."""
        return [self.decode_image(stream) for stream in streams]

    def encode(self, frames: Frames, level: Level, fps: float | None = None) -> Encoded:
        level = self._level(frames, level)
        return self._encoded([self.encode_image(frame, level) for frame in frames], frames, fps)

    def encode_batch(self, batch: Sequence[Frames], level: Level, fps: float | None = None) -> Sequence[Encoded]:
        checked = [self._level(frames, level) for frames in batch]
        what = f"{self.name}: encode_images"
        streams = [
            as_many(self.encode_images(list(images), checked[0]), len(batch), what)
            for images in zip(*batch, strict=True)
        ]
        return [self._encoded(own, frames, fps) for frames, own in zip(batch, zip(*streams, strict=True), strict=True)]

    def decode(self, encoded: Encoded) -> Frames:
        import numpy as np

        shape = (encoded.height, encoded.width, 3)
        if encoded.frames == 1 and (stream := only_stream(encoded.data)) is not None:
            image = self.decode_image(stream)
            check_image(image, shape, self.name)
            # An array over `bytes` is read-only; the frames can be written to, as with every other codec.
            return np.require(image, requirements=("C", "W"))[None]
        frames = np.empty((encoded.frames, *shape), np.uint8)
        count = 0
        for stream in separated(encoded.data):
            image = self.decode_image(stream)
            if count < encoded.frames:
                check_image(image, shape, self.name)
                frames[count] = image
            count += 1
        if count != encoded.frames:
            raise CodecError(f"{self.name}: {encoded.frames} frames were coded, {count} came back.")
        return frames

    def decode_batch(self, batch: Sequence[Encoded]) -> Sequence[Frames]:
        import numpy as np

        streams = [as_many(separated(one.data), one.frames, f"{self.name}: the streams of a clip") for one in batch]
        frames = [np.empty((one.frames, one.height, one.width, 3), np.uint8) for one in batch]
        for place, images in enumerate(zip(*streams, strict=True)):
            decoded = as_many(self.decode_images(images), len(batch), f"{self.name}: decode_images")
            for target, image in zip(frames, decoded, strict=True):
                check_image(image, target.shape[1:], self.name)
                target[place] = image
        return frames

    def _level(self, frames: Frames, level: Level) -> float:
        """Return the level, if the frames and the level can be coded."""
        check_frames(frames, self.name)
        if level is None or self.scale is None:
            raise UsageError(f"codec {self.name} needs a level.")
        return self.scale.check(level, self.name)

    def _encoded(self, streams: Sequence[bytes], frames: Frames, fps: float | None) -> Encoded:
        data = joined(check_stream(stream, self.name) for stream in streams)
        rates = [self.stream_bits(stream) for stream in streams]
        if any(isinstance(rate, bool) for rate in rates):
            raise CodecError(f"{self.name}: stream_bits gave a bool; a whole number of bits is expected.")
        count, height, width, _ = frames.shape
        return Encoded(data, sum(rates), count, height, width, fps)


def check_frames(frames: Frames, codec: str) -> None:
    """Check that frames are an array uint8[T, H, W, 3] with at least one frame and one pixel.

    Args:
        frames: the frames to check.
        codec: the codec's name, for the error message.

    Raises:
        CodecError: the frames are anything else; the message says what was given.
    """
    shape, dtype = getattr(frames, "shape", None), getattr(frames, "dtype", None)
    if shape is None or dtype is None:
        raise CodecError(f"{codec} codes arrays uint8[T, H, W, 3], not {type(frames).__name__}.")
    if dtype != "uint8" or len(shape) != 4 or shape[3] != 3 or 0 in shape:
        raise CodecError(f"{codec} codes RGB frames uint8[T, H, W, 3]; given: {dtype}{list(shape)}.")
