"""docs/reference/database.md: every query runs, and every column that exists is described."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.keep.processes import this_process
from harness.records import Claim, Comparison, Totals
from harness.results.view_columns import queries, view_columns
from harness_plugins.sql_store import SqlStore
from kit.store_rows import INFO, cell, failed, metric, row

PAGE = (Path(__file__).parents[2] / "docs/reference/database.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """Detection on `none`, on two levels of JPEG, and on one that failed."""
    made = SqlStore(str(tmp_path_factory.mktemp("docs") / "harness.db"))
    made.open()
    claim = Claim(this_process(), made.begin_run(INFO))
    cells = [cell("none", None), cell(level=95.0), cell(level=50.0), cell(level=5.0)]
    none = cells[0]
    made.register(cells, claim.run)
    made.claim([one.key for one in cells], claim)
    for one, value, bpp in zip(cells, (0.5, 0.495, 0.4, 0.2), (24.0, 4.0, 1.0, 0.2), strict=True):
        broken = one.level == 5.0
        made.write([row(one.key, 0, score=value), failed(one.key, 1) if broken else row(one.key, 1)], claim)
        totals = Totals(1 if broken else 2, int(broken), 800, 400, bpp)
        found = [metric("AP", value, value - 0.1, value + 0.1), metric("AP_large", None)]
        made.finish(one.key, claim, totals, found, failed="1 sample failed" if broken else None)
        if one is not none:
            made.compare([Comparison(one.key, none.key, "AP", "drop", 0.5 - value, 0.4 - value, 0.6 - value, 2)])
    made.compare([Comparison(cells[2].key, none.key, "AP", "drop", 0.1, 0.05, 0.15, 2)])
    yield made
    made.close()


def test_there_are_ten_queries() -> None:
    assert len(QUERIES) >= 10


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: " ".join(query.split())[:40])
def test_a_query_runs(store: SqlStore, query: str) -> None:
    columns, rows = store.select(query)
    assert columns
    assert rows


def described(heading: str) -> set[str]:
    """The columns in the first cells of the table under a heading."""
    section = PAGE.partition(f"{heading}\n")[2].partition("\n#")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return {name for text in cells for name in re.findall(r"`(\w+)`", text)}


@pytest.mark.parametrize("name", ["results", "curves", "recovery", "seeds", "per_sample", "profile", "superseded"])
def test_every_column_of_a_view_is_described(store: SqlStore, name: str) -> None:
    columns = set(store.view(name)[0])
    if name == "curves":  # which says that the others are those of `results`
        columns -= described("## View `results`") - described("## View `curves`")
    assert described(f"## View `{name}`") == columns


def test_every_column_of_a_table_is_described(store: SqlStore) -> None:
    tables = [
        n
        for (n,) in store.select("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'")[1]
    ]
    for table in tables:
        columns = {name for (name,) in store.select(f"SELECT name FROM pragma_table_info('{table}')")[1]}
        assert described(f"### `{table}`") == columns, table


def plain(text: str) -> str:
    """Without links."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)


@pytest.mark.parametrize("view", ["results", "curves", "recovery", "seeds", "per_sample", "profile", "superseded"])
def test_the_columns_that_files_and_browser_describe_are_those_of_the_page(store: SqlStore, view: str) -> None:
    columns = view_columns()[view]
    assert list(columns) == store.view(view)[0]
    section = PAGE.partition(f"## View `{view}`\n")[2].partition("\n#")[0]
    for cells, text in re.findall(r"^\| (`.*?) \| (.*?) \|$", section, re.MULTILINE):
        if not text.startswith("as in `results`"):
            for name in re.findall(r"`(\w+)`", cells):
                assert columns[name].about == plain(text), name


def test_the_queries_that_the_browser_offers_are_those_of_the_page() -> None:
    assert [query.sql for query in queries().values()] == [query.strip() for query in QUERIES]
