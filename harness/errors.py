"""Every error the harness raises on purpose, in one tree.

    HarnessError                 exit status 2 unless stated otherwise
    ├── UsageError               an unknown name, an option or a level that does not fit
    │   └── UnknownNameError     a name that no plugin provides
    ├── PluginError              a plugin that fails to import, or breaks its contract
    │   └── CollisionError       two distributions claim one name
    ├── RegistryError            a registry.toml that cannot be used
    ├── DatasetError             a missing, half-present or malformed dataset
    ├── SampleError              one sample that cannot be read (recorded, the run goes on)
    ├── CodecError               an encoder or decoder that refuses its input
    ├── WeightsError             weights that are missing, altered, or do not fit the network
    ├── StoreError               a results database that cannot be used
    ├── PreflightError           everything that preflight found wrong, at once
    └── TrainingError            training that cannot start or continue
        └── BusyError            another process is at the same training

A library raises; only the command line prints and exits. A message says what was asked, what was found, what there
is, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "BusyError",
    "CodecError",
    "CollisionError",
    "DatasetError",
    "HarnessError",
    "PluginError",
    "PreflightError",
    "RegistryError",
    "SampleError",
    "StoreError",
    "TrainingError",
    "UnknownNameError",
    "UsageError",
    "WeightsError",
    "closest",
    "did_you_mean",
    "no_such_metric",
]


class HarnessError(Exception):
    """Base of all errors that the harness raises on purpose."""


class UsageError(HarnessError):
    """What was asked does not fit: an option, a level, a combination."""


class UnknownNameError(UsageError):
    """No plugin provides the name.

    Args:
        kind: what was looked for ("codec", "task", ...).
        name: the name as it was asked for.
        known: the names there are.
        hint: a further sentence, e.g. the package that provides the name.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        message = f"unknown {kind} {name!r}."
        if match := closest(name, names):
            message += f" Did you mean {match!r}?"
        if hint:
            message += f" {hint}"
        message += f" There is: {', '.join(names) or 'none'}."
        super().__init__(message)


class PluginError(HarnessError):
    """A plugin that fails to import, or breaks its contract."""


class CollisionError(PluginError):
    """Two distributions provide the same name."""


class RegistryError(HarnessError):
    """A registry.toml that cannot be used: the message names file, line or key."""


class DatasetError(HarnessError):
    """A dataset that is missing, half-present or malformed: the message says what layout is expected."""


class SampleError(HarnessError):
    """One sample that cannot be read. The engine records it with its reason and goes on."""


class CodecError(HarnessError):
    """An encoder or decoder that refuses its input. The engine records the sample and goes on."""


class WeightsError(HarnessError):
    """Weights that are missing, altered, or do not fit the network."""


class StoreError(HarnessError):
    """A results database that cannot be opened, read or written."""


class PreflightError(HarnessError):
    """All that preflight found wrong, before any device time was spent.

    Args:
        problems: one sentence a problem.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__(f"{count} before the run could start:\n" + "\n".join(f"- {p}" for p in self.problems))


class TrainingError(HarnessError):
    """Training that cannot start or continue."""


class BusyError(TrainingError):
    """Another process is at the same training: to be waited for."""


def closest(name: str, names: Sequence[str]) -> str | None:
    """The name most like `name`, or None when none is so near that it may have been meant.

    >>> closest("jpg", ["jpeg", "webp"])
    'jpeg'
    >>> closest("ap50", ["AP", "AP50"])
    'AP50'
    >>> closest("bframes", ["rate", "range"])
    """
    plain = {known.casefold(): known for known in reversed(names)}
    found = difflib.get_close_matches(name.casefold(), list(plain), n=1, cutoff=0.6)
    return plain[found[0]] if found else None


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """A sentence with a space before it, or nothing.

    >>> did_you_mean("jpg", ["jpeg", "webp"])
    " Did you mean 'jpeg'?"
    """
    near = closest(name, names)
    return f" Did you mean {near!r}?" if near else ""


def no_such_metric(name: str, known: Sequence[str]) -> UsageError:
    """That results have no such metric, and which they have."""
    told = f"no such metric {name!r} in these results.{did_you_mean(name, known)} There is: {', '.join(known)}."
    return UsageError(told)
