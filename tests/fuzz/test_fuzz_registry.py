"""registry.toml, changed at random: a registry whose entries can be used, or a sentence with file, line and key."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st

from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry, shipped
from harness.errors import HarnessError, RegistryError
from harness.planning.codecs import choose_codec
from harness.training.recipe import Recipe
from kit.fuzzing import NAMES, encoded, fuzz

T = TypeVar("T")
VALID = """
[tasks.detection]
model = "demo"
dataset = "demo"
recipe = "demo"

[codecs.jpeg]
ladder = [95, 50.5, 10]

[codecs.h264.profiles.mine]
options = {preset = "slow", gop = 60, scale = 0.5}
ladder = [23, 40]

[models.mine]
kind = "torchvision"
options = {arch = "ssd300_vgg16"}
weights = "mine.pt"
checkpoint = "mine"

[checkpoints.mine]
sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
classes = ["cat", "dog"]
score = {metric = "AP", dataset = "demo", split = "test", value = 0.5, tolerance = 1e-3}

[datasets.street]
kind = "voc"
folder = "street"
split = "val"
options = {year = 2007}

[packages.codec]
mine = "harness-mine"

[recipes.detection.mine]
iterations = 100
batch = 4
lr = 1e-3
schedule = "step"
milestones = [0.5, 0.75]
parts = {head = 1e-4}
"""
LONG = {
    "\ue000": "9" * 5000,
    "\ue001": "x" * 1_000_000,
    "\ue002": "[" * 2000,
    "\ue003": "{a=" * 2000,
    "\ue004": "a." * 3000 + "a",
}
"""What stands for a long text, so that finds can be printed."""
VALUES = st.sampled_from(
    (
        *(
            "1",
            "-1",
            "0",
            "1.5",
            "nan",
            "-inf",
            "inf",
            "1e999",
            "1" + "0" * 400,
            str(2**70),
            "true",
            '"text"',
            '""',
            "[]",
            "{}",
        ),
        *(
            "[1, 2]",
            '["a", 1]',
            "[[1], [2]]",
            "[nan]",
            "[inf]",
            "[1e999]",
            "[true]",
            "[" + "1" + "0" * 400 + "]",
            "2020-01-01",
        ),
        *(
            "1979-05-27T07:32:00Z",
            "07:32:00",
            "0x10",
            "0b11",
            "1_000",
            "'''a\nb'''",
            '"\\u0000"',
            '"\\ud800"',
            "{a = {b = [1]}}",
        ),
        *(
            "[{a = 1}]",
            "\ue000",
            "\ue001",
            '"\ue001"',
            "\ue002",
            "\ue003",
            "\ue004 = 1",
            "\ue004",
            "[" + "1," * 3000 + "]",
            '"/etc"',
        ),
    )
)
TOKENS = (
    VALUES
    | st.sampled_from(NAMES)
    | st.sampled_from(["[", "]", "=", "[[", "]]", '"', "'", "#", "\n", ".", ",", "{", "}"])
)
LINES = st.sampled_from([line for line in VALID.splitlines() if line])
OPERATION = st.tuples(
    st.sampled_from(("value", "token", "remove", "double", "line", "header")), st.integers(0, 99), TOKENS, VALUES, LINES
)


def changed(text: str, operations: list[tuple[str, int, str, str, str]]) -> str:
    """The file after some operations, each on one of its lines."""
    lines = text.splitlines()
    for name, number, token, value, line in operations:
        if not lines:
            break
        place = number % len(lines)
        key, equals, _ = lines[place].partition(" = ")
        if name == "value" and equals:
            lines[place] = f"{key} = {value}"
        elif name == "header":
            lines[place] = f"[{token}]" if number % 2 else f"{token} = {value}"
        elif name == "token":
            cut = len(token) * number % (len(lines[place]) + 1)
            lines[place] = lines[place][:cut] + token + lines[place][cut:]
        elif name == "remove":
            del lines[place]
        elif name == "double":
            lines.insert(place, lines[place])
        else:
            lines.insert(place, line)
    return "\n".join(lines) + "\n"


def expanded(text: str) -> str:
    return "".join(LONG.get(letter, letter) for letter in text)


def check_sentence(told: str, file: Path) -> None:
    assert len(told) < 6000, told[:300]
    assert file.name in told, told
    assert not re.search(r"\b(Value|Type|Key|Index|Overflow|Attribute|Recursion)Error\b", told), told


def given(call: Callable[[], T]) -> tuple[T | None, str]:
    """What a call gives, or None and the text of its error of the project's own."""
    try:
        return call(), ""
    except HarnessError as error:
        return None, str(error)


def check_values(values: Any) -> None:
    """Numbers are finite where the registry says what a value is."""
    for value in values if isinstance(values, list | tuple) else [values]:
        assert not isinstance(value, float) or math.isfinite(value), values
        assert not isinstance(value, int) or abs(value) < 2**1023, "it is a float too"


def test_registry_files(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    base = load_registry(())
    plugins = installed()
    read = refused = 0

    def check(data: bytes) -> None:
        nonlocal read, refused
        file.write_bytes(data)
        try:
            registry = load_registry([file])
        except RegistryError as error:
            check_sentence(str(error), file)
            refused += 1
            return
        read += 1
        assert registry.files == (shipped(), file)
        for section, facts in base.sections.items():
            assert set(facts) <= set(registry.section(section))
        for facts in registry.section("codecs").values():
            check_values(facts.get("ladder", []))
        for name, facts in registry.section("checkpoints").items():
            assert all(isinstance(one, str) for one in facts.get("classes", [])), name
            check_values([facts.get("score", {}).get("value", 0), facts.get("score", {}).get("tolerance", 0)])
        for text in ("jpeg", "h264:profile=mine", "h264:profile=surveillance"):
            choice, told = given(lambda text=text: choose_codec(text, plugins, registry))
            assert len(told) < 6000
            if choice:
                assert all(level is not None and math.isfinite(level) for level in choice.levels)
        for task, recipes in registry.section("recipes").items():
            for name, values in recipes.items():
                recipe, told = given(lambda v=values, n=name, t=task: Recipe.of(v, f"recipe {t}.{n}"))
                assert len(told) < 6000
                if recipe is None:
                    assert f"recipe {task}.{name}"[:60] in told
                else:
                    json.dumps(recipe.identity(), allow_nan=False)
                    assert all(0 <= recipe.factor(step) <= 1 for step in (0, 1, recipe.iterations - 1))
                    assert all(math.isfinite(float(recipe.rate(part))) for part in ("head", *(recipe.parts or ())))

    operations = st.lists(OPERATION, min_size=1, max_size=3)
    fuzz(operations.map(lambda some: expanded(changed(VALID, some))).flatmap(encoded), check)
    assert read
    assert refused


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[codecs.jpeg]\nladder = [95, nan]\n", "line 2, key codecs.jpeg.ladder: levels are finite numbers"),
        (f"[codecs.jpeg]\nladder = [1{'0' * 400}]\n", "line 2, key codecs.jpeg.ladder: levels are finite numbers"),
        ("[codecs.jpeg.profiles.p]\nladder = [inf]\n", "key codecs.jpeg.profiles.p.ladder: levels are finite numbers"),
        ("[checkpoints.a]\nclasses = ['a', 1]\n", "line 2, key checkpoints.a.classes: str expected, found int"),
        ("[checkpoints.a.score]\nvalue = nan\n", "line 2, key checkpoints.a.score.value: a finite number is expected"),
        (f"[codecs.jpeg]\nladder = [{'9' * 5000}]\n", "is no valid TOML: Exceeds the limit"),
        (f"a = {'[' * 5000}\n", "is no valid TOML: it is nested too deeply"),
        (f"recipes.{'a.' * 5000}b = 1\n", "is nested too deeply"),
    ],
)
def test_finds(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(RegistryError, match=re.escape(told)):
        load_registry([tmp_path / "mine.toml"])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"milestones": 5}, "milestones is 5"),
        ({"iterations": [1] * 3000}, "iterations is [1, 1, 1, 1, 1, 1, ...]: a whole number"),
        ({"milestones": ["a"]}, "milestones is"),
        ({"parts": [1]}, "parts is"),
        ({"parts": {"a": "b"}}, "parts is"),
        ({"parts": {"a": float("nan")}}, "parts is"),
        ({"lr": 10**400}, "lr is"),
        ({"split": 5}, "split is 5"),
        ({"channels_last": "no"}, "channels_last is 'no'"),
        ({"optimizer": ["sgd"]}, "optimizer is"),
    ],
)
def test_finds_of_recipes(values: dict[str, Any], told: str) -> None:
    with pytest.raises(RegistryError, match="recipe a.b: " + re.escape(told)):
        Recipe.of({"iterations": 1, "batch": 1, "lr": 0.1, **values}, "recipe a.b")
