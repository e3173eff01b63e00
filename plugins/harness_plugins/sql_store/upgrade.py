"""Check the schema version of a database and upgrade it to the newest. Alembic is imported only for an upgrade."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, inspect, text

from harness.errors import StoreError
from harness_plugins.sql_store.schema import REVISION, metadata
from harness_plugins.sql_store.views import create_views, drop_views, foreign_views

__all__ = ["state_of", "to_newest"]

_LOCK = 0x68_61_72_6E  # number of a PostgreSQL advisory lock; any number that no other program uses


def state_of(
    connection: Connection, where: str, newest: str = REVISION
) -> Literal["empty", "older", "current", "altered"]:
    """Return whether the database is empty, has an older schema or the current one, or has views that are not ours.

    Raises:
        StoreError: the schema is newer than this program, the database belongs to another program, or nothing says
            which schema it has.
    """
    tables = set(inspect(connection).get_table_names())
    own = tables & set(metadata.tables)
    if "alembic_version" not in tables or (tables - {"alembic_version"} and not own):
        if foreign := tables - set(metadata.tables):
            names = ", ".join(sorted(foreign)[:5])
            raise StoreError(
                f"{where} is a database, but not one of results: it holds the tables {names}. It was left as it is; "
                "give another with --db."
            )
        if tables:
            raise _without_version(where, "it has no table alembic_version, which says its schema version")
        return "empty"
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is None and own:
        raise _without_version(where, "its table alembic_version is empty, which says its schema version")
    found = found or "0000"
    if found == newest:
        changed = connection.dialect.name == "sqlite" and newest == REVISION and foreign_views(connection)
        return "altered" if changed else "current"
    if not (found.isdecimal() and len(found) == len(newest)):
        raise StoreError(f"{where} has the schema {found!r}, which is none of this program's. Give another with --db.")
    if found > newest:
        raise StoreError(
            f"{where} has schema version {found}, this program knows versions up to {newest}: it was written by a "
            "newer codec-harness. Upgrade (pip install --upgrade codec-harness), or give another database with --db."
        )
    return "older"


def _without_version(where: str, what: str) -> StoreError:
    return StoreError(
        f"{where} is damaged, or was not made by codec-harness: {what}. It was left as it is; restore it from a copy, "
        "or give another with --db."
    )


def to_newest(connection: Connection, where: str, newest: str = REVISION, further: Path | None = None) -> None:
    """Create the schema or upgrade it, in the connection's transaction. The views are created anew.

    Args:
        connection: a connection that may write.
        where: the name of the database in error messages.
        newest: the revision to upgrade to.
        further: a folder with additional revisions.
    """
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    state = state_of(connection, where, newest)
    if state == "current":  # another process was faster
        return
    if state == "altered":
        create_views(connection)
        return
    drop_views(connection)
    folder = Path(__file__).parent / "migrations"
    config = Config()
    config.set_main_option("script_location", _escaped(folder))
    config.set_main_option("path_separator", "os")
    versions = [folder / "versions", *([further] if further else [])]
    config.set_main_option("version_locations", os.pathsep.join(map(_escaped, versions)))
    config.attributes["connection"] = connection
    command.upgrade(config, newest)
    create_views(connection)


def _escaped(path: Path) -> str:
    """Return a path for Alembic's configuration file, in which % begins a reference."""
    return str(path).replace("%", "%%")
