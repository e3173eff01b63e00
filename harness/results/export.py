"""Views of a results database as files: Parquet, CSV or JSON, written whole or not at all."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from harness.errors import HarnessError, UsageError
from harness.results.view_columns import view_columns
from harness.store import Filters

if TYPE_CHECKING:
    from harness.store import Store

__all__ = ["FORMATS", "Format", "export_view"]

Format = Literal["parquet", "csv", "json"]
FORMATS: tuple[Format, ...] = ("parquet", "csv", "json")

_Rows = Iterator[Sequence[tuple[Any, ...]]]


def export_view(store: Store, view: str, experiments: Sequence[str] | None, target: Path, form: Format) -> int:
    """Write a view; of `per_sample`, one experiment is held at a time.

    CSV has NULL as an empty field, JSON a list of objects; Parquet has the columns' types, and their units and
    descriptions as metadata of the fields.

    Args:
        store: opened.
        view: its name.
        experiments: the keys of those whose rows are wanted; None for all.
        target: the file; one that is there is replaced, and its folder made.
        form: of the file.

    Returns:
        how many rows were written.

    Raises:
        HarnessError: PyArrow is not installed.
        UsageError: the file cannot be written.
    """
    if form == "parquet":
        try:
            import pyarrow  # noqa: F401 - told before anything is written
        except ImportError as error:
            raise HarnessError("Parquet needs PyArrow: pip install 'codec-harness[frames]'") from error
    columns = store.view(view, Filters({"experiment": [""]}))[0]
    parts = _parts(store, view, experiments)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    writers = {"parquet": _parquet, "csv": _csv, "json": _json}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        count = writers[form](part, view, columns, parts)
        part.replace(target)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            part.unlink()
    return count


def _parts(store: Store, view: str, experiments: Sequence[str] | None) -> _Rows:
    if view != "per_sample":
        # An empty filter would filter nothing; no experiment's key is empty.
        chosen = {} if experiments is None else {"experiment": list(experiments) or [""]}
        yield store.view(view, Filters(chosen))[1]
        return
    if experiments is None:
        columns, rows = store.view("results")
        place = columns.index("experiment")
        experiments = list(dict.fromkeys(row[place] for row in rows))
    for key in experiments:
        yield store.view(view, Filters({"experiment": [key]}))[1]


def _csv(path: Path, view: str, columns: Sequence[str], parts: _Rows) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for rows in parts:
            writer.writerows(rows)
            count += len(rows)
    return count


def _json(path: Path, view: str, columns: Sequence[str], parts: _Rows) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for rows in parts:
            for row in rows:
                _object(file, dict(zip(columns, row, strict=True)), first=count == 0)
                count += 1
        file.write("\n]\n")
    return count


def _object(file: IO[str], row: Mapping[str, Any], first: bool) -> None:
    file.write(("" if first else ",") + "\n" + json.dumps(row, ensure_ascii=False, allow_nan=False))


def _parquet(path: Path, view: str, columns: Sequence[str], parts: _Rows) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"text": pa.string(), "int": pa.int64(), "real": pa.float64(), "bool": pa.bool_()}
    types["time"] = pa.timestamp("s", tz="UTC")
    known, fields = view_columns()[view], []
    for name in columns:
        column = known.get(name)
        told = {"description": column.about, "unit": column.unit} if column else {}
        kind = types[column.type if column else "text"]
        fields.append(pa.field(name, kind, metadata={key: text for key, text in told.items() if text}))
    schema = pa.schema(fields)
    times = [n for n, name in enumerate(columns) if name in known and known[name].type == "time"]
    count = 0
    with pq.ParquetWriter(path, schema) as writer:
        for rows in parts:
            values = list(zip(*rows, strict=True)) or [()] * len(columns)
            for place in times:
                values[place] = tuple(map(_moment, values[place]))
            arrays = [pa.array(column, field.type) for column, field in zip(values, fields, strict=True)]
            writer.write_table(pa.table(arrays, schema=schema))
            count += len(rows)
    return count


def _moment(text: str | None) -> Any:
    from datetime import datetime

    return None if text is None else datetime.fromisoformat(text)
