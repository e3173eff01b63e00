"""From the text of a codec to the codec with its levels: options, profiles of the registry, levers, ladders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.codec import Codec, Scale
from harness.dataset import Dataset
from harness.discovery.plugins import Plugins
from harness.discovery.registry import Registry
from harness.errors import UsageError, did_you_mean
from harness.media.levers import Resampled, is_baseline, with_levers
from harness.planning.grammar import ParsedName, parse
from harness.planning.grid import CodecChoice

__all__ = ["choose_codec", "refused_images", "refused_rates"]


def choose_codec(text: str, plugins: Plugins, registry: Registry) -> CodecChoice:
    """The codec, with its levels, that a text asks for.

    `name:profile=PROFILE` stands for the options of `[codecs.NAME.profiles.PROFILE]`; what is given beside it wins.

    Raises:
        UsageError: an unknown codec, profile, option or level; a codec this machine cannot run.
    """
    asked = parse(text)
    provided = plugins.provided("codec", asked.name)
    profile, given = _profile(provided.cls, asked, registry)
    preset = profile.get("options", {})
    scale = provided.cls().scale
    if scale and scale.name in given and scale.name not in {option.name for option in provided.cls.options}:
        raise UsageError(
            f"codec {asked.name}: {scale.name} is its level, not an option: write {asked.name}@{given[scale.name]}."
        )
    codec = with_levers(provided.cls, {**preset, **given})
    if missing := codec.available():
        raise UsageError(f"codec {asked.name} cannot run here: {missing}")
    if codec.wants_device:
        raise UsageError(
            f"codec {asked.name} asks for the device, and cannot run yet: codecs run in workers, on the CPU."
        )
    # An option that changes the scale has a ladder of its own.
    ladders = [(provided.cls().scale, registry.entry("codecs", codec.name))]
    if "ladder" in profile:
        ladders.insert(0, (with_levers(provided.cls, preset).scale, profile))
    fitting = [entry["ladder"] for scale, entry in ladders if scale == codec.scale and "ladder" in entry]
    return CodecChoice(codec, _levels(codec, asked, fitting), str(provided.origin), is_baseline(codec))


def refused_images(codecs: Iterable[Codec], datasets: Iterable[tuple[str, Dataset]]) -> list[str]:
    """What is wrong where a codec, as it is set, codes clips only and a dataset has single images: a sentence each.

    Args:
        codecs: levers included.
        datasets: opened, each with the name results call it.
    """
    still = dict.fromkeys(name for name, dataset in datasets if dataset.still)
    return [
        f"codec {codec.name} on the images of dataset {name}: {why}"
        for codec in codecs
        if (why := codec.clips_only())
        for name in still
    ]


def refused_rates(codecs: Iterable[Codec], datasets: Iterable[tuple[str, Dataset]]) -> list[str]:
    """What is wrong where `fps=` asks for more frames a second than the first clip of a dataset has: a sentence each.

    Args:
        codecs: levers included.
        datasets: opened, each with the name results call it.
    """
    levers = [codec for codec in codecs if isinstance(codec, Resampled) and "fps" in codec.levers]
    problems = []
    for name, dataset in dict(datasets).items() if levers else ():
        if not dataset.still and (fps := _first_rate(dataset)):
            told = ((codec.name, codec.too_fast(fps)) for codec in levers)
            problems += [f"codec {codec} on dataset {name}: {problem}" for codec, problem in told if problem]
    return problems


def _first_rate(dataset: Dataset) -> float | None:
    try:
        return dataset[0].fps
    except Exception:  # noqa: BLE001 - whatever keeps a clip from being read, the run records it
        return None


def _profile(codec: type[Codec], asked: ParsedName, registry: Registry) -> tuple[Mapping[str, Any], dict[str, str]]:
    """The profile that was asked for, and the options given beside it. A codec's own `profile` is no such thing."""
    given = dict(asked.options)
    if "profile" not in given or any(option.name == "profile" for option in codec.options):
        return {}, given
    name = given.pop("profile")
    known: Mapping[str, Any] = registry.entry("codecs", asked.name).get("profiles", {})
    if name not in known:
        hint = did_you_mean(name, list(known))
        there = ", ".join(sorted(known)) or "none"
        raise UsageError(f"codec {asked.name} has no profile {name!r}.{hint} There is: {there}.")
    return known[name], given


def _levels(codec: Codec, asked: ParsedName, ladders: Sequence[Sequence[float]]) -> tuple[float | None, ...]:
    """The levels that were asked for; else the first of the ladders; else that of the codec's scale."""
    scale: Scale | None = codec.scale
    if scale is None:
        if asked.levels is not None:
            raise UsageError(f"codec {codec.name} has no levels.")
        return (None,)
    default = ladders[0] if ladders else scale.ladder
    levels = tuple(float(level) for level in (default if asked.levels is None else asked.levels))
    return scale.mildest_first(tuple(scale.check(level, codec.name) for level in levels))
