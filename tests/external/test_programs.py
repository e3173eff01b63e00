"""Codecs that are programs, by the real ones: SVT-AV1 and x265 of Debian, cwebp, and small scripts that fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from harness.codec import Encoded, Scale
from harness.errors import CodecError, PluginError
from harness.external import ExternalCodec, ExternalImageCodec
from harness.media.quality import psnr
from harness.options import Option
from harness_codecs.av_family import Hevc
from kit.pictures import textured

FLAGS = "bicubic+full_chroma_int+full_chroma_inp+accurate_rnd+bitexact"


class X265(ExternalCodec):
    name = "x265"
    summary = "HEVC by the program x265"
    scale = Scale("crf", (24, 30, 36, 42), 0, 51, higher_is_better=False, integer=False)
    options = (Option("preset", str, "ultrafast", "effort"),)
    suffix, smallest = ".hevc", 64
    encoder = (
        *("x265", "--y4m", "--input", "{input}", "--output", "{output}", "--output-depth", "{bits}"),
        *("--preset", "{preset}", "--crf", "{level}", "--no-info", "--pools", "none", "--frame-threads", "1"),
    )
    version = ("x265", "--version")
    install = "apt-get install x265"


class X265Ten(X265):
    name = "x265-10"
    pix_fmt = "yuv420p10le"


class X265Wide(X265):
    name = "x265-444-12"
    pix_fmt = "yuv444p12le"


class X265Raw(X265):
    name, exchange, pix_fmt = "x265-raw", "raw", "yuv422p10le"
    encoder = (
        *("x265", "--input", "{input}", "--input-res", "{width}x{height}", "--fps", "{fps}", "--input-depth", "{bits}"),
        *("--input-csp", "i422", "--output", "{output}", "--output-depth", "{bits}", "--preset", "{preset}"),
        *("--crf", "{level}", "--no-info", "--pools", "none", "--frame-threads", "1"),
    )


class SvtAv1(ExternalCodec):
    name = "svt-av1"
    summary = "AV1 by SvtAv1EncApp, 10 bit"
    scale = Scale("crf", (30, 40, 50, 60), 1, 63, higher_is_better=False)
    pix_fmt, suffix, smallest = "yuv420p10le", ".ivf", 64
    encoder = (
        *("SvtAv1EncApp", "-i", "{input}", "-b", "{output}", "--crf", "{level}", "--preset", "12", "--lp", "1"),
        *("--input-depth", "{bits}"),
    )
    version = ("SvtAv1EncApp", "--version")
    install = "apt-get install svt-av1"


class ByFfmpeg(X265Ten):
    name = "x265-ffmpeg"
    decoder = ("ffmpeg", "-v", "error", "-i", "{input}", "-f", "rawvideo", "-pix_fmt", "{pix_fmt}", "{output}")


class Cwebp(ExternalImageCodec):
    name = "cwebp"
    summary = "WebP by the program cwebp"
    scale = Scale("quality", (90, 60, 30), 0, 100, higher_is_better=True)
    suffix = ".webp"
    encoder = ("cwebp", "-quiet", "-q", "{level}", "{input}", "-o", "{output}")
    version = ("cwebp", "-version")
    install = "apt-get install webp"


class Dwebp(Cwebp):
    name, exchange = "dwebp", "ppm"
    decoder = ("dwebp", "-quiet", "{input}", "-ppm", "-o", "{output}")


class Script(ExternalCodec):
    """A program of Python's that copies its input, or fails in one of several ways."""

    name = "script"
    summary = "for tests"
    scale = Scale("level", (1, 2), 0, 9, higher_is_better=False)
    suffix = ".yuv"
    exchange = "raw"
    code = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"
    decoder = (sys.executable, "-c", code, "{input}", "{output}")
    time_limit = 20.0

    def __init__(self, code: str = code, time_limit: float = 20.0) -> None:
        super().__init__()
        self.encoder = (sys.executable, "-c", code, "{input}", "{output}", "{level}")  # type: ignore[misc]
        self.time_limit = time_limit  # type: ignore[misc]


def needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def clip(frames: int = 3, height: int = 72, width: int = 98) -> np.ndarray:
    image = textured(max(height, 8), max(width, 8))[:height, :width]
    return np.stack([np.roll(image, number, 1) for number in range(frames)])


def by_ffmpeg(codec: ExternalCodec, encoded: Encoded, folder: Path) -> np.ndarray:
    """The frames of a stream as ffmpeg decodes and converts them, cropped."""
    file = folder / f"stream{codec.suffix}"
    file.write_bytes(encoded.data)
    # In 1/256 of a luma sample; a half of one down is 128, under the names that ffmpeg had before 7.1.
    siting = {"420": "in_h_chr_pos=0:in_v_chr_pos=128:", "422": "in_h_chr_pos=0:"}.get(codec.pix_fmt[3:6], "")
    scale = f"scale={siting}in_color_matrix=bt709:in_range=tv:out_range=pc:flags={FLAGS}"
    command = ["ffmpeg", "-v", "error", "-i", file, "-vf", scale, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    height, width = codec.colour.padded(encoded.height, encoded.width)
    frames = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
    return frames[:, : encoded.height, : encoded.width]


@pytest.mark.parametrize("codec", [X265(), X265Ten(), X265Wide(), X265Raw(), SvtAv1()], ids=lambda codec: codec.name)
def test_a_program_codes_as_ffmpeg_decodes(codec: ExternalCodec, tmp_path: Path) -> None:
    needs(codec.encoder[0], "ffmpeg")
    assert codec.available() is None
    frames = clip()
    before = frames.copy()
    assert codec.scale is not None
    mild, strong = (codec.encode(frames, codec.scale.ladder[place], 25.0) for place in (0, -1))
    assert np.array_equal(frames, before)
    assert mild.bits > strong.bits > 0
    decoded = codec.decode(mild)
    shown = by_ffmpeg(codec, mild, tmp_path)
    assert decoded.shape == shown.shape == frames.shape
    # Another build of swscale may round the last bit otherwise; half a pixel of chroma would be far more.
    assert np.abs(decoded.astype(int) - shown).max() <= 2
    assert np.abs(decoded.astype(int) - shown).mean() < 0.01
    assert (psnr(frames, decoded) or 0) > 25
    assert codec.encode(frames, codec.scale.ladder[0], 25.0).data == mild.data


def test_the_same_path_as_the_built_in_codec_has() -> None:
    """Where the program loses nothing, its decoded frames are those of the built-in codec, which loses nothing too."""
    needs("x265")

    class Lossless(X265):
        encoder = (*X265.encoder, "--lossless")

    frames, built_in = clip(2, 71, 97), Hevc(preset="ultrafast")
    ours = Lossless().decode(Lossless().encode(frames, 20, 25.0))
    theirs = built_in.decode(built_in.encode(frames, 0, 25.0))
    assert np.array_equal(ours, theirs)


def test_a_decoder_that_is_a_program() -> None:
    needs("x265", "ffmpeg")
    encoded = ByFfmpeg().encode(clip(2), 24, 25.0)
    assert np.array_equal(ByFfmpeg().decode(encoded), X265Ten().decode(encoded))
    assert set(ByFfmpeg().fingerprint()) == {"program x265", "program ffmpeg"}


@pytest.mark.parametrize("codec", [Cwebp(), Dwebp()], ids=lambda codec: codec.name)
def test_an_image_program(codec: Cwebp) -> None:
    needs("cwebp", "dwebp")
    image = textured(37, 53)[None]
    encoded = codec.encode(image, 90)
    assert encoded.bits == 8 * (len(encoded.data) - 8)
    assert np.array_equal(codec.decode(encoded), Cwebp().decode(encoded))
    assert codec.encode(image, 30).bits < encoded.bits


def test_the_rate_of_ivf_is_that_of_its_frames(tmp_path: Path) -> None:
    needs("SvtAv1EncApp", "ffprobe")
    codec = SvtAv1()
    encoded = codec.encode(clip(5), 40, 25.0)
    file = tmp_path / "stream.ivf"
    file.write_bytes(encoded.data)
    command = ["ffprobe", "-v", "error", "-show_entries", "packet=size", "-of", "csv=p=0", file]
    sizes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert encoded.bits == 8 * sum(int(size.strip(",")) for size in sizes)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (65, 64)])
def test_frames_of_any_size_come_back(size: tuple[int, int]) -> None:
    needs("x265")
    frames = clip(1, *size)
    assert X265Ten().decode(X265Ten().encode(frames, 24)).shape == frames.shape


# What goes wrong


def test_a_copy_comes_back_as_it_was() -> None:
    encoded = Script().encode(clip(3, 6, 7), 1, 25.0)
    assert encoded.bits == 8 * 3 * 6 * 8 * 3 // 2
    assert Script().decode(encoded).shape == (3, 6, 7, 3)


def test_a_missing_program_is_told_with_what_to_install() -> None:
    class Missing(X265):
        encoder = ("no-such-encoder", "{input}", "{output}")
        version = ("no-such-encoder", "--version")
        install = "apt-get install no-such-encoder"

    told = "the program no-such-encoder is not installed: apt-get install no-such-encoder."
    assert Missing().available() == told
    with pytest.raises(CodecError, match=r"no-such-encoder could not be started"):
        Missing().encode(clip(1), 24)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; print('level too high', file=sys.stderr); sys.exit(3)", r"exit code 3.*level too high.*command"),
        ("import os; os.kill(os.getpid(), 9)", r"signal 9 \(SIGKILL\).*said nothing"),
        ("pass", r"wrote nothing"),
        ("import sys; open(sys.argv[2], 'w').close()", r"wrote nothing"),
    ],
)
def test_what_a_program_died_of_is_told(code: str, said: str) -> None:
    with pytest.raises(CodecError, match=said):
        Script(code).encode(clip(1), 1)


def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    child = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); "
    code = f"{child}open({str(file)!r}, 'w').write(str(p.pid)); p.wait()"
    begun = time.monotonic()
    with pytest.raises(CodecError, match=r"was ended: it took more than 2 s"):
        Script(code, 2.0).encode(clip(1), 1)
    assert time.monotonic() - begun < 20
    for _ in range(100):
        if not _runs(int(file.read_text())):
            return
        time.sleep(0.05)
    pytest.fail("the program's child still runs")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_temporary_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Script().decode(Script().encode(clip(1), 1))
    with pytest.raises(CodecError):
        Script("import sys; sys.exit(1)").encode(clip(1), 1)
    assert list(tmp_path.iterdir()) == []


def test_a_decoder_whose_frames_are_cut_short_is_refused() -> None:
    encoded = Script().encode(clip(2, 6, 6), 1)
    cut = Encoded(encoded.data[:-1], encoded.bits, 2, 6, 6)
    with pytest.raises(CodecError, match="ends within a frame"):
        Script().decode(cut)
    with pytest.raises(CodecError, match="3 frames were coded, 2 came back"):
        Script().decode(Encoded(encoded.data, encoded.bits, 3, 6, 6))


def test_a_stream_of_another_format_than_stated_is_refused() -> None:
    needs("x265")
    encoded = X265().encode(clip(1), 24)
    with pytest.raises(CodecError, match="the stream holds yuv420p of 98x72, its class says yuv420p10le"):
        X265Ten().decode(encoded)
    with pytest.raises(CodecError, match="libav cannot decode"):
        X265().decode(Encoded(b"no stream at all" * 50, 8, 1, 72, 98))


def test_an_unknown_placeholder_is_told() -> None:
    class Odd(X265):
        encoder = ("x265", "{quality}")

    with pytest.raises(PluginError, match=r"'quality' in its command line; the placeholders are .*\{level\}"):
        Odd().encode(clip(1), 24)


def test_a_program_without_a_version_is_known_by_its_file(tmp_path: Path) -> None:
    program = tmp_path / "encoder"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)

    class Own(X265):
        encoder, version = (str(program),), ()

    (first,) = Own().fingerprint().values()
    program.write_text("#!/bin/sh\n\nexit 0\n")
    (second,) = Own().fingerprint().values()
    assert str(first).startswith("SHA-256")
    assert first != second
