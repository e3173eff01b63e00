"""Results keep the options of a profile; tables say its name beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.discovery.registry import load_registry
from harness.results.tables.profile_names import profile_name, profile_notes
from harness.results.trained import codec_defaults
from kit.ladders import cell


def options(codec: str, **changed: object) -> dict[str, object]:
    return {**(codec_defaults(codec) or {}), **changed}


@pytest.mark.parametrize(
    ("codec", "changed", "name"),
    [
        ("h264", {"bframes": 0, "gop": "2s"}, "surveillance"),
        ("h264", {"bframes": 0, "gop": "2s", "scale": 0.5, "intra": False}, "surveillance"),
        ("h264", {"bframes": 0, "gop": "2s", "tune": "zerolatency"}, "low-latency"),
        ("h264", {"bframes": 0, "gop": "2s", "preset": "slow"}, None),
        ("h264", {"bframes": 0}, None),
        ("h264", {}, None),
        ("jpeg", {}, None),
        ("nobody-has-this", {"bframes": 0, "gop": "2s"}, None),
    ],
)
def test_a_profile_is_known_by_exactly_its_options(codec: str, changed: dict[str, object], name: str | None) -> None:
    assert profile_name(codec, options(codec, **changed), load_registry(())) == name


def test_the_note_names_each_profile_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    camera = options("h264", bframes=0, gop="2s")
    cells = [cell(level, codec="h264", codec_options=json.dumps(camera)) for level in (23.0, 40.0)]
    cells += [cell(23.0, codec="h264", codec_options=json.dumps(options("h264")))]
    assert profile_notes(cells) == ["Profiles: h264:bframes=0,gop=2s is surveillance."]
    assert profile_notes(cells[2:]) == []
    (tmp_path / "registry.toml").write_text("[codecs.h264")
    assert "Profiles have no names here: registry registry.toml is no valid TOML" in profile_notes(cells)[0]
