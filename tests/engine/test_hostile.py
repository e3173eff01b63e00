"""Plugins whose every answer is wrong: each fault costs its samples, with the reason, and changes no other number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.weights import save_state
from kit import hostile
from kit.command import Session
from kit.plugins import write_distribution

RUN = ("run", "--resamples", "100", "--batch", "1")
GOOD = ("--codec", "good-plain", "--dataset", "good-pictures", "--model", "good")
FAILED = "select codec, model, dataset, sample, error from per_sample join results using (experiment)"
FAILED += " where is_primary and per_sample.status = 'failed' order by per_sample.sample, codec desc"


@pytest.fixture
def session(tmp_path: Path, cache: Path) -> Session:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    write_distribution(plugins, "dist-hostile", "plugged_hostile", hostile.SOURCE, version="3.1")
    return Session(tmp_path, cache, path=plugins)


def repeated(option: str, names: Sequence[str]) -> list[str]:
    return [word for name in names for word in (f"--{option}", name)]


def numbers(session: Session, where: str) -> list[tuple[Any, ...]]:
    """All that was measured of some experiments."""
    columns = "codec, model, dataset, metric, value, ci_low, ci_high, bpp, psnr, samples, failed_samples, status"
    return session.select(f"select {columns} from results where {where} order by codec, model, dataset, metric")


def alone(session: Session, *arguments: str) -> list[tuple[Any, ...]]:
    """The numbers of the good plugins, without any hostile one."""
    other = Session(session.folder, Path(session.env["HARNESS_CACHE"]), session.path)
    other.database = session.folder / "alone.db"
    other.run(*RUN, "--task", "detection", *(arguments or GOOD), "--db", "alone.db")
    return numbers(other, "1")


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_prediction_that_is_wrong_costs_its_sample(session: Session, workers: str) -> None:
    names = [*hostile.MODELS, *hostile.WHOLE, "sometimes"]
    result = session.run(
        *(*RUN, "--task", "detection", *GOOD, *repeated("model", names), "--workers", workers), status=1
    )
    assert "Traceback" not in result.stderr
    failed: dict[str, list[tuple[str, str]]] = {}
    for _, model, _, sample, error in session.select(FAILED):
        failed.setdefault(model, []).append((sample, error))
    for name, (_, message) in hostile.MODELS.items():
        wanted = f"model '{name}' (plugin dist-hostile 3.1): sample 'image 0': {message}"
        assert len(failed[name]) == 2 * hostile.SAMPLES, name
        assert failed[name][0][1].startswith(wanted), f"{failed[name][0][1]}\n{wanted}"
        assert f"none detection {name} [" in result.stderr
    for name, (_, message) in hostile.WHOLE.items():
        assert len(failed[name]) == 2 * hostile.SAMPLES
        assert f"model '{name}' (plugin dist-hostile 3.1): {message}" in failed[name][0][1]
    assert [sample for sample, _ in failed.pop("sometimes")] == ["image 1"] * 2
    assert set(failed) == {*hostile.MODELS, *hostile.WHOLE}
    assert session.select("select distinct samples, failed_samples from results where model = 'sometimes'") == [(2, 1)]
    assert session.select("select count(*) from metrics where value is not null and n = 0") == [(0,)]
    assert numbers(session, "model = 'good'") == alone(session)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_one_object_for_all_samples_of_a_batch_costs_the_batch(session: Session, workers: str) -> None:
    names = [*hostile.AGAIN, "one-read-only"]
    run = ("run", "--resamples", "100", "--batch", "2", "--task", "detection", *GOOD, "--workers", workers)
    result = session.run(*run, *repeated("model", names), status=1)
    assert "Traceback" not in result.stderr
    failed: dict[str, list[tuple[str, str]]] = {}
    for _, model, _, sample, error in session.select(FAILED):
        failed.setdefault(model, []).append((sample, error))
    assert set(failed) == set(hostile.AGAIN)
    for name, (_, message) in hostile.AGAIN.items():
        assert [sample for sample, _ in failed[name]] == ["image 0"] * 2 + ["image 1"] * 2
        assert failed[name][0][1].startswith(f"model '{name}' (plugin dist-hostile 3.1): {message}")
    assert [row[3:] for row in numbers(session, "model = 'one-read-only'")] == [
        row[3:] for row in numbers(session, "model = 'good'")
    ]


def test_what_real_detectors_give_is_scored(session: Session) -> None:
    session.run(*RUN, "--task", "detection", *GOOD, *repeated("model", list(hostile.GOOD)))
    values = dict(session.select("select model, value from results where metric = 'AP50' and codec = 'none'"))
    assert values["double-precision"] == values["good"] == pytest.approx(1 / 3)
    assert values["empty"] == values["flat-boxes"] == 0


def test_a_target_that_is_wrong_costs_its_sample_in_every_cell(session: Session) -> None:
    faults = {**hostile.DATASETS, **hostile.MISSTATED, **hostile.DESCRIBED}
    result = session.run(*RUN, "--task", "detection", *GOOD, *repeated("dataset", list(faults)), status=1)
    assert "Traceback" not in result.stderr
    failed: dict[str, list[tuple[str, str]]] = {}
    for _, _, dataset, sample, error in session.select(FAILED):
        failed.setdefault(dataset, []).append((sample, error))
    for name, (_, message) in faults.items():
        place = "1" if name in hostile.DESCRIBED else "image 1"
        assert [sample for sample, _ in failed[name]] == [place] * 2, name
        wanted = f"dataset '{name}' (plugin dist-hostile 3.1): sample '{place}': {message}"
        assert failed[name][0][1].startswith(wanted), f"{failed[name][0][1]}\n{wanted}"
    assert session.select("select distinct samples, failed_samples, status from results where failed_samples > 0") == [
        (2, 1, "failed")
    ]
    assert numbers(session, "dataset = 'good-pictures'") == alone(session)


@pytest.mark.parametrize("name", ["twins", "twins-elsewhere"])
def test_a_dataset_with_one_id_twice_is_refused_by_name(session: Session, name: str) -> None:
    told = {"twins": "'image 1' (samples 0, 1, 2)", "twins-elsewhere": "'image 0' (samples 0, 2)"}[name]
    refused = session.run(*RUN, "--task", "detection", *GOOD, "--dataset", name, status=2).stderr
    assert f"dataset '{name}' (plugin dist-hostile 3.1): several samples have one id: {told}" in refused
    assert "Traceback" not in refused
    assert session.select("select count(*) from experiments") == [(0,)]


def test_a_length_that_is_none_is_refused_by_name(session: Session) -> None:
    names = list(hostile.LENGTHS)
    refused = session.run(*RUN, "--task", "detection", *GOOD, *repeated("dataset", names), status=2).stderr
    assert "Traceback" not in refused
    for name, (_, message) in hostile.LENGTHS.items():
        assert f"dataset {name}: {message}" in refused


def test_an_error_with_half_a_surrogate_pair_is_recorded(session: Session) -> None:
    result = session.run(*RUN, "--task", "detection", *GOOD[:2], *GOOD[4:], "--dataset", "surrogate", status=1)
    assert "Traceback" not in result.stderr
    assert {error for *_, error in session.select(FAILED)} == {
        "reading the source: OSError: the file \\udcff is broken"
    }


def test_a_codec_that_is_wrong_costs_its_samples_and_no_other_codec(session: Session) -> None:
    codecs = [f"c-{name}" for name in hostile.CODECS]
    order = ["--codec", codecs[0], *GOOD[:2], *repeated("codec", codecs[1:])]
    result = session.run(*RUN, "--task", "detection", *GOOD[2:], *order, status=1)
    assert "Traceback" not in result.stderr
    failed: dict[str, list[str]] = {}
    for codec, *_, error in session.select(FAILED):
        failed.setdefault(codec, []).append(error)
    for name, (_, message) in hostile.CODECS.items():
        assert len(failed[f"c-{name}"]) == hostile.SAMPLES, name
        assert failed[f"c-{name}"][0].startswith(f"codec c-{name}: "), failed[f"c-{name}"]
        assert message in failed[f"c-{name}"][0]
        assert len(failed[f"c-{name}"][0]) < 400
    assert set(failed) == set(codecs)
    assert numbers(session, "codec in ('none', 'good-plain')") == alone(session)


@pytest.mark.parametrize("name", hostile.DISABLED)
def test_a_codec_without_a_fingerprint_is_disabled_alone(session: Session, name: str) -> None:
    message = hostile.DISABLED[name][1]
    run = (*RUN, "--task", "detection", *GOOD)
    refused = session.run(*run, "--codec", f"c-{name}", status=2).stderr
    assert f"codec c-{name} cannot run here: {message}" in refused
    assert "Traceback" not in refused
    assert not session.database.exists()
    listed = session.run("list", "codecs", "--json").stdout
    assert message.replace("\\", "\\\\") in listed
    session.run(*run, "--limit", "1")


@pytest.mark.parametrize("name", ["raising-print", "odd-print"])
def test_a_model_without_a_fingerprint_is_refused_by_name(session: Session, name: str) -> None:
    refused = session.run(*RUN, "--task", "detection", *GOOD, "--model", name, status=2).stderr
    assert f"model {name}: its fingerprint() " in refused
    assert "Traceback" not in refused


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("odd-print", "dataset odd-print: its fingerprint() gave b'digest'; a text is expected"),
        ("odd-classes", "dataset odd-classes: its classes are None; a tuple is expected"),
        ("numbered-classes", "dataset numbered-classes: its classes gave 1; a text is expected"),
        ("twin-classes", "task detection: two of its metrics are called 'AP[cat]'"),
        ("raising-decoders", "dataset raising-decoders: its decoders() raised OSError: the file \\udcff is broken"),
    ],
)
def test_a_dataset_without_an_identity_is_refused_by_name(session: Session, name: str, message: str) -> None:
    refused = session.run(*RUN, "--task", "detection", *GOOD, "--dataset", name, status=2).stderr
    assert message in refused
    assert "Traceback" not in refused


def test_a_model_that_writes_to_the_source_costs_its_own_samples(session: Session) -> None:
    run = (*RUN, "--task", "detection", *GOOD, "--model", "writes-frames", "--reference", "predictions")
    result = session.run(*run, "--workers", "0", status=1)
    assert "Traceback" not in result.stderr
    errors = {error for _, model, _, _, error in session.select(FAILED) if model == "writes-frames"}
    (error,) = errors
    assert error.startswith("no prediction on the uncompressed frames to compare with: model writes-frames: prepare")
    assert {model for _, model, *_ in session.select(FAILED)} == {"writes-frames"}
    psnr = session.select("select distinct psnr from results where codec = 'good-plain' and model = 'good'")
    assert psnr == [(None,)]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_model_that_asks_for_the_end_costs_its_samples_not_the_run(session: Session, workers: str) -> None:
    run = (*RUN, "--task", "detection", *GOOD, "--model", "exits", "--workers", workers)
    result = session.run(*run, status=1)
    assert "Traceback" not in result.stderr
    failed = session.select(FAILED)
    assert {model for _, model, *_ in failed} == {"exits"}
    assert len(failed) == 2 * hostile.SAMPLES
    assert {error for *_, error in failed} == {"model exits: SystemExit: 0"}
    assert numbers(session, "model = 'good'") == alone(session)


def test_a_model_that_sets_no_classes_is_named(session: Session) -> None:
    run = (*RUN, "--task", "detection", *GOOD[:4])
    refused = session.run(*run, "--model", "classless", "--model", "odd-classes", status=2).stderr
    assert "model 'classless' (plugin dist-hostile 3.1): load() has set no classes; dataset good-pictures" in refused
    assert "model 'odd-classes' (plugin dist-hostile 3.1): load() has set classes to 'cat'" in refused


def test_weights_that_name_no_classes_are_warned_of(session: Session) -> None:
    weights = session.folder / "mine.safetensors"
    run = (*RUN, "--task", "detection", *GOOD[:4], "--model", "nameless", "--weights", str(weights))
    save_state(weights, {"a": torch.zeros(1)}, ())
    told = session.run(*run).stderr
    assert "weights mine.safetensors of model 'nameless' (plugin dist-hostile 3.1) do not name their classes" in told
    assert "the 3 of dataset good-pictures are taken, in its order (cat, dog, cow)" in told
    save_state(weights, {"a": torch.ones(1)}, hostile.CLASSES)
    assert "do not name their classes" not in session.run(*run).stderr


def test_a_task_that_is_wrong_costs_its_cells(session: Session) -> None:
    names = list(hostile.TASKS)
    models = ["of-task", *(f"of-{name}" for name in names)]
    run = (*RUN, *repeated("task", ["counting", *names]), *repeated("model", models), *GOOD[:2], "--dataset", "counted")
    result = session.run(*run, status=1)
    assert "Traceback" not in result.stderr
    reasons = dict(session.select("select task, reason from experiments where codec = 'none'"))
    for name, (_, message) in hostile.TASKS.items():
        assert message in reasons[name], f"{name}: {reasons[name]}"
        assert f"task {name}" in reasons[name]
    assert reasons["counting"] is None
    assert session.select("select task, value from results where value is not null and is_primary") == [
        ("counting", 1.0),
        ("counting", 1.0),
    ]


def test_an_infinite_metric_is_undefined_with_its_reason(session: Session) -> None:
    names = list(hostile.INFINITE)
    run = (*RUN, *repeated("task", ["counting", *names]), *repeated("model", ["of-task", *(f"of-{n}" for n in names)]))
    result = session.run(*run, *GOOD[:2], "--dataset", "counted")
    assert "Traceback" not in result.stderr
    assert "Warning" not in result.stderr
    for name, value in hostile.INFINITE.items():
        of_metrics = "select distinct value, ci_low, ci_high, m.reason from metrics m join experiments e"
        told = session.select(f"{of_metrics} on e.key = m.experiment where task = '{name}'")
        assert told == [(None, None, None, f"undefined: it is infinite ({value})")]
        of_drops = "select distinct value, c.reason from comparisons c join experiments e on e.key = c.experiment"
        told = session.select(f"{of_drops} where task = '{name}'")
        assert told == [
            (
                None,
                f"undefined: it is infinite ({value})",
            )
        ]
    for command in (
        "results",
        "results json",
        "compare none good-plain",
        "doctor --database",
        "recommend --max-drop 1",
    ):
        done = session.run(*command.split(), status=None)
        assert "Traceback" not in done.stderr
        assert done.returncode in (0, 1, 2)
    assert session.run("doctor", "--database").returncode == 0


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("model", "exits-loading", "model exits-loading: SystemExit: 0"),
        ("model", "exits-resolving", "SystemExit: 0"),
        ("dataset", "exits-opening", "SystemExit: 0"),
    ],
)
def test_what_asks_for_the_end_before_the_run_is_refused_by_name(
    session: Session, kind: str, name: str, told: str
) -> None:
    refused = session.run(*RUN, "--task", "detection", *GOOD, f"--{kind}", name, status=2).stderr
    assert told in refused
    assert "Traceback" not in refused


def test_one_task_with_two_sets_of_options_is_refused(session: Session) -> None:
    twice = ("--task", "detection:confidence=0.1", "--task", "detection:confidence=0.2")
    refused = session.run(*RUN, *twice, *GOOD, status=2).stderr
    assert "task detection is asked for twice, with different options" in refused
