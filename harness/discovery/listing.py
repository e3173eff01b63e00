"""Records for the lists of codecs, tasks, models, datasets and plugins, made without loading networks or datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.discovery.declared import why_disabled
from harness.errors import in_words
from harness.keep.before import answered
from harness.media.levers import LEVERS
from harness.weights import count_parameters, read_classes, split_key

if TYPE_CHECKING:
    from harness.codec import Codec
    from harness.dataset import Dataset
    from harness.discovery.plugins import Plugins
    from harness.discovery.provided import Provided
    from harness.discovery.registry import Registry
    from harness.model import Model
    from harness.options import Option

__all__ = ["codec_records", "dataset_records", "model_records", "plugin_records", "provided_records"]

Record = dict[str, Any]

_OWN = "codec-harness"
_BY_FILE = "by --weights"


def plugin_records(plugins: Plugins) -> list[Record]:
    """Return a record for every plugin: where it comes from, what it provides, and whether it works."""
    plugins.ask_all()
    return [
        {
            "plugin": plugin.origin.entry_point,
            "distribution": plugin.origin.distribution,
            "version": plugin.origin.version,
            "provides": list(plugin.provides),
            "state": f"broken: {plugin.error}" if plugin.error else "left out" if plugin.left_out else "ok",
        }
        for plugin in plugins.plugins.values()
    ]


def provided_records(plugins: Plugins, kind: str) -> list[Record]:
    """Return a record for every task, store or executor: name, summary, options and origin."""
    records = []
    for item in plugins.all(kind):
        record: Record = {"name": item.name, "summary": item.cls.summary}
        if kind == "store":
            record["schemes"] = list(item.cls.schemes)
        records.append(record | {"options": _options(getattr(item.cls, "options", ()))} | _origin(plugins, item))
    return records


def codec_records(plugins: Plugins, registry: Registry) -> list[Record]:
    """Return a record for every codec: scale, default levels, options, levers, and its profiles in the registry."""
    records = []
    for item in plugins.all("codec"):
        record: Record = {"name": item.name, "summary": item.cls.summary, "level": None, "ladder": []}
        # The fingerprints of the codecs that come with the harness are tested, and would import their libraries.
        why = partial(why_disabled, fingerprint=item.origin.distribution != _OWN)
        codec, missing = _instance(item, why)
        if codec is not None:
            record |= _scale(codec)
        record["options"] = _options(item.cls.options)
        record["levers"] = _options(LEVERS)
        record["profiles"] = registry.entry("codecs", item.name).get("profiles", {})
        records.append(record | _origin(plugins, item, missing))
    return records


def model_records(plugins: Plugins, registry: Registry) -> list[Record]:
    """Return a record for every model class and every named model of the registry, sorted by task.

    A record has the numbers of classes and of parameters, if the file of weights or the registry states them.
    """
    records = []
    for item in plugins.all("model"):
        _, missing = _instance(item)
        record = {"task": item.cls.task, "name": item.name, "kind": None, "summary": item.cls.summary}
        record |= _weights(item.cls, item.cls.own_weights, registry.entry("checkpoints", item.name))
        records.append(record | {"options": _options(item.cls.options)} | _origin(plugins, item, missing))
    kinds = {item.name: item for item in plugins.all("model")}
    for name, facts in registry.section("models").items():
        provided = kinds.get(facts["kind"])
        if facts["kind"] == name or provided is None:
            if provided is None:
                records.append(_entry(name, facts) | {"task": "", "state": f"no plugin provides {facts['kind']}"})
            continue
        checkpoint = registry.entry("checkpoints", facts.get("checkpoint", name))
        weights: Path | str | None = provided.cls.own_weights
        if "weights" in facts:
            local = split_key(str(registry.path("models", name, facts["weights"])))[0]
            weights = local if local.suffix or local.is_file() else facts["weights"]
        own = next(record for record in records if record["name"] == facts["kind"])
        record = {"task": provided.cls.task, "name": name, "kind": facts["kind"]}
        record |= {"summary": facts.get("summary", provided.cls.summary)} | _weights(provided.cls, weights, checkpoint)
        records.append(record | {"options": facts.get("options", {}), "origin": "registry", "state": own["state"]})
    return sorted(records, key=lambda record: (record["task"], record["kind"] is not None, record["name"]))


def dataset_records(plugins: Plugins, registry: Registry, roots: Mapping[str, str]) -> list[Record]:
    """Return a record for every dataset class and every named dataset of the registry, sorted by name.

    A record says whether the dataset's folder exists.

    Args:
        plugins: the installed plugins.
        registry: the registry, with named datasets and their folders.
        roots: dataset name -> folder; under "" the folder that contains all other datasets.
    """
    records = []
    kinds = {item.name: item for item in plugins.all("dataset")}
    for item in plugins.all("dataset"):
        facts = registry.entry("datasets", item.name)
        record = _dataset(item.cls, item.name, None, facts, roots)
        records.append(record | {"options": _options(item.cls.options)} | _origin(plugins, item))
    for name, facts in registry.section("datasets").items():
        provided = kinds.get(facts["kind"])
        if provided is None:
            records.append(_entry(name, facts) | {"state": f"no plugin provides {facts['kind']}"})
        elif facts["kind"] != name:
            record = _dataset(provided.cls, name, facts["kind"], facts, roots)
            records.append(record | {"options": facts.get("options", {}), "origin": "registry", "state": "ok"})
    return sorted(records, key=lambda record: record["name"])


def _entry(name: str, facts: Mapping[str, Any]) -> Record:
    """Return the part of a record that comes from the registry entry: name, kind, summary and origin."""
    return {"name": name, "kind": facts["kind"], "summary": facts.get("summary", ""), "origin": "registry"}


def _instance(
    item: Provided, why: Callable[[Any], str | None] = lambda made: made.available()
) -> tuple[Any, str | None]:
    """Create an object with default options; return it and why it does not work.

    The object is None if it could not be created; the reason is None if the object works.
    """
    if needed := item.cls.required():
        return None, f"it needs {', '.join(option.name for option in needed)}="
    try:
        instance = item.cls()
        return instance, answered(
            f"{item.kind} {item.name!r} (plugin {item.origin})", "available()", lambda: why(instance)
        )
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an error of a plugin is shown as its state
        return None, in_words(error)


def _origin(plugins: Plugins, item: Provided, missing: str | None = None) -> Record:
    """Return the part of a record that says where a class comes from, and whether it works."""
    others = [other.origin for other in plugins.all(item.kind) if other.name == item.name and other is not item]
    state = f"not available: {missing}" if missing else "ok"
    if others:
        state = f"collides with {' and '.join(f'{other} ({other.place})' for other in others)}"
    return {"origin": str(item.origin), "state": state}


def _options(options: Iterable[Option]) -> list[Record]:
    return [
        {
            "name": option.name,
            "type": option.type.__name__,
            "default": option.default,
            "choices": list(option.choices) or None,
            "minimum": option.minimum,
            "maximum": option.maximum,
            "help": option.help,
            "only": option.only,
            "required": option.required,
        }
        for option in options
    ]


def _scale(codec: Codec) -> Record:
    scale = codec.scale
    if scale is None:
        return {}
    level = {"name": scale.name, "minimum": scale.minimum, "maximum": scale.maximum, "integer": scale.integer}
    level |= {"higher_is_better": scale.higher_is_better, "unit": scale.unit}
    return {"level": level, "ladder": list(scale.ladder)}


def _weights(cls: type[Model], weights: Path | str | None, checkpoint: Mapping[str, Any]) -> Record:
    """Return the part of a model's record about its weights: their source, and the numbers of classes and parameters.

    The numbers are None unless a file on this machine or the registry states them.
    """
    classes = len(checkpoint.get("classes", ())) or None
    if isinstance(weights, Path):
        if not weights.is_file():
            return {"classes": classes, "parameters": None, "weights": "missing", "file": str(weights)}
        number = len(read_classes(weights)) or classes
        shipped = weights == cls.own_weights
        where = "included" if shipped else weights.name
        return {"classes": number, "parameters": count_parameters(weights), "weights": where, "file": str(weights)}
    where = weights or (f"{_BY_FILE}; from {checkpoint['url']}" if "url" in checkpoint else _BY_FILE)
    return {"classes": classes, "parameters": None, "weights": where, "file": None}


def _dataset(
    cls: type[Dataset], name: str, kind: str | None, facts: Mapping[str, Any], roots: Mapping[str, str]
) -> Record:
    record: Record = {"name": name, "kind": kind, "tasks": ["any"] if cls.any_task else list(cls.tasks)}
    record |= {"summary": facts.get("summary", cls.summary), "layout": cls.layout}
    record |= {"homepage": facts.get("url", cls.homepage) or None, "licence": facts.get("licence")}
    folder: Path | None = None
    if not cls.needs_root:
        data = "nothing needed"
    elif name in roots:
        folder = Path(roots[name])
        data = "found" if folder.is_dir() else "missing"
    elif "" in roots:
        folder = Path(roots[""]) / facts.get("folder", name)
        data = "found" if folder.is_dir() else "missing"
    else:
        data = "unknown"
    return record | {"data": data, "folder": str(folder) if folder else None}
