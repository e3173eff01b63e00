"""Which experiments a panel shows, where a plugin was edited between two runs."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from harness.experiment import Experiment, key_of
from harness.keep.processes import this_process
from harness.records import Claim, Totals
from harness.show.recorded import PanelQuery, find
from harness_plugins.sql_store import SqlStore
from kit.store_rows import INFO, cell, metric


def of_source(experiment: Experiment, source: str) -> Experiment:
    """The experiment on a dataset of a plugin whose source had a digest."""
    identity = {**experiment.identity, "dataset": {"name": "streets", "source": source}}
    return replace(experiment, identity=identity, key=key_of(identity), baseline=None)


def test_experiments_before_and_after_an_edit_of_the_dataset_are_not_mixed(tmp_path: Path) -> None:
    with closing(SqlStore(str(tmp_path / "a.db"))) as store:
        store.open()
        run = store.begin_run(INFO)
        claim = Claim(this_process(), run)
        plain = [cell("none", None), cell(), cell(level=10.0)]
        experiments = [of_source(one, source) for source in ("before", "after") for one in plain]
        store.register(experiments, run)
        for experiment in experiments:
            store.claim([experiment.key], claim)
            store.finish(experiment.key, claim, Totals(4, 0, 801, 400, 2.0), [metric("AP", 0.5)])
        found = find(store, PanelQuery("detection", ("jpeg",)))
    assert found.baseline is not None
    keys = {one.facts["experiment"] for one in found.cells}
    assert keys in ({one.key for one in experiments[:3]}, {one.key for one in experiments[3:]})
    assert len(found.others) == 1
