"""The page about plugins in files: its files are what it says, and its sentences those of the program."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from harness.discovery.registry_checks import Checker
from kit.command import Session

PAGE = Path(__file__).parents[2] / "docs/how-to/plugin-in-a-file.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_codec_of_the_page_is_listed_and_codes(tmp_path: Path, cache: Path) -> None:
    (source,) = [block for block in blocks("python") if "class Coarse" in block]
    (tmp_path / "my_codec.py").write_text(source)
    session = Session(tmp_path, cache)
    listed = session.run("list", "codecs", "--plugin", "my_codec.py").stdout
    assert "coarse  PNG of an image reduced to a few grey levels a channel" in listed
    (command,) = [line for line in blocks("sh")[0].splitlines() if line.startswith("harness run")]
    ran = session.run(*command.split()[1:], "--limit", "2", "--resamples", "100", "--workers", "0")
    assert re.search(r"coarse +4 ", ran.stdout)
    assert re.search(r"coarse +2 ", ran.stdout)


def test_the_logger_of_the_page_hears_of_experiments(tmp_path: Path, cache: Path) -> None:
    (source,) = [block for block in blocks("python") if "def harness_experiment_finished" in block]
    (tmp_path / "logger.py").write_text(source)
    session = Session(tmp_path, cache)
    run = ("run", "--codec", "jpeg@10", "--task", "depth", "--limit", "2", "--resamples", "100", "--workers", "0")
    ran = session.run(*run, "--plugin", "logger.py")
    assert len(re.findall(r"^jpeg@10 depth .*'rmse': [0-9.]+.*\} \{.*'rmse': ", ran.stdout, re.MULTILINE)) == 1


def test_the_registry_of_the_page_can_be_read(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    Checker(tmp_path / "counting.toml", text).check(tomllib.loads(text))


def test_the_sentences_of_the_page_are_those_of_the_program() -> None:
    page = " ".join(PAGE.read_text("utf-8").split())
    for sentence, module in (
        ("was changed since this command read it", "harness/discovery/files.py"),
        ("add --plugin ", "harness/discovery/plugins.py"),
        ("its results are those of a perfect finder", "harness/planning/hints.py"),
    ):
        assert sentence.replace("its results", "the results") in page
        assert sentence in (PAGE.parents[2] / module).read_text("utf-8")
