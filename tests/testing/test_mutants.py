"""Each promise of the kit can be broken: plugins with one seeded fault each break the promise that is named."""

from __future__ import annotations

from typing import Any

import pytest

from harness.testing import Promises, outcomes
from kit import kit_page, mutants


def kit_of(kind: str, mutant: Any) -> type[Promises]:
    """The class of the kit that tests a class of plugin."""
    return mutants.SOUND[kind].tested(mutant)


@pytest.mark.parametrize("kind", sorted(mutants.SOUND))
def test_a_sound_plugin_keeps_every_promise(kind: str) -> None:
    sound = mutants.SOUND[kind]
    found = {one.promise: one for one in outcomes(sound.tested(sound.cls))}
    broken = {name: one.reason for name, one in found.items() if one.status == "broken"}
    skipped = {name for name, one in found.items() if one.status == "skipped"}
    assert broken == {}
    assert skipped <= sound.skipped


@pytest.mark.parametrize(("kind", "mutant"), mutants.ALL, ids=[f"{kind}-{one.__name__}" for kind, one in mutants.ALL])
def test_a_fault_breaks_its_promise(kind: str, mutant: Any) -> None:
    (outcome,) = outcomes(kit_of(kind, mutant), {mutant.broken})
    assert outcome.status == "broken", outcome
    assert len(outcome.reason) > 20
    assert "\n" not in outcome.reason


def test_there_are_many_over_all_kinds() -> None:
    assert len(mutants.ALL) >= 60
    assert {kind for kind, _ in mutants.ALL} == set(mutants.SOUND)


def test_the_page_has_the_tables() -> None:
    text = kit_page.PAGE.read_text("utf-8")
    assert text == kit_page.page(text), "python -m kit.kit_page, with tests/ on the path, writes them"
