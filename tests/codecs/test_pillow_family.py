"""JPEG's bytes and pixels are those of Pillow, and of libjpeg's own command-line tool."""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.codec import Codec
from harness.errors import UsageError
from harness.media.levers import ReducedCodec
from harness_codecs.pillow_family import Avif, Jpeg
from kit.pictures import noise, photograph, textured

OPTIONS = [
    {},
    {"subsampling": "4:4:4"},
    {"subsampling": "4:2:2"},
    {"subsampling": "4:2:0", "progressive": True},
    {"optimize": True},
    {"subsampling": "4:4:4", "progressive": True, "optimize": True},
]


def saved(image: np.ndarray, **arguments: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", **arguments)
    return buffer.getvalue()


@pytest.mark.parametrize("level", [1, *Jpeg.scale.ladder, 100])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("image", [photograph(), noise(1, 1, 3), noise(17, 9, 3)], ids=["photo", "1x1", "odd"])
def test_bytes_are_those_of_pillows_save(image: np.ndarray, options: dict[str, object], level: int) -> None:
    expected = saved(image, quality=level, **options)
    assert Jpeg(**options).encode_image(image, level) == expected
    encoded = Jpeg(**options).encode(image[None], level)
    assert encoded.bits == 8 * len(expected)
    with Image.open(io.BytesIO(expected)) as opened:
        np.testing.assert_array_equal(Jpeg(**options).decode(encoded)[0], np.asarray(opened))


def test_the_default_is_what_pillow_writes_of_itself() -> None:
    image = photograph()
    assert Jpeg().encode_image(image, 75) == saved(image)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_reach_the_stream(options: dict[str, object]) -> None:
    stream = Jpeg(**options).encode_image(textured(64, 96), 50)
    factors = {"4:4:4": 0x11, "4:2:2": 0x21, "4:2:0": 0x22}
    frame_header = max(stream.find(b"\xff\xc0"), stream.find(b"\xff\xc2"))
    assert stream[frame_header + 1] == (0xC2 if options.get("progressive") else 0xC0)
    assert stream[frame_header + 11] == factors[options.get("subsampling", "4:2:0")]
    if options.get("optimize") and not options.get("progressive"):
        assert len(stream) < len(Jpeg(**{**options, "optimize": False}).encode_image(textured(64, 96), 50))


@pytest.mark.skipif(shutil.which("cjpeg") is None, reason="cjpeg is not installed")
@pytest.mark.parametrize(
    ("options", "flags"),
    [
        ({}, []),
        ({"subsampling": "4:2:2"}, ["-sample", "2x1"]),
        ({"subsampling": "4:4:4"}, ["-sample", "1x1"]),
        ({"progressive": True}, ["-progressive"]),
        ({"optimize": True}, ["-optimize"]),
    ],
    ids=str,
)
def test_bytes_are_those_of_cjpeg(options: dict[str, object], flags: list[str], tmp_path: Path) -> None:
    image = photograph()
    Image.fromarray(image).save(tmp_path / "in.ppm")
    for level in Jpeg.scale.ladder:
        command = ["cjpeg", "-quality", str(level), "-baseline", *flags, str(tmp_path / "in.ppm")]
        written = subprocess.run(command, check=True, capture_output=True).stdout
        assert Jpeg(**options).encode_image(image, level) == written


def test_fingerprint_names_every_library() -> None:
    assert set(Jpeg().fingerprint()) == {"pillow", "libjpeg", "libjpeg_turbo", "mozjpeg"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"subsampling": "4:1:1"}, "4:4:4, 4:2:2, 4:2:0"),
        ({"progressive": "perhaps"}, "bool expected"),
        ({"qualty": 5}, "no option 'qualty'"),
        ({"optimise": True}, "Did you mean 'optimize'"),
    ],
    ids=str,
)
def test_refuses_options_it_has_not(given: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Jpeg(**given)


def test_options_can_be_text() -> None:
    assert Jpeg(progressive="yes", optimize="0") == Jpeg(progressive=True)


@pytest.mark.parametrize("codec", [Jpeg(), ReducedCodec(Jpeg(), fps=5)], ids=repr)
def test_warns_above_the_sources_own_quality(codec: Codec) -> None:
    assert "quality 95" in codec.warn(95, "JPEG", 87)
    assert "quality 87" in codec.warn(95, "jpeg", 87)
    for level, kind, quality in ((87, "JPEG", 87), (95, "JPEG", None), (95, "PNG", 87), (95, None, None)):
        assert codec.warn(level, kind, quality) is None


def test_other_codecs_have_no_quality_to_compare() -> None:
    assert Avif().warn(90, "JPEG", 50) is None
