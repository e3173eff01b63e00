"""Which trainings match what is tested: the codec's options and level, exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.discovery.plugins import installed
from harness.results.cells import ResultCell
from harness.results.trained import is_matched
from harness.results.trainings import training_filter


def cell(train_codec: str, codec: str, level: float = 50.0, **options: Any) -> ResultCell:
    """A model retrained at quality 50, tested on a codec with some options that are not its defaults."""
    known = codec in installed().names("codec")
    usual = {option.name: option.default for option in installed().get("codec", codec).options} if known else {}
    return ResultCell(
        {
            **{"training": "retrained", "train_mode": "level", "train_codec": train_codec, "train_level": 50.0},
            **{"parts": None, "codec": codec, "level": level, "codec_options": json.dumps({**usual, **options})},
        },
        {},
    )


@pytest.mark.parametrize(
    ("train_codec", "codec", "options", "matched"),
    [
        ("jpeg", "jpeg", {}, True),
        ("jpeg", "jpeg", {"scale": 0.5}, False),
        ("jpeg:scale=0.5", "jpeg", {"scale": 0.5}, True),
        ("jpeg:scale=0.5", "jpeg", {}, False),
        ("jpeg:scale=0.25", "jpeg", {"scale": 0.5}, False),
        ("jpeg", "jpeg", {"subsampling": "4:4:4"}, False),
        ("jpeg:subsampling=4:4:4", "jpeg", {"subsampling": "4:4:4"}, True),
        ("jpeg:subsampling=4:4:4", "jpeg", {"subsampling": "4:4:4", "scale": 0.5}, False),
        ("jpeg:progressive=True", "jpeg", {"progressive": True}, True),
        ("webp", "jpeg", {}, False),
        ("h264", "h264", {"intra": True}, True),
        ("h264:preset=slow", "h264", {"preset": "slow", "intra": True}, True),
        ("h264", "h264", {"preset": "slow"}, False),
        # A codec that is not installed: its defaults are not known.
        ("gone:depth=2", "gone", {"depth": 2, "width": 3}, True),
        ("gone:depth=4", "gone", {"depth": 2, "width": 3}, False),
        ("gone", "gone", {"depth": 2, "scale": 0.5}, False),
    ],
)
def test_a_training_matches_the_codec_and_all_its_options(
    train_codec: str, codec: str, options: dict[str, Any], matched: bool
) -> None:
    one = cell(train_codec, codec, **options)
    assert is_matched(one) == matched
    assert training_filter("50")(one) == matched
    assert training_filter(f"{train_codec}@50")(one)


def test_a_training_matches_its_own_level_alone() -> None:
    assert not is_matched(cell("jpeg", "jpeg", 15.0))
    assert training_filter("50")(cell("jpeg", "jpeg", 15.0))
    assert not training_filter("15")(cell("jpeg", "jpeg", 15.0))
