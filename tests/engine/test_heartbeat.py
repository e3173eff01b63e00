"""The heartbeat: leases are renewed while a run works, and a renewal that fails is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from harness.engine.heartbeat import Heartbeat
from harness.progress import Silence
from harness.records import Claim
from harness_plugins.sql_store import SqlStore
from kit.store_rows import INFO, cell


class Heard(Silence):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


class Counted(SqlStore):
    """Counts the renewals that went well."""

    renewals = 0

    def renew(self, claim: Claim) -> set[str]:
        held = super().renew(claim)
        self.renewals += 1
        return held


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_lease_lives_on_while_the_heart_beats(tmp_path: Path) -> None:
    store = Counted(str(tmp_path / "a.db"))
    store.open()
    claim = Claim("here", store.begin_run(INFO), lease=2)
    experiment = cell()
    store.register([experiment], claim.run)
    assert store.claim([experiment.key], claim) == {experiment.key}
    heard = Heard()
    with Heartbeat(store, claim, heard):
        wait_until(lambda: store.renewals > 4)  # more than one lease
        assert store.states([experiment.key])[experiment.key].status == "running"
    assert heard.warnings == []
    wait_until(lambda: store.states([experiment.key])[experiment.key].status == "interrupted")
    store.close()


def test_renewals_that_fail_are_told_once_in_a_row(tmp_path: Path) -> None:
    """The store is closed under the heartbeat, opened again, and closed again."""
    store = Counted(str(tmp_path / "a.db"))
    store.open()
    claim = Claim("here", store.begin_run(INFO), lease=0.15)
    heard = Heard()
    store.close()
    with Heartbeat(store, claim, heard):
        wait_until(lambda: len(heard.warnings) == 1)
        time.sleep(0.5)  # ten beats, all of which fail
        assert len(heard.warnings) == 1
        assert "could not be renewed" in heard.warnings[0]
        assert "is not open" in heard.warnings[0]
        store.open()
        wait_until(lambda: store.renewals > 0)
        store.close()
        wait_until(lambda: len(heard.warnings) == 2)
