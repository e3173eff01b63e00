"""Names of profiles: sets of a codec's options that registry.toml names (`h264:profile=surveillance`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.errors import RegistryError
from harness.media.levers import LEVER_NAMES
from harness.planning.grammar import is_written
from harness.results.naming import codec_names
from harness.results.trained import codec_defaults

if TYPE_CHECKING:
    from harness.discovery.registry import Registry
    from harness.results.cells import ResultCell

__all__ = ["profile_name", "profile_notes"]


def profile_notes(cells: Sequence[ResultCell]) -> list[str]:
    """Return the note that names the profiles of a table's codecs; no note if none has the options of a profile.

    The names are those of the registry now. Results have the options, which a profile may get or lose later.
    """
    told: dict[str, str] = {}
    try:
        registry = load_registry(plugins=installed().registries())
    except RegistryError as error:
        return [f"Profiles have no names here: {error}"] if any(cell.options for cell in cells) else []
    for cell, text in zip(cells, codec_names(cells), strict=True):
        if text not in told and (name := profile_name(cell.facts["codec"], cell.options, registry)):
            told[text] = name
    listed = "; ".join(f"{text} is {name}" for text, name in told.items())
    return [f"Profiles: {listed}."] if listed else []


def profile_name(codec: str, options: Mapping[str, Any], registry: Registry) -> str | None:
    """Return the name of the profile of a codec that has exactly these options; None if there is none.

    Args:
        codec: the codec's name.
        options: all options of the codec, as they are in results. Levers and `intra` belong to no profile.
        registry: the registry that names the profiles.
    """
    defaults = codec_defaults(codec)
    if defaults is None:
        return None
    own = {name: value for name, value in options.items() if name not in LEVER_NAMES and name != "intra"}
    for name, profile in registry.entry("codecs", codec).get("profiles", {}).items():
        named: Mapping[str, Any] = profile.get("options", {})
        changed = {key for key, value in own.items() if value != defaults.get(key)}
        same = named and changed <= named.keys() <= own.keys()
        if same and all(is_written(own[key], str(value)) for key, value in named.items()):
            return str(name)
    return None
