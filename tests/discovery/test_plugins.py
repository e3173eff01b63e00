"""Plugins are found, isolated from each other, and never silently replaced."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from harness.discovery.plugins import Plugins, installed
from harness.errors import CollisionError, UnknownNameError
from kit.plugins import entry_points_in, write_distribution

CODEC = """
import zlib
import numpy as np
from harness import hookimpl
from harness.codec import ImageCodec, Scale

class Deflate(ImageCodec):
    name = "{name}"
    scale = Scale("effort", ladder=(9, 1), minimum=1, maximum=9, higher_is_better=True)
    def encode_image(self, image, level):
        return bytes(image.shape[i] & 255 for i in (0, 1)) + zlib.compress(image.tobytes(), int(level))
    def decode_image(self, data):
        return np.frombuffer(zlib.decompress(data[2:]), np.uint8).reshape(data[0], data[1], 3)

@hookimpl
def harness_codecs():
    return [Deflate]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in list(sys.modules):
        if name.startswith("plugged_"):
            del sys.modules[name]


def test_a_plugin_is_found_with_its_origin(folder: Path) -> None:
    write_distribution(folder, "third-party", "plugged_deflate", CODEC.format(name="deflate"), "2.1")
    plugins = Plugins(entry_points_in(folder))
    provided = plugins.provided("codec", "deflate")
    assert str(provided.origin) == "third-party 2.1"
    assert plugins.names("codec") == ["deflate"]
    assert plugins.versions() == {"third-party": "2.1"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError"),
        ("this is no python", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("x = 1", "no function marked with harness.hookimpl"),
        ("from harness import hookimpl\n@hookimpl\ndef harness_codecz(): return []", "unknown hook 'harness_codecz'"),
        ("from harness import hookimpl\n@hookimpl\ndef harness_codecs(): return [int]", "no subclass of Codec"),
        ("from harness import hookimpl\n@hookimpl\ndef harness_codecs(): raise ValueError('x')", "ValueError: x"),
        (
            "from harness import hookimpl\nfrom harness.codec import Codec\n"
            "class Half(Codec):\n    name = 'half'\n    coding = 'image'\n"
            "@hookimpl\ndef harness_codecs(): return [Half]",
            "codec half does not implement decode, encode",
        ),
        (
            "from harness import hookimpl\nfrom harness.codec import Codec\n"
            "class Bad(Codec):\n    name = 'Bad Name'\n@hookimpl\ndef harness_codecs(): return [Bad]",
            "Bad.name must be",
        ),
        *(
            (
                "from harness import hookimpl\nfrom harness.codec import Codec\nfrom harness.options import Option\n"
                f"class Wrong(Codec):\n    name = 'wrong'\n    coding = 'image'\n    options = {options}\n"
                "    def encode(self, frames, level): ...\n    def decode(self, encoded): ...\n"
                "@hookimpl\ndef harness_codecs(): return [Wrong]",
                said,
            )
            for options, said in (
                ("(Option('effort', int, 'six', 'x'),)", "the default of option 'effort' is 'six': int is expected"),
                ("(Option('effort', int, True, 'x'),)", "the default of option 'effort' is True: int is expected"),
                ("(Option('effort', list, [], 'x'),)", "option 'effort' has the type <class 'list'>"),
                ("[Option('effort', int, 6, 'x')]", "a tuple of harness.options.Option is expected"),
            )
        ),
    ],
)
def test_a_broken_plugin_disables_itself_alone(folder: Path, source: str, message: str) -> None:
    write_distribution(folder, "a-broken", "plugged_broken", source)
    write_distribution(folder, "working", "plugged_deflate", CODEC.format(name="deflate"))
    plugins = Plugins(entry_points_in(folder))
    plugins.ask_all()
    assert plugins.get("codec", "deflate").name == "deflate"
    (broken,) = plugins.broken
    assert broken.origin.distribution == "a-broken"
    assert message in str(broken.error)
    with pytest.raises(UnknownNameError, match=r"Plugin .plugged_broken. of a-broken 1\.0 is broken"):
        plugins.get("codec", "missing")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no_such_module_at_all", "there is no module no_such_module_at_all: correct p = 'no_such_module_at_all'"),
        ("json:plugin", "p = 'json:plugin' under [project.entry-points.harness] must name a module, without ':plugin'"),
    ],
)
def test_an_entry_point_that_is_wrong_is_told_to_be_corrected(folder: Path, value: str, said: str) -> None:
    write_distribution(folder, "third-party", "plugged_deflate", CODEC.format(name="deflate"))
    (point,) = entry_points_in(folder)
    (broken,) = Plugins([EntryPoint("p", value, "harness")._for(point.dist)]).broken
    assert said in str(broken.error)


def test_two_distributions_with_one_name_are_an_error_that_names_both(folder: Path) -> None:
    write_distribution(folder, "first", "plugged_one", CODEC.format(name="deflate"))
    write_distribution(folder, "second", "plugged_two", CODEC.format(name="deflate"))
    write_distribution(folder, "third", "plugged_three", CODEC.format(name="other"))
    plugins = Plugins(entry_points_in(folder))
    assert plugins.get("codec", "other").name == "other"  # a collision nobody asks for is in nobody's way
    with pytest.raises(CollisionError, match=r"first 1\.0 .* and second 1\.0"):
        plugins.get("codec", "deflate")


def test_an_unknown_name_names_what_there_is_the_closest_and_the_package(folder: Path) -> None:
    write_distribution(folder, "working", "plugged_deflate", CODEC.format(name="deflate"))
    plugins = Plugins(entry_points_in(folder), hint=lambda kind, name: "harness-codec-x" if name == "x" else None)
    with pytest.raises(UnknownNameError, match=r"Did you mean 'deflate'\?.*There is: deflate"):
        plugins.get("codec", "deflat")
    with pytest.raises(UnknownNameError, match="pip install harness-codec-x"):
        plugins.get("codec", "x")


def test_a_logger_that_fails_stops_nobody(folder: Path) -> None:
    write_distribution(
        folder,
        "logger",
        "plugged_logger",
        "from harness import hookimpl\nseen = []\n"
        "@hookimpl\ndef harness_run_finished(status): seen.append(status)\n"
        "@hookimpl\ndef harness_run_started(run): raise OSError('disk full')\n",
    )
    plugins = Plugins(entry_points_in(folder))
    (problem,) = plugins.emit("harness_run_started", {"run": 1, "info": None, "experiments": 7})
    assert "disk full" in problem
    assert plugins.emit("harness_run_finished", {"run": 1, "status": "finished"}) == []
    assert sys.modules["plugged_logger"].seen == ["finished"]


def test_every_built_in_plugin_works() -> None:
    plugins = installed()
    plugins.ask_all()
    ours = [p for p in plugins.plugins.values() if p.origin.distribution == "codec-harness"]
    assert len(ours) >= 10
    assert [(p.origin.entry_point, p.error) for p in ours if p.error] == []
