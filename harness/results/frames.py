"""Results as pandas data frames, for example `harness.load("harness.db").curves`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.keep.texts import without_passwords
from harness.results.view_columns import view_columns
from harness.store import Filters

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["DTYPES", "Views", "typed_frame"]

DTYPES = {"text": "string", "int": "Int64", "real": "Float64", "bool": "boolean", "time": "datetime64[ns, UTC]"}
"""Column type -> pandas dtype. All are pandas' nullable dtypes, so that NULL stays NULL."""


class Views:
    """The public views of a results database as pandas data frames. Each view is read at its first use.

    The columns have the types of `harness.results.view_columns`; `codec_options` is JSON text. `per_sample` has a row
    for each experiment and sample and can be large; `samples_of` reads only the rows of some experiments.

    Args:
        url: the database's URL, or the path of a SQLite file.

    Raises:
        StoreError: the database does not exist.
        HarnessError: pandas is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            import pandas  # noqa: F401
        except ImportError as error:
            raise HarnessError("harness.load needs pandas: pip install 'codec-harness[frames]'") from error
        self.url = url
        self._view("results", Filters({"experiment": [""]}))  # fails at once if the database does not exist

    def __repr__(self) -> str:
        return f"Views({without_passwords(self.url)!r})"

    @cached_property
    def results(self) -> pd.DataFrame:
        """One row for each experiment and metric."""
        return self._view("results")

    @cached_property
    def curves(self) -> pd.DataFrame:
        """One row for each experiment and metric, with the baseline's value and the paired drop against it."""
        return self._view("curves")

    @cached_property
    def recovery(self) -> pd.DataFrame:
        """How much of the loss each retraining recovered."""
        return self._view("recovery")

    @cached_property
    def seeds(self) -> pd.DataFrame:
        """Retrained models, with their metrics averaged over the seeds of the training."""
        return self._view("seeds")

    @cached_property
    def per_sample(self) -> pd.DataFrame:
        """One row for each experiment and sample."""
        return self._view("per_sample")

    @cached_property
    def profile(self) -> pd.DataFrame:
        """Where the time of each experiment went."""
        return self._view("profile")

    @cached_property
    def superseded(self) -> pd.DataFrame:
        """The records of before of experiments that were computed again, one row for each record and metric."""
        return self._view("superseded")

    def samples_of(self, experiments: Sequence[str]) -> pd.DataFrame:
        """Read the rows of `per_sample` for some experiments; without experiments, no rows.

        Args:
            experiments: the experiments' keys.

        Raises:
            TypeError: `experiments` is a single key instead of a list of keys.
        """
        if isinstance(experiments, str):
            raise TypeError("samples_of takes a list of keys, not one key")
        # An empty filter would select all rows; the key "" selects none, because no experiment's key is empty.
        return self._view("per_sample", Filters({"experiment": list(experiments) or [""]}))

    def _view(self, name: str, filters: Filters = Filters()) -> pd.DataFrame:  # noqa: B008 - frozen and empty
        from contextlib import closing

        from harness.discovery.plugins import installed
        from harness.discovery.stores import open_store

        with closing(open_store(self.url, installed(), write=False)) as store:
            return typed_frame(name, *store.view(name, filters))


def typed_frame(view: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Convert the rows of a view to a pandas data frame whose columns have the dtypes of `DTYPES`.

    Columns that this version of the harness does not know get the dtype that pandas infers.
    """
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
