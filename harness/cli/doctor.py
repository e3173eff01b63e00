"""`harness doctor`: what works on this machine, and what is missing."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from importlib.metadata import PackageNotFoundError
from itertools import chain
from pathlib import Path

import click

from harness import __version__
from harness.cli.once import Command
from harness.cli.options.common import data_root_option, database_option, make_registry, registry_option
from harness.cli.options.results import open_for_reading
from harness.codec import Codec
from harness.discovery.declared import why_disabled
from harness.discovery.extras import extras
from harness.discovery.plugins import OWN, Plugins, installed
from harness.discovery.registry import Registry, load_registry
from harness.errors import HarnessError, RegistryError, in_words
from harness.files import cache_dir
from harness.keep.before import answered
from harness.keep.kept import size_of
from harness.keep.texts import without_passwords
from harness.results.tables.text import clean
from harness.store import Filters

__all__ = ["doctor"]

_FINISHED = Filters({"status": ["finished"]})


@click.command(cls=Command)
@database_option
@data_root_option
@registry_option
@click.option("--database", is_flag=True, help="Check the results database alone, and compute what it holds again.")
def doctor(db: str, data_root: tuple[tuple[str, str], ...], registries: tuple[Path, ...], database: bool) -> int:
    """Check this machine: devices, codecs, datasets, extras, plugins. Exit 1 when a plugin is broken.

    With --database, the database of --db is checked instead: its structure, its rows against their digests, and the
    totals, metrics and drops of finished experiments, which are computed again from their samples. Exit 1 when
    something differs.
    """
    plugins = installed()
    plugins.ask_all()
    if database:
        return _database(plugins, db)
    _machine()
    try:
        registry = make_registry(registries)
    except RegistryError as error:
        _section("registry")
        _line("registry", f"{error} The checks below use the one that ships with the harness.", False)
        registry = load_registry(())
    _available(plugins, "codec")
    _available(plugins, "model")
    _datasets(plugins, registry, data_root)
    _extras()
    _files(db)
    return _plugins(plugins)


def _database(plugins: Plugins, db: str) -> int:
    """Print what is wrong with a database. The metrics are computed last, because that takes longest."""
    from harness.discovery.stores import open_store
    from harness.finish.recheck import recheck_metrics, recheck_totals, uncheckable

    found: dict[str, None] = {}
    shown = without_passwords(db)
    with closing(open_store(db, plugins, write=False)) as store:
        for problem in chain(
            store.check(), _readable(recheck_totals(store)), _readable(recheck_metrics(store, plugins))
        ):
            if problem not in found:
                click.echo(clean(problem))
            found[problem] = None
        for text in _readable(store.not_covered()):
            click.echo(clean(text))
        if not found:
            others = list(uncheckable(store, plugins))
            for text in others:
                click.echo(clean(text))
            count = len({key for (key,) in store.read("results", ("experiment",), _FINISHED)}) - len(others)
            click.echo(f"{shown}: {count} finished experiments, computed again from their samples. Nothing differs.")
            return 0
    click.echo(
        f"{shown}: {len(found)} things differ. Restore the file from a copy, or delete it and run again.", err=True
    )
    return 1


def _readable(problems: Iterator[str]) -> Iterator[str]:
    """Yield problems; what is so damaged that they cannot be looked for is the last one."""
    try:
        yield from problems
    except HarnessError as error:
        yield str(error)
    except Exception as error:  # noqa: BLE001 - a damaged row can raise anything, and that it does is the answer
        yield f"experiments cannot be computed again ({type(error).__name__}: {error})"


def _section(title: str) -> None:
    click.secho(f"\n{title}", bold=True)


def _line(name: str, text: str, good: bool | None = None) -> None:
    mark = {None: " ", True: "+", False: "-"}[good]
    click.echo(f"  {mark} {name:<24} {text}")


def _machine() -> None:
    from harness.device import machine

    click.secho("machine", bold=True)
    _line("harness", f"{__version__} on Python {platform.python_version()}, {platform.platform()}")
    _line("cores", str(machine.cores()))
    for name, version in machine.library_versions().items():
        _line(name, version)
    try:
        device = machine.find_device(None)
    except ImportError as error:
        _line("device", f"torch cannot be imported: {error}", False)
        return
    _line("device", machine.device_words(device), True)
    chosen = machine.choose(device, "fp32")
    _line("defaults", f"--workers {chosen.workers} --threads {chosen.threads}")


def _available(plugins: Plugins, kind: str) -> None:
    _section(f"{kind}s")
    for item in plugins.all(kind):
        if needed := item.cls.required():
            _line(item.name, f"not tried: it needs {', '.join(option.name for option in needed)}=")
            continue
        try:
            plugin = item.cls()
            who = f"{kind} {item.name!r} (plugin {item.origin})"
            asked = partial(why_disabled, plugin) if isinstance(plugin, Codec) else plugin.available
            missing = answered(who, "available()", asked)
            facts = ", ".join(f"{key} {value}" for key, value in plugin.fingerprint().items()) if not missing else ""
            if not missing and isinstance(plugin, Codec) and (words := plugin.implementation()):
                facts += f"; {words}"
        except Exception as error:  # noqa: BLE001 - a plugin may raise any error, and the line shows it
            missing, facts = in_words(error), ""
        _line(item.name, missing or facts or "ok", not missing)


def _datasets(plugins: Plugins, registry: Registry, roots: tuple[tuple[str, str], ...]) -> None:
    from harness.planning.names import Names
    from harness.planning.request import Request

    folders = ", ".join(f"{name}={path}" if name else path for name, path in roots)
    _section(f"datasets ({f'under {folders}' if folders else 'no --data-root or HARNESS_DATA'})")
    names = Names(Request((), (), data_roots=roots), plugins, registry)
    for name in registry.section("datasets"):
        try:
            task = names.serves("dataset", name)[0]
            dataset = names.dataset(name, task)
        except Exception as error:  # noqa: BLE001 - as above
            _line(name, str(error), False)
        else:
            _line(name, f"{len(dataset)} samples in split {dataset.split}, {len(dataset.classes)} classes", True)


def _extras() -> None:
    """Print a line for each extra (optional dependencies): what it is for, and which of its packages are missing."""
    _section("extras (pip install 'codec-harness[NAME]'; all of them: [all])")
    try:
        found = extras()
    except PackageNotFoundError:
        _line("extras", "not known: the harness was never installed here (pip install .)")
        return
    for extra in found:
        purpose = extra.purpose.replace("`", "")
        missing = f"; missing: {', '.join(extra.missing)}" if extra.missing else ""
        _line(extra.name, f"{purpose}{missing}", not extra.missing)


_SLOW_IMPORT = 0.5
"""From how many seconds on a plugin is told to be slow to import."""
_DELETABLE = "may be deleted, and is made again where it is wanted"


def _files(db: str) -> None:
    _section("files")
    cache = cache_dir()
    _line("cache", f"{cache}{'' if cache.exists() else ' (not there yet)'}", _writable(cache))
    for part in sorted(path for path in cache.glob("*") if path.is_dir()):
        about = "what runs that ended without a word were at" if part.name in ("runs", "deaths") else _DELETABLE
        _line(f"  {part.name}", f"{size_of(part) / 1e6:.0f} MB; {about}")
    try:
        with open_for_reading(db) as store:
            count = sum(1 for _ in store.read("results", ("experiment",)))
    except HarnessError as error:
        _line("database", str(error))
    else:
        _line("database", f"{without_passwords(db)}: {count} results", True)


def _writable(folder: Path) -> bool:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return os.access(existing, os.W_OK)


def _plugins(plugins: Plugins) -> int:
    _section("plugins")
    for plugin in plugins.plugins.values():
        slow = plugin.seconds > _SLOW_IMPORT and plugin.origin.distribution != OWN
        told = f"; its import takes {plugin.seconds:.1f} s of every command: import large libraries in functions"
        _line(plugin.origin.entry_point, (plugin.error or f"{plugin.origin}") + told * slow, not (plugin.error or slow))
    return 1 if plugins.broken else 0
