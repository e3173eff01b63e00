"""Results of an earlier revision: another key, and a mark in every command that reads results."""

from __future__ import annotations

from typing import Any

import pytest

from harness.codec import Codec
from harness.discovery.plugins import installed
from harness.media import levers
from harness.media.levers import with_levers
from harness.planning.identity import codec_identity
from harness.results.superseded import superseded
from harness_codecs.av_family import H264
from harness_codecs.pillow_family import Jpeg


def identity(codec: Codec, **dataset: Any) -> dict[str, Any]:
    data = {"kind": "demo-world", "decoders": {}, **dataset}
    return {"codec": {**codec_identity(codec, "here 1"), "level": 50.0}, "dataset": data}


def test_revision_1_is_no_part_of_a_key() -> None:
    assert Jpeg.revision == 1
    assert "revision" not in codec_identity(Jpeg(), "here 1")["fingerprint"]


def test_a_new_revision_is_another_identity_and_marks_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity(Jpeg())
    assert superseded(before, installed()) is None
    monkeypatch.setattr(Jpeg, "revision", 2)
    assert identity(Jpeg()) != before
    assert superseded(before, installed()) == "codec jpeg: revision 1 (now 2)"
    assert superseded(identity(Jpeg()), installed()) is None


def test_a_lever_has_a_revision_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    old = {lever: identity(with_levers(H264, {lever: value})) for lever, value in (("fps", 5), ("scale", 0.5))}
    now = levers.LEVER_REVISIONS["fps"] + 1
    monkeypatch.setitem(levers.LEVER_REVISIONS, "fps", now)
    assert superseded(old["fps"], installed()) == f"fps=: revision {now - 1} (now {now})"
    assert superseded(old["scale"], installed()) is None
    assert superseded(identity(with_levers(H264, {"fps": 5})), installed()) is None


def test_readers_and_datasets_have_revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.video import reading

    old = identity(Jpeg(), decoders=dict(reading.decoders()))
    now = reading.REVISION + 1
    monkeypatch.setattr(reading, "REVISION", now)
    assert superseded(old, installed()) == f"reader of videos: revision {now - 1} (now {now})"
    assert superseded(identity(Jpeg(), decoders=dict(reading.decoders())), installed()) is None
    demo = installed().get("dataset", "demo-world")
    monkeypatch.setattr(demo, "revision", 3)
    assert superseded(identity(Jpeg()), installed()) == "dataset demo-world: revision 1 (now 3)"
    assert superseded(identity(Jpeg(), revision=3), installed()) is None


def test_what_is_not_installed_is_not_compared() -> None:
    recorded = identity(Jpeg(), kind="gone")
    recorded["codec"]["name"] = "gone"
    assert superseded(recorded, installed()) is None
