"""The claims of the study, and the findings about them: figures and a verdict."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.pages import Table
    from harness.statistics.estimate import Estimate

__all__ = ["UNMEASURED", "Finding", "StudyClaim", "Verdict", "claims", "verdict_of"]

UNMEASURED = "not measured"
"""The text for a figure if the database lacks the experiments to compute it."""


class Verdict(Enum):
    """The verdict on a claim of the study."""

    HOLDS = "holds"
    PARTLY = "holds in part"
    MIXED = "mixed"
    FAILS = "does not hold"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class StudyClaim:
    """A claim of the study.

    Args:
        title: the claim in a few words.
        study: the study's own words, with its figures.
        rule: how the verdict follows from the figures.
        note: further information that a reader needs; "" for none.
    """

    title: str
    study: str
    rule: str
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """The result of testing a claim against a database.

    Args:
        claim: the claim's name in `claims`.
        ours: the figures that decide the verdict, in a line of text.
        verdict: the verdict by the claim's rule.
        tables: tables with all figures; a table without rows is not shown.
        tests: the tested figures by a name for the reader; the names are shown if the verdict is mixed.
    """

    claim: str
    ours: str
    verdict: Verdict
    tables: tuple[Table, ...] = ()
    tests: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """The verdict as text; a mixed verdict also lists the tests for which the claim or its opposite holds."""
        if self.verdict is not Verdict.MIXED or not self.tests:
            return self.verdict.value
        above, below = ([name for name, test in self.tests.items() if test.sign == sign] for sign in (1, -1))
        return f"{self.verdict.value}: holds for {', '.join(above)}; the opposite for {', '.join(below)}"


@cache
def claims() -> Mapping[str, StudyClaim]:
    """Return the study's claims by name, from claims.toml."""
    content = tomllib.loads(files("harness_plugins.study").joinpath("claims.toml").read_text("utf-8"))
    return {name: StudyClaim(**texts) for name, texts in content.items()}


def verdict_of(tests: Collection[Estimate]) -> Verdict:
    """Return the verdict on a claim that predicts a value above 0 for each test.

    The claim holds if all intervals lie above 0. It is mixed if some lie above 0 and others below. It holds in part if
    some lie above 0 and none below. It does not hold if none lies above 0 and at least one below. It is undecided if
    every interval contains 0. A test without an interval counts as one whose interval contains 0.

    >>> from harness.statistics.estimate import Estimate
    >>> verdict_of([Estimate(0.2, 0.1, 0.3), Estimate(0.1, -0.1, 0.3)]).value
    'holds in part'
    >>> verdict_of([Estimate(0.2, 0.1, 0.3), Estimate(-0.2, -0.3, -0.1)]).value
    'mixed'
    >>> verdict_of([Estimate(0.1, -0.1, 0.3), Estimate(None)]).value
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
