"""A sound codec of images, one of clips' worth, and codecs that have one fault each."""

from __future__ import annotations

import os
import random
import tempfile
import threading
import time
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.codec import Codec, Encoded, Level, Scale, check_frames
from harness.errors import CodecError, UsageError
from harness.options import Option

SEVEN = Option("planes", int, 7, "how many bits of a pixel are kept at most", minimum=4, maximum=8)


class SoundCodec(Codec):
    """Rounds pixels, takes differences between neighbours, and compresses them: sound in everything."""

    name = "kit-sound"
    summary = "rounded pixels, compressed by zlib"
    coding = "image"
    scale = Scale("step", ladder=(2, 8, 32), minimum=1, maximum=64, higher_is_better=False)
    options = (SEVEN,)

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        check_frames(frames, self.name)
        if level is None:
            raise UsageError(f"codec {self.name} needs a level.")
        self.scale.check(level, self.name)
        data = zlib.compress(self.rounded(frames, int(level)).tobytes(), 6)
        return Encoded(data, 8 * len(data), *frames.shape[:3], fps)

    def rounded(self, frames: Any, step: int) -> Any:
        step = max(step, 1 << (8 - self.config["planes"]))
        return frames // step * step

    def decode(self, encoded: Encoded) -> Any:
        shape = (encoded.frames, encoded.height, encoded.width, 3)
        return np.frombuffer(zlib.decompress(encoded.data), np.uint8).reshape(shape).copy()

    def fingerprint(self) -> Mapping[str, Any]:
        return {"zlib": zlib.ZLIB_RUNTIME_VERSION}


class BitsAreBytes(SoundCodec):
    """Counts bytes for bits."""

    broken = "the_rate_is_that_of_the_stream"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        made = super().encode(frames, level, fps)
        return Encoded(made.data, len(made.data), *frames.shape[:3], fps)


class BitsOfRawFrames(SoundCodec):
    """Counts the bits of the frames before they are compressed."""

    broken = "the_rate_is_that_of_the_stream"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        made = super().encode(frames, level, fps)
        return Encoded(made.data, 8 * frames.size, *frames.shape[:3], fps)


class BitsOfOneFrame(SoundCodec):
    """Counts the bits of one frame of a clip."""

    broken = "the_rate_is_that_of_the_stream"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        made = super().encode(frames, level, fps)
        return Encoded(made.data, made.bits // len(frames), *frames.shape[:3], fps)


class BitsAreHalves(SoundCodec):
    """Gives a rate that is no whole number."""

    broken = "frames_come_back_at_their_size_and_type"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        made = super().encode(frames, level, fps)
        return Encoded(made.data, made.bits + 0.5, *frames.shape[:3], fps)


class LevelIsIgnored(SoundCodec):
    """Codes each level alike."""

    broken = "the_rate_falls_along_the_ladder"

    def rounded(self, frames: Any, step: int) -> Any:
        return super().rounded(frames, 4)


class LadderIsTurned(SoundCodec):
    """Has the ladder from strong to mild."""

    broken = "the_scale_is_sound"
    scale = Scale("step", ladder=(32, 8, 2), minimum=1, maximum=64, higher_is_better=False)


class HigherIsNotBetter(SoundCodec):
    """Says that a larger step is better, with a ladder that fits."""

    broken = "the_rate_falls_along_the_ladder"
    scale = Scale("step", ladder=(32, 8, 2), minimum=1, maximum=64, higher_is_better=True)


class LevelsAreNotChecked(SoundCodec):
    """Takes any level."""

    broken = "levels_out_of_range_are_refused"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        data = zlib.compress(self.rounded(frames, max(1, min(64, int(level or 1)))).tobytes(), 6)
        return Encoded(data, 8 * len(data), *frames.shape[:3], fps)


class LevelsAreCut(SoundCodec):
    """Takes levels above the largest as the largest."""

    broken = "levels_out_of_range_are_refused"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        return super().encode(frames, level if level is None else min(level, 64), fps)


class RedIsBlue(SoundCodec):
    """Gives BGR back."""

    broken = "the_mildest_level_shows_the_picture"

    def decode(self, encoded: Encoded) -> Any:
        return super().decode(encoded)[..., ::-1].copy()


class ShiftedByAPixel(SoundCodec):
    """Gives the picture back one pixel to the right."""

    broken = "the_mildest_level_shows_the_picture"

    def decode(self, encoded: Encoded) -> Any:
        return np.roll(super().decode(encoded), 1, 2)


class UpsideDown(SoundCodec):
    """Gives the picture back upside down."""

    broken = "the_mildest_level_shows_the_picture"

    def decode(self, encoded: Encoded) -> Any:
        return super().decode(encoded)[:, ::-1].copy()


class OnlyTheMean(SoundCodec):
    """Gives the mean of the frames back."""

    broken = "the_mildest_level_shows_the_picture"

    def decode(self, encoded: Encoded) -> Any:
        frames = super().decode(encoded)
        return np.full_like(frames, round(frames.mean()))


class FramesInCodingOrder(SoundCodec):
    """Gives the second and the third frame of a clip exchanged."""

    broken = "frames_keep_their_order"

    def decode(self, encoded: Encoded) -> Any:
        frames = super().decode(encoded)
        order = list(range(len(frames)))
        order[1:3] = order[1:3][::-1]
        return frames[order].copy()


class FirstFrameOnly(SoundCodec):
    """Gives the first frame for all."""

    broken = "frames_keep_their_order"

    def decode(self, encoded: Encoded) -> Any:
        return np.repeat(super().decode(encoded)[:1], encoded.frames, 0)


class LastFrameLost(SoundCodec):
    """Does not flush its decoder: the last frame of many is lost."""

    broken = "one_frame_and_many"

    def decode(self, encoded: Encoded) -> Any:
        frames = super().decode(encoded)
        return frames[: len(frames) - (len(frames) > 6)]


class OddSizesAreCut(SoundCodec):
    """Cuts odd sizes to even ones."""

    broken = "any_size"

    def decode(self, encoded: Encoded) -> Any:
        frames = super().decode(encoded)
        return frames[:, : max(2, frames.shape[1] // 2 * 2), : max(2, frames.shape[2] // 2 * 2)]


class OnePixelIsAnError(SoundCodec):
    """Fails on one pixel with an error of NumPy."""

    broken = "any_size"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        np.stack([frames[:, 1], frames[:, 0]])
        return super().encode(frames, level, fps)


class RefusedWithoutAReason(SoundCodec):
    """Refuses odd widths, and does not say why."""

    broken = "any_size"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        if frames.shape[2] % 2:
            raise CodecError("")
        return super().encode(frames, level, fps)


class BlackIsAnError(SoundCodec):
    """Divides by the brightest pixel."""

    broken = "black_and_noise"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        assert 255 // int(frames.max())
        return super().encode(frames, level, fps)


class FloatsComeBack(SoundCodec):
    """Gives float frames."""

    broken = "frames_come_back_at_their_size_and_type"

    def decode(self, encoded: Encoded) -> Any:
        return super().decode(encoded).astype(np.float32)


class InputIsRounded(SoundCodec):
    """Rounds the frames that it is given in place."""

    broken = "input_is_untouched"

    def rounded(self, frames: Any, step: int) -> Any:
        frames[:] = super().rounded(frames, step)
        return frames


class InputIsChangedAndBack(SoundCodec):
    """Adds to the frames that it is given, and takes it away again."""

    broken = "input_is_untouched"

    def rounded(self, frames: Any, step: int) -> Any:
        np.add(frames, 1, out=frames)
        np.subtract(frames, 1, out=frames)
        return super().rounded(frames, step)


class OneBufferForAll(SoundCodec):
    """Decodes into the same array each time."""

    broken = "decoded_frames_are_their_own"
    buffers: dict[Any, Any] = {}

    def decode(self, encoded: Encoded) -> Any:
        frames = super().decode(encoded)
        buffer = self.buffers.setdefault(frames.shape, np.empty_like(frames))
        buffer[:] = frames
        return buffer


class FramesCannotBeWritten(SoundCodec):
    """Gives a view of bytes."""

    broken = "decoded_frames_are_their_own"

    def decode(self, encoded: Encoded) -> Any:
        frames = super().decode(encoded)
        frames.flags.writeable = False
        return frames


class DecodesFromMemory(SoundCodec):
    """Decodes with a table that the last encoding has left."""

    broken = "decoding_needs_the_stream_alone"
    offset = 0

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        self.offset = int(frames[0, 0, 0, 0]) % 5
        return super().encode(frames, level, fps)

    def decode(self, encoded: Encoded) -> Any:
        return super().decode(encoded) + np.uint8(self.offset)


class RandomDither(SoundCodec):
    """Adds random noise."""

    broken = "the_same_bytes_again"

    def rounded(self, frames: Any, step: int) -> Any:
        return super().rounded(frames, step) ^ np.random.default_rng().integers(0, 2, frames.shape, np.uint8)


class StreamHasTheTime(SoundCodec):
    """Writes the time behind its stream."""

    broken = "the_same_bytes_again"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        made = super().encode(frames, level, fps)
        data = made.data + str(time.perf_counter_ns()).encode()
        return Encoded(data, 8 * len(data), *frames.shape[:3], fps)

    def decode(self, encoded: Encoded) -> Any:
        whole = zlib.decompressobj()
        data = whole.decompress(encoded.data)
        return super().decode(Encoded(zlib.compress(data), 8, encoded.frames, encoded.height, encoded.width))


class BatchIsTurned(SoundCodec):
    """Gives what it has coded at once in the reverse order."""

    broken = "a_batch_is_coded_as_each_alone"

    def encode_batch(self, batch: Any, level: Level, fps: float | None = None) -> Any:
        return super().encode_batch(batch, level, fps)[::-1]


class BatchIsMixed(SoundCodec):
    """Mixes the samples that it decodes at once, as a norm over the batch does."""

    broken = "a_batch_is_coded_as_each_alone"

    def decode_batch(self, batch: Any) -> Any:
        frames = np.stack(super().decode_batch(batch))
        return list(frames // 2 + frames.mean(0).astype(np.uint8) // 2)


class BatchIsPadded(SoundCodec):
    """Fills a batch to a number that it was made for, and gives what it has filled in too."""

    broken = "a_batch_is_coded_as_each_alone"

    def encode_batch(self, batch: Any, level: Level, fps: float | None = None) -> Any:
        return super().encode_batch([*batch, batch[-1]], level, fps)


class OrderOfASet(SoundCodec):
    """Depends on the order of a set of texts, which is another one in each process."""

    broken = "the_same_bytes_in_another_process"

    def rounded(self, frames: Any, step: int) -> Any:
        signs = [hash(name) % 32 for name in ("red", "green", "blue")]
        return super().rounded(frames, step) ^ np.array(signs, np.uint8)


class FingerprintOfTheProcess(SoundCodec):
    """Names its process in the fingerprint."""

    broken = "the_same_bytes_in_another_process"

    def fingerprint(self) -> Mapping[str, Any]:
        return {"process": os.getpid()}


class FingerprintIsRandom(SoundCodec):
    """Has another fingerprint each time."""

    broken = "the_fingerprint_is_plain"

    def fingerprint(self) -> Mapping[str, Any]:
        return {"build": random.random()}


class FingerprintIsNoJson(SoundCodec):
    """Has bytes in the fingerprint."""

    broken = "the_fingerprint_is_plain"

    def fingerprint(self) -> Mapping[str, Any]:
        return {"zlib": b"1.3"}


class OptionIsNotKept(SoundCodec):
    """Uses an option, and does not have it in its config."""

    broken = "a_changed_option_changes_the_key"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.planes = self.config["planes"]
        self.config["planes"] = 7


class UnknownOptionsAreTaken(SoundCodec):
    """Takes options that it does not declare."""

    broken = "an_unknown_option_is_refused"

    def __init__(self, **options: Any) -> None:
        super().__init__(**{name: value for name, value in options.items() if name == "planes"})


class HoldsALock(SoundCodec):
    """Has a lock, which cannot be pickled."""

    broken = "it_is_picklable"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.lock = threading.Lock()


class Talks(SoundCodec):
    """Prints."""

    broken = "it_is_silent"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        print("encoding")
        return super().encode(frames, level, fps)


class TalksBelowPython(SoundCodec):
    """Writes to the standard error as a C library does."""

    broken = "it_is_silent"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        os.write(2, b"[libfoo] encoding\n")
        return super().encode(frames, level, fps)


class LeavesFilesOpen(SoundCodec):
    """Opens a file each time, and does not close it."""

    broken = "it_closes_what_it_opens"
    left: list[int] = []

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        self.left.append(os.open(os.devnull, os.O_RDONLY))
        return super().encode(frames, level, fps)


class LeavesThreads(SoundCodec):
    """Starts a thread each time, which waits for ever."""

    broken = "it_closes_what_it_opens"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
        return super().encode(frames, level, fps)


class LeavesTemporaryFiles(SoundCodec):
    """Leaves a temporary file each time."""

    broken = "it_closes_what_it_opens"

    def encode(self, frames: Any, level: Level, fps: float | None = None) -> Encoded:
        handle, _ = tempfile.mkstemp()
        os.close(handle)
        return super().encode(frames, level, fps)


class NamedOddly(SoundCodec):
    """Has a name that cannot be typed."""

    broken = "it_says_what_it_is"
    name = "My Codec"


MUTANTS = list(SoundCodec.__subclasses__())
