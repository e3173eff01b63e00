"""`harness init` and the JSON Schemas: what they say a file may have is what is read."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.cli.options.request import file_keys
from harness.cli.run import run
from harness.cli.schemas import experiment_schema, registry_schema
from harness.discovery.registry import load_registry
from harness.errors import RegistryError
from kit.command import Session

ROOT = Path(__file__).parents[2]
EXPERIMENT = jsonschema.Draft202012Validator(experiment_schema(run))
REGISTRY = jsonschema.Draft202012Validator(registry_schema())


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path, tmp_path / "cache")


def test_the_file_has_every_option_and_plan_takes_it(session: Session) -> None:
    told = session.run("init", "mine.toml", "--codec", "webp@50", "--task", "pose", "--schema").stdout
    assert "Next: harness plan mine.toml" in told
    text = (session.folder / "mine.toml").read_text("utf-8")
    assert tomllib.loads(text) == {"codec": ["webp@50"], "task": ["pose"]}
    keys = re.findall(r"^(?:# )?([a-z-]+) =", text, re.MULTILINE)
    assert keys == list(file_keys(run))
    # With the comment signs of all defaults taken off it is still the same request.
    full = re.sub(r"^# ([a-z-]+ = \S)", r"\1", text, flags=re.MULTILINE)
    (session.folder / "full.toml").write_text(full)
    assert len(tomllib.loads(full)) > 15
    plans = [json.loads(session.run("plan", name, "--json").stdout) for name in ("mine.toml", "full.toml")]
    assert plans[0] == plans[1]
    assert [e["codec"] for e in plans[0]["experiments"]] == ["none", "webp"]
    EXPERIMENT.validate(tomllib.loads(full))
    for name, schema in (("experiment", experiment_schema(run)), ("registry", registry_schema())):
        assert json.loads((session.folder / f"{name}.schema.json").read_text("utf-8")) == schema


def test_no_file_is_overwritten(session: Session) -> None:
    (session.folder / "experiment.toml").write_text("mine")
    assert "exists already" in session.run("init", status=2).stderr
    assert (session.folder / "experiment.toml").read_text() == "mine"


def test_plan_takes_the_keys_that_only_a_run_has(session: Session) -> None:
    (session.folder / "e.toml").write_text('codec = "jpeg@50"\ntask = "pose"\nworkers = 2\nregistry = []\nlimit = 3\n')
    assert "2 experiments, 2 to do: 6 predictions" in session.run("plan", "e.toml").stdout
    (session.folder / "e.toml").write_text('codec = "jpeg@50"\ntask = "pose"\nworker = 2\n')
    assert "no option 'worker'" in session.run("plan", "e.toml", status=2).stderr


@pytest.mark.parametrize("name", ["experiment", "registry"])
def test_the_published_schema_is_the_one_that_is_made(name: str) -> None:
    made = experiment_schema(run) if name == "experiment" else registry_schema()
    jsonschema.Draft202012Validator.check_schema(made)
    assert json.loads((ROOT / f"docs/schemas/{name}.schema.json").read_text("utf-8")) == made


def test_files_that_are_read_fit_the_schemas() -> None:
    REGISTRY.validate(tomllib.loads((ROOT / "registry.toml").read_text("utf-8")))
    files = sorted((ROOT / "docs/studies").glob("*.toml"))
    assert files
    for file in files:
        EXPERIMENT.validate(tomllib.loads(file.read_text("utf-8")))


@pytest.mark.parametrize(
    "content",
    [
        {"codec": "jpeg", "tasks": "pose"},
        {"codec": 3 * [["jpeg"]]},
        {"codec": "jpeg", "limit": "many"},
        {"codec": "jpeg", "precision": "fp8"},
        {"codec": "jpeg", "batch": 0},
        {"codec": "jpeg", "profile": "yes"},
    ],
)
def test_an_editor_marks_a_wrong_experiment_file(content: dict[str, Any]) -> None:
    assert not EXPERIMENT.is_valid(content)


@pytest.mark.parametrize(
    "text",
    [
        "[models.a]\nkinds = 'b'",
        "[codecs.jpeg]\nladder = ['a']",
        "[codecs.jpeg.profiles.x]\nladders = [1]",
        "[checkpoints.a]\nsha256 = 'abc'",
        "[checkpoints.a.score]\nvalue = 'high'",
        "[packages.codecz]\na = 'b'",
        "[thing.a]\nb = 1",
        "[datasets.a]\nkind = 1",
        "[recipes.detection]\nmine = 3",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(text: str, tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text(text)
    with pytest.raises(RegistryError):
        load_registry([file])
    assert not REGISTRY.is_valid(tomllib.loads(text))
