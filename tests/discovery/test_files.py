"""Plugins that are files: found, named, told apart, and found again by processes that are started anew."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.discovery.files import VARIABLE, given_files, use_files
from harness.discovery.plugins import Plugins
from harness.errors import CollisionError, PluginError, UsageError
from kit.command import Session
from kit.counting import SOURCE, write_counting

CODEC = """
from harness.codec import ImageCodec, Scale
{imports}

class Raw(ImageCodec):
    name = "{name}"
    scale = Scale("level", ladder=(1,), minimum=1, maximum=1, higher_is_better=True)
    def encode_image(self, image, level):
        return {encode}
    def decode_image(self, data):
        raise NotImplementedError
"""


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What loading files leaves in the environment ends with the test."""
    for name in (VARIABLE, "HARNESS_PLUGINS_READ"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def load() -> Callable[..., Plugins]:
    def loaded(*paths: Path) -> Plugins:
        os.environ.pop(VARIABLE, None)
        use_files(map(str, paths))
        return Plugins(points=(), files=given_files())

    return loaded


def write(path: Path, name: str = "raw", imports: str = "", encode: str = "bytes(4)") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(CODEC.format(name=name, imports=imports, encode=encode))
    return path


def test_a_file_gives_its_classes(load: Callable[..., Plugins], tmp_path: Path) -> None:
    plugins = load(write_counting(tmp_path))
    assert [plugins.names(kind) for kind in ("codec", "task", "dataset", "model", "store")] == [
        ["coarse"],
        ["counting"],
        ["dots"],
        ["counter", "told"],
        [],
    ]
    provided = plugins.provided("codec", "coarse")
    assert (provided.origin.distribution, provided.origin.file) == ("counting.py", str(tmp_path / "counting.py"))
    assert str(provided.origin) == "counting.py (file)"


def test_hooks_of_a_file_come_before_its_classes(load: Callable[..., Plugins], tmp_path: Path) -> None:
    file = write(tmp_path / "both.py", "one")
    hook = "\nimport harness\n\n@harness.hookimpl\ndef harness_codecs(): return [Two]\n"
    hook = f"\nclass Two(Raw):\n    name = 'two'\n{hook}"
    file.write_text(file.read_text() + hook)
    assert load(file).names("codec") == ["two"]


def test_the_digest_follows_the_code_of_the_file_and_its_siblings_and_no_place(
    load: Callable[..., Plugins], tmp_path: Path
) -> None:
    digests = {}
    for place in ("a", "b"):
        file = write(tmp_path / place / "mine.py", imports="from .part import made", encode="made()")
        part = tmp_path / place / "part.py"
        part.write_text("def made(): return bytes(4)\n")
        digests[place] = load(file).provided("codec", "raw").source
    assert digests["a"] == digests["b"]
    part.write_text("def made(): return bytes(4)  # four of them\n")
    assert load(file).provided("codec", "raw").source == digests["b"]
    part.write_text("def made(): return bytes(5)\n")
    changed = load(file).provided("codec", "raw")
    assert changed.source != digests["b"]
    assert changed.cls().encode_image(None, 1) == bytes(5)  # and that is what is carried out


def test_two_files_of_one_name_are_two_plugins(load: Callable[..., Plugins], tmp_path: Path) -> None:
    first, second = write(tmp_path / "a/mine.py", "one"), write(tmp_path / "b/mine.py", "two", encode="bytes(7)")
    plugins = load(first, second, first)
    assert plugins.names("codec") == ["one", "two"]
    assert plugins.get("codec", "two")().encode_image(None, 1) == bytes(7)
    write(second, "one")
    with pytest.raises(
        CollisionError, match=r"mine\.py \(file\) \(.*a/mine\.py\) and mine\.py .*b/mine\.py.*Leave one"
    ):
        load(first, second).get("codec", "one")


def test_a_sibling_is_imported_by_its_name_unless_something_else_has_it(
    load: Callable[..., Plugins], tmp_path: Path
) -> None:
    for place, size in (("a", 4), ("b", 5)):
        write(tmp_path / place / f"mine_{place}.py", place, "import a_sibling_of_mine", "a_sibling_of_mine.made()")
        (tmp_path / place / "a_sibling_of_mine.py").write_text(f"def made(): return bytes({size})\n")
    plugins = load(tmp_path / "a/mine_a.py", tmp_path / "b/mine_b.py")
    assert plugins.get("codec", "a")().encode_image(None, 1) == bytes(4)
    (broken,) = plugins.broken  # never silently the sibling of another file
    assert "a_sibling_of_mine, which is" in str(broken.error)
    assert "from . import a_sibling_of_mine" in str(broken.error)


def test_a_package_is_a_plugin_too(load: Callable[..., Plugins], tmp_path: Path) -> None:
    write(tmp_path / "pack/codec.py", imports="from . import deep", encode="deep.made()")
    (tmp_path / "pack/deep.py").write_text("def made(): return bytes(9)\n")
    (tmp_path / "pack/__init__.py").write_text("from .codec import Raw\n")
    plugins = load(tmp_path / "pack")
    before = plugins.provided("codec", "raw")
    assert before.cls().encode_image(None, 1) == bytes(9)
    (tmp_path / "pack/deep.py").write_text("def made(): return bytes(8)\n")
    after = load(tmp_path / "pack").provided("codec", "raw")
    assert after.source != before.source
    assert after.cls().encode_image(None, 1) == bytes(8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path / "none.py", "there is no such file; looked for"),
        (lambda path: shutil.copy(__file__, path / "x.txt"), r"a Python file \(\.py\)"),
        (lambda path: (path / "plain").mkdir() or path / "plain", "no __init__.py"),
    ],
)
def test_what_is_no_plugin_is_refused(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        use_files([str(make(tmp_path))])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1", "no function marked with harness.hookimpl, and no class of its own"),
        ("from harness.codec import ImageCodec", "no class of its own"),
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("requires_harness = '>=99'", "it needs codec-harness >=99, and this is"),
        ("requires_harness = 'new'", "requires_harness is 'new'; a specifier as '>=0.2' is expected"),
        (
            "import harness\n@harness.hookimpl\ndef harness_codec(): pass",
            "unknown hook 'harness_codec'. Did you mean 'harness_codecs'?",
        ),
        (
            "import harness\n@harness.hookimpl\ndef harness_run_finished(states): pass",
            "hook harness_run_finished has no argument 'states'. Did you mean 'status'? It has: run, status",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_told_once(
    load: Callable[..., Plugins], tmp_path: Path, source: str, message: str
) -> None:
    (tmp_path / "bad.py").write_text(source)
    (broken,) = load(tmp_path / "bad.py").broken
    assert message in str(broken.error)
    assert "PluginError" not in str(broken.error)


def test_a_process_that_is_started_finds_the_classes_and_refuses_a_changed_file(
    load: Callable[..., Plugins], tmp_path: Path
) -> None:
    file = write(tmp_path / "mine.py", imports="from .part import made", encode="made()")
    (tmp_path / "part.py").write_text("def made(): return bytes(4)\n")
    data = pickle.dumps(load(file).get("codec", "raw")())

    def elsewhere() -> subprocess.CompletedProcess[str]:
        code = f"import pickle; print(len(pickle.loads({data!r}).encode_image(None, 1)))"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert elsewhere().stdout.strip() == "4"
    (tmp_path / "part.py").write_text("def made(): return bytes(5)\n")
    assert "part.py was changed since this command read it. Run the command again." in elsewhere().stderr
    load(file)  # the next command
    assert elsewhere().stdout.strip() == "5"


def test_a_run_with_a_file_and_commands_without_it(tmp_path: Path, cache: Path) -> None:
    file = write_counting(tmp_path / "mine")
    session = Session(tmp_path, cache)
    run = ("run", "--codec", "coarse", "--task", "counting", "--resamples", "100")
    ran = session.run(*run, "--plugin", str(file), "--workers", "2")
    assert "coarse@8 counting counter" in ran.stderr
    assert "coarse     1  3.000" in ran.stdout  # the ladder of the file's own registry
    assert session.run(*run, "--plugin", str(file)).stderr.strip() == "3 experiments, all found in the database."
    table = session.run("results").stdout
    assert "coarse     1  3.000" in table
    assert session.run("results", "--plugin", str(file)).stdout == table
    again = session.run(*run, status=2)
    assert f"unknown codec 'coarse'. An earlier run had it from a file: add --plugin {file}." in again.stderr
    assert f"unknown task 'counting'. An earlier run had it from a file: add --plugin {file}." in again.stderr
    for words in (("--task", "counting"), ("--task", "detection", "--model", "counter")):
        told = session.run("train", *words, status=2).stderr
        assert f"unknown {words[-2][2:]} {words[-1]!r}. An earlier run had it from a file: add --plugin {file}." in told
    planned = session.run("plan", *run[1:5], "--plugin", str(file)).stdout
    assert planned.count("finished") == 3
    assert "+ counting.py" in session.run("doctor", "--plugin", str(file)).stdout
    listed = session.run("list", "tasks", "--plugin", str(file)).stdout
    assert "how many dots there are" in listed
    session.env[VARIABLE] = str(file)
    assert session.run("list", "tasks").stdout == listed
    assert "counting" in session.run("recommend", "--max-drop", "9").stdout
    file.write_text(SOURCE.replace("// step * step", "// step * step + 0"))
    edited = session.run("results")
    assert "counting.py" in edited.stderr  # results of another source than now are marked
    assert "3 to do" in session.run(*run).stderr  # and are computed anew


def test_every_command_takes_a_file() -> None:
    import click

    from harness.cli.main import cli

    def commands(group: click.Group, where: str = "") -> list[tuple[str, click.Command]]:
        context = click.Context(group)
        found: list[tuple[str, click.Command]] = []
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            found.append((f"{where} {name}".strip(), command))
            if isinstance(command, click.Group):
                found += commands(command, name)
        return found

    every = commands(cli)
    assert {"run", "results sql", "results study"} <= {name for name, _ in every}
    without = [name for name, command in every if not any("--plugin" in option.opts for option in command.params)]
    assert without == []


def test_a_command_of_a_file(tmp_path: Path, cache: Path) -> None:
    source = """
import click
import harness

@harness.hookimpl
def harness_commands():
    return {"greet": click.Command("greet", callback=lambda: click.echo("hello"))}
"""
    (tmp_path / "greeting.py").write_text(source)
    session = Session(tmp_path, cache)
    assert session.run("greet", "--plugin", "greeting.py").stdout == "hello\n"
    assert "no such command 'greet'" in session.run("greet", status=2).stderr


def test_a_broken_file_is_told_and_the_command_goes_on(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "bad.py").write_text("raise OSError('no device')")
    listed = Session(tmp_path, cache).run("list", "tasks", "--plugin", "bad.py")
    assert f"warning: plugin {tmp_path / 'bad.py'} is broken: OSError: no device." in listed.stderr
    assert "detection" in listed.stdout


def test_a_source_that_is_no_file_is_refused() -> None:
    from harness.discovery.sources import sources_of

    with pytest.raises(PluginError, match="has no file"):
        sources_of(("no_such_module_anywhere",), "mine.py")


def test_an_error_of_a_codec_names_it_once(tmp_path: Path, cache: Path) -> None:
    file = write_counting(tmp_path)
    file.write_text(SOURCE.replace("reshape(data[0], data[1], 3)", "reshape(data[1], data[0], 3)"))
    session = Session(tmp_path, cache)
    run = ("run", "--codec", "coarse@2", "--task", "counting", "--resamples", "100", "--workers", "0")
    failed = session.run(*run, "--plugin", str(file), status=1).stderr
    assert "sample dots 0: codec coarse: an image uint8[16, 24, 3] was coded, uint8[24, 16, 3] came back." in failed


def test_a_relative_path_of_the_variable_holds_in_other_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "mine.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "mine.py")
    plugins = Plugins()
    assert plugins.provided("codec", "raw").origin.file == str(tmp_path / "mine.py")
    assert os.environ[VARIABLE] == str(tmp_path / "mine.py")
