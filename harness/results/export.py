"""Writes views of a results database to Parquet, CSV or JSON files. A file is written completely or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from harness.errors import HarnessError, UsageError
from harness.files import whole_file
from harness.results.view_columns import view_columns
from harness.store import Filters

if TYPE_CHECKING:
    from harness.store import Store

__all__ = ["FORMATS", "Format", "export_view"]

Format = Literal["parquet", "csv", "json"]
FORMATS: tuple[Format, ...] = ("parquet", "csv", "json")

_PAGE = 50_000
"""The number of rows that are in memory at a time."""

_Rows = Iterator[Sequence[tuple[Any, ...]]]


def export_view(store: Store, view: str, experiments: Sequence[str] | None, target: Path, form: Format) -> int:
    """Write a view of the database to a file.

    In CSV, NULL is an empty field. JSON is a list of objects. Parquet has the columns' types, and their units and
    descriptions as metadata of the fields. To save memory, rows are read and written in pages, and
    `per_sample` one experiment at a time.

    Args:
        store: an open store.
        view: the view's name.
        experiments: the keys of the experiments whose rows are written; None for all experiments.
        target: the file to write. An existing file is replaced; a missing folder is created.
        form: the file's format.

    Returns:
        the number of rows that were written.

    Raises:
        HarnessError: PyArrow is not installed, and the format is Parquet.
        UsageError: the file cannot be written.
    """
    if form == "parquet":
        try:
            import pyarrow  # noqa: F401 - fails here, before anything is written
        except ImportError as error:
            raise HarnessError("Parquet needs PyArrow: pip install 'codec-harness[frames]'") from error
    columns = store.view(view, Filters({"experiment": [""]}))[0]
    chunks = _chunks(store, view, columns, experiments)
    writers = {"parquet": _parquet, "csv": _csv, "json": _json}
    try:
        with whole_file(target) as part:
            return writers[form](part, view, columns, chunks)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}.") from error


def _chunks(store: Store, view: str, columns: Sequence[str], experiments: Sequence[str] | None) -> _Rows:
    if view != "per_sample":
        # An empty filter would select all rows; the key "" selects none, because no experiment's key is empty.
        chosen = {} if experiments is None else {"experiment": list(experiments) or [""]}
        yield from _pages(store.read(view, columns, Filters(chosen)))
        return
    if experiments is None:
        experiments = [key for (key,) in store.read("results", ("experiment",), distinct=True)]
    for key in experiments:
        yield from _pages(store.read(view, columns, Filters({"experiment": [key]})))


def _pages(rows: Iterator[tuple[Any, ...]]) -> _Rows:
    while page := list(islice(rows, _PAGE)):
        yield page


def _csv(path: Path, view: str, columns: Sequence[str], chunks: _Rows) -> int:
    count = 0
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for rows in chunks:
            writer.writerows(rows)
            count += len(rows)
    return count


def _json(path: Path, view: str, columns: Sequence[str], chunks: _Rows) -> int:
    count = 0
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write("[")
        for rows in chunks:
            for row in rows:
                _object(file, dict(zip(columns, row, strict=True)), first=count == 0)
                count += 1
        file.write("\n]\n")
    return count


def _object(file: IO[str], row: Mapping[str, Any], first: bool) -> None:
    file.write(("" if first else ",") + "\n" + json.dumps(row, ensure_ascii=False, allow_nan=False))


def _parquet(path: Path, view: str, columns: Sequence[str], chunks: _Rows) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"text": pa.string(), "int": pa.int64(), "real": pa.float64(), "bool": pa.bool_()}
    types["time"] = pa.timestamp("s", tz="UTC")
    known, fields = view_columns()[view], []
    for name in columns:
        column = known.get(name)
        texts = {"description": column.about, "unit": column.unit} if column else {}
        kind = types[column.type if column else "text"]
        fields.append(pa.field(name, kind, metadata={key: text for key, text in texts.items() if text}))
    schema = pa.schema(fields)
    times = [n for n, name in enumerate(columns) if name in known and known[name].type == "time"]
    count = 0
    with pq.ParquetWriter(path, schema) as writer:
        for rows in chunks:
            values = list(zip(*rows, strict=True)) or [()] * len(columns)
            for place in times:
                values[place] = tuple(map(_datetime, values[place]))
            arrays = [pa.array(column, field.type) for column, field in zip(values, fields, strict=True)]
            writer.write_table(pa.table(arrays, schema=schema))
            count += len(rows)
    return count


def _datetime(text: str | None) -> Any:
    from datetime import datetime

    return None if text is None else datetime.fromisoformat(text)
