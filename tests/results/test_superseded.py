"""Results of an earlier revision: another key, and a mark in every command that reads results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.codec import Codec
from harness.discovery.plugins import Plugins, installed
from harness.discovery.sources import source_digest
from harness.media import levers
from harness.media.levers import with_levers
from harness.planning.identity import codec_identity
from harness.results.superseded import superseded
from harness_codecs.av_family import H264
from harness_codecs.pillow_family import Jpeg
from kit.plugins import entry_points_in, write_distribution


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


PLUGIN = """
import harness
from harness.codec import Codec
from harness.dataset import Dataset

class Cut(Codec):
    name = "cut"
    coding = "image"
    def encode(self, frames, level, fps): ...
    def decode(self, encoded): ...

class Cuts(Dataset):
    name = "cuts"
    tasks = ("detection",)
    splits = ("test",)
    def open(self): ...
    def outline(self, index): ...
    def __getitem__(self, index): ...
    def __len__(self): ...
    def fingerprint(self): ...

@harness.hookimpl
def harness_codecs():
    yield Cut

@harness.hookimpl
def harness_datasets():
    yield Cuts
"""


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    write_distribution(tmp_path, "my-cut", "my_cut_superseded", PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    source_digest.cache_clear()
    return Plugins([*entry_points_in(tmp_path)])


def test_an_edit_of_a_third_party_plugin_marks_its_results(third_party: Plugins, tmp_path: Path) -> None:
    codec, dataset = third_party.provided("codec", "cut"), third_party.provided("dataset", "cuts")

    def recorded(source: str | None = None, version: str = "1.0", data_source: str | None = None) -> dict[str, Any]:
        facts: dict[str, Any] = {"kind": "cuts", "decoders": {}}
        facts |= {"source": data_source or dataset.source}
        plugin = f"my-cut {version}"
        return {
            "codec": {**codec_identity(Jpeg(), plugin, source), "name": "cut"},
            "dataset": facts,
            "plugins": ["codec-harness 0.1.0", plugin],
        }

    now = codec.source
    assert now is not None
    assert dataset.source == now, "they are of one module"
    assert superseded(recorded(now), third_party) is None
    assert superseded(recorded("a" * 64), third_party) == f"codec cut of my-cut 1.0: source aaaaaaaa (now {now[:8]})"
    assert superseded(recorded(), third_party) == (
        f"codec cut of my-cut 1.0: without a digest of its source (now {now[:8]})"
    )
    assert superseded(recorded(now, data_source="b" * 64), third_party) == (
        f"dataset cuts of my-cut 1.0: source bbbbbbbb (now {now[:8]})"
    )
    assert superseded(recorded("a" * 64, version="0.9"), third_party) is None, "results of another version"
    (tmp_path / "my_cut_superseded.py").write_text(PLUGIN + "EDITED = True\n")
    source_digest.cache_clear()
    assert "codec cut" in str(superseded(recorded(now), third_party))


def test_no_plugin_is_asked_for_results_of_the_harness_alone() -> None:
    """Models import torch: a table of results must not wait for it."""
    asked: list[str] = []

    class Asked(Plugins):
        def names(self, kind: str) -> list[str]:
            asked.append(kind)
            return super().names(kind)

    one = {**identity(Jpeg()), "plugins": ["codec-harness 0.1.0"], "model": {"kind": "torchvision"}}
    one["codec"]["plugin"] = "codec-harness 0.1.0"
    assert superseded(one, Asked([])) is None
    assert not {"model", "task"} & set(asked)
