"""What `--retrain` asks for becomes trainings, and each is tested where it should be."""

from __future__ import annotations

import pytest

from harness.codec import Codec, Scale
from harness.errors import UsageError
from harness.planning.grid import CodecChoice, Retraining
from harness.planning.retraining import retrainings
from harness_codecs.none import Uncompressed
from harness_codecs.pillow_family import Jpeg, Webp

NONE = CodecChoice(Uncompressed(), (None,), "p 1", baseline=True)
JPEG = CodecChoice(Jpeg(), (95.0, 50.0, 5.0), "p 1")
WEBP = CodecChoice(Webp(), (75.0, 25.0), "p 1")


def find(text: str) -> CodecChoice:
    name, _, levels = text.partition("@")
    codec: Codec = {"jpeg": Jpeg, "webp": Webp}[name]()
    return CodecChoice(codec, tuple(float(level) for level in levels.split(",")), "p 1")


def told(
    found: tuple[Retraining, ...],
) -> list[tuple[str, tuple[float | None, ...], dict[str, tuple[float | None, ...]]]]:
    return [
        (
            f"{c.data.mode} {c.data.codec.name}" if c.data.codec else c.data.mode,
            c.data.levels,
            {test.codec.name: test.levels for test in c.tests},
        )
        for c in found
    ]


def asked(*texts: str, codecs: tuple[CodecChoice, ...] = (NONE, JPEG)) -> list[object]:
    return list(told(retrainings(texts, codecs, find)))


def test_matched_trains_at_each_level_below_the_top_and_tests_there_and_on_uncompressed_data() -> None:
    assert asked("matched") == [
        ("level jpeg", (50.0,), {"none": (None,), "jpeg": (50.0,)}),
        ("level jpeg", (5.0,), {"none": (None,), "jpeg": (5.0,)}),
    ]
    assert len(asked("matched", codecs=(NONE, JPEG, WEBP))) == 3
    assert asked("matched", codecs=(NONE, find("jpeg@15")))[0] == (
        "level jpeg",
        (15.0,),
        {"none": (None,), "jpeg": (15.0,)},
    )


def test_a_level_all_and_mixed_are_tested_at_every_level() -> None:
    everywhere = {"none": (None,), "jpeg": (95.0, 50.0, 5.0)}
    assert asked("15") == [("level jpeg", (15.0,), everywhere)]
    assert asked("all") == [("level jpeg", (level,), everywhere) for level in (95.0, 50.0, 5.0)]
    assert asked("mixed") == [("mixed jpeg", (95.0, 50.0, 5.0), everywhere)]


def test_clean_and_a_codec_of_its_own_are_tested_on_every_codec() -> None:
    every = {"none": (None,), "jpeg": (95.0, 50.0, 5.0), "webp": (75.0, 25.0)}
    assert asked("clean", codecs=(NONE, JPEG, WEBP)) == [("clean", (), every)]
    assert asked("jpeg@15", codecs=(NONE, JPEG, WEBP)) == [("level jpeg", (15.0,), every)]


def test_the_same_training_is_planned_once_and_tested_wherever_one_asked() -> None:
    found = asked("matched", "5", "jpeg@5")
    assert found == [
        ("level jpeg", (50.0,), {"none": (None,), "jpeg": (50.0,)}),
        ("level jpeg", (5.0,), {"none": (None,), "jpeg": (95.0, 50.0, 5.0)}),
    ]


def test_what_means_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--retrain matchd: .* Did you mean 'matched'\?"):
        asked("matchd")
    with pytest.raises(UsageError, match="no level 101"):
        asked("101")
    with pytest.raises(UsageError, match="none of the codecs asked for has levels"):
        asked("matched", codecs=(NONE,))


def test_a_scale_that_gets_worse_upwards_has_its_top_first() -> None:
    class Crf(Jpeg):
        name = "crf"

        def __init__(self) -> None:
            super().__init__()
            self.scale = Scale("crf", (23, 50), 0, 51, higher_is_better=False)

    choice = CodecChoice(Crf(), (23.0, 40.0, 50.0), "p 1")
    assert [levels for _, levels, _ in asked("matched", codecs=(NONE, choice))] == [(40.0,), (50.0,)]
