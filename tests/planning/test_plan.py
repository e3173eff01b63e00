"""The plan crosses what was asked into experiments whose keys say all that determines a result."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness.codec import Codec
from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.errors import PreflightError
from harness.media.levers import is_baseline, with_levers
from harness.model import Model, Weights
from harness.planning.grid import CodecChoice, Grid
from harness.planning.plan import Plan, make_plan
from harness.planning.request import Request
from harness.planning.resolve import default_batch, resolve
from harness.unit import Subject

DETECTION = Request(codecs=("jpeg",), tasks=("detection",))


def plan_of(request: Request) -> Plan:
    return make_plan(resolve(request, installed(), load_registry(())))


def keys(plan: Plan) -> list[str]:
    return [e.key for e in plan.experiments]


@pytest.fixture(scope="module")
def grid() -> Grid:
    return resolve(DETECTION, installed(), load_registry(()))


def test_the_main_command_plans_the_baseline_and_the_study_s_ladder() -> None:
    experiments = plan_of(DETECTION).experiments
    assert [(e.codec, e.level) for e in experiments] == [
        ("none", None),
        *(("jpeg", float(q)) for q in (95, 75, 50, 15, 10, 5)),
    ]
    baseline = experiments[0]
    assert baseline.baseline is None
    assert {e.baseline for e in experiments[1:]} == {baseline.key}
    assert baseline.samples == 200


def test_equal_requests_give_equal_keys_in_equal_order() -> None:
    assert keys(plan_of(DETECTION)) == keys(plan_of(DETECTION))
    jumbled = replace(DETECTION, codecs=("jpeg@5,95,10,50,15,75",))
    assert keys(plan_of(jumbled)) == keys(plan_of(DETECTION))


def test_one_cell_has_one_key_whatever_else_is_asked() -> None:
    alone = plan_of(replace(DETECTION, codecs=("jpeg@50",)))
    among = plan_of(replace(DETECTION, codecs=("webp", "jpeg@50,10")))
    assert set(keys(alone)) < set(keys(among))


@pytest.mark.parametrize(
    "changed",
    [
        replace(DETECTION, codecs=("jpeg:subsampling=4:4:4",)),
        replace(DETECTION, codecs=("jpeg:scale=0.5",)),
        replace(DETECTION, split="val"),
        replace(DETECTION, limit=10),
        replace(DETECTION, precision="bf16"),
        replace(DETECTION, compiled=True),
        replace(DETECTION, tasks=("detection:confidence=0.3",)),
        replace(DETECTION, batch=7),
    ],
)
def test_whatever_determines_the_result_changes_the_key(changed: Request) -> None:
    before, after = plan_of(DETECTION).experiments, plan_of(changed).experiments
    coded = [{e.key for e in experiments if e.codec == "jpeg"} for experiments in (before, after)]
    assert not coded[0] & coded[1]


def test_identity_covers_weights_data_fingerprints_and_versions(grid: Grid) -> None:
    subject: Subject = grid.subjects[0]
    choice: CodecChoice = grid.codecs[1]

    class Other(type(choice.codec)):  # type: ignore[misc]
        def fingerprint(self) -> dict[str, str]:
            return {"libjpeg": "another"}

    class Redecoded(type(subject.dataset)):  # type: ignore[misc]
        def decoders(self) -> dict[str, str]:
            return {"pillow": "another"}

    class Reconfigured(type(subject.model)):  # type: ignore[misc]
        def identity_config(self) -> dict[str, str]:
            return {"config": "another"}

    redecoded = Redecoded("detection", "test")
    redecoded.open()
    grids = [
        grid,
        replace(grid, subjects=[replace(subject, dataset=redecoded)]),
        replace(grid, subjects=[replace(subject, model=Reconfigured())]),
        replace(grid, subjects=[replace(subject, weights=Weights("w", None, "0" * 64))]),
        replace(grid, subjects=[replace(subject, fingerprint="other pixels")]),
        replace(grid, subjects=[replace(subject, plugins=("codec-harness 999",))]),
        replace(grid, codecs=[replace(choice, codec=Other())]),
        replace(grid, codecs=[replace(choice, plugin="codec-harness 999")]),
    ]
    found = [{e.key for e in make_plan(g).experiments if e.codec == "jpeg"} for g in grids]
    for one, other in itertools.combinations(found, 2):
        assert not one & other


def test_device_workers_and_seed_of_an_undrawn_set_are_provenance() -> None:
    assert keys(plan_of(replace(DETECTION, seed=3))) == keys(plan_of(DETECTION))
    drawn = replace(DETECTION, limit=10)
    assert keys(plan_of(drawn)) != keys(plan_of(replace(drawn, seed=1)))


def test_a_network_that_is_not_compiled_has_the_identity_of_earlier_versions() -> None:
    experiments = [plan_of(replace(DETECTION, compiled=compiled)).experiments[1] for compiled in (False, True)]
    plain, compiled = (dict(experiment.identity) for experiment in experiments)
    assert set(plain) == {
        *("codec", "task", "model", "dataset", "plugins", "limit", "batch", "precision", "training", "reference")
    }
    assert compiled.pop("compiled") is True
    assert compiled == plain
    assert [experiment.compiled for experiment in experiments] == [False, True]


def test_every_model_has_one_batch_size_which_0_1_0_had_on_the_cpu() -> None:
    plugins = installed()
    sizes = {name: default_batch(plugins.get("model", name)) for name in plugins.names("model")}
    assert {name: size for name, size in sizes.items() if size != 1} == {"demo-two-stream": 4}


def test_a_model_that_gives_sizes_for_devices_has_the_cpu_s_on_every_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model = installed().get("model", "demo-faster-rcnn")
    for given, size in (({"cuda": 8, "cpu": 2}, 2), ({"cuda": 8}, 1), (3, 3)):
        monkeypatch.setattr(model, "default_batch", given)
        assert {experiment.batch for experiment in plan_of(DETECTION).experiments} == {size}
    assert {experiment.batch for experiment in plan_of(replace(DETECTION, batch=5)).experiments} == {5}


def test_a_precision_that_a_model_does_not_heed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of another author would compute in fp32, and its results would say fp16."""
    model = installed().get("model", "demo-faster-rcnn")
    monkeypatch.setattr(model, "precisions", Model.precisions)
    assert plan_of(replace(DETECTION, precision="bf16")).experiments[0].precision == "bf16"
    for precision in ("fp16", "tf32"):
        with pytest.raises(PreflightError, match=f"--precision {precision}: model demo-detector has fp32, bf16"):
            plan_of(replace(DETECTION, precision=precision))


def test_the_baseline_can_be_declined_and_a_lever_on_none_is_no_baseline() -> None:
    declined = plan_of(replace(DETECTION, baseline=False)).experiments
    assert {e.codec for e in declined} == {"jpeg"}
    assert {e.baseline for e in declined} == {None}
    levered = plan_of(replace(DETECTION, codecs=("none:scale=0.5",))).experiments
    assert [dict(e.codec_options) for e in levered] == [{}, {"scale": 0.5}]
    assert levered[1].baseline == levered[0].key


def test_one_pass_serves_every_level_of_every_codec() -> None:
    plan = plan_of(replace(DETECTION, codecs=("jpeg", "webp", "jpeg:subsampling=4:4:4")))
    assert len(plan.passes) == 1
    assert len(plan.passes[0].cells) == 1 + 6 + 6 + 6
    assert plan.passes[0].cells[0].exact


def test_results_name_the_options_that_change_something(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    torch.save({"weight": torch.zeros(1)}, weights)
    request = replace(DETECTION, codecs=("none",), weights=str(weights), precision="bf16", batch=3)
    plain, default, other = (
        plan_of(replace(request, models=(f"torchvision{options}",))).experiments[0]
        for options in ("", ":arch=fasterrcnn_resnet50_fpn", ":score_thresh=0.10,arch=ssd300_vgg16")
    )
    assert plain == default
    assert plain.model == "torchvision"
    assert other.model == "torchvision:arch=ssd300_vgg16,score_thresh=0.1"
    assert (other.dataset, other.precision, other.batch) == ("demo", "bf16", 3)


@pytest.mark.parametrize(
    ("task", "model", "options"),
    [
        ("segmentation", "demo-segnet", "jitter=0.5,dice=0.3"),
        ("depth", "demo-depth-gan", "adversarial=0"),
        ("action", "demo-two-stream", "flip=false"),
    ],
)
def test_options_of_training_alone_change_the_training_and_not_what_given_weights_score(
    task: str, model: str, options: str
) -> None:
    request = Request(codecs=("jpeg@50",), tasks=(task,), retrain=("clean",))
    usual, other = (plan_of(replace(request, models=(text,))) for text in (model, f"{model}:{options}"))
    pretrained = [[e for e in plan.experiments if e.training.kind == "pretrained"] for plan in (usual, other)]
    assert [e.key for e in pretrained[0]] == [e.key for e in pretrained[1]]
    retrained = [{e.key for e in plan.experiments} - {e.key for e in pretrained[0]} for plan in (usual, other)]
    assert retrained[0]
    assert not retrained[0] & retrained[1]
    assert {e.model for e in other.experiments} == {e.model for e in usual.experiments} == {model}


def test_options_of_prediction_alone_need_no_training_of_their_own() -> None:
    request = Request(codecs=("jpeg@50",), tasks=("pose",), retrain=("50",))
    usual, other = (
        plan_of(replace(request, models=(text,))) for text in ("demo-openpose", "demo-openpose:part_threshold=0.3")
    )
    assert not {e.key for e in usual.experiments} & {e.key for e in other.experiments}
    trainings = [{e.training.checkpoint for e in plan.experiments} for plan in (usual, other)]
    assert len(trainings[0]) == 2
    assert trainings[0] == trainings[1]
    assert other.experiments[0].model == "demo-openpose:part_threshold=0.3"


def test_is_baseline() -> None:
    none: type[Codec] = installed().get("codec", "none")
    assert is_baseline(with_levers(none, {}))
    assert not is_baseline(with_levers(none, {"scale": "0.5"}))


@pytest.mark.parametrize(
    ("request_", "messages"),
    [
        (replace(DETECTION, codecs=("jpg",)), ["unknown codec 'jpg'. Did you mean 'jpeg'?"]),
        (replace(DETECTION, codecs=("jpeg@0",)), ["quality is a whole number from 1 to 100"]),
        (replace(DETECTION, codecs=("jpeg@101", "webp@-1")), ["no level 101", "no level -1"]),
        (replace(DETECTION, codecs=("none@5",)), ["codec none has no levels"]),
        (replace(DETECTION, codecs=("jpeg:subsamplin=4:4:4",)), ["Did you mean 'subsampling'?"]),
        (replace(DETECTION, tasks=("detection:confidnce=1",)), ["Did you mean 'confidence'?"]),
        (replace(DETECTION, tasks=("detecton",)), ["unknown task 'detecton'. Did you mean 'detection'?"]),
        (replace(DETECTION, models=("demo-detectr",)), ["Did you mean 'demo-detector'?"]),
        (replace(DETECTION, datasets=("dem",)), ["unknown dataset 'dem'. Did you mean 'demo'?"]),
        (replace(DETECTION, datasets=("voc",)), ["no --data-root", "Expected:", "host.robots.ox.ac.uk"]),
        (
            replace(DETECTION, datasets=("voc",), data_roots=(("", "/no/such/folder"),)),
            ["/no/such/folder", "Expected:"],
        ),
        (replace(DETECTION, split="nosuch"), ["no split 'nosuch'"]),
        (replace(DETECTION, limit=0), ["--limit 0"]),
        (replace(DETECTION, weights="/no/such.safetensors"), ["/no/such.safetensors"]),
        (
            replace(DETECTION, codecs=("jpg",), models=("modell",), datasets=("dataa",)),
            ["unknown codec", "unknown model", "unknown dataset"],
        ),
    ],
)
def test_preflight_says_everything_that_is_wrong_at_once(request_: Request, messages: list[str]) -> None:
    with pytest.raises(PreflightError) as caught:
        plan_of(request_)
    for message in messages:
        assert message in str(caught.value)


def test_a_named_data_root_or_a_folder_of_the_dataset_s_name(tmp_path: Path) -> None:
    (tmp_path / "voc").mkdir()
    for roots in ((("", str(tmp_path)),), (("voc", str(tmp_path / "voc")),)):
        with pytest.raises(PreflightError) as caught:
            plan_of(replace(DETECTION, datasets=("voc",), data_roots=roots))
        assert str(tmp_path / "voc") in str(caught.value)


def test_experiments_that_differ_in_anything_have_labels_that_differ(grid: Grid) -> None:
    class NextRevision(type(grid.codecs[1].codec)):  # type: ignore[misc]
        revision = 7

    def labels(**changes: object) -> set[str]:
        return {experiment.label for experiment in make_plan(replace(grid, **changes)).experiments}

    (subject,) = grid.subjects
    jpeg = replace(grid.codecs[1], levels=(50.0,))
    usual = labels(codecs=[jpeg])
    assert all(label.startswith("jpeg@50 detection demo-detector [") for label in usual)
    others = [
        labels(codecs=[replace(jpeg, plugin="other-distribution 2.0")]),
        labels(codecs=[replace(jpeg, codec=NextRevision())]),
        labels(codecs=[replace(jpeg, codec=with_levers(type(jpeg.codec), {"scale": 0.5}))]),
        labels(codecs=[jpeg], subjects=[replace(subject, plugins=("other-models 1.0",))]),
        labels(codecs=[jpeg], subjects=[replace(subject, weights=replace(subject.weights, sha256="1" * 64))]),
        labels(codecs=[jpeg], subjects=[replace(subject, fingerprint="another")]),
        labels(codecs=[jpeg], subjects=[replace(subject, model_name="demo-detector:threshold=0.1")]),
        labels(codecs=[jpeg], precision="bf16"),
    ]
    every = [*usual, *(label for other in others for label in other)]
    assert len(set(every)) == len(every) == 9
