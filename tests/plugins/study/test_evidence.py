"""What the study's page counts as one measurement, and the numbers that follow from databases of known answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from harness.discovery.plugins import installed
from harness.errors import StoreError
from harness.experiment import Experiment, Training, key_of
from harness.keep.processes import this_process
from harness.records import Claim, MetricValue, SampleRow, Totals
from harness.statistics.intervals import interval, replicates
from harness_plugins.sql_store import SqlStore
from harness_plugins.study.evidence import RATE, Evidence
from harness_tasks.action.task import Action
from harness_tasks.action.types import ClipScores
from kit.store_rows import INFO

COUNT = 80
JPEG = {"subsampling": "4:2:0", "optimize": False, "progressive": False}
PRETRAINED = Training()
CLEAN = Training("retrained", mode="clean", seed=0, checkpoint="clean", control="clean", series="clean")
AT_15 = Training("retrained", "jpeg", 15.0, "level", seed=0, checkpoint="15", control="clean", series="15")
METRIC = "spatial_top1"


def put(
    store: SqlStore,
    right: int,
    level: float | None = 15.0,
    training: Training = PRETRAINED,
    options: Mapping[str, Any] = JPEG,
    failed: Collection[int] = (),
    count: int = COUNT,
    groups: int = COUNT,
    **identity: Any,
) -> str:
    """A finished experiment on JPEG (at no level: on uncompressed data) in which so many clips are right; its key."""
    task, codec = Action(("a", "b")), "none" if level is None else "jpeg"
    options = options if level is not None else {}
    identity = {
        "codec": {"name": codec, "level": level, "options": dict(options), "fingerprint": {}},
        "task": {"name": task.name, "options": dict(task.config), "scoring": 1},
        "model": {"kind": "net", "options": {}, "weights": "0123456789"},
        "dataset": {"kind": "made-up", "split": "test"},
        "limit": None,
        "batch": {"size": 1},
        "precision": "fp32",
        "reference": "labels",
        "training": {"kind": training.kind, "job": training.checkpoint},
    } | identity
    made = Experiment(
        key=key_of(identity),
        identity=identity,
        codec=codec,
        codec_options=options,
        level=level,
        level_name=None if level is None else "quality",
        intra=False,
        task=task.name,
        model="net",
        weights="w",
        dataset="made-up",
        split="test",
        samples=count,
        training=training,
        seed=training.seed or 0,
    )
    rows = []
    for i in range(count):
        if i in failed:
            rows.append(SampleRow(made.key, i, f"s{i}", f"g{i % groups}", "failed", error="cut short"))
        else:
            scores = np.array([0.9, 0.1] if i < right else [0.1, 0.9], np.float32)
            found = task.score(ClipScores(scores, scores), 0)
            rows.append(
                SampleRow(made.key, i, f"s{i}", f"g{i % groups}", "ok", bits=64, pixels=100, statistics=[found])
            )
    claim = Claim(this_process(), store.begin_run(INFO))
    store.register([made], claim.run)
    store.claim([made.key], claim)
    store.write(rows, claim)
    metrics = [MetricValue(m.name, None, None, None, count, m.primary, m.higher_is_better) for m in task.all_metrics()]
    good = count - len(failed)
    store.finish(made.key, claim, Totals(good, len(failed), 64 * good, 100 * good, 0.64 if good else None), metrics)
    return made.key


def asked(store: SqlStore) -> Evidence:
    return Evidence([store], installed(), 300)


def keys(cells: Collection[Any]) -> set[str]:
    return {cell.facts["experiment"] for cell in cells}


def test_a_codec_with_other_options_or_libraries_is_no_seed(store: SqlStore) -> None:
    """The default options are taken, though others were tested at more levels; of those, the libraries used most."""
    expected = {level: put(store, 60, level) for level in (50.0, 15.0)}
    for level in (95.0, 50.0, 15.0):
        put(store, 40, level, options=JPEG | {"subsampling": "4:4:4"})
    put(store, 20, 15.0, codec={"name": "jpeg", "level": 15.0, "options": JPEG, "fingerprint": {"pillow": "1"}})
    subject = asked(store).main("action")
    assert set(subject.levels("jpeg")) == {50.0, 15.0}
    for level, key in expected.items():
        assert [cell.facts["experiment"] for cell in subject.pretrained("jpeg", level)] == [key]
    assert subject.pretrained("jpeg", 95.0) == []


def test_without_default_options_those_tested_most_are_taken(store: SqlStore) -> None:
    put(store, 60, 15.0, options=JPEG | {"optimize": True})
    most = [put(store, 40, level, options=JPEG | {"subsampling": "4:4:4"}) for level in (50.0, 15.0)]
    subject = asked(store).main("action")
    assert keys(subject.cells) == set(most)


def test_experiments_under_other_conditions_are_other_subjects(store: SqlStore) -> None:
    put(store, 60)
    put(store, 59, None)
    put(store, 40, batch={"size": 8})
    evidence = asked(store)
    assert [len(subject.cells) for subject in evidence.subjects] in ([2, 1], [1, 2])
    assert evidence.value(evidence.main("action").pretrained("jpeg", 15.0), METRIC).value == 60 / COUNT


def test_seeds_are_averaged_and_recipes_are_not(store: SqlStore) -> None:
    put(store, 20, training=AT_15)
    newer = replace(AT_15, checkpoint="new0", series="new")
    put(store, 50, training=newer)
    put(store, 70, training=replace(newer, checkpoint="new1", seed=1))
    evidence = asked(store)
    subject = evidence.main("action")
    assert {cell.facts["series"] for cell in subject.matched("jpeg", 15.0)} == {"new"}
    assert evidence.value(subject.matched("jpeg", 15.0), METRIC).value == pytest.approx(60 / COUNT)


def test_trainings_of_which_nobody_knows_whether_they_are_seeds_are_refused(store: SqlStore) -> None:
    for number in range(2):
        put(store, 20, training=replace(AT_15, checkpoint=f"old{number}", series=None))
    with pytest.raises(StoreError, match="not recorded as seeds of one training"):
        asked(store).main("action").matched("jpeg", 15.0)


def test_a_training_on_another_kind_of_the_codec_is_no_match(store: SqlStore) -> None:
    put(store, 60)
    put(store, 20, training=replace(AT_15, codec="jpeg:scale=0.25", checkpoint="s", series="s"))
    put(store, 20, training=Training("retrained", "webp", None, "mixed", seed=0, checkpoint="w", series="w"))
    subject = asked(store).main("action")
    assert subject.matched("jpeg", 15.0) == subject.mixed("jpeg", 15.0) == []
    matched = put(store, 70, training=AT_15)
    every = replace(AT_15, mode="mixed", level=None, checkpoint="m", series="m")
    mixed = put(store, 71, training=every)
    part = put(store, 72, training=replace(AT_15, parts="spatial", checkpoint="p", series="p"))
    subject = asked(store).main("action")
    assert keys(subject.matched("jpeg", 15.0)) == {matched}
    assert keys(subject.mixed("jpeg", 15.0)) == {mixed}
    assert keys(subject.matched("jpeg", 15.0, "spatial")) == {part}


def test_the_control_is_that_of_the_training(store: SqlStore) -> None:
    """Another recipe's training on uncompressed data, though newer, is none."""
    own: dict[float | None, str] = {}
    for level in (None, 15.0):
        put(store, 50, level)
        own[level] = put(store, 60, level, CLEAN)
        put(store, 70, level, AT_15)
        put(store, 30, level, replace(CLEAN, checkpoint="other", control="other", series="other"))
    subject = asked(store).main("action")
    retrained = {15.0: subject.matched("jpeg", 15.0), None: subject.trained("jpeg", 15.0, "none", None)}
    for level, key in own.items():
        assert len(retrained[level]) == 1
        assert keys(subject.control(retrained[level])) == {key}
    seed = replace(AT_15, seed=1, checkpoint="15b", control="clean of seed 1")
    put(store, 70, 15.0, seed)
    subject = asked(store).main("action")
    assert len(subject.matched("jpeg", 15.0)) == 2
    assert subject.control(subject.matched("jpeg", 15.0)) == []


def test_a_sample_that_failed_in_one_is_left_out_of_a_difference(store: SqlStore) -> None:
    """Equal scores on all samples differ by nothing, whichever sample is missing in one of them."""
    put(store, 60, None)
    put(store, 60, failed=[7])
    evidence = asked(store)
    subject = evidence.main("action")
    none, coded = subject.none(), subject.pretrained("jpeg", 15.0)
    unseen = binomtest(0, COUNT - 1).proportion_ci(0.95).high  # none of the groups differs
    for first, metric, reach in ((coded, METRIC, unseen), (coded, RATE, 0), (none, METRIC, unseen)):
        found = evidence.estimate(lambda a, b: b - a, (first, metric), (coded, metric))
        assert (found.value, found.low, found.high) == pytest.approx((0, -reach, reach))
    assert evidence.value(none, METRIC).value == 60 / COUNT
    assert evidence.value(coded, METRIC).value == 59 / (COUNT - 1)


def test_a_value_has_the_interval_that_results_have(store: SqlStore) -> None:
    put(store, COUNT - 1)
    evidence = asked(store)
    (cell,) = evidence.main("action").pretrained("jpeg", 15.0)
    task = Action(("a", "b"))
    statistics = [frame for sample in store.statistics(cell.facts["experiment"]) for frame in sample.statistics]
    expected = interval(replicates(task, statistics, [f"g{i}" for i in range(COUNT)], 300), METRIC)
    found = evidence.value([cell], METRIC)
    assert (found.value, found.low, found.high) == (expected.value, expected.low, expected.high)
    assert 0.99 < found.high < 1


@pytest.mark.parametrize(("count", "groups", "few"), [(66, 13, False), (65, 13, True), (66, 12, True)])
def test_intervals_that_stand_on_few_samples_are_marked(store: SqlStore, count: int, groups: int, few: bool) -> None:
    for level in (None, 15.0):
        put(store, 40, level, count=count, groups=groups)
    evidence = asked(store)
    subject = evidence.main("action")
    cells = subject.pretrained("jpeg", 15.0)
    found = [evidence.value(cells, METRIC), evidence.estimate(np.add, (subject.none(), METRIC), (cells, METRIC))]
    found += [-found[1], evidence.share(np.add, np.add, (subject.none(), METRIC), (cells, METRIC))]
    assert [one.few for one in found] == [few] * 4
    assert all(one.text().endswith(" (few)") == few for one in found)


def test_an_experiment_without_a_good_sample_has_no_value(store: SqlStore) -> None:
    put(store, 60, None)
    put(store, 60, failed=range(COUNT))
    evidence = asked(store)
    subject = evidence.main("action")
    coded = subject.pretrained("jpeg", 15.0)
    for metric in (METRIC, RATE):
        assert evidence.value(coded, metric).value is None
        assert evidence.estimate(lambda a, b: b - a, (subject.none(), metric), (coded, metric)).value is None


def model(options: Mapping[str, Any], weights: str = "w", kind: str = "openpose") -> dict[str, Any]:
    return {"kind": kind, "options": dict(options), "weights": weights}


def test_variants_by_an_option_of_prediction_have_the_same_weights(store: SqlStore) -> None:
    put(store, 60, model=model({"part_threshold": 0.1}))
    put(store, 50, model=model({"part_threshold": 0.2}))
    put(store, 40, model=model({"part_threshold": 0.2}, weights="others"))
    put(store, 40, 50.0, model=model({"part_threshold": 0.2}, weights="others"))
    evidence = asked(store)
    found = evidence.variants("action", "part_threshold")
    values = {v: evidence.value(s.pretrained("jpeg", 15.0), METRIC).value for v, s in found.items()}
    assert values == {"0.1": 60 / COUNT, "0.2": 50 / COUNT}


def test_variants_by_an_option_of_training_have_other_weights(store: SqlStore) -> None:
    put(store, 60, model=model({"upsampling": "unpool"}, "one", "segnet"))
    put(store, 50, model=model({"upsampling": "bilinear"}, "two", "segnet"))
    assert asked(store).variants("action", "upsampling").keys() == {"unpool", "bilinear"}


@pytest.mark.parametrize(
    "other", [{"precision": "fp16"}, {"reference": "predictions"}, {"task": {"name": "action", "options": {}}}]
)
def test_variants_under_other_conditions_are_none(store: SqlStore, other: dict[str, Any]) -> None:
    put(store, 60, model=model({"upsampling": "unpool"}, "one", "segnet"))
    put(store, 50, model=model({"upsampling": "bilinear"}, "two", "segnet"), **other)
    assert asked(store).variants("action", "upsampling") == {}
