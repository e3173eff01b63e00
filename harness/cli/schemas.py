"""JSON Schemas of experiment files and of registry.toml, made from the options and keys that are really read.

Editors complete and check TOML files by them (Taplo, Even Better TOML; https://json-schema.org, draft 2020-12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import click

from harness.cli.options.request import file_keys
from harness.discovery.kinds import KINDS
from harness.discovery.registry_checks import PROFILE, SCORE, SECTIONS, Keys
from harness.training.recipe import Recipe

__all__ = ["experiment_schema", "registry_schema"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}
_OF_TEXT = {
    "int": "integer",
    "float": "number",
    "str": "string",
    "bool": "boolean",
    "tuple[float, ...]": "array",
    "Mapping[str, float] | None": "object",
}
"""The type names in the annotations of `Recipe`."""


def experiment_schema(command: click.Command) -> dict[str, Any]:
    """Return the schema of an experiment file.

    Args:
        command: the command whose options the file may give: `harness run`.
    """
    properties = {key: _of_option(option) for key, option in file_keys(command).items()}
    return {
        "$schema": _DRAFT,
        "title": "An experiment file of codec-harness: any options of harness run",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _of_option(option: click.Option) -> dict[str, Any]:
    schema: dict[str, Any] = _of_type(option)
    if option.help:
        schema["description"] = option.help
    default = option.to_info_dict()["default"]
    if isinstance(default, bool | int | float | str) and not option.multiple:
        schema["default"] = default
    return schema


def _of_type(option: click.Option) -> dict[str, Any]:
    if option.multiple:  # a single value is a list of one; numbers are levels
        one = {"type": ["string", "number"]}
        return {"anyOf": [one, {"type": "array", "items": one}]}
    if option.is_flag:
        return {"type": "boolean"}
    if isinstance(option.type, click.Choice):
        return {"enum": list(option.type.choices)}
    if isinstance(option.type, click.IntRange | click.FloatRange):
        ends = {"minimum": option.type.min, "maximum": option.type.max}
        kind = "integer" if isinstance(option.type, click.IntRange) else "number"
        return {"type": kind, **{name: end for name, end in ends.items() if end is not None}}
    if isinstance(option.type, type(click.INT)):
        return {"type": "integer"}
    if option.metavar == "N|auto":
        return {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]}
    return {"type": "string"}


def registry_schema() -> dict[str, Any]:
    """Return the schema of registry.toml, and of other files for `--registry`.

    A file is merged over the shipped one, so no key is required of it.
    """
    level = {"type": "array", "items": {"type": "number"}}
    profile = _of_keys(PROFILE, {"ladder": level})
    own: dict[str, dict[str, Any]] = {
        "codecs": {"ladder": level, "profiles": {"type": "object", "additionalProperties": profile}},
        "checkpoints": {"sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "score": _of_keys(SCORE, {})},
    }
    sections: dict[str, Any] = {
        name: {"type": "object", "additionalProperties": _of_keys(keys, own.get(name, {}))}
        for name, keys in SECTIONS.items()
    }
    package = {"type": "object", "additionalProperties": {"type": "string"}}
    sections["packages"] = {
        "type": "object",
        "properties": dict.fromkeys(KINDS, package),
        "additionalProperties": False,
    }
    recipes = {"type": "object", "additionalProperties": _recipe()}
    sections["recipes"] = {"type": "object", "additionalProperties": recipes}
    return {
        "$schema": _DRAFT,
        "title": "A registry of codec-harness: named models, datasets, checkpoints, codecs' ladders and recipes",
        "type": "object",
        "properties": sections,
        "additionalProperties": False,
    }


def _of_keys(keys: Keys, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a table with these keys.

    Args:
        keys: key -> the type, or types, of its value.
        own: key -> a schema that says more than the type.
    """
    properties = {}
    for key, kinds in keys.items():
        names = sorted({_NAMES[kind] for kind in (kinds if isinstance(kinds, tuple) else (kinds,))})
        if "number" in names:
            names = ["number"]  # a whole number is a number
        properties[key] = own.get(key, {"type": names[0] if len(names) == 1 else names})
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _recipe() -> dict[str, Any]:
    """Return the schema of a training recipe, from the fields of `Recipe`."""
    properties: dict[str, Any] = {}
    for one in fields(Recipe):
        properties[one.name] = {"type": _OF_TEXT[str(one.type)]}
        if one.default is not MISSING and one.default not in (None, (), ""):
            properties[one.name]["default"] = one.default
    return {"type": "object", "properties": properties, "additionalProperties": False}
