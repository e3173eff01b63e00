"""Commands that compute nothing answer at once: they import no torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "torchvision", "cv2", "av", "lightning_fabric", "sqlalchemy", "numpy")


def cpu_seconds(arguments: list[str], compiled: Path) -> float:
    """CPU seconds (user and system) of one command: what a busy machine does not change much.

    As for a user, whose modules were compiled when they were installed; here the first call compiles them.
    """
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = str(compiled)
    process = subprocess.Popen([sys.executable, "-m", "harness", *arguments], stdout=subprocess.DEVNULL, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("arguments", [["--help"], ["list", "codecs"], ["list", "models"], ["run", "--help"]])
def test_a_light_command_imports_nothing_heavy_and_takes_half_a_second(
    arguments: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    code = (
        "import sys\nfrom harness.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = out.rpartition("HEAVY")[2].strip()
    # The task's own module may need NumPy, which takes a tenth of a second; nothing else.
    assert heavy in ("[]", "['numpy']")
    compiled = tmp_path_factory.getbasetemp() / "compiled"
    assert min(cpu_seconds(arguments, compiled) for _ in range(3)) < 0.5


def test_a_device_that_is_not_there_is_told_before_anything_heavy_is_imported() -> None:
    code = (
        "import sys\nimport harness.engine.machine as machine\nmachine._may_have_accelerator = lambda: False\n"
        "from harness.cli import main\n"
        "try:\n    main(['run', '--codec', 'jpeg', '--task', 'detection', '--device', 'cuda'])\n"
        "except SystemExit as stop:\n    assert stop.code == 2\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "device 'cuda' is not there. There is: cpu." in done.stderr
    assert done.stdout.strip() in ("[]", "['numpy']")
