"""Checks one file of the registry: its sections, the keys of each thing, and the types of their values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.discovery.kinds import KINDS
from harness.errors import RegistryError, closest

__all__ = ["PROFILE", "REQUIRED", "SCORE", "SECTIONS", "Checker", "Keys"]

_NUMBER = (int, float)
Keys = Mapping[str, type | tuple[type, ...]]
"""The keys of a table, with the type of each value."""

SECTIONS: Mapping[str, Keys] = {
    "tasks": {"model": str, "dataset": str, "recipe": str, "retrain": str},
    "codecs": {"ladder": list, "profiles": dict, "aliases": list},
    "models": {
        "kind": str,
        "options": dict,
        "weights": str,
        "checkpoint": str,
        "source": str,
        "summary": str,
    },
    "checkpoints": {
        "sha256": str,
        "licence": str,
        "url": str,
        "classes": list,
        "source": str,
        "score": dict,
    },
    "datasets": {
        "kind": str,
        "options": dict,
        "folder": str,
        "split": str,
        "licence": str,
        "url": str,
        "source": str,
        "summary": str,
    },
}
"""The sections of named things, with the keys of each thing."""
REQUIRED = {"models": ("kind",), "datasets": ("kind",)}
"""The keys that a thing must have, after all files were merged."""
PROFILE: Keys = {"options": dict, "ladder": list}
SCORE: Keys = {
    "metric": str,
    "dataset": str,
    "split": str,
    "value": _NUMBER,
    "tolerance": _NUMBER,
}


class Checker:
    """Checks the keys and the types of one file. Its errors name the file, the line and the key."""

    def __init__(self, file: Path, text: str) -> None:
        self.file = file
        self.lines = text.splitlines()

    def check(self, data: Mapping[str, Any]) -> None:
        allowed = [*SECTIONS, "packages", "recipes"]
        for section, entries in data.items():
            if section not in allowed:
                raise self.error((section,), f"no such section{self.near(section, allowed)}")
            if not isinstance(entries, dict):
                raise self.error((section,), "a table is expected")
            for name, facts in entries.items():
                self.entry(section, name, facts)

    def entry(self, section: str, name: str, facts: object) -> None:
        if not isinstance(facts, dict):
            raise self.error((section, name), "a table is expected")
        if section == "packages":
            if name not in KINDS:
                raise self.error((section, name), f"no such kind{self.near(name, KINDS)}")
            self.typed((section, name), facts, dict.fromkeys(facts, str))
        elif section == "recipes":
            for recipe, values in facts.items():
                if not isinstance(values, dict):
                    raise self.error((section, name, recipe), "a table is expected")
        else:
            self.typed((section, name), facts, SECTIONS[section])
            if section == "checkpoints":
                self.checkpoint((section, name), facts)
            if section == "codecs":
                self.codec((section, name), facts)

    def texts(self, where: tuple[str, ...], values: Iterable[object]) -> None:
        for value in values:
            if not isinstance(value, str):
                raise self.error(where, f"str expected, found {type(value).__name__}")

    def codec(self, where: tuple[str, ...], facts: Mapping[str, Any]) -> None:
        self.texts((*where, "aliases"), facts.get("aliases", []))
        self.ladder(where, facts)
        for name, profile in facts.get("profiles", {}).items():
            profile_path = (*where, "profiles", name)
            if not isinstance(profile, dict):
                raise self.error(profile_path, "a table is expected")
            self.typed(profile_path, profile, PROFILE)
            self.ladder(profile_path, profile)

    def ladder(self, where: tuple[str, ...], facts: Mapping[str, Any]) -> None:
        for level in facts.get("ladder", []):
            if isinstance(level, bool) or not isinstance(level, _NUMBER):
                raise self.error((*where, "ladder"), "levels are numbers")
            if not _is_finite(level):
                raise self.error((*where, "ladder"), "levels are finite numbers")

    def checkpoint(self, where: tuple[str, ...], facts: Mapping[str, Any]) -> None:
        if not re.fullmatch(r"[0-9a-f]{64}", facts.get("sha256", "0" * 64)):
            raise self.error((*where, "sha256"), "64 hexadecimal digits are expected")
        self.texts((*where, "classes"), facts.get("classes", []))
        self.typed((*where, "score"), facts.get("score", {}), SCORE)
        for key in ("value", "tolerance"):
            if not _is_finite(facts.get("score", {}).get(key, 0)):
                raise self.error((*where, "score", key), "a finite number is expected")

    def typed(self, where: tuple[str, ...], facts: Mapping[str, Any], schema: Keys) -> None:
        for key, value in facts.items():
            if key not in schema:
                raise self.error((*where, key), f"no such key{self.near(key, list(schema))}")
            expected = schema[key]
            if not isinstance(value, expected) or isinstance(value, bool):
                names = expected.__name__ if isinstance(expected, type) else "number"
                raise self.error((*where, key), f"{names} expected, found {type(value).__name__}")

    def near(self, name: str, known: Iterable[str]) -> str:
        match = closest(name, list(known))
        return f" (did you mean {match!r}?)" if match else f" (there is: {', '.join(sorted(known))})"

    def error(self, path: tuple[str, ...], what: str) -> RegistryError:
        return RegistryError(f"registry {self.file}, line {self.line(path)}, key {'.'.join(path)}: {what}.")

    def line(self, path: tuple[str, ...]) -> int:
        """Return the line number of a key; if it is not found, that of its innermost table header, else 1."""
        best = 1
        for depth in range(1, len(path) + 1):
            header = r"\s*\[\s*" + r"\s*\.\s*".join(rf"\"?{re.escape(part)}\"?" for part in path[:depth])
            key = rf"\s*\"?{re.escape(path[depth - 1])}\"?\s*[=.]"
            for number, line in enumerate(self.lines[best - 1 :], best):
                if re.match(header + r"\s*[\].]", line) or (number > best and re.match(key, line)):
                    best = number
                    break
        return best


def _is_finite(number: float) -> bool:
    """Return whether a number is finite as a float; an int may be too large for one."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
