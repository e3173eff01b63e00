"""The page of dependencies, the extras that `harness doctor` knows, and pyproject.toml say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from harness.discovery import extras as extras_module
from harness.discovery.extras import EXTRAS, extras
from kit.command import run

ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PAGE = (ROOT / "docs/reference/dependencies.md").read_text("utf-8")
FOR_DEVELOPERS = {"test", "docs"}


def names(requirements: list[str]) -> list[str]:
    return [Requirement(text).name for text in requirements]


def test_the_page_lists_what_is_always_installed() -> None:
    _, _, table = PAGE.partition("## Always installed")
    listed = re.findall(r"^\| ([a-z0-9-]+) \| \d+ \|", table.partition("## Extras")[0], re.MULTILINE)
    assert listed == names(PROJECT["dependencies"])


def test_the_page_lists_every_extra_with_its_packages() -> None:
    _, _, table = PAGE.partition("## Extras")
    rows = re.findall(r"^\| ([a-z]+) \| (.*?) \| (.*) \|$", table, re.MULTILINE)
    listed = {name: (purpose, re.findall(r"([a-z0-9-]+) \(", packages)) for name, purpose, packages in rows}
    listed.pop("extra", None)
    optional = PROJECT["optional-dependencies"]
    assert listed == {name: (EXTRAS[name], names(optional[name])) for name in optional if name in EXTRAS}


def test_all_is_every_extra_for_users() -> None:
    optional = PROJECT["optional-dependencies"]
    (everything,) = optional["all"]
    assert Requirement(everything).extras == set(EXTRAS) == set(optional) - FOR_DEVELOPERS - {"all"}


def test_doctor_tells_what_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As where matplotlib is not installed, and SciPy is too old."""
    real = extras_module._version
    known = {"matplotlib": None, "scipy": "1.0"}
    monkeypatch.setattr(extras_module, "_version", lambda package: known.get(package, real(package)))
    by_name = {extra.name: extra for extra in extras()}
    assert by_name["plot"].missing == ("matplotlib>=3.9",)
    assert by_name["compare"].missing == ("scipy>=1.13",)
    assert [one.partition(" ")[0] for one in by_name["compare"].installed] == ["bjontegaard"]
    text = run(capsys, "doctor")
    assert re.search(r"- plot +figures: harness plot; missing: matplotlib>=3.9", text)
    assert re.search(r"\+ report ", text)
