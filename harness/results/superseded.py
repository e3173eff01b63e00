"""Results that a newer revision of a codec, a lever, a dataset or a reader would give differently.

Third-party plugins have no revisions: what counts is whether the source of the same version was edited since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.images import reading as image_reading
from harness.media.levers import LEVER_REVISIONS
from harness.video import reading as video_reading

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins

__all__ = ["superseded"]

_READERS = {"pillow": ("images", image_reading), "av": ("videos", video_reading)}
"""The entry of a dataset's decoders that shows that a reader was used, with the reader's name and module."""


def superseded(identity: Mapping[str, Any], plugins: Plugins) -> str | None:
    """Return what has a newer revision than an experiment was run with, as text; None if nothing has.

    What is not installed, or not recorded, cannot be compared and does not count.

    Args:
        identity: the experiment's identity, as the store has it.
        plugins: of this environment.
    """
    newer = [
        f"{name}: revision {recorded} (now {current})"
        for name, recorded, current in _revisions(identity, plugins)
        if current > recorded
    ]
    return "; ".join([*newer, *_edited(identity, plugins)]) or None


def _edited(identity: Mapping[str, Any], plugins: Plugins) -> Iterator[str]:
    """Yield a text for each third-party plugin that an experiment used, and whose source is another one now.

    Another version of a plugin is no edit: its results are those of that version.
    """
    others = set(identity.get("plugins", ()))
    for kind in ("codec", "task", "model", "dataset"):
        versions = {identity["codec"].get("plugin", "")} - {""} if kind == "codec" else others
        facts = identity.get(kind, {})
        name = facts.get("kind", facts.get("name")) if isinstance(facts, dict) else None
        # Plugins are asked only for what is not of the harness, because that imports their modules.
        if name is None or all(version.startswith("codec-harness ") for version in versions):
            continue
        if name not in plugins.names(kind):
            continue
        try:
            provided = plugins.provided(kind, name)
            now = provided.source
        except HarnessError:  # two plugins claim the name, or a file is gone: that is told where somebody runs it
            continue
        before = facts.get("source")
        if now is None or before == now or str(provided.origin) not in versions:
            continue
        was = f"source {before[:8]}" if before else "without a digest of its source"
        yield f"{kind} {name} of {provided.origin}: {was} (now {now[:8]})"


def _revisions(identity: Mapping[str, Any], plugins: Plugins) -> Iterator[tuple[str, int, int]]:
    """Yield what an experiment used: its name, the revision of then, and the revision of now."""
    codec, dataset = identity["codec"], identity.get("dataset", {})
    facts, options, decoders = codec.get("fingerprint"), codec.get("options", {}), dataset.get("decoders", {})
    if facts is not None and codec["name"] in plugins.names("codec"):
        kind = plugins.get("codec", codec["name"])
        yield f"codec {codec['name']}", int(facts.get("revision", 1)), kind.revision
        for (option, value), now in kind.option_revisions.items():
            if options.get(option) == value:
                yield f"codec {codec['name']} with {option}={value}", int(facts.get(f"{option}_revision", 1)), now
    for lever, revision in LEVER_REVISIONS.items():
        if facts is not None and options.get(lever) is not None:
            yield f"{lever}=", int(facts.get(f"{lever}_revision", 1)), revision
    if dataset.get("kind") in plugins.names("dataset"):
        now = plugins.get("dataset", dataset["kind"]).revision
        yield f"dataset {dataset['kind']}", int(dataset.get("revision", 1)), now
    for entry, (what, reader) in _READERS.items():
        if entry in decoders:
            yield f"reader of {what}", int(decoders.get("reader", 1)), reader.REVISION
