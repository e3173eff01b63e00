"""The samples of an experiment and their batches are fixed by the plan."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.dataset import Outline
from harness.planning.batches import plan_batches, stratified_subset


def planned(shapes: list[tuple[int, int] | None], size: int) -> list[tuple[int, ...]]:
    known = {i: None if s is None else Outline(str(i), s[0], s[1]) for i, s in enumerate(shapes)}
    batches = plan_batches(known, lambda outline: (outline.height, outline.width), size)
    assert [b.number for b in batches] == list(range(len(batches)))
    return [b.indices for b in batches]


def test_only_equal_shapes_share_a_batch() -> None:
    a, b = (3, 4), (4, 3)
    assert planned([a, b, a, a, b, a], 2) == [(0, 2), (1, 4), (3, 5)]
    assert planned([a, b, a, a, b, a], 8) == [(0, 2, 3, 5), (1, 4)]
    assert planned([a, b, a], 1) == [(0,), (1,), (2,)]


def test_an_unreadable_sample_is_alone() -> None:
    assert planned([(3, 4), None, (3, 4)], 4) == [(0, 2), (1,)]


def test_the_order_of_the_asking_does_not_matter() -> None:
    known = {i: Outline(str(i), 2 + i % 2, 2) for i in range(9)}
    turned = dict(reversed(known.items()))
    assert plan_batches(known, lambda o: (o.height,), 3) == plan_batches(turned, lambda o: (o.height,), 3)


def test_every_stratum_has_its_share() -> None:
    strata = ["rare"] * 10 + ["common"] * 90
    for seed in range(5):
        taken = Counter(strata[i] for i in stratified_subset(strata, 20, seed))
        assert taken == {"rare": 2, "common": 18}


def test_a_smaller_draw_is_part_of_a_larger_one() -> None:
    strata = [str(i % 7) for i in range(200)]
    for small, large in ((5, 20), (20, 100), (100, 199)):
        assert set(stratified_subset(strata, small, 3)) < set(stratified_subset(strata, large, 3))


def test_a_draw_is_seeded_ascending_and_of_the_size_asked() -> None:
    strata = [str(i % 7) for i in range(200)]
    first = stratified_subset(strata, 50, 1)
    assert first == stratified_subset(strata, 50, 1)
    assert first != stratified_subset(strata, 50, 2)
    assert list(first) == sorted(set(first))
    assert len(first) == 50


@pytest.mark.parametrize("limit", [None, 10, 11])
def test_no_limit_takes_all(limit: int | None) -> None:
    assert stratified_subset(["a"] * 10, limit, 0) == tuple(range(10))
