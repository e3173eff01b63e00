"""The extras of the distribution: what each gives, and which of its packages are missing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version

from packaging.requirements import Requirement

__all__ = ["EXTRAS", "Extra", "extras"]

EXTRAS = {
    "plot": "figures: `harness plot`, `harness results show`",
    "compare": "`harness compare`: BD-rate, BD-accuracy, tests at equal levels",
    "report": "`harness report`: results as one HTML page",
    "measures": "`harness report --measure`: MS-SSIM and VMAF",
    "frames": "results as pandas frames (`harness.load`), Parquet files",
    "browse": "`harness results browse`: the database in Datasette",
    "postgres": "PostgreSQL as the results database",
}
"""Extra -> what it is for."""

_DISTRIBUTION = "codec-harness"


@dataclass(frozen=True)
class Extra:
    """An extra, as it is installed here.

    Args:
        name: as pip takes it: `codec-harness[NAME]`.
        purpose: what it is for.
        installed: its packages that are installed, each with its version.
        missing: its packages that are not installed, or too old, as its requirements name them.
    """

    name: str
    purpose: str
    installed: tuple[str, ...]
    missing: tuple[str, ...]


def extras() -> list[Extra]:
    """Every extra for users, by the requirements that the installed distribution declares.

    Raises:
        PackageNotFoundError: the harness runs from a source tree and was never installed.
    """
    declared = [Requirement(text) for text in distribution(_DISTRIBUTION).requires or ()]
    found = []
    for name, purpose in EXTRAS.items():
        needed = [one for one in declared if one.marker and _belongs(one, name)]
        versions = {str(one): _version(one.name) for one in needed}
        here = {str(one) for one in needed if (there := versions[str(one)]) and one.specifier.contains(there, True)}
        installed = tuple(f"{one.name} {versions[str(one)]}" for one in needed if str(one) in here)
        missing = tuple(f"{one.name}{one.specifier}" for one in needed if str(one) not in here)
        found.append(Extra(name, purpose, installed, missing))
    return found


def _belongs(requirement: Requirement, extra: str) -> bool:
    """Whether a requirement with a marker is wanted with the extra, and not without."""
    marker = requirement.marker
    return marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
