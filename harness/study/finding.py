"""A claim of the study, and what was found of it."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.results.tables.text import Table
    from harness.statistics.estimate import Estimate

__all__ = ["UNMEASURED", "Finding", "StudyClaim", "Verdict", "claims", "judged"]

UNMEASURED = "not measured"
"""What is told where the database has nothing to compute with."""


class Verdict(Enum):
    """What the data say of a claim."""

    HOLDS = "holds"
    PARTLY = "holds in part"
    MIXED = "mixed"
    FAILS = "does not hold"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class StudyClaim:
    """What the study says.

    Args:
        title: in a few words.
        study: its own words, with its figures.
        rule: how a verdict follows from figures.
        note: what else has to be known.
    """

    title: str
    study: str
    rule: str
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """What was found of a claim.

    Args:
        claim: its name in `claims`.
        ours: the figures on which the verdict stands, in a line.
        verdict: by the claim's rule.
        tables: all figures; those without a row are not shown.
        tests: what was tested, by what a reader calls it; told where the verdict is mixed.
    """

    claim: str
    ours: str
    verdict: Verdict
    tables: tuple[Table, ...] = ()
    tests: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """The verdict; of a mixed one also for what the claim holds, and for what the opposite does."""
        if self.verdict is not Verdict.MIXED or not self.tests:
            return self.verdict.value
        above, below = ([name for name, test in self.tests.items() if test.sign == sign] for sign in (1, -1))
        return f"{self.verdict.value}: holds for {', '.join(above)}; the opposite for {', '.join(below)}"


@cache
def claims() -> Mapping[str, StudyClaim]:
    """The claims by name."""
    content = tomllib.loads(files("harness.study").joinpath("claims.toml").read_text("utf-8"))
    return {name: StudyClaim(**texts) for name, texts in content.items()}


def judged(tests: Collection[Estimate]) -> Verdict:
    """The verdict on a claim that says of each test that it is above 0.

    It holds if all intervals lie above 0; it is mixed if some lie above and others below; it holds in part if some lie
    above and none below; it does not hold if none lies above and one below. Where no interval keeps clear of 0 it is
    undecided. A test that cannot be made counts as one whose interval has 0 inside.

    >>> from harness.statistics.estimate import Estimate
    >>> judged([Estimate(0.2, 0.1, 0.3), Estimate(0.1, -0.1, 0.3)]).value
    'holds in part'
    >>> judged([Estimate(0.2, 0.1, 0.3), Estimate(-0.2, -0.3, -0.1)]).value
    'mixed'
    >>> judged([Estimate(0.1, -0.1, 0.3), Estimate(None)]).value
    'undecided'
    """
    signs = [test.sign for test in tests]
    if not signs:
        return Verdict.UNDECIDED
    if min(signs) > 0:
        return Verdict.HOLDS
    if max(signs) > 0:
        return Verdict.MIXED if min(signs) < 0 else Verdict.PARTLY
    return Verdict.FAILS if min(signs) < 0 else Verdict.UNDECIDED
