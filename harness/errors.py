"""All errors that the harness raises on purpose, as a tree of classes.

    HarnessError                 exit status 2 unless stated otherwise
    ├── UsageError               the user gave an unknown name, or an option or a level that does not fit
    │   └── UnknownNameError     a name that no plugin provides
    ├── PluginError              a plugin that fails to import, or breaks its contract
    │   ├── CollisionError       two distributions claim one name
    │   ├── ContentError         a prediction or a target that its task refuses (recorded; the run continues)
    │   └── HungModelError       a model that does not come back from predicting
    ├── RegistryError            a registry.toml that cannot be used
    ├── DatasetError             a missing, half-present or malformed dataset
    ├── SampleError              one sample that cannot be read (recorded; the run continues)
    ├── CodecError               an encoder or decoder that refuses its input
    ├── WeightsError             weights that are missing, altered, or do not fit the network
    ├── StoreError               a results database that cannot be used
    │   └── NoResultsError       there is no database yet, or nothing was ever written to it
    ├── PreflightError           everything that preflight found wrong, at once
    └── TrainingError            training that cannot start or continue
        └── BusyError            another process is running the same training

Library code raises errors; only the command line prints them and exits. An error message says what the user requested,
what the harness found, what is available, and what to do next.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import reprlib
from collections.abc import Iterable, Sequence

__all__ = [
    "BusyError",
    "CodecError",
    "CollisionError",
    "ContentError",
    "DatasetError",
    "HarnessError",
    "HungModelError",
    "NoResultsError",
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
    "found",
    "in_words",
    "no_such_metric",
    "plain_text",
]

_LONGEST = 2000
"""Characters of a message that are kept."""


_LONG = re.compile(r"\S{1001,}|\s{1001,}")


class HarnessError(Exception):
    """Base of all errors that the harness raises on purpose.

    Of a word of more than 1,000 characters the message shows the beginning and the end.
    """

    def __str__(self) -> str:
        return _LONG.sub(lambda found: _shortened(found[0]), super().__str__())


class UsageError(HarnessError):
    """The user's request is invalid: for example an option, a level, or a combination of them."""


class UnknownNameError(UsageError):
    """No plugin provides the requested name.

    Args:
        kind: the kind of plugin object ("codec", "task", ...).
        name: the requested name.
        known: the available names.
        hint: one more sentence for the message, e.g. the package that provides the name.
        meant: the name that is meant, if it is known; otherwise the most similar one is suggested.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "", meant: str | None = None) -> None:
        names = sorted(known)
        message = f"unknown {kind} {name!r}."
        if match := meant or closest(name, names):
            message += f" Did you mean {match!r}?"
        if hint:
            message += f" {hint}"
        message += f" There is: {', '.join(names) or 'none'}."
        super().__init__(message)


class PluginError(HarnessError):
    """A plugin that fails to import, or breaks its contract."""


class CollisionError(PluginError):
    """Two installed distributions (Python packages) provide the same name."""


class HungModelError(PluginError):
    """A model does not come back from predicting, or a codec that wants the device from coding.

    Its thread cannot be ended, so this process can predict no more.

    Args:
        message: what it did, and for how long.
        cells: the cells that it predicted for, as positions in the unit's cells.
    """

    def __init__(self, message: str, cells: Sequence[int]) -> None:
        super().__init__(message)
        self.cells = tuple(cells)

    def __reduce__(self) -> tuple[type[HungModelError], tuple[str, tuple[int, ...]]]:
        return HungModelError, (str(self), self.cells)


class ContentError(PluginError):
    """A prediction or a target that is not what its task expects.

    The message begins with the field: "labels: 1 of 12 values is outside 0-79: -1". The engine adds the plugin and the
    sample.
    """


class RegistryError(HarnessError):
    """A registry.toml that cannot be used; the message names the file, and the line or the key."""


class DatasetError(HarnessError):
    """A dataset that is missing, incomplete or malformed; the message says which layout is expected."""


class SampleError(HarnessError):
    """One sample that cannot be read. The engine records the sample with the reason and continues."""


class CodecError(HarnessError):
    """An encoder or decoder refuses its input. The engine records the sample as failed and continues."""


class WeightsError(HarnessError):
    """Weights that are missing, altered, or do not fit the network."""


class StoreError(HarnessError):
    """A results database that cannot be opened, read or written."""


class NoResultsError(StoreError):
    """There is no results database yet, or nothing was ever written to it."""


class PreflightError(HarnessError):
    """All problems that the checks before a run (preflight) found, before any device time was used.

    Args:
        problems: the problems, one sentence each.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__(f"{count} before the run could start:\n" + "\n".join(f"- {p}" for p in self.problems))


class TrainingError(HarnessError):
    """A training that cannot start or continue."""


class BusyError(TrainingError):
    """Another process is running the same training. The caller can wait until it ends."""


def _shortened(word: str) -> str:
    return f"{word[:60]}...{word[-20:]} ({len(word)} characters)"


def closest(name: str, names: Sequence[str]) -> str | None:
    """Return the name in `names` that is most similar to `name`; None if no name is similar enough.

    >>> closest("jpg", ["jpeg", "webp"])
    'jpeg'
    >>> closest("ap50", ["AP", "AP50"])
    'AP50'
    >>> closest("bframes", ["rate", "range"])
    """
    plain = {known.casefold(): known for known in reversed(names)}
    matches = difflib.get_close_matches(name.casefold(), list(plain), n=1, cutoff=0.6)
    return plain[matches[0]] if matches else None


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """Return a sentence, with a leading space, that suggests the most similar name; "" if no name is similar enough.

    >>> did_you_mean("jpg", ["jpeg", "webp"])
    " Did you mean 'jpeg'?"
    """
    match = closest(name, names)
    return f" Did you mean {match!r}?" if match else ""


def no_such_metric(name: str, known: Sequence[str]) -> UsageError:
    """Return an error that says that the results lack a metric, and lists the metrics that they have."""
    message = f"no such metric {name!r} in these results.{did_you_mean(name, known)} There is: {', '.join(known)}."
    return UsageError(message)


def found(value: object) -> str:
    """Return what a plugin gave in words, for a message: a small plain value, or a type.

    >>> found(None), found(7), found([1, 2])
    ('None', '7', 'a list')
    """
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return plain_text(reprlib.repr(value))
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def in_words(error: BaseException) -> str:
    """Return an error for a message: with its type, unless the harness raised it on purpose.

    >>> in_words(KeyError("x")), in_words(UsageError("no such thing."))
    ("KeyError: 'x'", 'no such thing.')
    """
    return plain_text(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {plain_text(error)}"


def plain_text(value: object, most: int = _LONGEST) -> str:
    r"""Return the text of an error or of another object of a plugin, in a form that can be printed and stored.

    What UTF-8 cannot express (half of a surrogate pair) and null characters are written as escapes. An object whose
    text cannot be had costs no more than its text. Different texts stay different: of a text that is cut, the end is a
    part of its SHA-256. An ordinary text is returned as it is.

    Args:
        value: the text; of another object, its text.
        most: the most characters before the text is cut.

    >>> plain_text(OSError("the file \udcff is broken"))
    'the file \\udcff is broken'
    >>> plain_text("a" * 70, 60)
    'aaaaaaaaaaaaaaaaaaa... (70 characters, SHA-256 6bd5e5034855)'
    """
    try:
        text = str(value)
    except Exception as error:  # noqa: BLE001 - a plugin's object may raise anything, and this is said in its place
        text = f"(a {type(value).__name__} whose text cannot be had: {type(error).__name__})"
    raw = text.encode("utf-8", "backslashreplace")
    kept = raw.decode().replace("\0", "\\x00")
    if len(kept) <= most:
        return kept
    end = f"... ({len(text)} characters, SHA-256 {hashlib.sha256(raw).hexdigest()[:12]})"
    return kept[: max(0, most - len(end))] + end
