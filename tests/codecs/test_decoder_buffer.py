"""The decoder's buffer: the leaky bucket by hand, and against what x264 writes into its streams about its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness_codecs.decoder_buffer import decoder_buffer

FFMPEG, FFPROBE = shutil.which("ffmpeg"), shutil.which("ffprobe")


def test_bits_come_in_until_the_buffer_is_full_and_go_out_with_each_frame() -> None:
    # 1000 bits/s into a buffer of 500 bits that starts at 450, a frame every 0.1 s: 100 bits come in between.
    run = decoder_buffer([450, 50, 20, 0, 600, 0], 1000, 10, 0.5)
    assert run.size == 500
    assert run.fullness == (450, 100, 150, 230, 330, -170)
    assert run.underflows == (4, 5)
    assert run.lowest == -270


def test_a_full_buffer_takes_no_more() -> None:
    # Ten frames of nothing: the channel waits at 500 bits, so that the last frame cannot use what went by unused.
    assert decoder_buffer([0] * 10 + [500], 1000, 10, 0.5).underflows == ()
    run = decoder_buffer([0] * 10 + [501], 1000, 10, 0.5)
    assert (run.underflows, run.fullness[-1], run.lowest) == ((10,), 500, -1)


def test_the_start_counts() -> None:
    assert decoder_buffer([450], 1000, 10, 0.5).underflows == ()
    assert decoder_buffer([451], 1000, 10, 0.5).underflows == (0,)
    assert decoder_buffer([500], 1000, 10, 0.5, initial=1).underflows == ()


@pytest.mark.skipif(not (FFMPEG and FFPROBE), reason="ffmpeg and ffprobe are not installed")
@pytest.mark.parametrize(("kbps", "buffer"), [(192, 0.5), (64, 1.0), (256, 0.25)])
def test_x264_says_the_same_of_the_same_buffer(kbps: int, buffer: float, tmp_path: Path) -> None:
    """With `nal-hrd`, x264 states at each key frame how long the bits in the buffer need to arrive, at 90 kHz (ITU-T
    H.264, D.2.1, `initial_cpb_removal_delay`); ffmpeg prints it."""
    stream = tmp_path / "clip.h264"
    told = ["-b:v", f"{kbps}k", "-maxrate", f"{kbps}k", "-bufsize", f"{kbps * buffer}k"]
    options = "nal-hrd=vbr:keyint=10:min-keyint=10:scenecut=0:threads=1"
    source = ["-f", "lavfi", "-i", "testsrc2=s=176x144:r=25:d=6", "-pix_fmt", "yuv420p", "-c:v", "libx264"]
    _output(FFMPEG, "-v", "error", *source, *told, "-x264-params", options, str(stream))
    read = ("-v", "verbose", "-i", str(stream), "-c", "copy", "-bsf:v", "trace_headers", "-f", "null", "-")
    shown = _output(FFMPEG, *read)
    stated = [int(delay) for delay in re.findall(r"initial_cpb_removal_delay\[0\] .*= (\d+)", shown)]
    listed = _output(FFPROBE, "-v", "error", "-show_entries", "packet=size,flags", "-of", "csv=p=0", str(stream))
    packets = [line.split(",")[:2] for line in listed.split()]
    assert len(packets) == 150
    run = decoder_buffer([8 * int(size) for size, _ in packets], kbps * 1000, 25, buffer)
    at_keys = [bits for bits, (_, flags) in zip(run.fullness, packets, strict=True) if flags.startswith("K")]
    assert len(at_keys) == 15
    stated_bits = [delay * kbps * 1000 / 90000 for delay in stated[-len(at_keys) :]]
    assert at_keys == pytest.approx(stated_bits, abs=run.size * 0.002)
    assert min(at_keys) < 0.9 * run.size  # the buffer was used
    assert run.underflows == ()


def _output(program: str | None, *arguments: str) -> str:
    assert program
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout + done.stderr
