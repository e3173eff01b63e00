"""What a level costs to send."""

from __future__ import annotations

import pytest

from harness.decide.cost import Camera, cost_of
from harness.errors import UsageError
from kit.resamples import a_cell


def test_costs() -> None:
    mild, strong = a_cell(95, 4.0), a_cell(5, 0.5, source_bpp=2.0, frame_pixels=64 * 48)
    plain = cost_of(strong, mild, Camera())
    assert (plain.bpp, plain.ratio, plain.of_source, plain.of_mildest) == (0.5, 48.0, 0.25, 0.125)
    assert (plain.kbps, plain.gb_per_day) == (None, None)
    sent = cost_of(strong, mild, Camera.parse(25, "1920x1080"))
    assert sent.kbps == pytest.approx(0.5 * 1920 * 1080 * 25 / 1000)
    assert sent.gb_per_day == pytest.approx(sent.kbps / 8 * 86400 / 1e6)
    assert sent.assumed is not None
    assert sent.assumed.endswith("of 2,073,600 pixels, at the bits per pixel that were measured on frames of 3,072")
    assert cost_of(strong, mild, Camera.parse(10, None)).kbps == pytest.approx(0.5 * 64 * 48 * 10 / 1000)
    video = a_cell(30, 0.1, kbps=80.0)
    for half, lacking in (((25, None), "--resolution"), ((None, "1920x1080"), "--fps")):
        part = cost_of(video, mild, Camera.parse(*half))
        assert (part.kbps, part.gb_per_day, part.assumed) == (None, None, f"not known without {lacking}")
    assert cost_of(video, mild, Camera.parse(25, "1920x1080")).kbps == pytest.approx(0.1 * 1920 * 1080 * 25 / 1000)
    measured = cost_of(video, mild, Camera())
    assert measured.gb_per_day == pytest.approx(80_000 / 8 * 86400 / 1e9)
    for text in ("1920", "1920x", "0x5", "axb", "1920x1080x3"):
        with pytest.raises(UsageError, match="--resolution"):
            Camera.parse(25, text)
