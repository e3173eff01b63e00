"""Which plugins' sources are part of a key: those of third parties; the keys of the harness's own stay as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.experiment import key_of
from harness.planning.grid import Grid
from harness.planning.plan import Pass, make_plan
from harness.planning.request import Request
from harness.planning.resolve import resolve

DETECTION = Request(codecs=("jpeg@50", "h264@30"), tasks=("detection",), retrain=("jpeg@50",), limit=10)

KNOWN = {
    "none detection": "8cdc2530c34a1d5e97937f2e538aae63ecf1f089cc3e5b839728f77c6321797c",
    "jpeg@50 detection": "b85894e5133c3c0975442a5f9219d88edabe3ea87483f1062f2730939f36ca2e",
    "h264@30 detection": "d50be336be3d262143972b601cb534de8851508d891c674cd578ce2fb6f7878f",
    "none detection, retrained jpeg@50": "1593193f71c21d377074aec637cf74dc928922c36cae6b5849ca75e9812924fc",
    "jpeg@50 detection, retrained jpeg@50": "7b537e2253caf48190abf25cef7d675e9bad0bf267c3676735a4de51d6af96c8",
    "h264@30 detection, retrained jpeg@50": "0de232eecd384ef0c0c9ba8ae1d46098cb6c001caf5a14eb6ca37942a03e6f44",
}
"""Keys of version 0.1.0's identities, in which versions and digests of this machine are replaced (`timeless`)."""


@pytest.fixture(scope="module")
def grid() -> Grid:
    return resolve(DETECTION, installed(), load_registry(()))


def timeless(identity: Mapping[str, Any]) -> dict[str, Any]:
    """An identity without what other versions of libraries, of the harness or of a checkpoint change."""
    known = json.loads(json.dumps(identity))
    known["codec"]["fingerprint"] = sorted(known["codec"]["fingerprint"])
    known["codec"]["plugin"] = known["codec"]["plugin"].split()[0]
    known["plugins"] = [plugin.split()[0] for plugin in known["plugins"]]
    known["dataset"] |= {"fingerprint": "", "decoders": sorted(known["dataset"]["decoders"])}
    known["model"] |= {"weights": "", "fingerprint": sorted(known["model"]["fingerprint"])}
    if "job" in known["training"]:
        known["training"]["job"] = "some"
    return dict(known)


def test_keys_of_the_harness_s_own_plugins_stay(grid: Grid) -> None:
    experiments = make_plan(grid).experiments
    names = [e.label.partition(" [")[0].replace(" demo-detector", "") for e in experiments]
    keys = [key_of(timeless(e.identity)) for e in experiments]
    assert dict(zip(names, keys, strict=True)) == KNOWN


def test_trainings_of_the_harness_s_own_plugins_have_the_facts_of_before(grid: Grid) -> None:
    (job,) = {a_pass.job.key(): a_pass.job for a_pass in make_plan(grid).passes if a_pass.job}.values()
    assert set(job.facts()) == {
        *("loop", "model", "model_config", "model_fingerprint", "dataset", "dataset_config", "dataset_fingerprint"),
        *("decoders", "classes", "recipe", "seed", "initial", "through", "parts", "libraries"),
    }


def of_source(grid: Grid, kind: str, digest: str) -> tuple[Pass, ...]:
    """The plan as if a plugin of the grid were of a third party."""
    if kind == "codec":
        return make_plan(replace(grid, codecs=[replace(choice, source=digest) for choice in grid.codecs])).passes
    return make_plan(replace(grid, subjects=[replace(grid.subjects[0], sources={kind: digest})])).passes


@pytest.mark.parametrize("kind", ["codec", "task", "model", "dataset"])
def test_the_source_of_a_third_party_plugin_is_part_of_the_key(grid: Grid, kind: str) -> None:
    plans = [make_plan(grid).passes, of_source(grid, kind, "1" * 64), of_source(grid, kind, "2" * 64)]
    pretrained = [{cell.experiment.key for cell in passes[0].cells} for passes in plans]
    assert not pretrained[0] & pretrained[1]
    assert not pretrained[1] & pretrained[2]
    assert plans[1][0].cells[0].experiment.identity[kind]["source"] == "1" * 64


@pytest.mark.parametrize(("kind", "changes"), [("model", True), ("dataset", True), ("task", False)])
def test_an_edit_of_model_or_dataset_is_another_training(grid: Grid, kind: str, changes: bool) -> None:
    """A task scores, and trains nothing."""
    jobs = [passes[-1].job for passes in (of_source(grid, kind, "1" * 64), of_source(grid, kind, "2" * 64))]
    one, other = (job.key() for job in jobs if job)
    assert (one != other) is changes


def test_an_edit_of_the_codec_is_another_training(grid: Grid) -> None:
    keys = []
    for digest in ("1" * 64, "2" * 64):
        retraining = grid.retrainings[0]
        edited = replace(retraining, data=replace(retraining.data, source=digest))
        keys.append([p.job.key() for p in make_plan(replace(grid, retrainings=[edited])).passes if p.job])
    assert keys[0] != keys[1]
