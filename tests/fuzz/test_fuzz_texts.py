"""Texts of the command line, changed at random: a codec that a key can be made of, or one sentence that says what is
wrong."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import strategies as st

from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.errors import HarnessError
from harness.experiment import key_of
from harness.planning.codecs import choose_codec
from harness.planning.grammar import ParsedName, parse
from harness.planning.identity import changed_options, codec_identity
from harness.planning.retraining import retrainings
from kit.fuzzing import NAMES, NUMBERS, fuzz

PLUGINS, REGISTRY = installed(), load_registry(())
CODECS = [name for name in PLUGINS.names("codec") if not PLUGINS.get("codec", name)().available()]
TEXTS = (
    *("jpeg", "jpeg@95,50,10", "jpeg:subsampling=4:4:4@95,50", "jpeg:scale=0.5@50", "none", "none:scale=0.5,fps=5"),
    *("h264@30,51", "h264:fps=5,gop=60@23", "h264:rate=abr@500,250", "h264:profile=surveillance", "avif@40:4"),
    *("webp:method=6@75", "vp9:scale=0.25,fps=10@30", "jpeg2000@20,1.5", "h265:preset=slow@28"),
)
LONG = {
    "\ue000": "x" * 1_000_000,
    "\ue001": "9" * 100_000,
    "\ue002": "50," * 5000 + "50",
    "\ue003": "a=b," * 5000 + "c=d",
    "\ue004": "[" * 3000,
    "\ue005": " " * 100_000,
}
"""What stands for a long text, so that finds can be printed."""
WIDE = (
    *(
        "1e999",
        "-1e999",
        str(10**400),
        str(2**70),
        str(-(2**63) - 1),
        "nan",
        "-nan",
        "inf",
        "1e-400",
        "0x10",
        "1_0",
        "1..9",
    ),
    *(
        "1..10000000000",
        "1-10",
        "0:100:1",
        "\ud800",
        "\x00",
        "\x1b[2J",
        "\r\n",
        "\u202e",
        "\ue000",
        "\ue001",
    ),
    *(
        "\ue002",
        "\ue003",
        "\ue004",
        "\ue005",
        "%s%n",
        "{0}",
        "../../etc",
        "None",
        "true",
        "-0.0",
    ),
)
PIECES = st.sampled_from(
    (*NUMBERS, *NAMES, *WIDE, *CODECS, "@", ":", ",", "=", "@@", "::", ",,", "==", "scale", "fps", "rate", "profile")
) | st.text(max_size=5)
CHANGES = st.lists(
    st.tuples(st.sampled_from(("insert", "replace", "remove", "double")), st.integers(0, 99), PIECES), max_size=3
)
NONSENSE = st.lists(st.sampled_from([*CODECS, "@", ":", ",", "=", "5", "0.5", "fps", "scale"]) | PIECES, max_size=9)


def changed(text: str, operations: list[tuple[str, int, str]]) -> str:
    """The text after some operations, each on one of its words or separators."""
    words = [word for word in re.split("([@:,=])", text) if word]
    for name, number, piece in operations:
        place = number % (len(words) + 1)
        if name == "insert":
            words.insert(place, piece)
        elif words and name == "replace":
            words[place % len(words)] = piece
        elif words and name == "remove":
            del words[place % len(words)]
        elif words:
            words.insert(place, words[place % len(words)])
    return "".join(words)


MADE = st.builds(changed, st.sampled_from(TEXTS), CHANGES) | NONSENSE.map("".join)


def expanded(text: str) -> str:
    return "".join(LONG.get(letter, letter) for letter in text)


def check_sentence(told: str) -> None:
    """One sentence or a few, which a terminal can show: not the megabyte that was given."""
    assert told
    assert len(told) < 2500, told[:300]
    assert "Traceback" not in told
    assert not re.search(r"\b(Value|Type|Key|Index|Overflow|Attribute|Recursion)Error\b", told), told


@pytest.mark.parametrize("levels", [True, False])
def test_the_grammar(levels: bool) -> None:
    read = refused = 0

    def check(text: str) -> None:
        nonlocal read, refused
        try:
            parsed = parse(expanded(text), levels)
        except HarnessError as error:
            check_sentence(str(error))
            refused += 1
            return
        read += 1
        assert parsed.name
        assert all(parsed.options.values())
        assert parsed.levels is None or all(map(math.isfinite, parsed.levels))
        options = ",".join(f"{name}={value}" for name, value in parsed.options.items())
        again = f"{parsed.name}:{options}" if options else parsed.name
        again += "" if parsed.levels is None else "@" + ",".join(map(repr, parsed.levels))
        assert parse(again, levels) == parsed or "@" in options or "@" in parsed.name
        assert isinstance(parsed, ParsedName)

    fuzz(MADE, check)
    assert read
    assert refused


def test_codecs_and_levels() -> None:
    read = refused = 0

    def check(text: str) -> None:
        nonlocal read, refused
        try:
            choice = choose_codec(expanded(text), PLUGINS, REGISTRY)
        except HarnessError as error:
            check_sentence(str(error))
            refused += 1
            return
        read += 1
        scale = choice.codec.scale
        for level in choice.levels:
            assert (level is None) is (scale is None)
            assert scale is None or level is None or scale.minimum <= level <= scale.maximum
            key_of({**codec_identity(choice.codec, choice.plugin), "level": level})
        assert set(changed_options(choice.codec)) <= set(choice.codec.config)

    fuzz(MADE, check)
    assert read
    assert refused


def test_retrainings() -> None:
    choices = [choose_codec(text, PLUGINS, REGISTRY) for text in ("none", "jpeg@95,50")]

    def check(text: str) -> None:
        try:
            found = retrainings((expanded(text),), choices, lambda one: choose_codec(one, PLUGINS, REGISTRY))
        except HarnessError as error:
            check_sentence(str(error))
            return
        for one in found:
            assert one.tests
            assert all(level is None or math.isfinite(level) for level in one.data.levels)

    words = st.sampled_from(("matched", "all", "mixed", "clean", "50", "jpeg@50")) | PIECES | MADE
    fuzz(words, check)


@pytest.mark.parametrize("kind", ["task", "dataset", "model", "executor"])
def test_options_of_other_plugins(kind: str) -> None:
    """The options alone: what they open is there only in a run."""
    names = PLUGINS.names(kind)
    own = {name: [option.name for option in getattr(PLUGINS.get(kind, name), "options", ())] for name in names}

    def check(given: tuple[str, list[tuple[str, str]]]) -> None:
        name, options = given
        text = f"{name}:{','.join(f'{key}={value}' for key, value in options)}" if options else name
        try:
            parsed = parse(expanded(text), levels=False)
            config = PLUGINS.get(kind, parsed.name).resolve(parsed.options)
        except HarnessError as error:
            check_sentence(str(error))
            return
        key_of(config)

    def options_of(name: str) -> st.SearchStrategy[tuple[str, list[tuple[str, str]]]]:
        keys = st.sampled_from([*own[name], "other"]) | PIECES
        return st.tuples(st.just(name), st.lists(st.tuples(keys, PIECES), max_size=3))

    fuzz(st.sampled_from(names).flatmap(options_of), check)


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("task", "depth:max_depth=1e999", "option max_depth=1e999: float expected."),
        ("dataset", "rgbd:offset=-inf", "option offset=-inf: float expected."),
        ("dataset", f"ucf101:frames=1{'0' * 400}", f"option frames=1{'0' * 400}: int expected."),
    ],
)
def test_finds(kind: str, text: str, told: str) -> None:
    """No key can be made of an infinite number, and no library takes such an int."""
    parsed = parse(text, levels=False)
    with pytest.raises(HarnessError, match=re.escape(told)):
        PLUGINS.get(kind, parsed.name).resolve(parsed.options)
