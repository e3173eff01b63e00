"""What is left of a plan: predictions, judged frames, time, and the sizes of the database and the cache folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.files.cache import cache_dir
from harness.planning.batches import outlines
from harness.planning.shards import asked_of
from harness.store import Filters

if TYPE_CHECKING:
    from harness.planning.plan import Plan
    from harness.records import State
    from harness.store import Store
    from harness.unit import Subject

__all__ = ["Measured", "Todo", "cache_size", "database_size"]


@dataclass(frozen=True)
class Measured:
    """What a database says of the time that samples took.

    Args:
        seconds: (model, dataset, codec) -> seconds for a sample; with None for the codec, those of one of its codecs.
        samples: the number of samples of all finished experiments.
    """

    seconds: Mapping[tuple[str, str, str | None], float] = field(default_factory=dict)
    samples: int = 0

    @classmethod
    def of(cls, store: Store) -> Measured:
        """Read the times of all finished experiments of an open store."""
        seconds: dict[tuple[str, str, str | None], float] = {}
        samples = 0
        columns = ("experiment", "model", "dataset", "codec", "seconds", "samples")
        finished = Filters({"status": ["finished"]})
        for _, model, dataset, codec, taken, count in store.read("results", columns, finished, distinct=True):
            samples += count or 0
            if taken and count:
                seconds[model, dataset, codec] = taken / count
                seconds.setdefault((model, dataset, None), taken / count)
        return cls(seconds, samples)

    def per_sample(self, model: str, dataset: str, codec: str) -> float | None:
        """Return the seconds that a sample takes; None if nothing of this model and dataset was measured."""
        return self.seconds.get((model, dataset, codec), self.seconds.get((model, dataset, None)))


@dataclass(frozen=True)
class Todo:
    """What is left to do of a plan.

    Args:
        experiments: the number of experiments that are not finished.
        samples: the number of samples to predict in them.
        judged: the number of frames that are judged in them; None if a clip's outline cannot be read. With `fps=`,
            fewer are.
        seconds: the estimated time of the samples of which something like them was measured.
        unknown: the number of samples of which nothing was.
        database: the size of the database in bytes; None if there is none yet, or it is no file.
        growth: the bytes by which the database will grow, from its bytes for each sample; None if it has none.
        cache: the size of the cache folder in bytes.
    """

    experiments: int
    samples: int
    judged: int | None
    seconds: float
    unknown: int
    database: int | None
    growth: int | None
    cache: int

    @classmethod
    def of(cls, plan: Plan, states: Mapping[str, State], measured: Measured, database: int | None) -> Todo:
        """Count what is left of a plan.

        Args:
            plan: the plan.
            states: key -> state of the experiments that the database knows.
            measured: what the database says of the time that samples took.
            database: the size of the database in bytes; None if it is not known.
        """
        experiments, samples, judged, seconds, unknown = 0, 0, 0.0, 0.0, 0
        frames: dict[int, float] = {}
        asked = iter(asked_of(plan))
        for a_pass in plan.passes:
            for _ in a_pass.cells:
                experiment = next(asked)
                state = states.get(experiment.key)
                if state is not None and state.status == "finished":
                    continue
                missing = max(0, experiment.samples - (state.samples if state else 0))
                subject = a_pass.subject
                if id(subject) not in frames:
                    frames[id(subject)] = _judged_frames(subject)
                experiments += 1
                samples += missing
                judged += missing * frames[id(subject)]
                known = measured.per_sample(experiment.model, experiment.dataset, experiment.codec)
                seconds += missing * (known or 0.0)
                unknown += missing if known is None else 0
        growth = round(database / measured.samples * samples) if database and measured.samples else None
        whole = None if judged != judged else round(judged)
        return cls(experiments, samples, whole, seconds, unknown, database, growth, cache_size())

    def record(self) -> dict[str, Any]:
        """Return the counts as plain values, for JSON. `seconds` is null unless all of the time can be estimated."""
        return {
            "samples_to_do": self.samples,
            "judged_frames": self.judged,
            "seconds": None if self.unknown else round(self.seconds, 1),
            "seconds_of_known": round(self.seconds, 1),
            "samples_not_measured": self.unknown,
            "database_bytes": self.database,
            "database_growth_bytes": self.growth,
            "cache_bytes": self.cache,
        }

    def in_words(self, planned: int, trainings: bool) -> list[str]:
        """Return the counts as lines of text.

        Args:
            planned: the number of all experiments of the plan.
            trainings: whether trainings are left to do.
        """
        judged = "" if self.judged in (None, self.samples) else f", {self.judged} judged frames"
        lines = [f"{planned} experiments, {self.experiments} to do: {self.samples} predictions{judged}."]
        if not self.samples:
            return lines
        known = f"about {self.seconds:.0f} s of work"
        if self.unknown == self.samples:
            known = "not known: nothing like it has been measured yet"
        elif self.unknown:
            known += f" for {self.samples - self.unknown} predictions; of the other {self.unknown} nothing was measured"
        lines.append(f"Estimated time: {known}{', trainings not counted' if trainings else ''}.")
        grows = "" if self.growth is None else f", and will grow by about {_megabytes(self.growth)}"
        database = f"The database has {_megabytes(self.database)}{grows}. " if self.database else ""
        lines.append(f"{database}Database rows: {self.samples}. The cache folder has {_megabytes(self.cache)}.")
        return lines


def _judged_frames(subject: Subject) -> float:
    """Return the mean number of frames of a sample that are judged; NaN if a clip's outline cannot be read."""
    if subject.dataset.still or subject.task.judges == "clips":
        return 1.0
    known = outlines(subject.dataset, subject.indices)
    counts = [len(outline.scored) if outline else float("nan") for outline in known.values()]
    return sum(counts) / len(counts) if counts else 0.0


def database_size(url: str) -> int | None:
    """Return the bytes of a database and of the files that SQLite keeps beside it; None if it is not a file."""
    path = Path(url.removeprefix("sqlite:///"))
    if not path.is_file():
        return None
    beside = (path.with_name(path.name + ending) for ending in ("-wal", "-shm"))
    return path.stat().st_size + sum(other.stat().st_size for other in beside if other.is_file())


def cache_size() -> int:
    """Return the bytes of all files in the cache folder; 0 if there is no such folder."""
    total = 0
    for folder, _, names in os.walk(cache_dir()):
        for name in names:
            with suppress(FileNotFoundError):  # another run removed it just now
                total += (Path(folder) / name).lstat().st_size
    return total


def _megabytes(size: int) -> str:
    """Return a number of bytes in MB, or in kB if it is small.

    >>> _megabytes(12_345_678), _megabytes(20_500)
    ('12.3 MB', '20 kB')
    """
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
