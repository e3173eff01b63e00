"""Numbers of 300 digits in every option that takes one: a sentence, and no traceback."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kit.command import Session

DIGITS = "9" * 300
GRID = ("--codec", "jpeg@50", "--task", "detection", "--limit", "2", "--resamples", "100", "--workers", "0")
BASE: dict[str, tuple[str, ...]] = {
    "run": GRID,
    "plan": GRID[:6],
    "results show": ("--codec", "jpeg", "--task", "detection", "--sample", "test-00006", "-o", "shown.png"),
    "results merge": ("harness.db", "-o", "merged.db"),
    "recommend": ("--task", "detection", "--max-drop", "10%"),
    "compare": ("jpeg", "none", "--task", "detection"),
    "report": ("-q", "--samples", "0", "-o", "page.html"),
    "train": ("--task", "detection", "--dataset", "demo", "--set", "iterations=1"),
}
"""What else a command needs, so that it is the number that it refuses."""

IN_TEXTS = (
    ("run", *GRID, "--batch", DIGITS),
    ("run", *GRID, "--shard", f"1/{DIGITS}"),
    ("run", *GRID, "--executor", f"local:processes={DIGITS}"),
    ("run", *GRID, "--device", f"cuda:{DIGITS}"),
    ("run", *GRID, "--retrain", "clean", "--set", f"iterations={DIGITS}"),
    ("run", *GRID, "--retrain", "clean", "--set", f"lr={DIGITS}"),
    ("run", "--task", "detection", "--codec", f"jpeg@{DIGITS}"),
    ("run", "--task", "detection", "--codec", f"jpeg:scale={DIGITS}@50"),
    ("train", *BASE["train"], "--set", f"batch={DIGITS}"),
    ("train", *BASE["train"], "--set", f"lr={DIGITS}"),
    ("train", "--task", "detection", "--dataset", f"demo:count={DIGITS}"),
    ("recommend", "--task", "detection", "--max-drop", "10%", "--confidence", DIGITS),
    ("compare", "jpeg", f"jpeg@{DIGITS}", "--task", "detection"),
    ("plot", "--task", "detection", "--metric", DIGITS, "-o", "curve.png"),
    ("results", "show", *BASE["results show"], "--crop", f"{DIGITS},{DIGITS},{DIGITS},{DIGITS}"),
    ("results", "show", *BASE["results show"][:4], "--sample", DIGITS, "-o", "shown.png"),
)


def commands(command: click.Command, words: tuple[str, ...], ctx: click.Context) -> Iterator[tuple[str, click.Command]]:
    """All commands below one, with their names."""
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None
            yield from commands(below, (*words, name), ctx)
    yield " ".join(words), command


def numeric() -> list[tuple[str, str, bool]]:
    """Each option that is a number: its command, its name, and whether it is a whole number."""
    root = importlib.import_module("harness.cli.main").cli
    whole, real = type(click.INT), type(click.FLOAT)
    return [
        (name, parameter.opts[0], isinstance(parameter.type, whole))
        for name, command in commands(root, (), click.Context(root))
        for parameter in command.params
        if isinstance(parameter.type, whole | real)
    ]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    made = Session(tmp_path_factory.mktemp("large"), cache)
    made.run("run", *GRID)
    return made


def test_numbers_are_found() -> None:
    found = {(command, option) for command, option, _ in numeric()}
    assert {("run", "--limit"), ("train", "--seed"), ("report", "--fps"), ("results show", "--worst")} <= found
    assert {command for command, _ in found} - set(BASE) <= {"results browse", "results refresh", "results study"}


@pytest.mark.parametrize(("command", "option", "whole"), numeric())
def test_a_number_of_300_digits(session: Session, command: str, option: str, whole: bool) -> None:
    base = BASE.get(command, ())
    if option in base:
        place = base.index(option)
        base = (*base[:place], *base[place + 2 :])
    for sign in ("", "-"):
        done = session.run(*command.split(), *base, option, sign + DIGITS, status=None)
        assert "Traceback" not in done.stderr
        told = done.stderr.strip().splitlines()
        if whole:
            assert done.returncode == 2, done.stderr
            assert option.lstrip("-") in told[-1]
        assert done.returncode != 2 or told[-1].lower().startswith(("error: ", "- ")), done.stderr


@pytest.mark.parametrize("words", IN_TEXTS, ids=lambda words: f"{words[0]} {words[-2]}")
def test_a_number_in_a_text(session: Session, words: tuple[str, ...]) -> None:
    done = session.run(*words, status=2)
    assert "Traceback" not in done.stderr
    assert "Errno" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].lower().startswith(("error: ", "- ")), done.stderr
