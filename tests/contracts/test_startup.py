"""Commands import only what they need, so that they answer at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness_plugins.sql_store import SqlStore
from kit.store_rows import put_results

HEAVY = (
    *("torch", "torchvision", "lightning_fabric", "segmentation_models_pytorch", "safetensors"),
    *("cv2", "av", "PIL", "numpy", "scipy", "pandas", "pyarrow", "matplotlib", "altair", "jinja2"),
    *("sqlalchemy", "alembic", "rich"),
)
STORE = {"sqlalchemy", "rich"}
"""What a command that reads a database and prints a table needs."""


def loaded(arguments: list[str], folder: Path) -> set[str]:
    """The modules of `HEAVY` that a command imports in a process of its own."""
    code = (
        "import sys\nfrom harness.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        f"print('HEAVY', *(m for m in {HEAVY!r} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("HEAVY")[2].split())


def cpu_seconds(arguments: list[str], compiled: Path, folder: Path) -> float:
    """CPU seconds (user and system) of one command: what a busy machine does not change much.

    As for a user, whose modules were compiled when they were installed; here the first call compiles them.
    """
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = str(compiled)
    command = [sys.executable, "-m", "harness", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env, cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a results database."""
    made = tmp_path_factory.mktemp("results")
    store = SqlStore(str(made / "harness.db"))
    store.open()
    put_results(store)
    store.close()
    return made


@pytest.mark.parametrize("arguments", [["--help"], ["list", "codecs"], ["list", "models"], ["run", "--help"]])
def test_a_light_command_imports_nothing_heavy_and_takes_half_a_second(
    arguments: list[str], folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert loaded(arguments, folder) <= ({"PIL"} if "codecs" in arguments else set())  # which asks Pillow what it can
    compiled = tmp_path_factory.getbasetemp() / "compiled"
    assert min(cpu_seconds(arguments, compiled, folder) for _ in range(3)) < 0.5


@pytest.mark.parametrize(
    "arguments",
    [
        ["results"],
        ["results", "--format", "csv", "--all-metrics"],
        ["results", "sql", "select * from curves"],
        ["results", "export", "--format", "csv", "-o", "tables/"],
    ],
)
def test_reading_results_imports_the_store_alone(arguments: list[str], folder: Path) -> None:
    assert loaded(arguments, folder) <= STORE


@pytest.mark.parametrize("task", ["segmentation", "detection"])
def test_a_plan_imports_neither_torch_nor_a_codec(task: str, folder: Path) -> None:
    arguments = ["plan", "--codec", "jpeg", "--codec", "h264", "--task", task, "--limit", "2"]
    assert loaded(arguments, folder) <= STORE | {"numpy", "PIL", "av"}


def test_a_device_that_is_not_there_is_told_before_anything_heavy_is_imported() -> None:
    code = (
        "import sys\nimport harness.device.machine as machine\nmachine._may_have_accelerator = lambda: False\n"
        "from harness.cli import main\n"
        "try:\n    main(['run', '--codec', 'jpeg', '--task', 'detection', '--device', 'cuda'])\n"
        "except SystemExit as stop:\n    assert stop.code == 2\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "device 'cuda' is not there. There is: cpu." in done.stderr
    assert done.stdout.strip() == "[]"
