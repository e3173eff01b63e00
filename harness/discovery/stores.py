"""Opens the results database of a URL with the plugin that supports the URL's scheme."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from harness.errors import CollisionError, StoreError, closest

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.store import Store

__all__ = ["open_store", "recorded_file", "store_of"]


def open_store(url: str, plugins: Plugins, write: bool = True) -> Store:
    """Open a results database and return it.

    Args:
        url: `scheme://...`; a text without a scheme is the path of a SQLite file.
        plugins: the installed plugins.
        write: whether the database may be created, upgraded and written.

    Raises:
        StoreError: no store supports the URL's scheme, or the database cannot be used.
        CollisionError: more than one store supports the URL's scheme.
    """
    store = store_of(url, plugins)
    store.open(write)
    return store


def store_of(url: str, plugins: Plugins) -> Store:
    """Return the store of a results database, which is not opened.

    Raises:
        StoreError: no store supports the URL's scheme.
        CollisionError: more than one store supports the URL's scheme.
    """
    scheme = url.partition("://")[0].partition("+")[0] if "://" in url else "sqlite"
    stores = plugins.all("store")
    fitting = [provided for provided in stores if scheme in provided.cls.schemes]
    if not fitting:
        known = sorted({name for provided in stores for name in provided.cls.schemes})
        match = closest(scheme, known)
        hints = [f"Did you mean {match}://?"] if match else []
        hints.append(plugins.why_unknown("store", scheme))
        hints.append(f"There is: {', '.join(f'{name}://' for name in known) or 'none'}.")
        raise StoreError(" ".join([f"no store opens {scheme}://.", *filter(None, hints)]))
    if len(fitting) > 1:
        owners = " and ".join(f"{p.name} of {p.origin}" for p in fitting)
        raise CollisionError(f"{scheme}:// is opened by {owners}. Uninstall one of them.")
    store: Store = fitting[0].cls(url)
    return store


def recorded_file(url: str, plugins: Plugins, kind: str, name: str) -> str | None:
    """Return the file (`--plugin`) from which the last run of a database had a name; None if no run had.

    Args:
        url: the database's URL or file.
        plugins: the installed plugins, of which one opens the database.
        kind: the kind of the name ("codec", ...).
        name: the name that no plugin provides now.
    """
    try:
        with closing(open_store(url, plugins, write=False)) as store:
            for run in reversed(store.runs()):
                for file, provides in run.info.settings.get("plugin_files", {}).items():
                    if f"{kind} {name}" in provides:
                        return str(file)
    except StoreError:  # what is wrong with the database is told where it is opened for the command itself
        return None
    return None
