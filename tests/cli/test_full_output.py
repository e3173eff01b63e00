"""Standard output that leads to a full disk (`harness results > FILE`): a sentence, whatever the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.command import Session

SENTENCE = "error: the output could not be written: no space left on device."
RUN = ("run", "--codec", "jpeg@50,10", "--task", "detection", "--limit", "3", "--resamples", "100", "--workers", "0")
READING = (
    ("results",),
    ("results", "--format", "json"),
    ("results", "--format", "latex"),
    ("results", "--profile"),
    ("results", "sql", "select * from results"),
    ("results", "tables", "--format", "csv"),
    ("results", "matrix"),
    ("results", "recovery"),
    ("results", "show", "--task", "detection", "--codec", "jpeg", "--worst", "1", "-o", "worst.png"),
    ("results", "refresh", "--resamples", "100"),
    ("results", "study", "--resamples", "100", "-o", "study.md"),
    ("results", "export", "-f", "csv", "-o", "tables"),
    ("results", "merge", "harness.db", "-o", "merged.db"),
    ("recommend", "--task", "detection", "--max-drop", "10%", "--resamples", "100"),
    ("compare", "jpeg", "none", "--task", "detection", "--resamples", "100"),
    ("report", "--samples", "0", "-o", "page.html"),
    ("plot", "--task", "detection", "-o", "curve.svg"),
    ("plan", "--codec", "jpeg@50", "--task", "detection", "--limit", "3"),
    ("list", "codecs"),
    ("doctor", "--database"),
    ("--help",),
    ("results", "--help"),
    ("--version",),
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    made = Session(tmp_path_factory.mktemp("full"), cache)
    made.run(*RUN)
    return made


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_output_that_cannot_be_written_is_told(session: Session, words: tuple[str, ...]) -> None:
    """A command that prints nothing does not fail."""
    usual = session.run(*words, status=None)
    assert "Traceback" not in usual.stderr
    (session.folder / "merged.db").unlink(missing_ok=True)
    full = session.run(*words, status=None, full=True)
    (session.folder / "merged.db").unlink(missing_ok=True)
    assert "Traceback" not in full.stderr
    if usual.stdout:
        assert full.stderr.strip().splitlines()[-1] == SENTENCE
        assert full.returncode == 2
    else:
        assert SENTENCE not in full.stderr
        assert full.returncode == usual.returncode


def test_a_run_keeps_what_it_did(session: Session, tmp_path: Path) -> None:
    other = Session(tmp_path, Path(session.env["HARNESS_CACHE"]))
    assert other.run(*RUN, status=2, full=True).stderr.strip().splitlines()[-1] == SENTENCE
    assert other.values() == session.values()
