"""`harness list`: what there is, where it comes from, and what state it is in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import make_registry, registry_option
from harness.plugin_manager import KINDS, Plugins, installed

if TYPE_CHECKING:
    from harness.codec import Codec

__all__ = ["list_"]

_PLURALS = {f"{kind}s": kind for kind in KINDS}


@click.command("list")
@click.argument("what", type=click.Choice([*_PLURALS, "plugins"]))
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@registry_option
def list_(what: str, as_json: bool, registries: tuple[Any, ...]) -> None:
    """List codecs, tasks, models, datasets, stores, executors or plugins: origin, version, state."""
    plugins = installed()
    if what == "plugins":
        plugins.ask_all()
    rows = _plugins(plugins) if what == "plugins" else _kind(plugins, _PLURALS[what])
    if what in ("models", "datasets"):
        rows += _named(make_registry(registries).section(what))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    _print(rows)
    if what != "plugins" and plugins.broken:
        count = len(plugins.broken)
        click.echo(f"{count} broken plugin{'s' * (count > 1)}: see harness list plugins.", err=True)


def _plugins(plugins: Plugins) -> list[dict[str, Any]]:
    return [
        {
            "plugin": plugin.origin.entry_point,
            "distribution": plugin.origin.distribution,
            "version": plugin.origin.version,
            "provides": ", ".join(plugin.provides),
            "state": f"broken: {plugin.error}" if plugin.error else "ok",
        }
        for plugin in plugins.plugins.values()
    ]


def _kind(plugins: Plugins, kind: str) -> list[dict[str, Any]]:
    rows = []
    for item in plugins.all(kind):
        row: dict[str, Any] = {"name": item.name}
        state = ""
        if kind in ("codec", "model"):
            try:
                made = item.cls()
                missing = made.available()
                row |= _codec(made) if kind == "codec" else {}
            except Exception as error:  # noqa: BLE001 - whatever a plugin raises is its state
                missing = f"{type(error).__name__}: {error}"
            state = f"not available: {missing}" if missing else ""
        if kind == "model":
            row["task"] = item.cls.task
        elif kind == "dataset":
            row["tasks"] = ", ".join(item.cls.tasks)
        elif kind == "store":
            row["schemes"] = ", ".join(item.cls.schemes)
        row |= {"summary": item.cls.summary, "origin": str(item.origin)}
        others = [p for p in plugins.all(kind) if p.name == item.name and p is not item]
        row["state"] = f"collides with {others[0].origin}" if others else state or "ok"
        rows.append(row)
    return rows


def _codec(codec: Codec) -> dict[str, Any]:
    scale = codec.scale
    if scale is None:
        return {"level": "", "ladder": "", "options": ""}
    arrow = "up is better" if scale.higher_is_better else "down is better"
    return {
        "level": f"{scale.name} {scale.minimum:g}-{scale.maximum:g}, {arrow}",
        "ladder": ", ".join(f"{level:g}" for level in scale.ladder),
        "options": ", ".join(f"{o.name}={o.default}" for o in codec.options),
    }


def _named(section: Any) -> list[dict[str, Any]]:
    """The registry's own entries."""
    return [
        {
            "name": name,
            "kind": facts["kind"],
            "summary": facts.get("summary", ""),
            "origin": facts.get("url", facts.get("source", "registry.toml")),
            "state": "registry",
        }
        for name, facts in section.items()
        if name != facts["kind"]
    ]


def _print(rows: list[dict[str, Any]]) -> None:
    from harness.tables import print_table
    from harness.text_tables import Table

    columns = list(dict.fromkeys(key for row in rows for key in row))
    print_table(Table(tuple(columns), tuple(tuple(row.get(c, "") for c in columns) for row in rows)))
