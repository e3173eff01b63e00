"""`scale=` and `fps=`: what the encoder is given, what the model gets back, and what the rate stands for."""

import cv2
import numpy as np
import pytest
import torch

from harness.codec import Codec, Encoded, ImageCodec, Scale
from harness.errors import CodecError, PluginError, UsageError
from harness.media.levers import LEVERS, ReducedCodec, is_baseline, split_levers, with_levers
from harness.media.quality import psnr
from harness.options import Option
from harness_codecs.none import Uncompressed
from harness_codecs.pillow_family import Jpeg, Webp
from kit.pictures import noise, photograph, textured


class Video(Codec):
    """A stand-in video codec that shows what it was given: its streams are the frames, its rate their number."""

    name = "video"
    summary = "shows what it was given"
    coding = "video"
    wants_device = True
    options = (Option("gop", int, 50, "frames between key frames"),)
    scale = Scale("crf", (23, 40), 0, 51, higher_is_better=False)

    def encode(self, frames, level, fps=None):
        self.given = (frames.shape, fps)
        return Encoded(frames.tobytes(), len(frames), *frames.shape[:3], fps)

    def decode(self, encoded):
        shape = (encoded.frames, encoded.height, encoded.width, 3)
        return np.frombuffer(encoded.data, np.uint8).reshape(shape)

    def fingerprint(self):
        return {"threads": 1}

    def available(self):
        return "it has no encoder."

    def to_device(self, device):
        self.device = device


def numbered(count: int) -> np.ndarray:
    """Frames uint8[T, 4, 4, 3] that each hold their own index."""
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("count", "fps", "wanted", "kept"),
    [
        (6, 30.0, 30.0, [0, 1, 2, 3, 4, 5]),
        (6, 30000 / 1001, 30.0, [0, 1, 2, 3, 4, 5]),
        (6, 30.0, 15.0, [0, 2, 4]),
        (7, 30.0, 10.0, [0, 3, 6]),
        (12, 25.0, 10.0, [0, 3, 5, 8, 10]),
        (6, 30000 / 1001, 15000 / 1001, [0, 2, 4]),
        (5, 30.0, 0.5, [0]),
        (1, 30.0, 1.0, [0]),
        (91, 30.0, 1.0, [0, 30, 60, 90]),
    ],
)
def test_fps_drops_evenly_and_repeats_the_last_kept(count: int, fps: float, wanted: float, kept: list[int]) -> None:
    inner = Video()
    codec = ReducedCodec(inner, fps=wanted)
    encoded = codec.encode(numbered(count), 23, fps)
    shown = codec.decode(encoded)[:, 0, 0, 0].tolist()
    assert encoded.bits == len(kept)
    assert (encoded.frames, encoded.fps) == (count, fps)
    assert shown == [max(k for k in kept if k <= index) for index in range(count)]
    assert inner.given == ((len(kept), 4, 4, 3), fps if len(kept) == count else wanted)


def test_more_fps_than_a_clip_has_are_refused() -> None:
    with pytest.raises(CodecError, match=r"fps=60 is above the clip's own 30 frames a second: .*Ask for 30 or less"):
        ReducedCodec(Video(), fps=60).encode(numbered(6), 23, 30.0)


def test_fps_of_a_clip_that_has_none_is_refused_and_an_image_left_alone() -> None:
    codec = ReducedCodec(Uncompressed(), fps=5)
    with pytest.raises(CodecError, match="needs to know the frame rate"):
        codec.encode(noise(2, 4, 4, 3), None)
    image = noise(1, 4, 4, 3)
    np.testing.assert_array_equal(codec.decode(codec.encode(image, None)), image)


@pytest.mark.parametrize(
    ("size", "scale", "reduced"),
    [
        ((480, 640), 0.5, (240, 320)),
        ((239, 319), 0.5, (120, 160)),
        ((10, 10), 0.25, (3, 3)),
        ((1, 1), 0.01, (1, 1)),
        ((7, 200), 0.1, (1, 20)),
    ],
)
def test_scale_gives_the_encoder_fewer_pixels_and_restores_the_size(
    size: tuple[int, int], scale: float, reduced: tuple[int, int]
) -> None:
    inner = Video()
    frames = noise(3, *size, 3)
    encoded = ReducedCodec(inner, scale=scale).encode(frames, 23, 30.0)
    assert inner.given == ((3, *reduced, 3), 30.0)
    assert (encoded.frames, encoded.height, encoded.width, encoded.fps) == (3, *size, 30.0)
    assert ReducedCodec(inner, scale=scale).decode(encoded).shape == frames.shape


def test_both_levers_together() -> None:
    inner = Video()
    frames = np.stack([textured(60, 80, seed) for seed in range(6)])
    codec = ReducedCodec(inner, scale=0.5, fps=10)
    decoded = codec.decode(codec.encode(frames, 23, 30.0))
    assert inner.given == ((2, 30, 40, 3), 10.0)
    assert decoded.shape == frames.shape
    np.testing.assert_array_equal(decoded[0], decoded[2])
    assert psnr(frames[:1], decoded[:1]) > 20


@pytest.mark.parametrize("scale", [0.75, 0.5, 0.3])
def test_pixels_are_those_of_torchs_bicubic_filter(scale: float) -> None:
    frames = photograph()[None]
    codec = ReducedCodec(Uncompressed(), scale=scale)
    decoded = codec.decode(codec.encode(frames, None))
    height, width = (int(side * scale + 0.5) for side in frames.shape[1:3])
    tensor = torch.from_numpy(frames.copy()).permute(0, 3, 1, 2)
    for size in ((height, width), frames.shape[1:3]):
        tensor = torch.nn.functional.interpolate(tensor, size=size, mode="bicubic", antialias=True)
    # Both compute in integers, with differently rounded coefficients, once down and once up.
    assert np.abs(decoded.astype(int) - tensor.permute(0, 2, 3, 1).numpy()).max() <= 3


def test_scale_keeps_flat_areas_and_what_lies_where() -> None:
    flat = np.full((1, 30, 41, 3), (12, 200, 77), np.uint8)
    codec = ReducedCodec(Uncompressed(), scale=0.37)
    np.testing.assert_array_equal(codec.decode(codec.encode(flat, None)), flat)
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, None, :, None], (1, 100, 200, 3)).copy()
    back = codec.decode(codec.encode(ramp, None))
    assert np.abs(back[0, :, 6:-6].astype(int) - ramp[0, :, 6:-6]).max() <= 1, "no shift"


def test_scale_is_no_worse_than_opencvs_area_filter() -> None:
    image = photograph()
    codec = ReducedCodec(Uncompressed(), scale=0.5)
    height, width, _ = image.shape
    small = cv2.resize(image, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
    other = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    assert psnr(image, codec.decode(codec.encode(image[None], None))[0]) > psnr(image, other) - 0.5


def test_rate_falls_with_scale_and_counts_the_sources_pixels() -> None:
    frames = photograph()[None]
    rates = [with_levers(Jpeg, {"scale": scale}).encode(frames, 75).bits for scale in (1, 0.75, 0.5, 0.25)]
    assert rates == sorted(set(rates), reverse=True)
    encoded = ReducedCodec(Uncompressed(), scale=0.5).encode(noise(2, 11, 20, 3), None)
    assert encoded.bits == 24 * 2 * 6 * 10
    assert (encoded.height, encoded.width) == (11, 20)


def test_answers_as_the_codec_it_wraps() -> None:
    inner = Video(gop=25)
    codec = ReducedCodec(inner, scale="0.5", fps="10")
    assert (codec.name, codec.summary, codec.coding) == ("video", "shows what it was given", "video")
    assert codec.wants_device
    assert codec.scale is Video.scale
    assert codec.config == {"gop": 25, "scale": 0.5, "fps": 10.0}
    assert codec.available() == "it has no encoder."
    codec.to_device("cpu")
    assert inner.device == "cpu"
    assert set(codec.fingerprint()) == {"threads", "resize", "fps_revision"}
    assert ReducedCodec(inner, fps=10).fingerprint() == {**inner.fingerprint(), "fps_revision": 2}, "no library"
    assert repr(codec) == "ReducedCodec(Video(gop=25), scale=0.5, fps=10.0)"


def test_equality_takes_the_wrapped_codec_into_account() -> None:
    assert ReducedCodec(Jpeg(), scale=0.5) == ReducedCodec(Jpeg(), scale=0.5)
    assert hash(ReducedCodec(Jpeg(), scale=0.5)) == hash(ReducedCodec(Jpeg(), scale=0.5))
    others = [
        Jpeg(),
        ReducedCodec(Jpeg(), scale=0.25),
        ReducedCodec(Jpeg(), scale=0.5, fps=5),
        ReducedCodec(Jpeg(optimize=True), scale=0.5),
        ReducedCodec(Webp(), scale=0.5),
    ]
    assert all(ReducedCodec(Jpeg(), scale=0.5) != other for other in others)


def test_with_levers_wraps_only_where_a_lever_changes_something() -> None:
    assert with_levers(Jpeg, {"optimize": "yes"}) == Jpeg(optimize=True)
    assert with_levers(Jpeg, {"scale": "1", "optimize": "yes"}) == Jpeg(optimize=True)
    assert with_levers(Jpeg, {"scale": "0.5"}) == ReducedCodec(Jpeg(), scale=0.5)
    assert with_levers(Jpeg, {"fps": "5"}) == ReducedCodec(Jpeg(), fps=5)


def test_the_baseline_is_none_without_levers() -> None:
    assert is_baseline(with_levers(Uncompressed, {}))
    assert is_baseline(with_levers(Uncompressed, {"scale": 1.0}))
    assert not is_baseline(with_levers(Uncompressed, {"scale": 0.5}))
    assert not is_baseline(with_levers(Uncompressed, {"fps": 5}))
    assert not is_baseline(Jpeg())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scale": 0}, "scale=0"),
        ({"scale": 1.5}, "0.01 to 1"),
        ({"scale": "half"}, "float expected"),
        ({"fps": 0}, "fps=0"),
        ({"fps": "nan"}, "fps=nan"),
        ({"scal": 0.5}, "no option 'scal'"),
    ],
    ids=str,
)
def test_refuses_levers_out_of_range(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        with_levers(Jpeg, options)


def test_a_codec_cannot_have_an_option_of_a_levers_name() -> None:
    class Greedy(ImageCodec):
        name = "greedy"
        options = (Option("scale", float, 1.0, "its own"),)
        scale = Video.scale

        def encode_image(self, image, level):
            return image.tobytes()

        def decode_image(self, data):
            return np.frombuffer(data, np.uint8)

    with pytest.raises(PluginError, match="codec greedy has an option 'scale'"):
        with_levers(Greedy, {"scale": 0.5})


def test_split_levers_keeps_every_option_once() -> None:
    given = {"scale": "0.5", "subsampling": "4:4:4", "fps": "5"}
    levers, rest = split_levers(given)
    assert levers == {"scale": "0.5", "fps": "5"}
    assert rest == {"subsampling": "4:4:4"}
    assert {lever.name for lever in LEVERS} == set(levers)


def test_what_the_codec_inside_decodes_is_checked() -> None:
    class Smaller(Jpeg):
        """Loses a column; the lever's own resizing would hide it."""

        name = "smaller"

        def decode(self, encoded):
            return super().decode(encoded)[:, :, :-1]

    codec = with_levers(Smaller, {"scale": 0.5})
    encoded = codec.encode(textured(32, 48)[None], 50)
    with pytest.raises(CodecError, match=r"smaller: uint8\(1, 16, 24, 3\) went in, uint8\(1, 16, 23, 3\) came back"):
        codec.decode(encoded)
