"""Standard streams that are closed, full, or that nobody reads: a sensible exit status, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.command import Session

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="redirections of a POSIX shell")


def shell(folder: Path, line: str) -> tuple[int, str]:
    """Run a line of bash in which `harness` is the command; gives the command's status, and what was left to read."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HARNESS_")}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    harness = f'harness() {{ {sys.executable} -m harness "$@"; }}; '
    done = subprocess.run(
        ["bash", "-c", f"{harness}{line}; echo status ${{PIPESTATUS[0]}}"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    *shown, status = (done.stdout + done.stderr).rsplit("status ", 1)
    return int(status.split()[0]), "".join(shown) + "".join(status.split()[1:])


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("harness --help >&-", 0),
        ("harness --help >&- 2>&-", 0),
        ("harness --help >/dev/full", 2),
        ("harness --help | head -1", 0),
        ("harness --help | true", 0),
        ("harness nonsense 2>&-", 2),
        ("harness nonsense 2>/dev/full", 2),
        ("harness results --db sqlite:///none.db <&- >&- 2>&-", 2),
    ],
)
def test_a_stream_that_cannot_be_written_to(tmp_path: Path, line: str, status: int) -> None:
    found, shown = shell(tmp_path, line)
    assert found == status, shown
    assert "Traceback" not in shown
    assert "Exception ignored" not in shown


def test_a_file_does_not_take_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    code = (
        "import os\nfrom harness.cli.process.streams import sound_streams\n"
        "with sound_streams():\n    file = os.open('file', os.O_CREAT | os.O_RDWR)\n    os.write(2, b'lost')\n"
        "    print('lost')\nos._exit(file)"
    )
    (tmp_path / "code.py").write_text(code)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        ["bash", "-c", f"exec {sys.executable} code.py <&- >&- 2>&-"], cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode >= 3
    assert not (tmp_path / "file").read_bytes()


def test_a_run_whose_messages_nobody_reads_goes_on(tmp_path: Path, cache: Path) -> None:
    session = Session(tmp_path, cache)
    run = "harness run --task detection --codec jpeg@50 --limit 2 --resamples 100"
    found, shown = shell(tmp_path, f"export HARNESS_CACHE={cache}; {run} 2>&1 | true")
    assert (found, shown.strip()) == (0, "")
    assert session.select("select distinct status from experiments") == [("finished",)]
