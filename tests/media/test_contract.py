"""What a codec gives back is checked in one place: the rate, the stream, the frames, wherever the harness codes."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.codec import Encoded
from harness.errors import CodecError
from harness.finish.finisher import totals_of
from harness.keep.kept import Kept, pack_stream
from harness.keep.streams import encode
from harness.media.contract import check_decoded, check_encoded
from harness.media.levers import with_levers
from harness.records import SampleRow
from harness.training.coded import CodecCoding
from harness_codecs.pillow_family import Jpeg
from kit.command import Session
from kit.plugins import write_distribution

FRAMES = np.zeros((2, 4, 6, 3), np.uint8)
GOOD = Encoded(b"stream", 48, 2, 4, 6, 25.0)

NO_RATES: list[Any] = [math.nan, math.inf, -math.inf, 1.5, 8.0, True, np.True_, "8", b"8", None, 0, -8, 2**63, 2**70]
NO_RATES += [np.float64(8), np.array(8), Fraction(8), np.uint64(2**63)]


@pytest.mark.parametrize("bits", NO_RATES, ids=repr)
def test_a_rate_is_a_whole_number_of_bits_that_a_database_can_hold(bits: Any) -> None:
    with pytest.raises(CodecError, match=r"odd: encode gave a rate of .*\(.*\); a whole number of bits \(int\)"):
        check_encoded(replace(GOOD, bits=bits), FRAMES, 25.0, "odd")


@pytest.mark.parametrize("bits", [1, 2**63 - 1, np.int64(48), np.uint8(200), np.uint64(2**63 - 1)], ids=repr)
def test_whole_numbers_of_numpy_are_taken_as_such(bits: Any) -> None:
    checked = check_encoded(replace(GOOD, bits=bits), FRAMES, 25.0, "odd")
    assert type(checked.bits) is int
    assert checked == replace(GOOD, bits=int(bits))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"data": "text"}, "a stream of type str; bytes are expected"),
        ({"data": bytearray(b"x")}, "a stream of type bytearray"),
        ({"data": None}, "a stream of type NoneType"),
        ({"frames": 1}, r"Encoded.frames = 1 \(int\), but uint8\[2, 4, 6, 3\] was to be encoded: 2 is expected"),
        ({"frames": 2.0}, r"Encoded.frames = 2.0 \(float\)"),
        ({"height": 6, "width": 4}, r"Encoded.height = 6 \(int\).*: 4 is expected"),
        ({"width": None}, r"Encoded.width = None"),
        ({"fps": 50.0}, r"Encoded.fps = 50.0 \(float\); the frames have 25.0"),
        ({"fps": math.nan}, r"Encoded.fps = nan"),
    ],
    ids=str,
)
def test_streams_and_sizes_are_checked_too(fault: dict[str, Any], said: str) -> None:
    with pytest.raises(CodecError, match=said):
        check_encoded(replace(GOOD, **fault), FRAMES, 25.0, "odd")


def test_something_else_than_an_encoded_is_refused_and_a_frame_rate_may_be_left_out() -> None:
    for other in (None, b"stream", (b"stream", 48)):
        with pytest.raises(CodecError, match=r"a harness\.codec\.Encoded is expected"):
            check_encoded(other, FRAMES, 25.0, "odd")
    assert check_encoded(replace(GOOD, fps=None), FRAMES, 25.0, "odd") == GOOD
    with pytest.raises(CodecError, match=r"Encoded.fps = 25.0 \(float\); the frames have None"):
        check_encoded(GOOD, FRAMES, None, "odd")


@pytest.mark.parametrize("decoded", [FRAMES[:1], FRAMES[:, :, :5], FRAMES.astype(float), FRAMES.tolist(), None])
def test_other_frames_than_went_in_are_refused(decoded: Any) -> None:
    with pytest.raises(CodecError, match=r"odd: uint8\(2, 4, 6, 3\) went in"):
        check_decoded(decoded, FRAMES, "odd")


class Odd(Jpeg):
    """JPEG with a rate of one's choice."""

    name = "odd"
    given: Any = math.nan

    def encode(self, frames, level, fps=None):
        return replace(super().encode(frames, level, fps), bits=self.given)


class CostlyOdd(Odd):
    costly = True


def test_levers_training_and_the_cache_use_the_same_check(tmp_path: Path) -> None:
    frames = np.zeros((1, 8, 8, 3), np.uint8)
    with pytest.raises(CodecError, match=r"a rate of nan \(float\)"):
        with_levers(Odd, {"scale": 0.5}).encode(frames, 50)
    with pytest.raises(CodecError, match=r"a rate of nan \(float\)"):
        CodecCoding(Odd(), (50,), {})(frames, None, np.random.default_rng(0))
    kept = Kept("encoded")
    with pytest.raises(CodecError, match=r"a rate of nan \(float\)"):
        encode(CostlyOdd(), frames, 50, None, kept, lambda: "ab" * 32)
    assert kept.get("ab" * 32) is None  # what was refused is not kept
    # An entry of 0.1.0, which kept whatever came, is refused as well.
    kept.put("cd" * 32, pack_stream(replace(Jpeg().encode(frames, 50), bits=math.nan), {"encode_ms": 1.0}))  # type: ignore[arg-type]
    with pytest.raises(CodecError, match=r"a rate of nan \(float\)"):
        encode(CostlyOdd(), frames, 50, None, kept, lambda: "cd" * 32)


def test_numpy_rates_of_a_costly_codec_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.zeros((1, 8, 8, 3), np.uint8)
    monkeypatch.setattr(CostlyOdd, "given", np.int64(640))
    kept = Kept("encoded")
    first, _ = encode(CostlyOdd(), frames, 50, None, kept, lambda: "ef" * 32)
    again, _ = encode(CostlyOdd(), frames, 50, None, kept, lambda: "ef" * 32)
    assert first == again
    assert type(again.bits) is int


def test_nothing_of_a_failed_row_counts() -> None:
    good = SampleRow("k", 0, "a", "a", "ok", bits=100, pixels=50, duration=2.0, squared_error=7, encode_ms=1.0)
    failed = replace(good, index=1, id="b", bits=999).as_failed("why")
    assert (failed.status, failed.error) == ("failed", "why")
    assert (failed.bits, failed.pixels, failed.squared_error, failed.encode_ms) == (None, None, None, None)
    totals = totals_of([good, failed])
    assert (totals.samples, totals.failed, totals.bits, totals.pixels, totals.bpp) == (1, 1, 100, 50, 2.0)
    assert totals.kbps == 0.05


RUN = ("run", "--task", "detection", "--codec", "odd@50", "--resamples", "100")

SOURCE = """
import math
from dataclasses import replace
import numpy as np
from harness import hookimpl
from harness_codecs.pillow_family import Jpeg

class Odd(Jpeg):
    name = "odd"
    def encode(self, frames, level, fps=None):
        encoded = super().encode(frames, level, fps)
        return replace(encoded, bits={rate})

@hookimpl
def harness_codecs():
    return [Odd]
"""


@pytest.mark.parametrize("rate", ["math.nan", "True", "2**70"])
def test_a_wrong_rate_costs_its_sample_alone(rate: str, tmp_path: Path, cache: Path) -> None:
    """Every second sample, by its first pixel, has a wrong rate."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    session = Session(tmp_path, cache, path=plugins)
    write_distribution(plugins, "odd", "plugged_odd", SOURCE.format(rate=f"{rate} if frames.sum() % 2 else 800"))
    run = (*RUN, "--limit", "6", "--max-failures", "5")
    assert "Traceback" not in session.run(*run).stderr
    rows = session.select(
        "select p.status, p.bytes, p.pixels, p.error from per_sample p join experiments e on e.key = p.experiment "
        "where e.codec = 'odd'"
    )
    failed = [row for row in rows if row[0] == "failed"]
    assert 0 < len(failed) < 6
    assert {row[1:3] for row in failed} == {(None, None)}
    assert all("odd: encode gave a rate of" in row[3] and "a whole number of bits" in row[3] for row in failed)
    pixels = sum(row[2] for row in rows if row[0] == "ok")
    good = len(rows) - len(failed)
    found = session.select("select samples, failed_samples, bits, pixels, bpp from experiments where codec = 'odd'")
    assert found == [(good, len(failed), 800 * good, pixels, 800 * good / pixels)]


def test_rates_that_are_too_large_together_fail_the_experiment_and_not_the_run(tmp_path: Path, cache: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    session = Session(tmp_path, cache, path=plugins)
    write_distribution(plugins, "odd", "plugged_odd", SOURCE.format(rate="2**62"))
    run = (*RUN, "--codec", "jpeg@50", "--limit", "2")
    result = session.run(*run, status=1)
    assert "the rates of 2 samples sum to 9223372036854775808 bits: a sum below 2^63 is expected" in result.stderr
    assert "Traceback" not in result.stderr
    statuses = session.select("select codec, status, bits is null from experiments order by codec")
    assert statuses == [("jpeg", "finished", 0), ("none", "finished", 0), ("odd", "failed", 1)]
