"""Creates a codec and its levels from a text of the command line: options, profiles, levers, default levels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.codec import Codec, Scale
from harness.dataset import Dataset
from harness.discovery.declared import why_disabled
from harness.discovery.plugins import Plugins
from harness.discovery.provided import Provided
from harness.discovery.registry import Registry
from harness.errors import UnknownNameError, UsageError, did_you_mean
from harness.media.levers import ReducedCodec, is_baseline, with_levers
from harness.planning.batches import outlines
from harness.planning.grammar import ParsedName, parse
from harness.planning.grid import CodecChoice
from harness.weights import for_codec

if TYPE_CHECKING:
    from harness.dataset import Outline
    from harness.unit import Subject

__all__ = ["choose_codec", "refused_images", "refused_rates", "unjudged_clips"]


def choose_codec(text: str, plugins: Plugins, registry: Registry) -> CodecChoice:
    """Create the codec that a text names, with its levels.

    `name:profile=PROFILE` uses the options of `[codecs.NAME.profiles.PROFILE]` in the registry. Options that the text
    gives too override those of the profile.

    Args:
        text: `name[:key=value,...][@level,...]`.
        plugins: the installed plugins.
        registry: the registry.

    Raises:
        UsageError: the codec, the profile, an option or a level is unknown, or this machine cannot run the codec.
    """
    parsed, provided = _parsed(text, plugins, registry)
    profile, given = _profile(provided.cls, parsed, registry)
    preset = profile.get("options", {})
    needed = {option.name for option in provided.cls.required()}
    plain = provided.cls(**{name: value for name, value in {**preset, **given}.items() if name in needed})
    scale = plain.scale
    if scale and scale.name in given and scale.name not in {option.name for option in provided.cls.options}:
        raise UsageError(
            f"codec {parsed.name}: {scale.name} is its level, not an option: write {parsed.name}@{given[scale.name]}."
        )
    codec = with_levers(provided.cls, {**preset, **given})
    if why := why_disabled(codec):
        raise UsageError(f"codec {parsed.name} cannot run here: {why}")
    if codec.wants_device and not codec.fingerprint():
        raise UsageError(
            f"codec {parsed.name} wants the device, and its fingerprint is empty: the digest of its weights is missing."
        )
    _check_files(provided.cls, codec)
    # The registry's default levels apply only if the options leave the codec's scale unchanged.
    ladders = [(plain.scale, registry.entry("codecs", codec.name))]
    if "ladder" in profile:
        ladders.insert(0, (with_levers(provided.cls, preset).scale, profile))
    fitting = [entry["ladder"] for scale, entry in ladders if scale == codec.scale and "ladder" in entry]
    levels = _levels(codec, parsed, fitting)
    return CodecChoice(codec, levels, str(provided.origin), is_baseline(codec), provided.source)


def _check_files(cls: type[Codec], codec: Codec) -> None:
    """See that the content of each file that an option names is a part of the key.

    Raises:
        WeightsError: there is no such file.
        UsageError: the codec's fingerprint lacks its digest.
    """
    for option in cls.options:
        asked = codec.config[option.name] if option.file else None
        if asked is not None and for_codec(codec.name, str(asked)).digest not in codec.fingerprint().values():
            raise UsageError(
                f"codec {codec.name}: its fingerprint lacks the SHA-256 of the file in {option.name}={asked}, so that "
                "results of other weights would be taken for its own (harness.weights.for_codec)."
            )


_BIT_RATE = re.compile(r"\d[\d.]*\s*([kmg]i?b?(it)?|bps)(ps|/s)?", re.IGNORECASE)
"""A level with a unit: 500k, 2M, 500kbit/s, 800kbps."""
_RATE_OPTIONS = frozenset({"bitrate", "bit_rate", "bit-rate", "kbps", "kbit", "kbits", "br", "b:v", "maxrate"})


def _parsed(text: str, plugins: Plugins, registry: Registry) -> tuple[ParsedName, Provided]:
    """Return a text's parts, and the codec that it names.

    Raises:
        UsageError: the text has not the expected form, names no codec, or gives a bit rate in another form than the
            codec's.
    """
    name = re.split("[:@]", text, maxsplit=1)[0]
    if name in plugins.names("codec"):
        provided = plugins.provided("codec", name)
        if _asks_for_bit_rate(text, provided.cls):
            raise UsageError(f"{text!r}: a bit rate: {name}:rate=abr@500,250 (kbit/s).")
        return parse(text), provided
    parsed = parse(text)
    named = registry.section("codecs").items()
    meant = next((codec for codec, facts in named if parsed.name.casefold() in facts.get("aliases", ())), None)
    if meant in plugins.names("codec"):
        hint = plugins.why_unknown("codec", parsed.name)
        raise UnknownNameError("codec", parsed.name, plugins.names("codec"), hint, meant)
    return parsed, plugins.provided("codec", parsed.name)


def _asks_for_bit_rate(text: str, codec: type[Codec]) -> bool:
    """Return whether a text asks a codec that keeps bit rates for one, in a form that the codec does not have."""
    options = {option.name: option for option in codec.options}
    if "rate" not in options or "abr" not in options["rate"].choices:
        return False
    head, _, levels = text.rpartition("@")
    if head and any(_BIT_RATE.fullmatch(level.strip()) for level in levels.split(",")):
        return True
    for item in (head or text).partition(":")[2].split(","):
        key, _, value = item.partition("=")
        if key.casefold() in _RATE_OPTIONS - options.keys():
            return True
        if key == "rate" and (value[:1].isdigit() or value.casefold() in {*_RATE_OPTIONS, "vbr"}):
            return True
    return False


def refused_images(codecs: Iterable[Codec], datasets: Iterable[tuple[str, Dataset]]) -> list[str]:
    """Return a sentence for each combination of a codec that can only code clips with a dataset of single images.

    Args:
        codecs: the codecs, including their levers.
        datasets: opened datasets, each with its name in results.
    """
    still = dict.fromkeys(name for name, dataset in datasets if dataset.still)
    return [
        f"codec {codec.name} on the images of dataset {name}: {why}"
        for codec in codecs
        if (why := codec.clips_only())
        for name in still
    ]


def refused_rates(codecs: Iterable[Codec], datasets: Iterable[tuple[str, Dataset]]) -> list[str]:
    """Return a sentence for each combination of a codec with a dataset whose first clip has a lower rate than `fps=`.

    Args:
        codecs: the codecs, including their levers.
        datasets: opened datasets, each with its name in results.
    """
    with_fps = [codec for codec in codecs if isinstance(codec, ReducedCodec) and "fps" in codec.levers]
    problems = []
    for name, dataset in dict(datasets).items() if with_fps else ():
        if not dataset.still and (fps := _first_rate(dataset)):
            checked = ((codec.name, codec.too_fast(fps)) for codec in with_fps)
            problems += [f"codec {codec} on dataset {name}: {problem}" for codec, problem in checked if problem]
    return problems


def unjudged_clips(codecs: Iterable[Codec], subjects: Iterable[Subject]) -> list[str]:
    """Return a sentence for each codec whose `fps=` is so low that no frame of a subject's clips is judged.

    Args:
        codecs: the codecs, including their levers.
        subjects: the subjects. Their clips are taken to have the frame rate of the first one.
    """
    with_fps = [codec for codec in codecs if isinstance(codec, ReducedCodec) and "fps" in codec.levers]
    problems = []
    for subject in subjects if with_fps else ():
        dataset = subject.dataset
        if dataset.still or subject.task.judges == "clips" or not (fps := _first_rate(dataset)):
            continue
        clips = [outline for outline in outlines(dataset, subject.indices).values() if outline]
        for codec in with_fps:
            if clips and not codec.too_fast(fps) and not any(_judged(codec, clip, fps) for clip in clips):
                first, scored = clips[0], ", ".join(map(str, clips[0].scored))
                problems.append(
                    f"codec {codec.name} on dataset {subject.dataset_name}: with fps={codec.levers['fps']:g} of "
                    f"{fps:g} frames a second, the first {codec.unseen(first.frames, fps)} frames of a clip are not "
                    f"judged, because none may have been sent yet; {first.id} has no scored frame after them (it has "
                    f"{scored}). Ask for a higher fps=, for longer clips, or for scored frames that are closer "
                    "together (of a folder: frames=, every=)."
                )
    return problems


def _judged(codec: ReducedCodec, clip: Outline, fps: float) -> bool:
    unseen = codec.unseen(clip.frames, fps)
    return any(frame >= unseen for frame in clip.scored)


def _first_rate(dataset: Dataset) -> float | None:
    """Return the frame rate of the dataset's first sample; None if it cannot be read or is an image."""
    try:
        return dataset[0].fps
    except (Exception, SystemExit):  # noqa: BLE001 - the run gets the same error, and records it with the sample
        return None


def _profile(codec: type[Codec], parsed: ParsedName, registry: Registry) -> tuple[Mapping[str, Any], dict[str, str]]:
    """Return the facts of the profile that a text names, and the text's other options.

    If the codec itself has an option `profile`, the text sets that option and names no profile of the registry.
    """
    given = dict(parsed.options)
    if "profile" not in given or any(option.name == "profile" for option in codec.options):
        return {}, given
    name = given.pop("profile")
    known: Mapping[str, Any] = registry.entry("codecs", parsed.name).get("profiles", {})
    if name not in known:
        hint = did_you_mean(name, list(known))
        available = ", ".join(sorted(known)) or "none"
        raise UsageError(f"codec {parsed.name} has no profile {name!r}.{hint} There is: {available}.")
    return known[name], given


def _levels(codec: Codec, parsed: ParsedName, ladders: Sequence[Sequence[float]]) -> tuple[float | None, ...]:
    """Return the levels of the text; without any, the first of `ladders`; without any, the codec's default levels."""
    scale: Scale | None = codec.scale
    if scale is None:
        if parsed.levels is not None:
            raise UsageError(f"codec {codec.name} has no levels.")
        return (None,)
    default = ladders[0] if ladders else scale.ladder
    levels = tuple(float(level) for level in (default if parsed.levels is None else parsed.levels))
    return scale.mildest_first(tuple(scale.check(level, codec.name) for level in levels))
