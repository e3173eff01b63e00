"""Codecs by profile (`h264:profile=surveillance`), their ladders, and what is refused on still images."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.discovery.plugins import installed
from harness.discovery.registry import Registry, load_registry
from harness.errors import PreflightError, RegistryError, UnknownNameError, UsageError
from harness.media.levers import with_levers
from harness.planning.codecs import choose_codec
from harness.planning.grid import CodecChoice
from harness.planning.plan import make_plan
from harness.planning.request import Request
from harness.planning.resolve import resolve
from harness_codecs.av_family import H264, Hevc
from kit.command import Session

MINE = """
[codecs.h264.profiles.camera]
options = { rate = "cbr", buffer = 0.5, bframes = 0, fps = 10 }
ladder = [400, 100]

[codecs.jpeg.profiles.scan]
options = { subsampling = "4:4:4" }
"""


def chosen(text: str, registry: Registry | None = None) -> CodecChoice:
    return choose_codec(text, installed(), registry or load_registry(()))


@pytest.fixture
def mine(tmp_path: Path) -> Registry:
    file = tmp_path / "mine.toml"
    file.write_text(MINE)
    return load_registry([file])


def test_a_profile_stands_for_its_options_and_what_is_given_beside_it_wins() -> None:
    assert chosen("h264:profile=surveillance@30,40").codec == H264(bframes=0, gop="2s")
    assert chosen("h264:profile=surveillance@30,40").levels == (30, 40)
    assert chosen("h264:gop=10,profile=surveillance,preset=fast").codec == H264(bframes=0, gop="10", preset="fast")
    assert chosen("hevc:profile=low-latency").codec == Hevc(tune="zerolatency", bframes=0, gop="2s")


def test_results_show_the_expanded_options() -> None:
    request = Request(codecs=("h264:profile=surveillance@30",), tasks=("detection",), limit=2)
    (experiment,) = [
        e for e in make_plan(resolve(request, installed(), load_registry(()))).experiments if e.codec == "h264"
    ]
    assert experiment.codec_options == H264(bframes=0, gop="2s").config
    assert experiment.changed == {"bframes": 0, "gop": "2s"}
    assert experiment.intra
    written = Request(codecs=("h264:bframes=0,gop=2s@30",), tasks=("detection",), limit=2)
    assert experiment.key in [e.key for e in make_plan(resolve(written, installed(), load_registry(()))).experiments]


def test_every_profile_that_ships_can_be_made() -> None:
    registry = load_registry(())
    names = [
        f"{codec}:profile={name}"
        for codec, facts in registry.section("codecs").items()
        for name in facts.get("profiles", {})
    ]
    assert {"h264:profile=surveillance", "h264:profile=low-latency"} <= set(names)
    for name in names:
        assert chosen(name).codec.available() is None


def test_ladders(mine: Registry) -> None:
    assert chosen("h264").levels == (23, 25, 30, 40, 50) == tuple(load_registry(()).entry("codecs", "h264")["ladder"])
    assert chosen("h264:profile=surveillance").levels == (23, 25, 30, 40, 50)
    assert chosen("h264:rate=abr").levels == H264(rate="abr").scale.ladder
    assert chosen("h264:profile=camera", mine).levels == (400, 100)
    assert chosen("jpeg:profile=scan", mine).levels == chosen("jpeg").levels
    with pytest.raises(UsageError, match="kbps is a number from 1"):
        chosen("h264:rate=abr@0.5")
    # Beside `rate=quality`, the profile's kbit/s would mean nothing.
    with pytest.raises(UsageError, match="buffer= is for rate=cbr"):
        chosen("h264:profile=camera,rate=quality", mine)


def test_a_profile_can_hold_a_lever(mine: Registry) -> None:
    codec = chosen("h264:profile=camera", mine).codec
    assert codec == with_levers(H264, {"rate": "cbr", "buffer": 0.5, "bframes": 0, "fps": 10})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "h264:profile=surveilance",
            "no profile 'surveilance'. Did you mean 'surveillance'?.* low-latency, surveillance",
        ),
        ("jpeg:profile=surveillance", "codec jpeg has no profile 'surveillance'. There is: none"),
        ("h264:profil=surveillance", "no option 'profil'"),
    ],
)
def test_an_unknown_profile_lists_what_there_is(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        chosen(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[codecs.h264.profiles.x]\nbframes = 0\n", r"line 2, key codecs.h264.profiles.x.bframes: no such key"),
        ("[codecs.h264.profiles]\nx = 3\n", r"key codecs.h264.profiles.x: a table is expected"),
        ('[codecs.h264.profiles.x]\nladder = ["a"]\n', r"key codecs.h264.profiles.x.ladder: levels are numbers"),
    ],
)
def test_a_malformed_profile_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(RegistryError, match=said):
        load_registry([file])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("jpeg:fps=10", "codec jpeg on the images of dataset demo: fps=10 drops frames of a clip"),
        ("h264:fps=10", "codec h264 on the images of dataset demo: fps=10 drops frames of a clip"),
        ("h264:rate=abr@200", "codec h264 on the images of dataset demo: rate=abr sets kbit/s"),
        ("h264:rate=cbr,scale=0.5@200", "codec h264 on the images of dataset demo: rate=cbr sets kbit/s"),
    ],
)
def test_what_needs_a_clip_is_refused_on_images_before_the_run(text: str, said: str) -> None:
    with pytest.raises(PreflightError, match=said):
        resolve(Request(codecs=(text,), tasks=("detection",), limit=2), installed(), load_registry(()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("h264:rate=abr@200", "codec h264 on the images of dataset demo: rate=abr sets kbit/s"),
        ("h264:encoder=h264_nvenc,preset=p4@23", "codec h264 cannot run here: encoder h264_nvenc"),
        ("h264@99", "no level 99"),
        ("h263@5", "unknown codec 'h263'"),
    ],
)
def test_what_cannot_code_training_data_is_refused_before_the_run(text: str, said: str) -> None:
    asked = Request(codecs=("jpeg@50",), tasks=("detection",), limit=2, retrain=("clean", text))
    if "nvenc" in text and H264(encoder="h264_nvenc", preset="p4").available() is None:
        pytest.skip("this machine has an NVENC encoder")
    with pytest.raises(PreflightError, match=said) as caught:
        resolve(asked, installed(), load_registry(()))
    assert len(caught.value.problems) == 1


def test_a_recipe_s_rate_for_a_part_that_the_model_lacks_is_refused_before_the_run() -> None:
    asked = Request(codecs=("jpeg@50",), tasks=("detection",), retrain=("clean",), settings=("parts=motion:0.1",))
    with pytest.raises(PreflightError, match=r"has no part 'motion'\. There is: model"):
        resolve(asked, installed(), load_registry(()))


def test_images_through_a_video_codec_end_to_end(tmp_path: Path, cache: Path) -> None:
    session = Session(tmp_path, cache)
    session.run("run", "--codec", "h264:profile=surveillance@23,50", "--task", "detection", "--limit", "2")
    rows = session.select(
        "select codec, codec_options, level, level_name, bpp from results where is_primary order by bpp"
    )
    assert [(row[0], row[2], row[3]) for row in rows] == [
        ("h264", 50, "crf"),
        ("h264", 23, "crf"),
        ("none", None, None),
    ]
    assert '"bframes":0' in rows[0][1].replace(" ", "")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *(("h265", "hevc"), ("x265", "hevc"), ("x264", "h264"), ("jpg", "jpeg"), ("jp2", "jpeg2000"), ("JPG", "jpeg")),
        *(("avc", "h264"), ("svtav1", "av1"), ("libvpx-vp9", "vp9"), ("mpeg2video", "mpeg2"), ("wepb", "webp")),
    ],
)
def test_other_names_of_codecs_suggest_the_right_one(name: str, meant: str) -> None:
    for text in (name, f"{name}:scale=0.5@50"):
        with pytest.raises(UnknownNameError, match=rf"^unknown codec {name!r}\. Did you mean {meant!r}\?"):
            choose_codec(text, installed(), load_registry(()))


@pytest.mark.parametrize(
    "text",
    [
        *("h264@500k", "h264@500k,250k", "h264@2M", "h264@500kbit/s", "h264@500kbps", "h264:gop=60@1.5M"),
        *("h264:bitrate=500", "h264:bitrate=500k@23", "h264:rate=kbps@500", "h264:rate=500", "h264:rate=500k"),
        *("h264:kbps=500", "h264:rate=vbr@500"),
    ],
)
def test_a_bit_rate_in_another_form_gets_one_line(text: str) -> None:
    with pytest.raises(UsageError) as told:
        choose_codec(text, installed(), load_registry(()))
    assert str(told.value) == f"{text!r}: a bit rate: h264:rate=abr@500,250 (kbit/s)."


@pytest.mark.parametrize("text", ["h264:rate=abr@500,250", "h264@23", "h264:rate=cbr,buffer=2@800", "h264:gop=2s@30"])
def test_a_bit_rate_as_it_is_asked_for_is_taken(text: str) -> None:
    assert choose_codec(text, installed(), load_registry(())).codec.name == "h264"


def test_a_codec_that_keeps_no_bit_rate_says_what_a_level_is() -> None:
    with pytest.raises(UsageError, match="'500k' is no level"):
        choose_codec("jpeg@500k", installed(), load_registry(()))
