"""`harness list`: the available codecs, tasks, models, ..., with their origin and state."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from harness.cli.once import Command
from harness.cli.options.common import data_root_option, make_registry, registry_option
from harness.discovery.kinds import KINDS
from harness.discovery.plugins import Plugins, installed
from harness.media.levers import LEVERS

__all__ = ["list_"]

_PLURALS = {f"{kind}s": kind for kind in KINDS}


@click.command("list", cls=Command)
@click.argument("what", type=click.Choice([*_PLURALS, "plugins"]))
@click.option("--json", "as_json", is_flag=True, help="As JSON, with every option and its allowed values.")
@data_root_option
@registry_option
def list_(what: str, as_json: bool, data_root: tuple[tuple[str, str], ...], registries: tuple[Path, ...]) -> None:
    """List codecs, tasks, models, datasets, stores, executors or plugins: origin, version, state."""
    plugins = installed()
    records = _records(plugins, what, dict(data_root), registries)
    if as_json:
        click.echo(json.dumps(records, indent=2))
        return
    if what in _FACTS:
        _entries(records, _FACTS[what])
    elif what == "models":
        _table(records, leave=("summary", "origin", "state"))
        _states(records)
    else:
        _table(records)
    for note in _notes(what, dict(data_root)):
        click.echo(note, err=True)
    if what != "plugins" and plugins.broken:
        count = len(plugins.broken)
        click.echo(f"{count} broken plugin{'s' * (count > 1)}: see harness list plugins.", err=True)


def _records(plugins: Plugins, what: str, roots: dict[str, str], registries: tuple[Path, ...]) -> list[dict[str, Any]]:
    from harness.discovery import listing

    if what == "plugins":
        return listing.plugin_records(plugins)
    if what == "codecs":
        return listing.codec_records(plugins, make_registry(registries))
    if what == "models":
        return listing.model_records(plugins, make_registry(registries))
    if what == "datasets":
        return listing.dataset_records(plugins, make_registry(registries), roots)
    return listing.provided_records(plugins, _PLURALS[what])


def _notes(what: str, roots: Mapping[str, str]) -> list[str]:
    if what == "codecs":
        levers = [f"{lever.name}= ({lever.help}, {lever.minimum:g}-{lever.maximum:g})" for lever in LEVERS]
        return [
            f"Every codec also takes {' and '.join(levers)}.",
            "Options are written as in jpeg:subsampling=4:4:4,scale=0.5; what each allows: harness list codecs --json.",
            "A profile, as in h264:profile=surveillance, stands for the options beside it (registry.toml).",
        ]
    if what == "models":
        return [
            "Models without a kind are kinds themselves, whose options make them what you want; the others are named "
            "in registry.toml.",
        ]
    if what == "datasets" and not roots:
        return ["Neither --data-root nor HARNESS_DATA says where data are."]
    return ["harness doctor opens them, and says what is wrong."] if what == "datasets" else []


def _entries(records: Sequence[dict[str, Any]], facts: Callable[[dict[str, Any]], Mapping[str, str]]) -> None:
    """Print a paragraph for each record: a line with name, summary and origin, then a line for each fact."""
    width = min(shutil.get_terminal_size().columns, 120)
    for record in records:
        click.secho(record["name"], bold=True, nl=False)
        click.echo(f"  {record['summary']}  [{record['origin']}]")
        lines = {**facts(record), "state": "" if record["state"] == "ok" else record["state"]}
        for name, text in lines.items():
            if text:
                first, rest = f"    {name:<9}", " " * 13
                click.echo(textwrap.fill(text, width, initial_indent=first, subsequent_indent=rest, **_WHOLE))


_WHOLE: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}


def _codec(record: dict[str, Any]) -> dict[str, str]:
    level = record["level"]
    if level is None:
        return {}
    unit = f" {level['unit']}" if level["unit"] else ""
    ladder = ", ".join(f"{value:g}" for value in record["ladder"])
    better = "up" if level["higher_is_better"] else "down"
    scale = f"{level['name']} {level['minimum']:g}-{level['maximum']:g}{unit}, {better} is better; ladder {ladder}"
    return {"level": scale, "options": _defaults(record), "profiles": _profiles(record)}


def _profiles(record: dict[str, Any]) -> str:
    """Return a codec's profiles with the options that each sets: "surveillance (bframes=0, gop=2s); ..."."""
    texts = []
    for name, profile in record["profiles"].items():
        options = profile.get("options", {}).items()
        texts.append(f"{name} ({', '.join(f'{option}={value}' for option, value in options)})")
    return "; ".join(texts)


def _dataset(record: dict[str, Any]) -> dict[str, str]:
    found = {
        "found": f"found: {record['folder']}",
        "missing": f"missing: no folder {record['folder']}",
        "nothing needed": "",
        "unknown": "no --data-root (or HARNESS_DATA)",
    }[record["data"]]
    where = f"; to be had: {record['homepage']}" if record["homepage"] and record["data"] != "found" else ""
    kind = f"a dataset of kind {record['kind']}" if record["kind"] else ""
    return {
        "kind": kind,
        "tasks": ", ".join(record["tasks"]),
        "on disk": record["layout"],
        "data": found + where if found else "",
        "options": _defaults(record) if record["kind"] is None else "",
    }


_FACTS = {"codecs": _codec, "datasets": _dataset}


def _defaults(record: dict[str, Any]) -> str:
    return ", ".join(f"{o['name']}={'' if o['default'] is None else o['default']}" for o in record["options"])


def _states(records: Sequence[dict[str, Any]]) -> None:
    """Print a line for each record that does not work. A table column would be too narrow for these sentences."""
    for record in records:
        if record["state"] != "ok":
            click.echo(f"{record['name']}: {record['state']}")


def _table(records: Sequence[dict[str, Any]], leave: Sequence[str] = ()) -> None:
    from harness.results.tables.text import Table, render

    if not records:
        return
    columns = [name for name in records[0] if name not in ("options", "file", "summary", "origin")]
    columns += [name for name in ("summary", "origin") if name in records[0]]
    if all(record["state"] == "ok" for record in records):
        columns.remove("state")
    columns = [name for name in columns if name not in leave]
    rows = tuple(tuple(_cell(name, record.get(name)) for name in columns) for record in records)
    table = Table(tuple("params" if name == "parameters" else name for name in columns), rows)
    if sys.stdout.isatty():
        from harness.results.tables.results import print_table

        print_table(table)
    else:  # without the library for terminal output, whose import is slow
        click.echo(render(table, "table"), nl=False)


def _cell(name: str, value: Any) -> Any:
    if name == "parameters" and value is not None:
        return f"{value / 1e6:.2f} M"
    return ", ".join(map(str, value)) if isinstance(value, list) else value
