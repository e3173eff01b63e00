"""Every hook is documented by an example that works."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
import types

import pytest

from harness import hookspecs
from harness.discovery.kinds import KINDS
from harness.discovery.plugins import Plugins
from kit.plugins import entry_points_in, write_distribution

HOOKS = {name: spec for name, spec in vars(hookspecs).items() if name.startswith("harness_")}


def example(name: str) -> str:
    """The code of a hook's docstring."""
    _, _, text = (inspect.getdoc(HOOKS[name]) or "").partition("Example::\n")
    code = textwrap.dedent(text).strip()
    assert code, f"{name} has no example"
    return code


def test_each_kind_has_its_hook() -> None:
    events = {"harness_run_started", "harness_experiment_finished", "harness_run_finished"}
    events |= {"harness_experiment_found", "harness_training_started", "harness_training_finished"}
    additions = {"harness_commands", "harness_report_sections"}
    assert set(HOOKS) == {f"harness_{kind}s" for kind in KINDS} | events | additions


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_the_example_of_a_hook_is_a_plugin_that_loads(name, tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    if name == "harness_stores":  # the example imports the author's own store: give it one, complete
        package = types.ModuleType("my_package.lines")
        from harness.store import Store

        body = {m: (lambda self, *a, **k: None) for m in Store.__abstractmethods__}
        package.LinesStore = type("LinesStore", (Store,), {"name": "lines", "schemes": ("jsonl",), **body})
        monkeypatch.setitem(sys.modules, "my_package", types.ModuleType("my_package"))
        monkeypatch.setitem(sys.modules, "my_package.lines", package)
    source = example(name)
    if "@hookimpl" in source and "@harness.hookimpl" not in source:
        source = "from harness import hookimpl\n" + source
    if not re.search(r"^import harness$", source, re.MULTILINE):
        source = "import harness\n" + source
    module = f"plugged_{name}"
    write_distribution(tmp_path, "example", module, source)
    plugins = Plugins(entry_points_in(tmp_path))
    plugins.ask_all()
    assert plugins.broken == []
    del sys.modules[module]


def test_the_examples_of_a_task_its_model_and_its_dataset_work_together(tmp_path, monkeypatch) -> None:
    import numpy as np
    import torch
    from PIL import Image

    scope: dict[str, object] = {"torch": torch}
    for name in ("harness_tasks", "harness_models", "harness_datasets"):
        exec(compile(example(name), name, "exec"), scope)  # noqa: S102 - our own documentation
    image = np.zeros((4, 6, 3), np.uint8)
    image[0, :2] = 255
    Image.fromarray(image).save(tmp_path / "3_a.png")
    dataset = scope["Folder"]("counting", root=tmp_path)
    dataset.open()
    sample = dataset[0]
    outline = dataset.outline(0)
    assert (outline.height, outline.width) == (4, 6)
    model = scope["Brightness"]()
    model.load(model.resolve_weights(None, ()), (), "cpu")
    batch = model.collate([model.prepare(sample.frames, (0,), lambda name, compute: compute())])
    ((prediction,),) = model.predict(batch)
    assert prediction == 6  # two white pixels of three channels
    task = scope["Counting"]()
    assert task.reduce([task.score(prediction, sample.targets[0])])["mae"].tolist() == [3.0]
    assert len(dataset.fingerprint()) == 64
