"""The digest of a plugin's source: an edit of what it imports from its own distribution is seen, others are not."""

from __future__ import annotations

import json
import site
import sys
from collections.abc import Iterator
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest

from harness.discovery.plugins import Plugins, installed
from harness.discovery.sources import code_of, source_digest
from harness.errors import PluginError
from kit.plugins import entry_points_in, write_distribution

PLUGIN = """
import harness
from harness.codec import Codec, Scale

class Cut(Codec):
    name = "cut"
    coding = "image"
    scale = Scale("bits", "bit", 1, 8, True, (8, 4))

    def encode(self, frames, level, fps):
        {body}

    def decode(self, encoded):
        raise NotImplementedError

@harness.hookimpl
def harness_codecs():
    yield Cut
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path of modules, whose modules are forgotten after the test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known, folders = set(sys.modules), list(sys.path)
    yield tmp_path
    sys.path[:] = folders
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def write(folder: Path, **files: str) -> None:
    """Modules by their names, with `__` for a slash; `package__` is the module of a package."""
    for name, text in files.items():
        target = folder / f"{name.replace('__', '/')}.py"
        target = target.with_name("__init__.py") if name.endswith("__") else target
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def digest(module: str, owner: str, of_class: str | None = None) -> str:
    source_digest.cache_clear()
    found = source_digest(module, of_class or module, owner)
    assert found is not None
    return found


def changes(file: Path, module: str, owner: str, text: str = "EDITED = 1\n") -> bool:
    """Whether the digest is another one after a file was edited; the file is then as it was."""
    before, content = digest(module, owner), file.read_bytes() if file.exists() else None
    file.write_bytes((content or b"") + text.encode())
    after = digest(module, owner)
    file.unlink() if content is None else file.write_bytes(content)
    assert digest(module, owner) == before
    return after != before


def test_plugins_of_the_harness_have_no_digest() -> None:
    plugins = installed()
    provided = [plugins.provided("codec", "jpeg"), plugins.provided("dataset", "demo-world")]
    assert [one.source for one in provided] == [None, None]
    assert source_digest("any.module", "any.module", "Codec_Harness") is None


def test_a_single_file_and_the_file_beside_it(path: Path) -> None:
    write_distribution(path, "single-cut", "single_cut", "import json\nimport numpy\nimport beside_cut\n")
    write(path, beside_cut="A = 1\n", another="A = 1\n")
    assert changes(path / "single_cut.py", "single_cut", "single-cut")
    assert changes(path / "beside_cut.py", "single_cut", "single-cut")
    assert not changes(path / "another.py", "single_cut", "single-cut"), "nothing imports it"


def test_a_package_with_imports_of_every_kind(path: Path) -> None:
    plugin = """
from typing import TYPE_CHECKING
from . import constants
from .deep.tables import TABLE as table
import packaged_cut.whole

def later():
    from importlib import import_module
    from packaged_cut.lazy import value
    return import_module(".named", __package__), import_module("packaged_cut.deep.far"), __import__("numpy")
"""
    write(
        path,
        packaged_cut__="",
        packaged_cut__plugin=plugin,
        packaged_cut__constants="",
        packaged_cut__deep__="",
        packaged_cut__deep__tables="from ..whole import x\nfrom ...outside import y\n",
        packaged_cut__deep__far="",
        packaged_cut__whole="x = 1\n",
        packaged_cut__lazy="import packaged_cut.round\n",
        packaged_cut__round="import packaged_cut.lazy, packaged_cut.plugin\n",
        packaged_cut__named="",
        packaged_cut__unused="",
    )
    (path / "packaged_cut/table.json").write_text("{}")
    folder = path / "packaged_cut"
    reached = ("plugin", "__init__", "constants", "deep/__init__", "deep/tables", "deep/far", "whole", "lazy", "round")
    for name in (*reached, "named"):
        assert changes(folder / f"{name}.py", "packaged_cut.plugin", "packaged-cut"), name
    for name in ("unused.py", "table.json", "new.py"):
        assert not changes(folder / name, "packaged_cut.plugin", "packaged-cut", " "), name
    assert not [name for name in sys.modules if name.startswith("packaged_cut")], "nothing was imported"


def test_the_class_may_be_of_another_module_than_the_entry_point(path: Path) -> None:
    write(path, far_cut__="", far_cut__plugin="", far_cut__codec="from far_cut import tables", far_cut__tables="")
    before = digest("far_cut.plugin", "far-cut", "far_cut.codec")
    (path / "far_cut/tables.py").write_text("A = 1\n")
    assert digest("far_cut.plugin", "far-cut", "far_cut.codec") != before
    assert digest("far_cut.plugin", "far-cut", "json.decoder") != before, "a class of another distribution"


def test_the_list_of_the_installer_says_what_is_of_the_distribution(path: Path) -> None:
    library = path / "site-packages"
    library.mkdir()
    site.addsitedir(str(library))
    write_distribution(library, "listed-cut", "listed_cut", "import listed_tables, foreign_tables\n")
    write(library, listed_tables="", foreign_tables="")
    (library / "listed_cut-1.0.dist-info/RECORD").write_text("listed_cut.py,,\nlisted_tables.py,,\n")
    assert changes(library / "listed_cut.py", "listed_cut", "listed-cut")
    assert changes(library / "listed_tables.py", "listed_cut", "listed-cut")
    assert not changes(library / "foreign_tables.py", "listed_cut", "listed-cut"), "another distribution's"


def test_an_editable_install(path: Path) -> None:
    """The metadata is in the library, and a .pth file leads to the project."""
    project, library = path / "project", path / "venv/site-packages"
    library.mkdir(parents=True)
    write(
        project / "src",
        edited_cut__="from edited_cut.codec import Cut\n",
        edited_cut__codec="import edited_helpers, installed_beside\nclass Cut: ...\n",
        edited_helpers="",
    )
    write(project / ".venv/lib/site-packages", installed_beside="")
    write_distribution(library, "edited-cut", "unused", "")
    info = library / "edited_cut-1.0.dist-info"
    (info / "RECORD").write_text("edited.pth,,\n")
    (info / "direct_url.json").write_text(json.dumps({"url": project.as_uri(), "dir_info": {"editable": True}}))
    (library / "edited.pth").write_text(f"{project}/src\n{project}/.venv/lib/site-packages\n")
    site.addsitedir(str(library))
    for name in ("edited_cut/__init__.py", "edited_cut/codec.py", "edited_helpers.py"):
        assert changes(project / "src" / name, "edited_cut", "edited-cut"), name
    installed_module = project / ".venv/lib/site-packages/installed_beside.py"
    assert not changes(installed_module, "edited_cut", "edited-cut"), "a library inside the project's folder"


def test_packages_without_a_module_of_their_own(path: Path) -> None:
    write(
        path,
        bare_cut__plugin="import bare_cut.deep.far\nfrom . import near\n",
        bare_cut__deep__far="",
        bare_cut__near="",
    )
    for name in ("plugin", "deep/far", "near"):
        assert changes(path / "bare_cut" / f"{name}.py", "bare_cut.plugin", "bare-cut"), name


def test_an_editable_install_that_maps_names_to_folders(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As setuptools writes it for a project whose folders have other names: a finder instead of a path."""
    write(path / "project", lib__="", lib__plugin="def f():\n    from .helper import A\n", lib__helper="A = 1\n")
    folder = path / "project/lib"

    class Finder:
        @staticmethod
        def find_spec(name: str, search: object = None, target: object = None) -> object:
            if name != "mapped_cut":
                return None
            places = [str(folder)]
            return spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=places)

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    for name in ("__init__", "plugin", "helper"):
        assert changes(folder / f"{name}.py", "mapped_cut.plugin", "mapped-cut"), name


def test_an_extension_module_counts_with_its_bytes(path: Path) -> None:
    from importlib.machinery import EXTENSION_SUFFIXES

    write(path, native_cut__="from native_cut import _fast\n")
    library = path / "native_cut" / f"_fast{EXTENSION_SUFFIXES[0]}"
    library.write_bytes(b"\x7fELF 1")
    before = digest("native_cut", "native-cut")
    library.write_bytes(b"\x7fELF 2")
    assert digest("native_cut", "native-cut") != before


def test_comments_and_spaces_do_not_count_and_every_word_does(path: Path) -> None:
    write(path, worded="def f(a):\n    return a  # as it is\n")
    for text in ("# comment\n", "\n\n\n", "    # indented\n"):
        assert not changes(path / "worded.py", "worded", "worded", text), text
    for text in ("A = 1\n", "'docstring'\n", "    return 2\n"):
        assert changes(path / "worded.py", "worded", "worded", text), text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a=1\n", "a = 1", True),
        ("a = 1\r\nb = 2\r\n", "a = 1\nb = 2\n", True),
        ("if a:\n  b\n", "if a:\n    b # c\n\n", True),
        ("if a:\n  b\nc\n", "if a:\n  b\n  c\n", False),
        ("a = 'b  c'\n", "a = 'b c'\n", False),
        ("a = '''b\n\nc'''\n", "a = '''b\nc'''\n", False),
        ("a = f'{b}'\n", "a = f'{{b}}'\n", False),
        ("a = f'{b:>{c}} x' # d\n", "a = f'{b:>{c}} x'\n", True),
        ("a = f'''é\n{b}\n'''\n", "a = f'''é\n{b} '''\n", False),
        ("a = 1\nb = 2\n", "a = 1; b = 2\n", False),
        ("# -*- coding: latin-1 -*-\na = '\xe9'\n", "a = '\xe9'\n", False),
        ("no python (", "no  python (", False),
    ],
)
def test_words_of_a_source(one: str, other: str, same: bool) -> None:
    assert (code_of(one.encode()) == code_of(other.encode())) is same


def test_a_formatted_string_is_one_word_in_every_version_of_python() -> None:
    """Up to 3.11 the tokenizer gives it whole; later ones give its parts."""
    assert code_of(b"a = f'{b!r:>{c}} {{d}}' # e\n") == "\0".join(["a", "=", "f'{b!r:>{c}} {{d}}'", "NEWLINE"]).encode()


def test_without_a_file_an_edit_could_not_be_noticed(path: Path) -> None:
    with pytest.raises(PluginError, match="plugin no_such_plugin of nobody has no file"):
        digest("no_such_plugin", "nobody")


def test_a_class_of_a_third_party_plugin_has_the_digest(path: Path) -> None:
    write_distribution(path, "real-cut", "real_cut", PLUGIN.format(body="raise NotImplementedError"))
    source_digest.cache_clear()
    provided = Plugins(entry_points_in(path)).provided("codec", "cut")
    assert provided.source == digest("real_cut", "real-cut")
