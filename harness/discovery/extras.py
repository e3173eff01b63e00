"""The optional extras of the distribution: their purpose, and which of their packages are missing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version

from packaging.requirements import Requirement

__all__ = ["EXTRAS", "Extra", "extras"]

EXTRAS = {
    "plot": "figures: `harness plot`",
    "compare": "`harness compare`: BD-rate, BD-accuracy, tests at equal levels",
    "report": "`harness report`: results as one HTML page",
    "measures": "`harness report --measure`: MS-SSIM and VMAF",
    "frames": "results as pandas frames (`harness.load`), Parquet files",
    "browse": "`harness results browse`: the database in Datasette",
    "postgres": "PostgreSQL as the results database",
    "testing": "files of tests that inherit from `harness.testing`",
}
"""Name of an extra -> its purpose."""

_DISTRIBUTION = "codec-harness"


@dataclass(frozen=True)
class Extra:
    """An extra of the distribution, and its state in this Python environment.

    Args:
        name: the extra's name for pip: `codec-harness[NAME]`.
        purpose: what the extra is for.
        installed: the extra's packages that are installed, each with its version.
        missing: the requirements of the extra that no installed package satisfies (not installed, or too old).
    """

    name: str
    purpose: str
    installed: tuple[str, ...]
    missing: tuple[str, ...]


def extras() -> list[Extra]:
    """Return every extra for users, according to the requirements that the installed distribution declares.

    Raises:
        PackageNotFoundError: the harness runs from a source tree and was never installed.
    """
    declared = [Requirement(text) for text in distribution(_DISTRIBUTION).requires or ()]
    result = []
    for name, purpose in EXTRAS.items():
        needed = [requirement for requirement in declared if requirement.marker and _belongs(requirement, name)]
        versions = {str(r): _version(r.name) for r in needed}
        satisfied = {str(r) for r in needed if (found := versions[str(r)]) and r.specifier.contains(found, True)}
        installed = tuple(f"{r.name} {versions[str(r)]}" for r in needed if str(r) in satisfied)
        missing = tuple(str(r).partition(";")[0].strip() for r in needed if str(r) not in satisfied)
        result.append(Extra(name, purpose, installed, missing))
    return result


def _belongs(requirement: Requirement, extra: str) -> bool:
    """Return whether the extra, and only the extra, needs a requirement (which must have a marker)."""
    marker = requirement.marker
    return marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
