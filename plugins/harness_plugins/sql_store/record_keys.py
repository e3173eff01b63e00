"""The keys of records of an experiment that are none of the current results."""

from __future__ import annotations

from harness.experiment import key_of

__all__ = ["provisional_key", "record_key"]


def provisional_key(key: str) -> str:
    """Return the key under which an experiment is computed again."""
    return key_of({"again": key})


def record_key(key: str, finished_at: str | None, host: str, process: str, number: int = 0) -> str:
    """Return the key of a superseded record. In every database the same record has the same key.

    Args:
        key: the experiment's key.
        finished_at: when the record was finished, to the second.
        host: the machine that finished it.
        process: the process that finished it.
        number: tells records apart that one process finished in the same second.
    """
    facts = {"superseded": key, "finished_at": finished_at, "host": host, "process": process}
    return key_of({**facts, "number": number})
