"""Options that change no byte are in no key; options that are needed are asked for in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest

from harness.codec import Codec, Encoded, Frames, Level
from harness.errors import UsageError
from harness.media.levers import with_levers
from harness.options import Option
from harness.planning.identity import changed_options, codec_identity
from kit.command import Session
from kit.counting import write_counting


class Still(Codec):
    name = "still"
    coding = "image"
    scale = None
    options: ClassVar[tuple[Option, ...]] = (
        Option("threads", int, 1, "how many threads code", only="speed"),
        Option("table", str, None, "the file with the table", required=True),
    )

    def encode(self, frames: Frames, level: Level, fps: float | None = None) -> Encoded:
        raise AssertionError

    def decode(self, encoded: Encoded) -> Frames:
        raise AssertionError


@pytest.mark.parametrize("levers", [{}, {"scale": "0.5"}])
def test_an_option_that_changes_no_byte_is_in_no_identity_and_no_name(levers: dict[str, str]) -> None:
    one, two = (with_levers(Still, {"table": "a", "threads": n, **levers}) for n in ("1", "2"))
    assert one.config["threads"] == 1
    assert two.config["threads"] == 2  # the codec itself has it
    assert codec_identity(one, "x 1") == codec_identity(two, "x 1")
    assert "threads" not in changed_options(two)
    assert codec_identity(with_levers(Still, {"table": "b", **levers}), "x 1") != codec_identity(one, "x 1")


def test_a_missing_option_is_asked_for_in_a_sentence() -> None:
    with pytest.raises(UsageError, match=r"still needs table \(the file with the table\): write still:table=\.\.\."):
        Still(threads=2)


def test_types_of_the_contracts_can_be_had_at_run_time() -> None:
    from harness.task import Reducer, Statistics

    assert (Frames | None).__args__[0] == Frames  # type: ignore[attr-defined,operator]
    assert str(Frames).startswith("numpy.ndarray")
    assert "Mapping" in str(Statistics)
    assert "Callable" in str(Reducer)


def test_commands_with_such_options(tmp_path: Path, cache: Path) -> None:
    file = write_counting(tmp_path)
    needs = '        Option("mark", int, None, "a number that it adds", required=True),'
    file.write_text(file.read_text().replace('        Option("mark", int, 0, "a number that it adds"),', needs))
    session = Session(tmp_path, cache)
    session.env["HARNESS_PLUGINS"] = str(file)
    run = ("run", "--task", "counting", "--resamples", "100", "--workers", "0")
    asked = session.run(*run, "--codec", "coarse", status=2).stderr
    assert "coarse needs mark (a number that it adds): write coarse:mark=..." in asked
    assert "2 to do" in session.run(*run, "--codec", "coarse:mark=1@2").stderr
    assert "all found" in session.run(*run, "--codec", "coarse:mark=1,speed=9@2").stderr
    assert "1 found in the database, 1 to do" in session.run(*run, "--codec", "coarse:mark=2@2").stderr
    (record,) = [r for r in json.loads(session.run("list", "codecs", "--json").stdout) if r["name"] == "coarse"]
    assert record["state"] == "not available: it needs mark="
    assert [(option["only"], option["required"]) for option in record["options"]] == [("speed", False), (None, True)]
    assert "not tried: it needs mark=" in session.run("doctor").stdout
