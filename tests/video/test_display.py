"""Display matrices: each of the eight by the formula of ISO/IEC 14496-12, and as ffmpeg shows them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import SampleError
from harness.video import probe, read_clip
from kit.video_files import numbered, written

FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="the ffmpeg command is not installed")

MATRICES = {
    "identity": (1, 0, 0, 1),
    "mirrored": (-1, 0, 0, 1),
    "flipped": (1, 0, 0, -1),
    "half turn": (-1, 0, 0, -1),
    "turned right": (0, 1, -1, 0),
    "turned left": (0, -1, 1, 0),
    "transposed": (0, 1, 1, 0),
    "transposed at the other diagonal": (0, -1, -1, 0),
}
"""a, b, c, d of (a b u / c d v / tx ty w)."""


def with_matrix(path: Path, matrix: tuple[float, ...], frames: np.ndarray, **options: str) -> Path:
    a, b, c, d = (round(65536 * number) for number in matrix)
    height, width = frames.shape[1:3]
    # Both products of the translation are there, so that the picture begins at 0.
    tx = 65536 * (width * (a < 0) + height * (c < 0))
    ty = 65536 * (width * (b < 0) + height * (d < 0))

    def prepare(stream: Any) -> None:
        stream.set_display_matrix([a, b, 0, c, d, 0, tx, ty, 1 << 30])

    return written(path, frames, pixels="yuv444p", prepare=prepare, qp="0", **options)


def by_the_standard(stored: np.ndarray, matrix: tuple[int, ...]) -> np.ndarray:
    """ISO/IEC 14496-12, 6.2.2, pixel by pixel: x' = a x + c y + tx, y' = b x + d y + ty, at the pixels' centres."""
    a, b, c, d = matrix
    count, height, width, _ = stored.shape
    tx, ty = width * (a < 0) + height * (c < 0), width * (b < 0) + height * (d < 0)
    shape = (height, width) if a else (width, height)
    shown = np.zeros((count, *shape, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            right = a * (x + 0.5) + c * (y + 0.5) + tx
            down = b * (x + 0.5) + d * (y + 0.5) + ty
            shown[:, int(down), int(right)] = stored[:, y, x]
    return shown


def by_ffmpeg(path: Path, height: int, width: int) -> np.ndarray:
    scale = "scale=in_color_matrix=bt601:in_range=tv:flags=bicubic+accurate_rnd+bitexact+full_chroma_int"
    command = [str(FFMPEG), "-v", "error", "-i", str(path), "-vsync", "0", "-vf", scale, "-f", "rawvideo"]
    raw = subprocess.run([*command, "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_turns_and_mirrors_as_the_standard_says(tmp_path: Path, name: str, kind: str) -> None:
    frames = numbered(3, 32, 48)
    stored = read_clip(written(tmp_path / f"a.{kind}", frames, pixels="yuv444p", qp="0"))[0]
    assert np.abs(stored.astype(int) - frames).max() <= 3
    path = with_matrix(tmp_path / f"b.{kind}", MATRICES[name], frames)
    shown = read_clip(path)[0]
    assert np.array_equal(shown, by_the_standard(stored, MATRICES[name]))
    assert (probe(path).height, probe(path).width) == shown.shape[1:3]
    if FFMPEG:
        # The commands of 5.1 and libav 8 round differently by 1.
        assert np.abs(by_ffmpeg(path, *shown.shape[1:3]).astype(int) - shown).max() <= 1


def test_a_scale_does_not_count(tmp_path: Path) -> None:
    frames = numbered(2, 32, 48)
    plain = read_clip(with_matrix(tmp_path / "a.mp4", (-1, 0, 0, 1), frames))[0]
    scaled = read_clip(with_matrix(tmp_path / "b.mp4", (-2, 0, 0, 1.5), frames))[0]
    assert np.array_equal(scaled, plain)


@pytest.mark.parametrize("matrix", [(0.7, 0.7, -0.7, 0.7), (1, 0.2, 0, 1), (1, 0, 0, 0)])
def test_other_matrices_are_refused_with_advice(tmp_path: Path, matrix: tuple[float, ...]) -> None:
    path = with_matrix(tmp_path / "a.mp4", matrix, numbered(2, 32, 48))
    with pytest.raises(SampleError, match=r"display matrix \(a, b, c, d = .*ffmpeg -i a.mp4 -crf 10 turned.mp4"):
        probe(path)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("order", "matrix"),
    [
        ("rotate=90", (0, -1, 1, 0)),
        ("rotate=180", (-1, 0, 0, -1)),
        ("flip=horizontal", (-1, 0, 0, 1)),
        ("flip=vertical", (1, 0, 0, -1)),
    ],
)
def test_an_h264_stream_states_its_matrix_once_for_all_its_frames(
    tmp_path: Path, order: str, matrix: tuple[int, ...]
) -> None:
    """ITU-T H.264, D.2.27: rotation is anticlockwise, and holds until the next coded video sequence."""
    plain = written(tmp_path / "a.mp4", numbered(3, 32, 48), pixels="yuv444p", qp="0")
    path = tmp_path / "b.mp4"
    change = f"h264_metadata=display_orientation=insert:{order}"
    command = [str(FFMPEG), "-v", "error", "-i", str(plain), "-c", "copy", "-bsf:v", change, str(path)]
    subprocess.run(command, check=True)
    assert np.array_equal(read_clip(path)[0], by_the_standard(read_clip(plain)[0], matrix))
