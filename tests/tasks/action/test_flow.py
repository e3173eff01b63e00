"""Optical flow: known movements are found, the camera's is taken off, and threads do not matter."""

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness_tasks.action.flow import METHODS, Flow, _median, kept_fields, why_missing
from harness_tasks.action.models.two_stream import TwoStreamModel
from harness_tasks.action.sampling import (
    Window,
    central_window,
    cut_out,
    mirrored_fields,
    random_window,
    spread,
    stacked_pairs,
)

HEIGHT, WIDTH = 96, 128
SIZE = (HEIGHT, WIDTH)
WHOLE = Window(0, 0, HEIGHT, WIDTH, SIZE)
HERE = [name for name in METHODS if why_missing(name) is None]
BOUND = 8.0
STEP = BOUND / 127


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth noise of several scales, uint8[height, width, 3]."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for cell in (4, 8, 16, 32):
        noise = rng.uniform(0, 255, (height // cell + 2, width // cell + 2, 3)).astype(np.float32)
        total += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) / 4
    return np.clip(total, 0, 255).astype(np.uint8)


def moving(frames: int, x: int, y: int, objects: tuple[int, int] = (0, 0)) -> np.ndarray:
    """A texture that moves by (x, y) pixels a frame, and in its middle a square that moves by `objects` besides."""
    margin = 64
    far, near = texture(HEIGHT + 2 * margin, WIDTH + 2 * margin), texture(32, 32, 1)
    clip = []
    for number in range(frames):
        top, left = margin - number * y, margin - number * x
        frame = far[top : top + HEIGHT, left : left + WIDTH].copy()
        upper, first = 32 + number * (y + objects[1]), 48 + number * (x + objects[0])
        frame[upper : upper + 32, first : first + 32] = near
        clip.append(frame)
    return np.stack(clip)


@pytest.mark.parametrize("method", HERE)
def test_finds_a_known_movement(method: str) -> None:
    clip = moving(4, 3, -2)
    fields = Flow(method, camera="none", bound=BOUND).fields(clip, [0, 1, 2], WHOLE, SIZE)
    assert fields.shape == (3, 2, HEIGHT, WIDTH)
    assert fields.dtype == np.int8
    inside = fields[:, :, 16:-16, 16:-16] * STEP
    assert np.median(inside[:, 0]) == pytest.approx(3, abs=0.1)
    assert np.median(inside[:, 1]) == pytest.approx(-2, abs=0.1)


@pytest.mark.parametrize("camera", ["median", "mean"])
def test_takes_off_the_camera_s_movement(camera: str) -> None:
    clip = moving(3, 2, 1, objects=(-3, 2))
    field = Flow(camera=camera, bound=BOUND).fields(clip, [0], WHOLE, SIZE)[0] * STEP
    plain = Flow(camera="none", bound=BOUND).fields(clip, [0], WHOLE, SIZE)[0] * STEP
    off = np.median(plain - field, axis=(1, 2))
    expected = np.median(plain, axis=(1, 2)) if camera == "median" else plain.mean(axis=(1, 2))
    assert off == pytest.approx(expected, abs=2 * STEP)
    if camera == "median":
        assert np.median(field, axis=(1, 2)) == pytest.approx([0, 0], abs=STEP)
        assert np.median(field[:, 40:56, 56:72], axis=(1, 2)) == pytest.approx([-3, 2], abs=0.4)


@pytest.mark.filterwarnings("ignore:All-NaN")
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 5), (4, 6), (96, 128), (95, 127)], ids=str)
def test_the_median_is_numpys_bit_for_bit(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    smooth = rng.normal(0, 3, (*shape, 2)).astype(np.float32)
    extreme = rng.choice(np.asarray([0.0, -0.0, 1e-45, 3e38, -3e38, 1 / 3], np.float32), (*shape, 2))
    one_nan = smooth.copy()
    one_nan[0, 0, 1] = np.nan
    for field in (smooth, np.round(smooth), extreme, one_nan, smooth[:, ::-1]):
        before = field.copy()
        expected = np.asarray(np.median(field, axis=(0, 1)), np.float32)
        found = _median(field)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(field, before)


def test_cuts_off_at_the_bound() -> None:
    clip = moving(2, 6, 0)
    far, near = (Flow(camera="none", bound=bound).fields(clip, [0], WHOLE, SIZE)[0, 0] for bound in (20.0, 4.0))
    assert near.max() == 127
    assert np.abs(np.clip(far * (20 / 127), -4, 4) - near * (4 / 127)).max() <= 20 / 254 + 4 / 254 + 1e-6


@pytest.mark.parametrize("method", HERE)
def test_threads_and_other_pairs_do_not_matter(method: str) -> None:
    clip, flow = moving(5, 2, 1, objects=(1, -2)), Flow(method)
    before = cv2.getNumThreads()
    try:
        found = []
        for threads in (0, 1, 2, 4):
            cv2.setNumThreads(threads)
            found.append(flow.fields(clip, [0, 1, 2, 3], WHOLE, SIZE))
    finally:
        cv2.setNumThreads(before)
    assert all((fields == found[0]).all() for fields in found)
    assert (flow.fields(clip, [2], WHOLE, SIZE)[0] == found[0][2]).all()
    assert cv2.getNumThreads() == before


def test_fields_are_scaled_by_areas() -> None:
    clip, flow = moving(2, 2, 1, objects=(3, -3)), Flow(bound=BOUND)
    full, half = (flow.fields(clip, [0], WHOLE, (HEIGHT // k, WIDTH // k))[0].astype(float) for k in (1, 2))
    means = full.reshape(2, HEIGHT // 2, 2, WIDTH // 2, 2).mean(axis=(2, 4))
    assert np.abs(means - half).max() <= 1


def test_mirrored_frames_move_the_other_way() -> None:
    clip = moving(2, 3, -2)
    field = Flow(camera="none", bound=BOUND).fields(clip[:, :, ::-1], [0], WHOLE, SIZE)[0] * STEP
    assert np.median(field, axis=(1, 2)) == pytest.approx([-3, -2], abs=0.15)


def test_the_name_says_all_that_decides_the_fields() -> None:
    names = {
        Flow().name(WHOLE, [0, 1, 2], SIZE),
        Flow("farneback").name(WHOLE, [0, 1, 2], SIZE),
        Flow(preset="fast").name(WHOLE, [0, 1, 2], SIZE),
        Flow(camera="none").name(WHOLE, [0, 1, 2], SIZE),
        Flow(bound=4).name(WHOLE, [0, 1, 2], SIZE),
        Flow().name(WHOLE, [0, 2], SIZE),
        Flow().name(WHOLE, [0, 1, 2], (48, 64)),
        Flow().name(Window(0, 0, HEIGHT, WIDTH, (48, 64)), [0, 1, 2], SIZE),
        Flow().name(Window(1, 0, HEIGHT - 1, WIDTH, (HEIGHT, WIDTH)), [0, 1, 2], SIZE),
    }
    assert len(names) == 9
    assert all(cv2.__version__ in name for name in names)
    assert Flow("farneback").name(WHOLE, [0], SIZE) == Flow("farneback", preset="fast").name(WHOLE, [0], SIZE)


@pytest.mark.skipif("tvl1" in HERE, reason="this OpenCV has the contrib modules")
def test_a_method_that_is_not_there_is_refused_with_words() -> None:
    missing = TwoStreamModel(flow="tvl1").available()
    assert missing is not None
    assert "opencv-contrib-python-headless" in missing
    assert TwoStreamModel().available() is None


def test_windows() -> None:
    assert central_window(240, 320, 256, 0.875) == Window(15, 55, 210, 210, (224, 224))
    assert central_window(192, 256, 96, 0) == Window(0, 0, 192, 256, (96, 128))
    rng = np.random.default_rng(0)
    for central in (central_window(240, 320, 256, 0.875), central_window(192, 256, 96, 0)):
        for _ in range(50):
            window = random_window(central, 240, 320, rng)
            assert window.shape == central.shape
            assert 0 <= window.top <= 240 - window.height
            assert 0 <= window.left <= 320 - window.width
            assert 0.79 * central.height <= window.height <= 1.11 * central.height
            rows, columns = window.part(0.5, 0.25)
            assert 0 <= rows.start < rows.stop <= 120
            assert 0 <= columns.start < columns.stop <= 80


def test_cut_out_fields_are_those_of_cut_out_frames() -> None:
    clip, flow = moving(2, 2, 1, objects=(3, -3)), Flow(camera="none", bound=BOUND)
    fields = flow.fields(clip, [0], WHOLE, SIZE)
    window = Window(12, 16, 72, 96, SIZE)
    cut = cut_out(fields, window.part(1, 1), SIZE, 96 / 72)
    assert cut.dtype == np.int8
    assert cut.shape == fields.shape
    expected = flow.fields(clip, [0], window, SIZE)
    off = np.abs(cut.astype(float) - expected)[:, :, 12:-12, 12:-12] * STEP
    assert np.median(off) < 0.1
    assert off.mean() < 0.4
    smaller = cut_out(fields.repeat(20, axis=0), window.part(1, 1), (54, 72), 0.75)
    assert smaller.shape == (20, 2, 54, 72)
    assert np.abs(smaller[0].astype(float) - cut_out(fields, window.part(1, 1), (54, 72), 0.75)[0]).max() == 0
    mirrored = flow.fields(clip[:, :, ::-1], [0], WHOLE, SIZE)
    off = np.abs(mirrored_fields(fields).astype(float) - mirrored)[:, :, 12:-12, 12:-12] * STEP
    assert np.median(off) < 0.1
    assert off.mean() < 0.4


def test_kept_fields_are_the_same() -> None:
    clip, flow = moving(3, 2, 1), Flow()
    first, again = (kept_fields(clip, flow, range(2), WHOLE, (48, 64)) for _ in range(2))
    assert (first == flow.fields(clip, range(2), WHOLE, (48, 64))).all()
    assert (first == again).all()
    assert not (kept_fields(clip[::-1], flow, range(2), WHOLE, (48, 64)) == first).all()


def test_samples_are_evenly_spaced() -> None:
    assert spread(250, 25)[0] == 0
    assert spread(250, 25)[-1] == 249
    gaps = np.diff(spread(250, 25))
    assert gaps.max() - gaps.min() <= 1
    assert spread(7, 25) == list(range(7))
    assert stacked_pairs(20, 10, [0, 9])[1].tolist() == list(range(9, 19))
    assert stacked_pairs(4, 5, [0]).tolist() == [[0, 1, 2, 2, 2]]


def test_on_a_real_clip(data_root: Path) -> None:
    """A weight that is lifted moves; what stands behind it does not, once the camera's movement is taken off."""
    import av

    path = data_root / "ucf101_mini" / "UCF-101" / "BenchPress" / "v_BenchPress_g01_c01.avi"
    with av.open(str(path)) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), 12)])
    window = central_window(*frames.shape[1:3], 128, 0.875)
    fields = Flow().fields(frames, range(11), window, window.shape) * (20 / 127)
    assert fields.shape == (11, 2, 112, 112)
    assert 0.05 < np.abs(fields).mean() < 3
    assert np.median(fields) == 0
