"""Results as pandas frames: `harness.load("harness.db").curves`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.results.view_columns import view_columns
from harness.store import Filters

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["DTYPES", "Views", "typed_frame"]

DTYPES = {"text": "string", "int": "Int64", "real": "Float64", "bool": "boolean", "time": "datetime64[ns, UTC]"}
"""pandas' type of each type of column: those that know what is missing, so that NULL stays NULL."""


class Views:
    """The public views of a results database, each read when it is first asked for.

    Every view is a data frame whose columns have the types of `harness.results.view_columns`; `codec_options` is JSON
    text. `per_sample` has a row for each experiment and sample, and may be large: `samples_of` reads those of some
    experiments alone.

    Args:
        url: of the database, or a SQLite file's path.

    Raises:
        StoreError: there is no such database.
        HarnessError: pandas is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            import pandas  # noqa: F401
        except ImportError as error:
            raise HarnessError("harness.load needs pandas: pip install 'codec-harness[frames]'") from error
        self.url = url
        self._view("results", Filters({"experiment": [""]}))  # told at once if there is no such database

    def __repr__(self) -> str:
        return f"Views({self.url!r})"

    @cached_property
    def results(self) -> pd.DataFrame:
        """One row for each experiment and metric."""
        return self._view("results")

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Every metric beside its baseline, with the paired drop."""
        return self._view("curves")

    @cached_property
    def recovery(self) -> pd.DataFrame:
        """What retraining won back."""
        return self._view("recovery")

    @cached_property
    def seeds(self) -> pd.DataFrame:
        """Trainings from several seeds."""
        return self._view("seeds")

    @cached_property
    def per_sample(self) -> pd.DataFrame:
        """One row for each experiment and sample."""
        return self._view("per_sample")

    def samples_of(self, experiments: Sequence[str]) -> pd.DataFrame:
        """The rows of `per_sample` of some experiments, by their keys; none for no keys.

        Raises:
            TypeError: one key instead of several.
        """
        if isinstance(experiments, str):
            raise TypeError("samples_of takes a list of keys, not one key")
        # An empty filter would filter nothing; no experiment's key is empty.
        return self._view("per_sample", Filters({"experiment": list(experiments) or [""]}))

    def _view(self, name: str, filters: Filters = Filters()) -> pd.DataFrame:  # noqa: B008 - frozen and empty
        from contextlib import closing

        from harness.discovery.plugins import installed
        from harness.discovery.stores import open_store

        with closing(open_store(self.url, installed(), write=False)) as store:
            return typed_frame(name, *store.view(name, filters))


def typed_frame(view: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """The rows of a view as a frame; columns that this version does not know keep the type that pandas finds."""
    import pandas as pd

    frame = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    known = view_columns()[view]
    for name in columns:
        kind = known[name].type if name in known else None
        if kind == "time":
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601").astype(DTYPES["time"])
        elif kind is not None:
            frame[name] = frame[name].astype(DTYPES[kind])
        else:
            frame[name] = frame[name].infer_objects()
    return frame
