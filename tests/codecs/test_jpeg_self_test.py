"""OpenCV codes JPEG in place of Pillow only where it gives the same bytes and pixels, and judges damage alike."""

from __future__ import annotations

import io
import itertools
import json
import random
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from harness.errors import CodecError
from harness.keep.kept import Kept
from harness.media.levers import ReducedCodec
from harness_codecs import jpeg_opencv, jpeg_self_test
from harness_codecs.jpeg_opencv import JpegVariant
from harness_codecs.jpeg_pictures import pictures
from harness_codecs.jpeg_self_test import JpegCoder, JpegOutcome, MaybeCoder, compare
from harness_codecs.pillow_family import Jpeg
from kit.command import Session
from kit.pictures import noise, photograph, textured

VARIANTS = [
    JpegVariant(*options) for options in itertools.product(("4:2:0", "4:2:2", "4:4:4"), (False, True), (False, True))
]
DEFAULT = JpegVariant()
TESTS = list(pictures())


def saved(image: np.ndarray, quality: int, variant: JpegVariant = DEFAULT) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, **asdict(variant))
    return buffer.getvalue()


def opened(data: bytes) -> np.ndarray:
    with JpegImageFile(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


PILLOW = JpegCoder(saved, opened)


def opencv(variant: JpegVariant) -> MaybeCoder:
    return MaybeCoder(lambda image, quality: jpeg_opencv.encode(image, quality, variant), jpeg_opencv.decode)


@pytest.fixture
def unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder without outcomes, in a process that knows none."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(jpeg_self_test, "_known", {})
    return tmp_path / "cache"


def test_pictures_are_many_different_and_always_the_same() -> None:
    assert len(TESTS) == 3 * 137
    assert {quality for _, quality in TESTS} >= {1, 5, 10, 15, 50, 75, 95, 100}
    sizes = {picture.shape[:2] for picture, _ in TESTS}
    assert sizes >= {(1, 1), (1, 700), (700, 1), (7, 123), (17, 113), (480, 640), (719, 1279)}
    for (picture, quality), (again, same) in zip(TESTS, pictures(), strict=True):
        assert quality == same
        np.testing.assert_array_equal(picture, again)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_the_codec_is_pillow_whatever_codes(variant: JpegVariant) -> None:
    """On every machine: OpenCV's bytes are used where the self-test passed, and are Pillow's; else Pillow codes."""
    codec = Jpeg(**asdict(variant))
    images = [photograph(), textured(97, 130), noise(40, 33, 3), np.zeros((1, 1, 3), np.uint8)]
    for image, quality in itertools.product(images, (1, 30, 75, 95)):
        expected = saved(image, quality, variant)
        assert codec.encode_image(image, quality) == expected
        np.testing.assert_array_equal(codec.decode_image(expected), opened(expected))


@pytest.mark.parametrize("variant", [JpegVariant(), JpegVariant("4:4:4", progressive=True)], ids=str)
def test_the_self_test_passes_or_names_a_difference_that_is_there(variant: JpegVariant) -> None:
    pillow = JpegCoder(lambda image, quality: saved(image, quality, variant), opened)
    found = compare(TESTS, pillow, opencv(variant), "OpenCV", "Pillow")
    coded = [(jpeg_opencv.encode(picture, quality, variant), picture, quality) for picture, quality in TESTS]
    differ = [data for data, picture, quality in coded if data is not None and data != saved(picture, quality, variant)]
    assert found.equal == (not differ)
    assert sum(data is not None for data, _, _ in coded) >= 400


class OneOff:
    """OpenCV's coder, which is wrong once: in one byte, in one pixel, or by refusing what it could decode."""

    def __init__(self, what: str) -> None:
        self.what, self.calls = what, 0

    def encode(self, image: np.ndarray, quality: int) -> bytes | None:
        self.calls += 1
        data = jpeg_opencv.encode(image, quality, JpegVariant())
        if data is None or self.what != "byte" or self.calls != 300:
            return data
        return data[:-1] + bytes([data[-1] ^ 1])

    def decode(self, data: bytes) -> np.ndarray | None:
        image = jpeg_opencv.decode(data)
        if image is None or self.calls != 300:
            return image
        if self.what == "pixel":
            image[-1, -1, 2] ^= 1
        return None if self.what == "refused" else image


@pytest.mark.parametrize(("what", "said"), [("byte", (1, 0)), ("pixel", (0, 1)), ("refused", (0, 1))])
def test_one_difference_is_enough(what: str, said: tuple[int, int]) -> None:
    coder = OneOff(what)
    found = compare(TESTS, PILLOW, MaybeCoder(coder.encode, coder.decode), "OpenCV 0.1", "Pillow 0.2")
    assert found == JpegOutcome(
        False,
        f"coded by Pillow 0.2, which takes longer: in 411 tests OpenCV 0.1 gave other bytes {said[0]} times and other "
        f"pixels {said[1]} times",
    )


def test_too_few_tests_are_none() -> None:
    assert not compare(TESTS[:99], PILLOW, opencv(JpegVariant()), "OpenCV", "Pillow").equal
    assert not compare(TESTS, PILLOW, MaybeCoder(lambda *_: None, jpeg_opencv.decode), "OpenCV", "Pillow").equal


def test_the_outcome_is_kept_for_these_versions_alone(unknown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[JpegVariant] = []

    def counted(*arguments: object) -> JpegOutcome:
        made.append(JpegVariant())
        return compare(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(jpeg_self_test, "compare", counted)

    def again(codec: Jpeg) -> int:
        jpeg_self_test._known.clear()
        codec.encode_image(textured(20, 30), 50)
        codec.decode_image(codec.encode_image(textured(20, 30), 50))
        return len(made)

    assert again(Jpeg()) == 1
    assert again(Jpeg()) == 1
    assert again(Jpeg(subsampling="4:4:4")) == 2
    monkeypatch.setattr(Image.core, "jpeglib_version", "0.0")
    assert again(Jpeg()) == 3
    entries = [path for path in (unknown / "self-tests").rglob("*") if path.is_file()]
    assert len(entries) == 3
    for path in entries:
        path.write_bytes(path.read_bytes()[:-1])
    assert again(Jpeg()) == 4, "an entry that was cut short is not believed"


def failed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the kept outcome of the self-test one that failed; return what is then told."""
    found = JpegOutcome(False, "coded by Pillow 0.2, which takes longer")
    monkeypatch.setenv("HARNESS_CACHE", str(folder))
    key = jpeg_self_test.digest_of("jpeg", jpeg_self_test._REVISION, asdict(JpegVariant()), jpeg_self_test.libraries())
    Kept("self-tests").put(key, json.dumps(asdict(found)).encode())
    return f"jpeg is {found.words}."


def test_pillow_codes_where_the_self_test_failed(unknown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = failed(unknown, monkeypatch)
    monkeypatch.setattr(cv2, "imencode", None)
    monkeypatch.setattr(cv2, "imdecode", None)
    for codec in (Jpeg(), ReducedCodec(Jpeg(), scale=0.9)):
        image = textured(20, 30)
        assert codec.decode(codec.encode(image[None], 50)).shape == (1, 20, 30, 3)
        assert list(codec.problems()) == [told]
        assert codec.implementation() == "coded by Pillow 0.2, which takes longer"


def test_a_run_tells_once_that_pillow_codes(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg_self_test, "_known", {})
    own = tmp_path / "cache"
    own.mkdir()
    if (cache / "demo-world").is_dir():
        (own / "demo-world").symlink_to(cache / "demo-world")
    told = failed(own, monkeypatch)
    arguments = ("run", "-c", "jpeg@50,10", "-t", "detection", "--limit", "2", "--resamples", "100", "--workers", "2")
    session = Session(tmp_path, own)
    said = session.run(*arguments)
    assert (said.stdout + said.stderr).count(told) == 1
    assert told.removeprefix("jpeg is ").removesuffix(".") in session.run("doctor").stdout


class OwnTables(Jpeg):
    """A codec of a plugin, which gives Pillow more than the options."""

    name = "own-tables"

    def arguments(self, level: float) -> dict[str, object]:
        return {**super().arguments(level), "qtables": [[7] * 64, [9] * 64]}


def test_a_codec_with_arguments_of_its_own_is_coded_by_pillow(unknown: Path) -> None:
    image = photograph()
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=75, subsampling="4:2:0", qtables=[[7] * 64, [9] * 64])
    assert OwnTables().encode_image(image, 75) == buffer.getvalue()
    np.testing.assert_array_equal(OwnTables().decode_image(buffer.getvalue()), opened(buffer.getvalue()))
    assert OwnTables().implementation() == Jpeg().implementation()


def test_doctor_says_what_codes(tmp_path: Path, cache: Path) -> None:
    (line,) = [line for line in Session(tmp_path, cache).run("doctor").stdout.splitlines() if " jpeg " in line]
    assert Jpeg().implementation() in line
    assert cv2.__version__ in line


def spoilt(data: bytes, kind: str, rng: random.Random) -> bytes:
    """A stream with damage: in the data of its scans, in its headers, or with a part missing."""
    changed, scan = bytearray(data), data.find(b"\xff\xda") + 14
    place = rng.randrange(scan, len(data) - 2)
    match kind:
        case "bit":
            changed[place] ^= 1 << rng.randrange(8)
        case "marker":
            changed[place : place + 2] = bytes((0xFF, rng.randrange(256)))
        case "header":
            changed[rng.randrange(2, scan)] = rng.randrange(256)
        case "gap":
            del changed[place : min(len(data) - 2, place + rng.randint(1, 200))]
        case "cut":
            del changed[place:]
    return bytes(changed)


def judged(data: bytes) -> np.ndarray | None:
    """What Pillow makes of a stream; None if it refuses it."""
    try:
        return opened(data)
    except (OSError, ValueError, RuntimeError, SyntaxError, OverflowError):
        return None


@pytest.mark.parametrize("kind", ["bit", "marker", "header", "gap", "cut"])
def test_damage_is_judged_as_pillow_judges_it(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    rng, refused, by_opencv = random.Random(kind), 0, 0
    for number in range(360):
        image, variant = textured(40 + number % 37, 50 + number % 29, number % 50), VARIANTS[number % len(VARIANTS)]
        data = spoilt(saved(image, (30, 75, 95)[number % 3], variant), kind, rng)
        expected, by_opencv = judged(data), by_opencv + (jpeg_opencv.decode(data) is not None)
        if expected is None:
            refused += 1
            with pytest.raises(CodecError, match=f"jpeg cannot decode {len(data)} bytes"):
                Jpeg().decode_image(data)
        else:
            np.testing.assert_array_equal(Jpeg().decode_image(data), expected)
    assert refused > 0 or kind in ("bit", "gap")
    assert by_opencv > 0 or kind == "cut"


def test_streams_of_others_are_left_to_pillow() -> None:
    image = Image.fromarray(photograph())

    def stream(picture: Image.Image, **arguments: object) -> bytes:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", **arguments)
        return buffer.getvalue()

    exif = Image.Exif()
    exif[0x0112] = 6
    for data in (
        stream(image, exif=exif),
        stream(image, comment="a comment"),
        stream(image, icc_profile=b"x" * 50),
        stream(image.convert("L")),
        stream(image.convert("CMYK")),
        stream(image, keep_rgb=True),
        stream(image, restart_marker_rows=1),
    ):
        assert jpeg_opencv.decode(data) is None
        np.testing.assert_array_equal(Jpeg().decode_image(data), opened(data))
    assert jpeg_opencv.decode(stream(image)) is not None


def test_opencv_without_the_flag_for_rgb(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(photograph(), 75)
    expected = jpeg_opencv.decode(data)
    monkeypatch.delattr(cv2, "IMREAD_COLOR_RGB", raising=False)
    assert expected is not None
    np.testing.assert_array_equal(jpeg_opencv.decode(data), expected)


def test_what_opencv_refuses_goes_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise cv2.error("too large")

    image, expected = photograph(), saved(photograph(), 75)
    monkeypatch.setattr(cv2, "imencode", refuse)
    monkeypatch.setattr(cv2, "imdecode", refuse)
    assert jpeg_opencv.encode(image, 75, JpegVariant()) is None
    assert jpeg_opencv.decode(expected) is None
    assert Jpeg().encode_image(image, 75) == expected
    np.testing.assert_array_equal(Jpeg().decode_image(expected), opened(expected))


@pytest.mark.parametrize(
    "variant", [JpegVariant("4:4:4", optimize=True), JpegVariant("4:4:4", progressive=True)], ids=str
)
def test_streams_too_large_for_pillows_buffer_fail_as_before(
    variant: JpegVariant, capfd: pytest.CaptureFixture[str]
) -> None:
    image = noise(600, 800, 3)
    with pytest.raises(CodecError, match="jpeg cannot code this image of 800x600"):
        Jpeg(**asdict(variant)).encode_image(image, 94)
    assert Jpeg(subsampling="4:4:4").encode_image(image, 94) == saved(image, 94, JpegVariant("4:4:4"))
