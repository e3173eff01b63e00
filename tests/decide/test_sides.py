"""`compare` takes every label by which an output names a ladder, and an exact label wins over a partial one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from harness.decide.sides import SideQuery, sides_of
from harness.errors import UsageError
from harness.results.cells import read_cells
from harness.results.ladders import Case, Ladder, cases_of
from harness.store import Filters
from harness_plugins.sql_store import SqlStore
from kit.command import Session
from kit.report import made_results

Identities = dict[str, object]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    return made_results(tmp_path_factory.getbasetemp(), cache)


@pytest.fixture(scope="module")
def store(session: Session) -> Iterator[SqlStore]:
    with closing(SqlStore(str(session.database))) as opened:
        opened.open(write=False)
        yield opened


@pytest.fixture(scope="module")
def cases(store: SqlStore) -> list[Case]:
    return cases_of(read_cells(store, Filters({"task": ["detection"]})))


@pytest.fixture(scope="module")
def identities(cases: list[Case], store: SqlStore) -> dict[str, object]:
    return dict(store.identities([cell.facts["experiment"] for case in cases for cell in case.every or case.cells]))


def chosen(cases: list[Case], identities: Identities, *texts: str) -> tuple[Ladder, Ladder]:
    first, second = sides_of(cases, (SideQuery(texts[0]), SideQuery(texts[1])), identities)  # type: ignore[arg-type]
    return first.ladder, second.ladder


def test_every_label_of_every_ladder(cases: list[Case], identities: Identities) -> None:
    (case,) = cases
    assert len(case.ladders) > 2
    for first, second in permutations(case.ladders, 2):
        for label in (first.name, f"{first.codec}/{first.training}", f"{first.codec}, {first.training}"):
            assert chosen(cases, identities, label, second.name) == (first, second), label


def test_an_exact_label_wins(cases: list[Case], identities: Identities) -> None:
    """A part of the label would fit both, and the options that nobody wrote are not the defaults."""
    (case,) = cases
    jpeg = next(ladder for ladder in case.ladders if ladder.name == "jpeg")
    others = [ladder for ladder in case.ladders if ladder.codec != "jpeg"]
    old = replace(jpeg, codec="jpeg (superseded)", cells=tuple(replace(c, superseded="older") for c in jpeg.cells))
    still = replace(jpeg, codec="jpeg (intra)")
    several = [replace(case, ladders=(jpeg, old, still, *others))]
    for label, ladder in (("jpeg", jpeg), ("jpeg (superseded)", old), ("jpeg (intra)", still)):
        assert chosen(several, identities, label, others[0].name)[0] == ladder
        assert chosen(several, identities, others[0].name, label)[1] == ladder
    only_old = [replace(case, ladders=(old, *others))]
    assert chosen(only_old, identities, "jpeg", others[0].name)[0] == old, "a partial one, where no label is exact"


def test_a_label_of_nothing_says_what_there_is(cases: list[Case], identities: Identities) -> None:
    with pytest.raises(UsageError, match=r"no finished results fit jpeg, mixed.*There is: .*jpeg/matched"):
        chosen(cases, identities, "jpeg, mixed", "jpeg")
