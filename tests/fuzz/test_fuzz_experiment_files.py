"""Experiment files, changed at random: a request, or a sentence with the file and the key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import strategies as st

from harness.cli.options.request import make_request, request_options
from harness.errors import UsageError
from harness.planning.request import Request
from kit.fuzzing import NAMES, encoded, fuzz

VALID = """
codec = ["jpeg@95,50", "h264:fps=5@30"]
task = "detection"
model = ["demo"]
dataset = "demo"
data-root = ["coco=/data/coco", "/data"]
split = "test"
limit = 20
seed = 3
batch = "auto"
precision = "bf16"
compile = false
no-baseline = true
retrain = ["matched", "clean"]
from = "scratch"
recipe = "demo"
set = ["lr=1e-4"]
seeds = 2
reference = "labels"
db = "mine.db"
"""
LONG = {"\ue000": "9" * 5000, "\ue001": "x" * 1_000_000, "\ue002": "[" * 2000, "\ue003": "{a=" * 2000}
"""What stands for a long text, so that finds can be printed."""
VALUES = st.sampled_from(
    (
        *(
            "1",
            "-1",
            "0",
            "1.5",
            "2.0",
            "nan",
            "-inf",
            "1e999",
            "1" + "0" * 400,
            str(2**70),
            "true",
            "false",
            '"text"',
            '""',
        ),
        *(
            '"5"',
            '"auto"',
            '"true"',
            "[]",
            "{}",
            "[1, 2]",
            '["a", 1]',
            "[[1], [2]]",
            "[nan]",
            "[true]",
            "[{a = 1}]",
            "{a = 1}",
        ),
        *(
            "2020-01-01",
            "1979-05-27T07:32:00Z",
            "07:32:00",
            "0x10",
            "1_000",
            "'''a\nb'''",
            '"\\u0000"',
            '"\\u001b[2J"',
            "[[]]",
        ),
        *(
            "\ue000",
            '"\ue001"',
            "\ue002",
            "\ue003",
            "[" + "1," * 3000 + "]",
            '"="',
            '["a=b", "a=c"]',
            '"matched"',
            '"FP32"',
        ),
    )
)
TOKENS = (
    VALUES
    | st.sampled_from(NAMES)
    | st.sampled_from(["[", "]", "=", "[[", "]]", '"', "'", "#", "\n", ".", ",", "{", "}"])
)
OPTIONS = (
    "codec",
    "device",
    "weights",
    "registry",
    "registries",
    "db",
    "file",
    "help",
    "workers",
    "retrain-parts",
    "set_",
)
OPERATION = st.tuples(
    st.sampled_from(("value", "token", "remove", "double", "key", "table")),
    st.integers(0, 99),
    TOKENS,
    VALUES,
    st.sampled_from(OPTIONS),
)


def changed(text: str, operations: list[tuple[str, int, str, str, str]]) -> str:
    """The file after some operations, each on one of its lines."""
    lines = [line for line in text.splitlines() if line]
    for name, number, token, value, option in operations:
        if not lines:
            break
        place = number % len(lines)
        key, equals, _ = lines[place].partition(" = ")
        if name == "value" and equals:
            lines[place] = f"{key} = {value}"
        elif name == "key":
            lines.insert(place, f"{option} = {value}")
        elif name == "table":
            lines.insert(place, f"[{key}]")
        elif name == "token":
            cut = len(token) * number % (len(lines[place]) + 1)
            lines[place] = lines[place][:cut] + token + lines[place][cut:]
        elif name == "remove":
            del lines[place]
        else:
            lines.insert(place, lines[place])
    return "\n".join(lines) + "\n"


@click.command()
@request_options
def command(**options: Any) -> Request:
    return make_request(options)


def request_of(file: Path) -> tuple[Request | None, str]:
    """The request that a file describes, or None and what is said. Errors of other kinds come through."""
    try:
        made = command.main([str(file)], prog_name="harness run", standalone_mode=False)
    except UsageError as error:
        return None, str(error)
    assert isinstance(made, Request)
    return made, ""


def test_experiment_files(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    read = refused = 0

    def check(data: bytes) -> None:
        nonlocal read, refused
        file.write_bytes(data)
        request, told = request_of(file)
        if request is None:
            refused += 1
            assert len(told) < 6000, told[:300]
            of_the_whole = re.match(r"--(codec|task|from|recipe|set|seeds|retrain-parts)|--data-root", told)
            assert of_the_whole or f"experiment file {file}" in told, told
            assert not re.search(r"\b(Value|Type|Key|Index|Overflow|Attribute|Recursion)Error\b", told), told
            return
        read += 1
        for texts in (
            request.codecs,
            request.tasks,
            request.models,
            request.datasets,
            request.retrain,
            request.settings,
        ):
            assert all(isinstance(text, str) for text in texts)
        assert request.limit is None or type(request.limit) is int
        assert type(request.seed) is int
        assert 0 <= request.seed < 2**63
        assert request.batch in (None, "auto") or type(request.batch) is int
        assert request.baseline in (True, False)
        assert request.precision in ("fp32", "bf16", "fp16", "tf32")

    def expanded(text: str) -> str:
        return "".join(LONG.get(letter, letter) for letter in text)

    operations = st.lists(OPERATION, min_size=1, max_size=3)
    fuzz(operations.map(lambda some: expanded(changed(VALID, some))).flatmap(encoded), check)
    assert read
    assert refused


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("limit = [1]", "key 'limit'"),
        ("limit = 1.5", "key 'limit'"),
        ("limit = true", "key 'limit'"),
        ("limit = nan", "key 'limit'"),
        (f"seed = {10**400}", "key 'seed'"),
        ("seeds = 0", "key 'seeds'"),
        ("model = {a = 1}", "key 'model'"),
        ("model = [[1]]", "key 'model'"),
        ("compile = 'maybe'", "key 'compile'"),
        ("compile = 3", "key 'compile'"),
        ("precision = [1]", "key 'precision'"),
        ("precision = 'fp8'", "key 'precision'"),
        ("split = ['a']", "key 'split'"),
        ("weights = 2020-01-01", "key 'weights'"),
        ("batch = 1.5", "key 'batch'"),
        (f"limit = {'9' * 5000}", "Exceeds the limit"),
        (f"limit = {'[' * 5000}", "it is nested too deeply"),
    ],
)
def test_finds(tmp_path: Path, line: str, told: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'codec = "jpeg"\ntask = "detection"\n{line}\n')
    request, said = request_of(file)
    assert request is None
    assert said.startswith(f"experiment file {file}: {told}"), said


def test_numbers_where_texts_are_meant_stay_numbers(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'codec = ["jpeg@50"]\ntask = "detection"\nretrain = 50\nlimit = "20"\nbatch = 4\nno-baseline = true\n'
    )
    request, said = request_of(file)
    assert request is not None, said
    assert (request.retrain, request.limit, request.batch, request.baseline) == (("50",), 20, 4, False)
