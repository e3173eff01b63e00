"""What every codec keeps to, on all that it can be given; and what is the image codecs' own."""

import io
import os
import pickle
import shutil
import struct
import subprocess
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from harness.codec import Codec, Encoded, ImageCodec
from harness.errors import CodecError, UsageError
from harness.media.levers import ReducedCodec, is_baseline
from harness.media.quality import psnr
from harness_codecs.av_family import H264, Av1, Hevc, Mpeg2, Vp9
from harness_codecs.none import Uncompressed
from harness_codecs.pillow_family import Avif, Jpeg, Jpeg2000, Webp
from kit.pictures import noise, photograph, textured

LOSSY = [
    Jpeg(),
    Jpeg(subsampling="4:4:4", progressive=True, optimize=True),
    Webp(),
    Avif(speed=9),
    Avif(speed=9, subsampling="4:4:4"),
    Jpeg2000(),
    Jpeg2000(control="psnr"),
]
VIDEO = [H264(), H264(pix_fmt="yuv444p", range="full"), Hevc(preset="veryfast"), Av1(preset=10), Vp9(), Mpeg2()]
LEVERS = [
    ReducedCodec(Jpeg(), scale=0.5),
    ReducedCodec(Uncompressed(), scale=0.3),
    ReducedCodec(H264(), scale=0.5, fps=10),
]
ALL = [Uncompressed(), *LOSSY, *VIDEO, *LEVERS]

INPUTS = {
    "1x1": noise(1, 1, 1, 3),
    "1x7": noise(1, 7, 1, 3),
    "odd": noise(1, 31, 17, 3),
    "large": np.tile(textured(64, 64), (1, 1, 40, 1)).reshape(1, 64, 2560, 3),
    "black": np.zeros((1, 48, 64, 3), np.uint8),
    "white": np.full((1, 48, 64, 3), 255, np.uint8),
    "noise": noise(1, 64, 48, 3),
    "clip": np.stack([textured(33, 47, seed) for seed in range(5)]),
    "strided": noise(2, 40, 60, 6)[:, ::2, ::3, ::-2],
}


def mildest_and_strongest(codec: Codec) -> list[float | None]:
    return [codec.scale.ladder[0], codec.scale.ladder[-1]] if codec.scale else [None]


@pytest.mark.parametrize("frames", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("codec", ALL, ids=repr)
def test_keeps_size_and_count_and_never_changes_its_input(codec: Codec, frames: np.ndarray) -> None:
    before = frames.copy()
    for level in mildest_and_strongest(codec):
        encoded = codec.encode(frames, level, 25.0)
        decoded = codec.decode(encoded)
        assert decoded.shape == frames.shape
        assert decoded.dtype == np.uint8
        assert decoded.flags.writeable
        assert (encoded.frames, encoded.height, encoded.width, encoded.fps) == (*frames.shape[:3], 25.0)
        assert 0 < encoded.bits <= 8 * len(encoded.data)
        np.testing.assert_array_equal(frames, before)


@pytest.mark.parametrize("codec", [*LOSSY, *VIDEO], ids=repr)
def test_rate_and_quality_fall_along_the_ladder(codec: Codec) -> None:
    frames = photograph()[None]
    encoded = [codec.encode(frames, level) for level in codec.scale.ladder]
    bits = [each.bits for each in encoded]
    quality = [psnr(frames, codec.decode(each)) for each in encoded]
    assert bits == sorted(set(bits), reverse=True)
    assert quality == sorted(set(quality), reverse=True)
    if codec.coding == "image":
        assert quality[0] > 34, "the mildest level looks like the source"
        assert quality[-1] < 28, "the strongest level does not"
    assert quality[0] - quality[-1] > 5
    assert codec.scale.mildest_first(codec.scale.ladder) == codec.scale.ladder


@pytest.mark.parametrize("codec", ALL, ids=repr)
def test_is_deterministic_and_works_in_another_process(codec: Codec) -> None:
    frames = np.stack([textured(120, 160, seed) for seed in range(2)])
    for level in mildest_and_strongest(codec):
        encoded = codec.encode(frames, level, 25.0)
        assert codec.encode(frames, level, 25.0) == encoded
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            assert pool.submit(codec.encode, frames, level, 25.0).result() == encoded
            np.testing.assert_array_equal(pool.submit(codec.decode, encoded).result(), codec.decode(encoded))


@pytest.mark.parametrize("codec", ALL, ids=repr)
def test_pickles_to_its_equal(codec: Codec) -> None:
    other = pickle.loads(pickle.dumps(codec))  # noqa: S301 (its own)
    assert other == codec
    assert hash(other) == hash(codec)
    assert other.config == codec.config
    assert other.fingerprint() == codec.fingerprint()


@pytest.mark.parametrize("codec", ALL, ids=repr)
def test_describes_itself(codec: Codec) -> None:
    assert codec.summary
    assert codec.available() is None
    assert codec.coding == ("video" if codec.name in {each.name for each in VIDEO} else "image")
    assert all(value is not None for value in codec.fingerprint().values())
    assert bool(codec.fingerprint()) != is_baseline(codec), "only the baseline depends on no library"


@pytest.mark.parametrize("codec", [*LOSSY, *VIDEO], ids=repr)
def test_refuses_a_level_its_scale_has_not(codec: Codec) -> None:
    for level in (codec.scale.minimum - 1, codec.scale.maximum + 1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match=f"{codec.scale.name} is a.* number from"):
            codec.encode(INPUTS["odd"], level)
    with pytest.raises(UsageError, match="needs a level"):
        codec.encode(INPUTS["odd"], None)


def test_refuses_half_a_quality() -> None:
    with pytest.raises(UsageError, match="a whole number from 1 to 100"):
        Jpeg().encode(INPUTS["odd"], 50.5)


def test_refuses_a_level_where_there_are_none() -> None:
    with pytest.raises(UsageError, match="no levels"):
        Uncompressed().encode(INPUTS["odd"], 50)


@pytest.mark.parametrize("codec", [Uncompressed(), Jpeg(), H264(), ReducedCodec(Jpeg(), scale=0.5)], ids=repr)
@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (noise(4, 4, 3), r"uint8\[4, 4, 3\]"),
        (noise(1, 4, 4, 1), r"uint8\[1, 4, 4, 1\]"),
        (noise(1, 4, 4, 4), r"uint8\[1, 4, 4, 4\]"),
        (noise(0, 4, 4, 3), r"uint8\[0, 4, 4, 3\]"),
        (noise(1, 0, 4, 3), r"uint8\[1, 0, 4, 3\]"),
        (noise(1, 4, 4, 3).astype(np.uint16), r"uint16\[1, 4, 4, 3\]"),
        (noise(1, 4, 4, 3).astype(np.float32), r"float32\[1, 4, 4, 3\]"),
        ([[[[0, 0, 0]]]], "not list"),
    ],
)
def test_refuses_what_is_no_rgb_frames(codec: Codec, frames: np.ndarray, said: str) -> None:
    with pytest.raises(CodecError, match=said):
        codec.encode(frames, codec.scale.ladder[0] if codec.scale else None)


@pytest.mark.parametrize(
    ("codec", "shape"), [(Jpeg(), (65501, 1)), (Webp(), (1, 16384)), (Avif(), (1, 32769))], ids=["jpeg", "webp", "avif"]
)
def test_refuses_sides_the_format_has_not(codec: Codec, shape: tuple[int, int]) -> None:
    with pytest.raises(CodecError, match=f"sides up to {max(shape) - 1} pixels; this image is {shape[1]}x{shape[0]}"):
        codec.encode(np.zeros((1, *shape, 3), np.uint8), 50)


def test_codes_images_that_pillow_would_call_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    frames = noise(1, 40, 40, 3)
    for codec in (Jpeg(), Avif(), Jpeg2000()):
        assert codec.decode(codec.encode(frames, codec.scale.ladder[0])).shape == frames.shape
    with pytest.raises(CodecError, match="exceeds limit"):  # Pillow's WebP reader has the limit built in
        Webp().decode(Webp().encode(frames, 50))


@pytest.mark.parametrize("codec", LOSSY, ids=repr)
def test_says_so_when_a_stream_cannot_be_decoded(codec: ImageCodec) -> None:
    stream = codec.encode_image(textured(64, 64), codec.scale.ladder[0])
    cut = len(stream) // (20 if isinstance(codec, Jpeg2000) else 4)  # a JPEG 2000 codestream may end in mid-picture
    for broken in (stream[:cut], b"", b"x" * 500):
        with pytest.raises(CodecError, match=f"{codec.name} cannot decode {len(broken)} bytes"):
            codec.decode_image(broken)


def test_notices_frames_lost_or_of_another_size() -> None:
    two = Jpeg().encode(noise(2, 8, 8, 3), 50)
    with pytest.raises(CodecError, match="3 frames were coded, 2 came back"):
        Jpeg().decode(Encoded(two.data, two.bits, 3, 8, 8))
    with pytest.raises(CodecError, match="1 frames were coded, 2 came back"):
        Jpeg().decode(Encoded(two.data, two.bits, 1, 8, 8))
    with pytest.raises(CodecError, match=r"uint8\[8, 9, 3\] was coded, uint8\[8, 8, 3\] came back"):
        Jpeg().decode(Encoded(two.data, two.bits, 2, 8, 9))
    with pytest.raises(CodecError, match=r"uint8\[1, 2, 2, 3\] were coded, 11 bytes came back"):
        Uncompressed().decode(Encoded(bytes(11), 88, 1, 2, 2))


class Given(ImageCodec):
    """Decodes to the array that it was given."""

    name, summary = "given", "of a test"
    scale = Jpeg.scale

    def __init__(self, image: np.ndarray) -> None:
        super().__init__()
        self.image = image

    def encode_image(self, image: np.ndarray, level: float) -> bytes:
        return b"stream"

    def decode_image(self, data: bytes) -> np.ndarray:
        assert data == b"stream"
        return self.image


def test_one_decoded_frame_is_not_copied_unless_it_has_to_be() -> None:
    image = noise(6, 8, 3)
    read_only, sparse = image.copy(), noise(6, 16, 3)[:, ::2]
    read_only.setflags(write=False)
    for given, copied in ((image, False), (read_only, True), (sparse, True)):
        codec = Given(given)
        decoded = codec.decode(codec.encode(image[None], 50))
        np.testing.assert_array_equal(decoded[0], given)
        assert (decoded.shape, decoded.flags.writeable, decoded.flags.c_contiguous) == ((1, 6, 8, 3), True, True)
        assert np.shares_memory(decoded, given) != copied
        two = codec.decode(codec.encode(np.stack([image, image]), 50))
        assert not np.shares_memory(two, given)


@pytest.mark.parametrize("data", [b"", b"\x06", b"\x06" + bytes(7) + b"strea"], ids=["nothing", "cut", "short"])
def test_joined_streams_that_end_too_soon_are_no_frame(data: bytes) -> None:
    with pytest.raises((CodecError, struct.error)):
        Jpeg().decode(Encoded(data, 8, 1, 6, 8))


def test_none_is_bit_exact_at_24_bits_a_pixel() -> None:
    for frames in INPUTS.values():
        encoded = Uncompressed().encode(frames, None)
        assert encoded.bits == 24 * np.prod(frames.shape[:3])
        np.testing.assert_array_equal(Uncompressed().decode(encoded), frames)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("codec", LOSSY, ids=repr)
def test_pixels_are_those_of_opencvs_decoders(codec: ImageCodec) -> None:
    image = photograph()
    for level in codec.scale.ladder:
        stream = codec.encode_image(image, level)
        other = cv2.imdecode(np.frombuffer(stream, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
        np.testing.assert_array_equal(codec.decode_image(stream), other)


@pytest.mark.parametrize(
    ("codec", "suffix", "command"),
    [
        (Jpeg(), "jpg", "djpeg -ppm -outfile OUT IN"),
        (Webp(), "webp", "dwebp IN -ppm -o OUT"),
        (Avif(speed=9), "avif", "avifdec --depth 8 IN OUT"),
        (Jpeg2000(), "j2k", "opj_decompress -i IN -o OUT"),
    ],
    ids=["jpeg", "webp", "avif", "jpeg2000"],
)
def test_pixels_are_those_of_the_librarys_own_tool(
    codec: ImageCodec, suffix: str, command: str, tmp_path: Path
) -> None:
    words = command.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    for level in codec.scale.ladder:
        source, target = tmp_path / f"in.{suffix}", tmp_path / ("out.png" if suffix == "avif" else "out.ppm")
        source.write_bytes(codec.encode_image(photograph(), level))
        paths = {"IN": str(source), "OUT": str(target)}
        subprocess.run([paths.get(word, word) for word in words], check=True, capture_output=True)
        with Image.open(target) as image:
            np.testing.assert_array_equal(codec.decode_image(source.read_bytes()), np.asarray(image.convert("RGB")))


def test_webp_rate_is_the_vp8_chunk() -> None:
    for size in (7, 8, 9, 64):
        stream = Webp().encode_image(noise(size, size, 3), 50)
        payload = Webp().stream_bits(stream) // 8
        assert stream[12:16] == b"VP8 "
        assert stream[23:26] == b"\x9d\x01\x2a", "the start code of a VP8 key frame, three bytes into the payload"
        assert len(stream) == 20 + payload + payload % 2


def test_avif_rate_is_the_packet_that_libav_finds() -> None:
    import av

    for level in Avif().scale.ladder:
        stream = Avif().encode_image(textured(120, 160), level)
        with av.open(io.BytesIO(stream)) as container:
            sizes = [packet.size for packet in container.demux(video=0)]
        assert Avif().stream_bits(stream) == 8 * sum(sizes) < 8 * len(stream)


def test_avif_boxes_of_every_form_of_length() -> None:
    payload = bytes(10)
    long = (1).to_bytes(4, "big") + b"mdat" + (26).to_bytes(8, "big") + payload
    open_ended = bytes(4) + b"mdat" + payload
    before = (12).to_bytes(4, "big") + b"ftypavif"
    assert Avif().stream_bits(before + long) == 80
    assert Avif().stream_bits(before + open_ended) == 80
    assert Avif().stream_bits(before + long + open_ended) == 160


def test_jpeg2000_rate_is_without_the_comment() -> None:
    codec, image = Jpeg2000(control="psnr"), Image.fromarray(textured(120, 160))
    rates = set()
    for comment in ("x", "a longer comment than the other one"):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG2000", comment=comment, **codec.arguments(35))
        rates.add(codec.stream_bits(buffer.getvalue()))
        # Marker and length take two bytes each, so does the registration, before the text.
        assert codec.stream_bits(buffer.getvalue()) == 8 * (len(buffer.getvalue()) - 6 - len(comment))
    assert rates == {codec.stream_bits(codec.encode_image(np.asarray(image), 35))}


def test_jpeg2000_meets_the_ratio_and_the_psnr_it_is_given() -> None:
    frames = photograph()[None]
    pixels = frames.shape[1] * frames.shape[2]
    for ratio in Jpeg2000().scale.ladder:
        assert Jpeg2000().encode(frames, ratio).bits == pytest.approx(24 * pixels / ratio, rel=0.05, abs=8 * 60)
    constant_quality = Jpeg2000(control="psnr")
    for level in constant_quality.scale.ladder:
        decoded = constant_quality.decode(constant_quality.encode(frames, level))
        assert psnr(frames, decoded) == pytest.approx(level, abs=3)
    assert (constant_quality.scale.name, constant_quality.scale.unit) == ("psnr", "dB")


def test_avif_bytes_do_not_depend_on_the_machines_cores() -> None:
    image = textured(512, 1024)
    alone = Avif(speed=9).encode_image(image, 50)
    if hasattr(os, "sched_setaffinity"):
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cores)})
        try:
            assert Avif(speed=9).encode_image(image, 50) == alone
        finally:
            os.sched_setaffinity(0, cores)
    assert Avif().arguments(50)["max_threads"] == Avif().fingerprint()["threads"] == 1
