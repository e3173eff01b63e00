"""Who has a message, of several pipes."""

from __future__ import annotations

import select
import time
from multiprocessing import Pipe

import pytest

from harness.workers.ready import Ready


@pytest.fixture(params=["poll", "wait"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to wait: Windows has no `select.poll`."""
    name: str = request.param
    if name == "wait":
        monkeypatch.delattr(select, "poll", raising=False)
    return name


@pytest.mark.usefixtures("way")
def test_whose_pipe_has_a_message_or_was_hung_up() -> None:
    (first, its_first), (second, its_second) = Pipe(), Pipe()
    ready = Ready({first: "first", second: "second"})
    assert ready.wait(0) == []
    its_second.send("there")
    assert ready.wait() == ["second"]
    assert second.recv() == "there"
    its_first.close()
    assert ready.wait() == ["first"]
    assert ready.owners() == ["first", "second"]


@pytest.mark.usefixtures("way")
def test_pipes_come_and_go() -> None:
    (first, its_first), (second, its_second) = Pipe(), Pipe()
    ready: Ready[str] = Ready({})
    assert not ready
    ready.add(first, "first")
    its_first.send(1)
    assert ready.wait(0) == ["first"]
    ready.leave(first)
    first.close()
    assert not ready
    ready.add(second, "second")
    its_second.send(2)
    assert ready.wait(0) == ["second"]


@pytest.mark.usefixtures("way")
def test_it_waits_no_longer_than_was_said() -> None:
    mine, its = Pipe()
    begun = time.monotonic()
    assert Ready({mine: True}).wait(0.05) == []
    assert time.monotonic() - begun >= 0.05
    its.close()
