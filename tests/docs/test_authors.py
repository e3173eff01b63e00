"""The authors' pages: one for each kind, with the code of its template, whose members are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import harness
from harness.codec import Codec, ImageCodec
from harness.dataset import Dataset
from harness.discovery.templates import KINDS_OF_TEMPLATES
from harness.model import Model
from harness.task import Task

ROOT = Path(harness.__file__).parents[1]
PAGES = ROOT / "docs" / "authors"
CONTRACTS: dict[str, tuple[type, ...]] = {
    "codec": (Codec, ImageCodec),
    "dataset": (Dataset,),
    "model": (Model,),
    "task": (Task,),
}
EXPECTED_ELSEWHERE = {"name", "len"}
"""Declared for all kinds without a value, and Python's own `len(dataset)`."""


@pytest.mark.parametrize("kind", KINDS_OF_TEMPLATES)
def test_a_page_includes_all_code_of_its_template(kind: str) -> None:
    included = re.findall(r'^--8<-- "(.*)"$', (PAGES / f"{kind}.md").read_text("utf-8"), re.MULTILINE)
    template = ROOT / "templates" / kind
    code = {path for path in template.rglob("*") if path.suffix in (".py", ".toml") and path.is_file()}
    assert {ROOT / name for name in included} == {path for path in code if "build" not in path.parts}


@pytest.mark.parametrize("kind", CONTRACTS)
def test_members_that_a_page_names_are_there(kind: str) -> None:
    page = (PAGES / f"{kind}.md").read_text("utf-8").split("## A complete example")[0]
    cells = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`(\w+)", cell)} - EXPECTED_ELSEWHERE
    # Members that a class leaves to its subclasses are annotations alone.
    there = {
        name
        for one in CONTRACTS[kind]
        for base in one.__mro__
        for name in (*vars(base), *vars(base).get("__annotations__", {}))
    }
    assert len(named) >= 8
    assert named - there - {"dataset"} == set()


def test_each_kind_is_linked() -> None:
    overview = (PAGES / "index.md").read_text("utf-8")
    assert all(f"({kind}.md)" in overview for kind in (*KINDS_OF_TEMPLATES, "targets"))
