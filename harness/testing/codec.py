"""What every codec promises (`harness.codec.Codec`)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from harness.errors import CodecError, HarnessError
from harness.media.contract import check_decoded, check_encoded
from harness.testing.configured import ConfiguredPromises
from harness.testing.tools.broken import broken, promise, skip
from harness.testing.tools.coding import all_coded, coded, coded_at_once
from harness.testing.tools.elsewhere import in_another_process, pickled
from harness.testing.tools.pictures import black, clip, noise, photograph, photographs
from harness.testing.tools.watch import watched, written

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.codec import Codec, Encoded, Frames, Level

__all__ = ["CodecPromises"]

FPS = 25.0
_SAME = (
    "the same frames at the same level give other bytes or pixels again: fix the number of threads, seeds and the "
    "order of sets, and write no time or name into the stream."
)


class CodecPromises(ConfiguredPromises):
    """What every codec promises. A class of tests of a codec derives from it::

        from harness.testing import CodecPromises

        class TestMyCodec(CodecPromises):
            spec = "my-codec:option=1"   # as on the command line; or override make()

    A codec that has no levels skips what concerns the ladder.
    """

    kind = "codec"

    def photographs(self) -> list[Frames]:
        """Return three pictures, uint8[1, H, W, 3]. Override it for a codec that is made for other ones."""
        return photographs()

    def sizes(self) -> list[tuple[int, int]]:
        """Return the heights and widths that are tried: one pixel, odd ones, a large one."""
        return [(1, 1), (1, 7), (33, 17), (65, 127), (480, 640)]

    @cached_property
    def codec(self) -> Codec:
        """The codec that a promise is tried with."""
        made: Codec = self.make()
        if why := made.available():
            skip(f"the codec does not work on this machine: {why}")
        return made

    @property
    def mildest(self) -> Level:
        """The mildest level of the ladder; None for a codec without levels."""
        return self.codec.scale.ladder[0] if self.codec.scale else None

    @property
    def strongest(self) -> Level:
        """The strongest level of the ladder; None for a codec without levels."""
        return self.codec.scale.ladder[-1] if self.codec.scale else None

    def pictures(self) -> list[tuple[Frames, float | None]]:
        """Return three pictures with their frame rates: clips for a codec that only codes clips."""
        if self.codec.clips_only():
            return [(clip(4), FPS), (clip(4, 96, 64), FPS), (clip(3, 80, 80), FPS)]
        return [(frames, None) for frames in self.photographs()]

    def _encode(self, frames: Frames, level: Level, fps: float | None, codec: Codec | None = None) -> Encoded:
        codec = codec or self.codec
        try:
            return check_encoded(codec.encode(frames, level, fps), frames, fps, codec.name)
        except CodecError as error:
            broken(f"at level {level} {list(frames.shape)} is not coded: {error}")

    def _decode(self, encoded: Encoded, frames: Frames, codec: Codec | None = None) -> NDArray[np.uint8]:
        codec = codec or self.codec
        try:
            return check_decoded(codec.decode(encoded), frames, codec.name)
        except CodecError as error:
            broken(f"what was encoded of {list(frames.shape)} does not come back: {error}")

    def _round(self, frames: Frames, fps: float | None) -> None:
        """Code frames at both ends of the ladder; a codec may refuse them by a CodecError that says why."""
        for level in {self.mildest, self.strongest}:
            try:
                encoded = self.codec.encode(frames, level, fps)
            except CodecError as error:
                promise(str(error).strip(), f"{list(frames.shape)} is refused without a reason: say why.")
                continue
            checked = check_encoded(encoded, frames, fps, self.codec.name)
            self._decode(checked, frames)

    # What comes back

    def test_frames_come_back_at_their_size_and_type(self) -> None:
        """As many frames come back as were encoded, at the same size, as uint8."""
        for frames, fps in self.pictures():
            self._decode(self._encode(frames, self.mildest, fps), frames)

    def test_the_mildest_level_shows_the_picture(self) -> None:
        """At the mildest level the picture is recognisable: colours in the order RGB, upright, in its place."""
        import numpy as np

        for frames, fps in self.pictures():
            back = self._decode(self._encode(frames, self.mildest, fps), frames).astype(np.float64)
            error = float(((back - frames) ** 2).mean())
            others = {
                "with red and blue exchanged": frames[..., ::-1],
                "upside down": frames[:, ::-1],
                "mirrored": frames[:, :, ::-1],
                "a pixel to the right": np.roll(frames, 1, 2),
                "a pixel lower": np.roll(frames, 1, 1),
                "plain grey": np.full_like(frames, round(float(frames.mean()))),
            }
            for how, other in others.items():
                promise(
                    error < ((back - other) ** 2).mean(),
                    f"what comes back at the mildest level resembles the picture {how} more than the picture itself: "
                    "frames are RGB, rows first; look at conversions of colour, strides and padding, and at whether "
                    "`Scale.ladder` begins with the mildest level.",
                )

    def test_frames_keep_their_order(self) -> None:
        """Each frame of a clip comes back in its place, none twice."""
        import numpy as np

        frames = clip(6)
        back = self._decode(self._encode(frames, self.mildest, FPS), frames)
        for number, one in enumerate(back):
            errors = ((frames.astype(np.float64) - one) ** 2).mean((1, 2, 3))
            promise(
                int(errors.argmin()) == number,
                f"frame {number} of a clip comes back as frame {int(errors.argmin())}: keep the order of display "
                "(not of coding), and flush the decoder at the end.",
            )

    def test_one_frame_and_many(self) -> None:
        """It codes single images and clips of 1, 2 and 9 frames."""
        only_clips = self.codec.clips_only()
        if not only_clips:
            self._decode(self._encode(photographs()[0], self.mildest, None), photographs()[0])
        for count in (1, 2, 9):
            frames = clip(count)
            if count == 1 and only_clips:
                continue
            self._decode(self._encode(frames, self.strongest, FPS), frames)

    def test_any_size(self) -> None:
        """Frames of one pixel, of odd sizes and large ones are coded, or refused by a CodecError that says why."""
        for height, width in self.sizes():
            self._round(photograph(1, height, width)[None].copy(), None if not self.codec.clips_only() else FPS)

    def test_black_and_noise(self) -> None:
        """Black frames and noise are coded, or refused by a CodecError that says why."""
        count, fps = (4, FPS) if self.codec.clips_only() else (1, None)
        for frames in (black(count), noise(count)):
            self._round(frames, fps)

    def test_decoded_frames_are_their_own(self) -> None:
        """A decoded array is not written to by the next decoding, and can be written to."""
        (first, fps), (second, fps_second), _ = self.pictures()
        one = self._encode(first, self.mildest, fps)
        other = self._encode(second, self.mildest, fps_second)
        back = self._decode(one, first)
        kept = back.copy()
        self._decode(other, second)
        promise((back == kept).all(), "decoding changes the array that was decoded before: return a new one.")
        promise(back.flags.writeable, "the decoded array cannot be written to: return a copy, not a view of bytes.")

    def test_decoding_needs_the_stream_alone(self) -> None:
        """Another object of the codec decodes the stream to the same pixels, whatever was encoded in between."""
        (first, fps), (second, fps_second), _ = self.pictures()
        one = self._encode(first, self.mildest, fps)
        expected = self._decode(one, first)
        self._encode(second, self.strongest, fps_second)
        for codec, who in (
            (self.codec, "the same object, after it has encoded something else,"),
            (self.make(), "a new object"),
        ):
            promise(
                (self._decode(one, first, codec) == expected).all(),
                f"{who} decodes the stream to other pixels: keep all that decoding needs in `Encoded.data`.",
            )

    # What goes in

    def test_input_is_untouched(self) -> None:
        """Encoding does not write to the frames that it is given."""
        for frames, fps in self.pictures():
            given = frames.copy()
            self._encode(given, self.strongest, fps)
            promise((given == frames).all(), "encode changes the frames that it is given: work on a copy.")
            given.flags.writeable = False
            try:
                self.codec.encode(given, self.strongest, fps)
            except (ValueError, BufferError, TypeError) as error:
                broken(f"encode does not take frames that cannot be written to ({error}): work on a copy.")

    def test_levels_out_of_range_are_refused(self) -> None:
        """A level outside the scale, and none where one is needed, is refused by an error of the harness."""
        frames, fps = self.pictures()[0]
        scale = self.codec.scale
        wrong: list[Level] = [50.0]
        if scale:
            wrong = [scale.minimum - 1, scale.maximum + 1, None, float("nan"), float("inf")]
            wrong += [scale.ladder[0] + 0.5] if scale.integer else []
        for level in wrong:
            try:
                self.codec.encode(frames, level, fps)
            except HarnessError:
                continue
            except Exception as error:  # noqa: BLE001 - any other error breaks the promise
                broken(f"level {level} raises {type(error).__name__}: call `self.scale.check(level, self.name)` first.")
            broken(
                f"level {level} is taken, though the scale has none such: call `self.scale.check(level, self.name)`."
            )

    # The rate

    def test_the_rate_is_that_of_the_stream(self) -> None:
        """The rate is a whole, positive number of bits, that of the whole stream."""
        import lzma

        several = [] if self.codec.coding == "video" and not self.codec.clips_only() else [(noise(4), FPS)]
        for frames, fps in (*self.pictures(), (noise(4), FPS), *several):
            encoded = self._encode(frames, self.mildest, fps)
            most, least = 8 * len(encoded.data), 2.5 * len(lzma.compress(encoded.data))
            promise(
                encoded.bits <= most,
                f"the rate is {encoded.bits} bits, but the stream has only {len(encoded.data)} bytes ({most} bits): "
                "count what `decode` needs.",
            )
            promise(
                encoded.bits >= least,
                f"the rate is {encoded.bits} bits for a stream of {len(encoded.data)} bytes ({most} bits) in "
                f"{len(frames)} frames: count bits, not bytes, of all frames.",
            )

    def test_the_rate_falls_along_the_ladder(self) -> None:
        """On three pictures the rate falls from the mildest level of the ladder to the strongest."""
        if self.codec.scale is None:
            skip("the codec has no levels")
        for frames, fps in self.pictures():
            mild, strong = (self._encode(frames, level, fps).bits for level in (self.mildest, self.strongest))
            promise(
                strong < mild,
                f"level {self.strongest:g} needs {strong} bits and level {self.mildest:g} {mild}: `Scale.ladder` goes "
                "from the mildest to the strongest compression, and each level has to reach the encoder.",
            )

    def test_the_scale_is_sound(self) -> None:
        """The ladder lies within the scale, has no level twice, and goes from mild to strong."""
        scale = self.codec.scale
        if scale is None:
            skip("the codec has no levels")
        promise(len(scale.ladder) > 1, "the ladder needs at least two levels.")
        for level in scale.ladder:
            promise(scale.minimum <= level <= scale.maximum, f"level {level:g} of the ladder is outside the scale.")
            promise(not scale.integer or level == int(level), f"level {level:g} is not whole, and the scale says so.")
        promise(
            scale.mildest_first(scale.ladder) == scale.ladder,
            f"the ladder {scale.ladder} does not go from mild to strong: mind `higher_is_better`.",
        )
        promise(self.codec.coding in ("image", "video"), f"coding is {self.codec.coding!r}: 'image' or 'video'.")

    # The same again

    def test_the_same_bytes_again(self) -> None:
        """The same frames at the same level give the same bytes and pixels, from this object and from a new one."""
        frames, fps = self.pictures()[0]
        first = coded(self.codec, frames, self.mildest, fps)
        for codec in (self.codec, self.make()):
            promise(coded(codec, frames, self.mildest, fps) == first, _SAME)

    def test_a_batch_is_coded_as_each_alone(self) -> None:
        """Samples that are coded at once give the same bytes and pixels as each of them alone."""
        frames, fps = self.pictures()[0]
        batch = [frames, frames[:, ::-1].copy(), frames[:, :, ::-1].copy()]
        try:
            together = coded_at_once(self.codec, batch, self.mildest, fps)
        except (CodecError, ValueError) as error:
            broken(f"three samples of one size are not coded at once: {error}")
        promise(len(together) == len(batch), f"{len(together)} samples come back of three that are coded at once.")
        for number, one in enumerate(batch):
            promise(
                together[number] == coded(self.codec, one, self.mildest, fps),
                f"sample {number} of three that are coded at once has other bytes, bits or pixels than alone: keep the "
                "order, let no sample depend on the others, and do alone what a library rounds otherwise in a batch.",
            )

    def test_the_same_bytes_in_another_process(self) -> None:
        """A pickled codec gives the same bytes, pixels and fingerprint in another process."""
        frames, fps = self.pictures()[0]
        pickled(self.codec, "the codec")
        here = [coded(self.codec, frames, level, fps) for level in (self.mildest, self.strongest)]
        there, facts = in_another_process(
            all_coded, self.codec, frames, (self.mildest, self.strongest), fps, about=(self,)
        )
        promise(there == here, _SAME.replace("again", "in another process"))
        promise(
            facts == dict(self.codec.fingerprint()),
            f"fingerprint() is {facts} in another process and {dict(self.codec.fingerprint())} here: name what changes "
            "pixels or bytes (versions, digests), never times, addresses, paths or process ids.",
        )

    # Manners

    def test_it_is_silent(self) -> None:
        """Nothing is written to the standard streams."""
        frames, fps = self.pictures()[0]
        with written() as texts:
            coded(self.codec, frames, self.mildest, fps)
        promise(not texts, f"coding writes {texts}: turn the library's messages off.")

    def test_it_closes_what_it_opens(self) -> None:
        """No file, thread, process or temporary file is left behind by coding."""
        frames, fps = self.pictures()[0]
        coded(self.codec, frames, self.mildest, fps)  # what a library opens once, and keeps, is not counted
        with watched() as left:
            for _ in range(3):
                coded(self.make(), frames, self.mildest, fps)
        if left:
            broken(f"coding leaves behind {', '.join(left[:3])}: use `with`, and wait for threads and processes.")
