"""What an experiment that was computed again has otherwise than its record of before."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.statistics.packing import pack
from harness.store import Filters

if TYPE_CHECKING:
    from harness.store import Store

__all__ = ["Differences", "differences"]

_OF_SAMPLES = ("status", "error", "bits", "pixels", "duration", "squared_error", "source_bytes", "score", "frames")
"""The columns of a sample that are compared. Times differ whenever something is computed again."""

_WORDS = {"squared_error": "squared error", "source_bytes": "source", "statistics": "what is scored", "id": "sample"}


@dataclass(frozen=True)
class Differences:
    """What differs between two records of one experiment.

    Args:
        metrics: metric -> its value before and now; only metrics that differ. None stands for an undefined value, or
            for a metric that one record does not have.
        intervals: the metrics whose values are equal, and whose intervals differ.
        samples: the number of samples, in either record.
        differing: the number of samples that differ.
        columns: what differs in them -> in how many.
    """

    metrics: Mapping[str, tuple[float | None, float | None]]
    intervals: tuple[str, ...]
    samples: int
    differing: int
    columns: Mapping[str, int] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The differences as a line of text.

        >>> Differences({}, (), 200, 0).words
        'equal in every digit (200 samples)'
        >>> Differences({"AP": (0.762, 0.764)}, (), 200, 3, {"score": 3, "bits": 1}).words
        'AP 0.762 -> 0.764; 3 of 200 samples differ (score 3, bits 1)'
        """
        parts = [f"{name} {_pair(*values)}" for name, values in self.metrics.items()]
        if self.intervals:
            parts.append(f"intervals of {', '.join(self.intervals)} differ")
        if self.differing:
            where = ", ".join(f"{_WORDS.get(name, name)} {count}" for name, count in self.columns.items())
            parts.append(f"{self.differing} of {self.samples} samples differ ({where})")
        elif parts:
            parts.append(f"all {self.samples} samples are equal")
        return "; ".join(parts) or f"equal in every digit ({self.samples} samples)"


def differences(store: Store, key: str, record: str) -> Differences:
    """Compare an experiment with its superseded record: metrics, and rows of samples without their times.

    Args:
        store: the open store.
        key: the experiment's key.
        record: the key of the superseded record.
    """
    columns = ("metric", "value", "ci_low", "ci_high")
    before = _metrics(store.read("superseded", columns, Filters({"record": [record]})))
    now = _metrics(store.read("results", columns, Filters({"experiment": [key]})))
    values = {name: (_of(before, name, 0), _of(now, name, 0)) for name in dict.fromkeys([*now, *before])}
    changed = {name: pair for name, pair in values.items() if pair[0] != pair[1] or (name in before) != (name in now)}
    intervals = [name for name in values if name not in changed and before[name] != now[name]]
    count, differing, found = _samples(store, key, record)
    return Differences(changed, tuple(intervals), count, differing, found)


def _metrics(rows: Iterator[tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    return {name: tuple(values) for name, *values in rows if name is not None}


def _of(metrics: Mapping[str, tuple[Any, ...]], name: str, place: int) -> float | None:
    return metrics[name][place] if name in metrics else None


def _samples(store: Store, key: str, record: str) -> tuple[int, int, Mapping[str, int]]:
    """Return the number of samples, how many differ, and in what."""
    before, now = _sample_facts(store, record), _sample_facts(store, key)
    found: Counter[str] = Counter()
    differing = 0
    for index in sorted(before.keys() | now.keys()):
        one, other = before.get(index, {}), now.get(index, {})
        columns = [name for name in {**one, **other} if one.get(name) != other.get(name)]
        if not one or not other:
            columns = ["missing"]
        differing += bool(columns)
        found.update(columns)
    return len(before.keys() | now.keys()), differing, dict(found.most_common())


def _sample_facts(store: Store, key: str) -> dict[int, dict[str, Any]]:
    """Return what is compared of each sample, by its index; of its statistics a digest."""
    facts = {row.index: {"id": row.id, **{name: getattr(row, name) for name in _OF_SAMPLES}} for row in store.rows(key)}
    for sample in store.statistics(key):
        facts[sample.index]["statistics"] = hashlib.sha256(pack(sample.statistics)).digest()
    return facts


def _pair(before: float | None, now: float | None) -> str:
    """Return two values with as many digits as show their difference, and at least three.

    >>> _pair(0.5, 0.25), _pair(0.1234567, 0.1234568), _pair(None, 1.0)
    ('0.5 -> 0.25', '0.1234567 -> 0.1234568', 'undefined -> 1')
    """
    if before is None or now is None:
        return " -> ".join("undefined" if value is None else f"{value:.4g}" for value in (before, now))
    digits = next((n for n in range(3, 17) if f"{before:.{n}g}" != f"{now:.{n}g}"), 17)
    return f"{before:.{digits}g} -> {now:.{digits}g}"
