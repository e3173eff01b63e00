"""Whether a recorded experiment can be computed again by the task that is installed now."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.discovery.plugins import Plugins, installed
from harness.planning.recorded_task import changed_task, made_by
from kit.plugins import entry_points_in, write_distribution

OWN = """
import harness
from harness_tasks.detection.task import Detection

class Own(Detection):
    name = "own"
    def reduce(self, statistics, weights=None):
        return {name: value * 1.0 for name, value in super().reduce(statistics, weights).items()}

@harness.hookimpl
def harness_tasks():
    return [Own]
"""


def test_a_task_of_the_harness_is_never_another_one() -> None:
    assert changed_task({"task": {"name": "detection", "scoring": 1}}, installed()) is None


def test_a_third_party_task_is_another_one_when_its_source_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    write_distribution(tmp_path, "own-task", "own_task_of_this_test", OWN, "1.5")
    plugins = Plugins(entry_points_in(tmp_path))
    source = plugins.provided("task", "own").source
    assert source
    identity = {"task": {"name": "own", "scoring": 1, "source": source}}
    assert changed_task(identity, plugins) is None
    for before in ({"source": "0" * 64}, {}):
        other = {"task": {"name": "own", "scoring": 1, **before}}
        assert changed_task(other, plugins) == "task own of own-task 1.5 has another source now"
    assert made_by(identity, plugins) == f"own-task 1.5, source {source}"
