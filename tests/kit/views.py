"""All that the public views of a database give, to be held to those of another database."""

from __future__ import annotations

import csv
import io

from kit.command import Session

__all__ = ["VIEWS", "views"]

VIEWS = ("results", "curves", "recovery", "seeds", "per_sample")
_TIMES = {"run", "encode_ms", "decode_ms", "seconds", "finished_at"}


def views(session: Session, url: str) -> dict[str, list[list[tuple[str, str]]]]:
    """The rows of each view as CSV gives them, but for times and the numbers of runs."""
    found = {}
    for view in VIEWS:
        text = session.run("results", "sql", f"select * from {view}", "--format", "csv", "--db", url).stdout
        rows = csv.DictReader(io.StringIO(text))
        found[view] = sorted([(name, value) for name, value in row.items() if name not in _TIMES] for row in rows)
    return found
