"""registry.toml: shipped facts, overlaid by the user's, with errors that say where."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import harness
from harness.discovery import registry
from harness.discovery.plugins import installed
from harness.errors import RegistryError
from harness.files import sha256_file
from harness.planning.request import Request
from harness.planning.resolve import resolve
from harness_tasks.detection.models.torchvision import Torchvision

ROOT = Path(harness.__file__).parents[1]
SMALL = "ssdlite320_mobilenet_v3_large"


def overlay(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my.toml"
    path.write_text(text)
    return path


def test_the_shipped_registry_names_only_what_plugins_provide() -> None:
    shipped, plugins = registry.load_registry(()), installed()
    for kind in ("model", "dataset"):
        for name, facts in shipped.section(f"{kind}s").items():
            assert plugins.get(kind, facts["kind"]), name
    for task, defaults in shipped.section("tasks").items():
        assert task in plugins.names("task")
        assert defaults["model"] in shipped.section("models")
        assert defaults["dataset"] in shipped.section("datasets")
        assert shipped.recipe(task, defaults["recipe"])


def test_the_study_s_ladder() -> None:
    assert registry.load_registry(()).entry("codecs", "jpeg")["ladder"] == [95, 75, 50, 15, 10, 5]


def test_an_overlay_adds_and_replaces_key_by_key(tmp_path: Path) -> None:
    file = overlay(
        tmp_path,
        '[models.mine]\nkind = "torchvision"\nweights = "w.safetensors"\n[datasets.voc]\nsplit = "val"\n',
    )
    merged = registry.load_registry([file])
    assert merged.entry("models", "mine")["kind"] == "torchvision"
    assert merged.entry("datasets", "voc") == {**registry.load_registry(()).entry("datasets", "voc"), "split": "val"}
    assert merged.path("models", "mine", "w.safetensors") == tmp_path / "w.safetensors"


def test_a_registry_in_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "registry.toml").write_text("[codecs.jpeg]\nladder = [80, 20]\n")
    monkeypatch.chdir(tmp_path)
    assert registry.load_registry().entry("codecs", "jpeg")["ladder"] == [80, 20]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[models.x\n", r"my.toml is no valid TOML: .*line 1"),
        ('[codecs.jpeg]\nladder = [95]\n\n[model.x]\nkind = "voc"\n', r"line 4, key model: .*did you mean 'models'"),
        ('[models.x]\nkind = "coco"\nwieghts = "f"\n', r"line 3, key models.x.wieghts: .*did you mean 'weights'"),
        ("[models.x]\nkind = 3\n", r"line 2, key models.x.kind: str expected, found int"),
        ('[codecs.jpeg]\nladder = [95, "x"]\n', r"line 2, key codecs.jpeg.ladder: levels are numbers"),
        ('[checkpoints.c]\nsha256 = "abc"\n', r"line 2, key checkpoints.c.sha256: 64 hexadecimal"),
        ("[models.x]\nsummary = 'no kind'\n", r"\[models.x\] lacks kind"),
        ("[packages.codecs]\njxl = 'x'\n", r"key packages.codecs: .*did you mean 'codec'"),
        ("tasks = 3\n", r"line 1, key tasks: a table is expected"),
    ],
)
def test_a_malformed_registry_says_file_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        registry.load_registry([overlay(tmp_path, text)])


def test_a_missing_registry_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="cannot be read"):
        registry.load_registry([tmp_path / "none.toml"])


def test_a_checkpoint_s_classes_name_those_of_a_file_that_does_not(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_file(Torchvision(arch=SMALL).make(4).state_dict(), tmp_path / "w.safetensors")
    save_file(Torchvision(arch=SMALL).make(3).state_dict(), tmp_path / "other.safetensors")
    facts = 'classes = ["bus", "person", "car"]\n'
    text = (
        f'[models.mine]\nkind = "torchvision"\noptions = {{ arch = "{SMALL}" }}\nweights = "w.safetensors"\n'
        f'checkpoint = "mine"\n[checkpoints.mine]\n{facts}'
    )
    request = Request(codecs=(), tasks=("detection",), models=("mine",))
    found = registry.load_registry([overlay(tmp_path, text)])
    (subject,) = resolve(request, installed(), found).subjects
    assert subject.weights.classes == ("bus", "person", "car")
    subject.model.load(subject.weights, subject.dataset.classes, "cpu")
    assert subject.model.classes == ("bus", "person", "car")
    # Another file is not that checkpoint; the same one is, whoever names it.
    own = replace(request, weights=str(tmp_path / "other.safetensors"))
    assert resolve(own, installed(), found).subjects[0].weights.classes == ()
    same = replace(request, weights=str(tmp_path / "w.safetensors"))
    assert resolve(same, installed(), found).subjects[0].weights.classes == ()
    digest = sha256_file(tmp_path / "w.safetensors")
    found = registry.load_registry([overlay(tmp_path, f'{text}sha256 = "{digest}"\n')])
    assert resolve(same, installed(), found).subjects[0].weights.classes == ("bus", "person", "car")


def test_an_unknown_recipe_names_those_there_are() -> None:
    with pytest.raises(RegistryError, match=r"no recipe 'fast'\. There is: "):
        registry.load_registry(()).recipe("detection", "fast")


def test_a_checkout_reads_its_top_level_file_not_the_installed_copy(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "harness", checkout / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    (checkout / "pyproject.toml").write_text("")
    (checkout / "registry.toml").write_text("[codecs.jpeg]\nladder = [42]\n")
    (checkout / "harness" / "registry.toml").write_text("[codecs.jpeg]\nladder = [1]\n")
    read = "load_registry(()).entry('codecs', 'jpeg')['ladder']"
    code = f"from harness.discovery.registry import load_registry; print({read})"
    for expected in ("[42]", "[43]"):
        (checkout / "registry.toml").write_text(f"[codecs.jpeg]\nladder = {expected}\n")
        out = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=True)
        assert out.stdout.strip() == expected
