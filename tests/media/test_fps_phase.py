"""`fps=` with a phase for each sample: which frames are sent, what is shown, what is judged, and what is kept."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.batches.keeper import Keeper
from harness.batches.preparing import unseen_targets
from harness.batches.read_sample import ReadSample
from harness.dataset import Outline, Sample
from harness.errors import SampleError
from harness.keep.kept import digest_of
from harness.keep.streams import stream_key
from harness.media.levers import ReducedCodec, at_phase, frames_sent, unseen_frames, with_levers
from harness.planning.phases import SamplePhases, draw_phases
from harness.records import SampleStatistics
from harness.statistics.agreement import Agreement
from harness.statistics.judged import judged_in_all
from harness.training.coded import codec_coding
from harness.training.examples import Examples, Slot
from harness_codecs.none import Uncompressed
from harness_codecs.pillow_family import Jpeg
from harness_tasks.action.task import Action
from harness_tasks.detection.task import Detection


def numbered(count: int) -> np.ndarray:
    """Frames uint8[T, 4, 4, 3] that each hold their own index."""
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)


def shown(count: int, fps: float, wanted: float, phase: float) -> list[int]:
    """The index of the frame that the model sees in the place of each frame."""
    codec = at_phase(with_levers(Uncompressed, {"fps": wanted}), phase)
    decoded = codec.decode(codec.encode(numbered(count), None, fps))
    assert decoded.shape == (count, 4, 4, 3)
    return [int(value) for value in decoded[:, 0, 0, 0]]


def phases_of_set(count: int) -> list[float]:
    known: dict[int, Outline | None] = {n: Outline(f"clip-{n}", 4, 4, 30) for n in range(count)}
    drawn = draw_phases(known)
    return [drawn[number] for number in range(count)]


@pytest.mark.parametrize(
    ("wanted", "phase", "kept"),
    [
        (12.5, 0.0, [0, 2, 4, 6, 8]),
        (12.5, 0.5, [1, 3, 5, 7, 9]),
        (5, 0.1, [0, 5]),
        (5, 0.3, [4, 9]),
        (5, 0.5, [3, 8]),
        (5, 0.9, [1, 6]),
        (10, 0.0, [0, 3, 5, 8]),
        (10, 0.45, [2, 4, 7, 9]),
        (1, 0.0, [0]),
        (25, 0.7, list(range(10))),
    ],
)
def test_a_phase_says_which_frames_are_sent(wanted: float, phase: float, kept: list[int]) -> None:
    """Ten frames at 25 a second. Frames before the first sent one show that one, each other the last sent before it."""
    codec = at_phase(with_levers(Uncompressed, {"fps": wanted}), phase)
    assert frames_sent(codec, 10, 25.0) == kept
    assert shown(10, 25.0, wanted, phase) == [max([k for k in kept if k <= i], default=kept[0]) for i in range(10)]
    assert codec.encode(numbered(10), None, 25.0).bits == len(kept) * 4 * 4 * 24


@pytest.mark.parametrize("wanted", [12.5, 10, 6.25, 5, 3, 2.4])
def test_frames_are_those_of_a_camera_that_ticks_at_the_rate(wanted: float) -> None:
    """A tick sends the first frame at or after it; ticks are a period apart (in exact fractions)."""
    share = Fraction(wanted) / 25
    for number in range(200):
        phase = Fraction(2 * number + 1, 400)
        ticks = ((tick - phase) / share for tick in range(1 if phase >= share else 0, 40))
        sent = sorted({max(0, math.ceil(tick)) for tick in ticks} & set(range(40)))
        assert frames_sent(at_phase(with_levers(Uncompressed, {"fps": wanted}), float(phase)), 40, 25.0) == sent


@pytest.mark.parametrize(("count", "wanted"), [(30, 12.5), (30, 10), (30, 6.25), (30, 5), (7, 2), (3, 0.5)])
def test_over_all_phases_each_frame_is_sent_equally_often(count: int, wanted: float) -> None:
    codec = with_levers(Uncompressed, {"fps": wanted})
    phases = [(n + 0.5) / 4000 for n in range(4000)]
    sent = Counter(frame for phase in phases for frame in frames_sent(at_phase(codec, phase), count, 25.0) or ())
    share = max(wanted / 25, 1 / count)  # a clip shorter than a period sends one frame
    assert set(sent) == set(range(count))
    assert all(times / 4000 == pytest.approx(share, abs=0.001) for times in sent.values())


@pytest.mark.parametrize("wanted", [12.5, 10, 6.25, 5])
def test_the_age_of_judged_frames_does_not_depend_on_which_are_judged(wanted: float) -> None:
    """The age (in frames) of what is shown, over all phases, is that of a time that does not know the grid."""
    codec = with_levers(Uncompressed, {"fps": wanted})
    unseen = unseen_frames(codec, 30, 25.0)
    phases = [(n + 0.5) / 1000 for n in range(1000)]
    pictures = [shown(30, 25.0, wanted, phase) for phase in phases]
    period = 25 / wanted
    # Of a moment between two ticks: the whole number of frames since the last tick's frame.
    expected = {age: min(1.0, (age + 1) / period) - min(1.0, age / period) for age in range(math.ceil(period))}
    for every in (1, 4, 5, 10):
        judged = [frame for frame in range(0, 30, every) if frame >= unseen]
        ages = Counter(frame - picture[frame] for picture in pictures for frame in judged)
        assert set(ages) == set(expected), every
        for age, share in expected.items():
            assert ages[age] / (len(judged) * len(phases)) == pytest.approx(share, abs=0.003), (every, age)


def test_frames_that_some_phase_leaves_without_a_picture_are_not_judged() -> None:
    for wanted, unseen in ((25, 0), (12.5, 1), (10, 2), (6.25, 3), (5, 4), (0.5, 49)):
        codec = with_levers(Uncompressed, {"fps": wanted})
        assert unseen_frames(codec, 60, 25.0) == unseen
        first = max((frames_sent(at_phase(codec, n / 1000), 60, 25.0) or [0])[0] for n in range(1000))
        assert first == unseen, "the latest first frame"
    assert unseen_frames(with_levers(Uncompressed, {"fps": 5}), 1, None) == 0, "an image"
    assert unseen_frames(Jpeg(), 60, 25.0) == unseen_frames(with_levers(Jpeg, {"scale": 0.5}), 60, 25.0) == 0


def test_targets_of_whole_clips_are_judged_and_those_of_early_frames_are_not() -> None:
    codec = with_levers(Uncompressed, {"fps": 5})
    sample = Sample("clip", numbered(30), dict.fromkeys((0, 3, 4, 10)), fps=25.0)
    for task, unseen in ((Detection(("car",)), 2), (Action(("a", "b")), 0)):
        assert unseen_targets(task, codec, sample) == unseen
        assert unseen_targets(Agreement(task), codec, sample) == unseen
        assert unseen_targets(task, Uncompressed(), sample) == 0


@pytest.mark.parametrize("count", [1, 6, 20, 57])
def test_the_phases_of_a_set_are_spread_evenly_and_decided_by_ids_alone(count: int) -> None:
    known: dict[int, Outline | None] = {n: Outline(f"clip-{n}", 4, 4) for n in range(count)}
    drawn = draw_phases(known)
    assert sorted(int(phase * count) for phase in drawn.values()) == list(range(count))
    assert draw_phases(dict(reversed(known.items()))) == drawn
    moved = draw_phases({n + 100: outline for n, outline in known.items()})
    assert moved == {n + 100: phase for n, phase in drawn.items()}
    renamed = draw_phases({n: Outline(f"other-{n}", 4, 4) for n in range(count)})
    assert renamed != drawn
    assert len(draw_phases({**known, 1000: None, 1001: None})) == count + 2, "what cannot be read has a phase too"


def test_neighbours_do_not_have_neighbouring_phases() -> None:
    """Segments of one video follow each other: their phases must not follow the video."""
    drawn = np.array(phases_of_set(200))
    assert abs(float(np.corrcoef(drawn[:-1], drawn[1:])[0, 1])) < 0.2
    assert abs(float(np.corrcoef(np.arange(200), drawn)[0, 1])) < 0.2


def test_samples_outside_a_run_get_the_phase_of_the_run() -> None:
    outlines = {n: Outline(f"clip-{n}", 4, 4, 30) for n in range(0, 20, 2)}

    class Clips:
        name = "clips"

        def outline(self, index: int) -> Outline:
            return outlines[index]

    subject: Any = SimpleNamespace(dataset=Clips(), indices=tuple(outlines))
    cell: Any = SimpleNamespace(codec=with_levers(Jpeg, {"fps": 5}))
    plain: Any = SimpleNamespace(codec=Jpeg())
    phases = SamplePhases(subject)
    assert phases.codec(plain, "clip-4") is plain.codec
    for index, phase in draw_phases(dict(outlines)).items():
        assert phases.codec(cell, f"clip-{index}") == ReducedCodec(Jpeg(), phase, fps=5)


def test_a_phase_is_no_option_and_part_of_no_identity() -> None:
    codec = with_levers(Jpeg, {"fps": 5, "scale": 0.5})
    moved = at_phase(codec, 0.25)
    assert (moved.config, moved.fingerprint()) == (codec.config, codec.fingerprint())
    assert moved != codec
    assert moved == at_phase(codec, 0.25)
    assert repr(moved).startswith("ReducedCodec(Jpeg(")
    assert "phase=0.25" in repr(moved)
    assert at_phase(with_levers(Jpeg, {"scale": 0.5}), 0.25) == with_levers(Jpeg, {"scale": 0.5})
    with pytest.raises(ValueError, match="phase 1"):
        at_phase(codec, 1.0)


class Counting(Jpeg):
    costly = True
    calls = 0

    def encode(self, frames: Any, level: Any, fps: Any = None) -> Any:
        Counting.calls += 1
        return super().encode(frames, level, fps)


def test_phases_that_send_the_same_frames_share_a_kept_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    sample = Sample("clip", numbered(20), {0: None}, fps=25.0)
    source = ReadSample(sample, SimpleNamespace(), SimpleNamespace(), b"")  # type: ignore[arg-type]
    Counting.calls = 0
    found = []
    for phase in (0.02, 0.15, 0.3, 0.33):  # 0 and 5 and ..., the same, 4 and 9 and ..., the same
        codec = at_phase(with_levers(Counting, {"fps": 5}), phase)
        identity = {"codec": {"name": codec.name, "options": dict(codec.config), "level": 50}}
        cell: Any = SimpleNamespace(codec=codec, level=50, experiment=SimpleNamespace(identity=identity), fresh=False)
        found.append(codec.decode(Keeper().encode(cell, source)[0])[:, 0, 0, 0].tolist())
    assert Counting.calls == 2
    assert found[0] == found[1] != found[2] == found[3]
    assert stream_key({"name": "jpeg"}, "frames") == digest_of("stream 1", {"name": "jpeg"}, "frames"), "as it was"


def test_training_sees_all_phases_and_learns_from_no_unseen_frame() -> None:
    codec = with_levers(Uncompressed, {"fps": 5})
    coding = codec_coding(codec, [None], {"name": "none"})
    firsts = Counter(int(coding(numbered(20), 25.0, np.random.default_rng(seed))[0, 0, 0, 0]) for seed in range(1000))
    assert set(firsts) == {0, 1, 2, 3, 4}
    assert all(150 < times < 250 for times in firsts.values())
    assert coding.unseen(20, 25.0) == 4
    assert codec_coding(codec, [None], {"name": "none"}, whole_clips=True).unseen(20, 25.0) == 0
    rng = np.random.default_rng(3)
    codec_coding(Jpeg(), [50.0, 30.0], {"name": "jpeg"})(numbered(20), 25.0, rng)
    other = np.random.default_rng(3)
    other.integers(2)
    assert rng.random() == other.random(), "other codecs draw what they drew"

    seen: list[list[int]] = []
    model: Any = SimpleNamespace(
        prepare_train=lambda frames, targets, rng: seen.append(sorted(targets)), problems=lambda: ()
    )
    data: Any = [Sample("clip", numbered(20), dict.fromkeys((0, 4, 10)), fps=25.0)]
    Examples(data, model, 0, coding)[Slot(0, 0, 0)]
    Examples(data, model, 0)[Slot(0, 0, 0)]
    assert seen == [[4, 10], [0, 4, 10]]
    early: Any = [Sample("clip", numbered(20), {0: None}, fps=25.0)]
    with pytest.raises(SampleError, match="sample clip: fps= may send none of its first 4 frames"):
        Examples(early, model, 0, coding)[Slot(0, 0, 0)]


def test_experiments_are_compared_on_the_frames_that_all_judged() -> None:
    def of(**frames: list[int]) -> dict[int, SampleStatistics]:
        """Statistics whose one value is the number of the frame, by the sample's index."""
        return {
            int(index[1:]): SampleStatistics(int(index[1:]), "g", [{"frame": np.array(n)} for n in numbers])
            for index, numbers in frames.items()
        }

    whole = of(s0=[0, 5, 10], s1=[0, 5], s2=[0], s3=[0, 5, 10])
    some = of(s0=[5, 10], s1=[5], s2=[], s3=[0, 5, 10])
    fewer = of(s0=[10], s1=[5], s2=[0])
    found = [
        {index: [int(frame["frame"]) for frame in sample.statistics] for index, sample in samples.items()}
        for samples in judged_in_all([whole, some, fewer])
    ]
    assert found == [{0: [10], 1: [5]}] * 3
    same, again = judged_in_all([whole, whole])
    assert all(same[index] is again[index] is whole[index] for index in whole), "nothing is copied"
