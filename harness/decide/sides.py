"""Selects the two recorded ladders that a command line asks to compare."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.decide.labels import codec_in, exact_labels, key_in, names_ladder, of_case, words_of
from harness.decide.paired import Side
from harness.discovery.registry import load_registry
from harness.errors import UsageError, did_you_mean
from harness.experiment import canonical
from harness.results.cells import matching_names
from harness.results.trained import codec_defaults

if TYPE_CHECKING:
    from harness.discovery.registry import Registry
    from harness.planning.grammar import ParsedName
    from harness.results.cells import ResultCell
    from harness.results.ladders import Case, Ladder

__all__ = ["SideQuery", "sides_of"]

_ALIKE = ("task", "dataset", "limit", "reference")
"""The parts of the identity that must be equal for two experiments to be compared sample by sample."""


@dataclass(frozen=True)
class SideQuery:
    """The user's description of one side of a comparison.

    Args:
        text: the codec and the training: `CODEC[:key=value,...][/TRAINING]`, or a label as any output shows it:
            `h264 (intra)`, `jpeg, matched`, `jpeg@50 detection demo-detector [1c7cd2b0]` (`harness.decide.labels`).
        model: the model: `name[:options]`; None for any model.
        weights: the name of the weights; None for any weights.
        dataset: the dataset: `name[:options]`; None for any dataset.
    """

    text: str
    model: str | None = None
    weights: str | None = None
    dataset: str | None = None


def sides_of(
    cases: Sequence[Case],
    wanted: tuple[SideQuery, SideQuery],
    identities: Mapping[str, Mapping[str, Any]],
    unfinished: Sequence[ResultCell] = (),
) -> tuple[Side, Side]:
    """Select the two ladders that the user described.

    If several ladders fit a description, options that the user did not write are the codec's defaults. The label of an
    experiment at one level describes its ladder, with all levels.

    Args:
        cases: the cases of one task.
        wanted: the descriptions of the two sides.
        identities: experiment key -> identity, for the experiments of the cases.
        unfinished: experiments of the task that have not finished, for messages.

    Raises:
        UsageError: no ladder or several ladders fit a description; the message lists them.
    """
    registry = load_registry()
    matches = [_matches(cases, query, registry) for query in wanted]
    for query, ladders in zip(wanted, matches, strict=True):
        if not ladders:
            raise _no_match_error(query, cases, unfinished)
    pairs = [
        (first, second)
        for first in matches[0]
        for second in matches[1]
        if first != second and _data(first[0], identities) == _data(second[0], identities)
    ]
    if wanted[0].model == wanted[1].model and wanted[0].weights == wanted[1].weights:
        pairs = [pair for pair in pairs if pair[0][0] is pair[1][0]] or pairs
    if not pairs and all(first == second for first in matches[0] for second in matches[1]):
        raise UsageError(f"{wanted[0].text} and {wanted[1].text} are the same. There is: {_cases_text(cases)}.")
    if not pairs:
        raise UsageError(
            f"{wanted[0].text} and {wanted[1].text} are on other samples: two are compared on the same ones. There is: "
            f"{_cases_text(cases)}."
        )
    if len(pairs) > 1:
        several = "; ".join(dict.fromkeys(f"{case.title}, {ladder.name}" for pair in pairs for case, ladder in pair))
        raise UsageError(
            f"several fit {wanted[0].text} and {wanted[1].text}: {several}. Choose with options of the codec, "
            "/TRAINING, --model, --weights or --dataset."
        )
    first, second = pairs[0]
    names = _names(first, second)
    return Side(names[0], first[1], first[0].baseline), Side(names[1], second[1], second[0].baseline)


def _matches(cases: Sequence[Case], query: SideQuery, registry: Registry) -> list[tuple[Case, Ladder]]:
    """Return the ladders that fit a description. Those with exactly this label win over those that it fits in part."""
    fitting = [case for case in cases if _has_facts(case, query)]
    exact = [(case, one) for case in fitting for one in case.ladders if query.text.strip() in exact_labels(one)]
    return exact or [(case, ladder) for case in fitting for ladder in _matching_ladders(case, query, registry)]


def _has_facts(case: Case, query: SideQuery) -> bool:
    facts = case.facts
    given = (("model", query.model), ("weights", query.weights), ("dataset", query.dataset))
    return all(value is None or bool(matching_names(value, [facts[name]])) for name, value in given)


def _matching_ladders(case: Case, query: SideQuery, registry: Registry) -> list[Ladder]:
    """Return the ladders of a case that a label fits in part, without those that it would have named more exactly."""
    words = words_of(query.text)
    ladders = [ladder for ladder in case.ladders if names_ladder(words, case, ladder, registry)]
    # A model that was retrained at the level of its test is in two ladders: that of its training, and `matched`.
    ladders = [ladder for ladder in ladders if ladder.is_matched == ("matched" in query.text)] or ladders
    ladders = [ladder for ladder in ladders if not ladder.cells[0].superseded] or ladders
    named = [(ladder, codec_in(words, ladder, registry)) for ladder in ladders]
    with_defaults = [ladder for ladder, codec in named if codec is not None and _has_defaults(ladder, codec)]
    return with_defaults if len(ladders) > 1 and with_defaults else ladders


def _has_defaults(ladder: Ladder, codec: ParsedName) -> bool:
    """Return whether all options that the user did not write have the codec's defaults."""
    defaults = codec_defaults(codec.name)
    options = {name: value for name, value in ladder.cells[0].options.items() if name != "intra"}
    rest = {name: value for name, value in options.items() if name not in codec.options}
    return defaults is not None and all(name in defaults and defaults[name] == value for name, value in rest.items())


def _data(case: Case, identities: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the parts of a case's identity that must be equal for a comparison, as text."""
    identity = identities[case.cells[0].facts["experiment"]]
    return canonical({name: identity.get(name) for name in _ALIKE})


def _names(first: tuple[Case, Ladder], second: tuple[Case, Ladder]) -> tuple[str, str]:
    """Return the names of the two ladders, with the conditions in which their cases differ."""
    names = [first[1].name, second[1].name]
    if first[0] is not second[0]:
        facts = [case.facts for case, _ in (first, second)]
        named = ("model", "weights", "precision", "compiled", "batch")
        differing = [name for name in named if facts[0][name] != facts[1][name]]
        texts = [", ".join(_words(name, of_case[name]) for name in differing) for of_case in facts]
        names = [f"{name}, {text}" if text else name for name, text in zip(names, texts, strict=True)]
    return names[0], names[1]


def _words(name: str, value: object) -> str:
    """Return a condition in words; only whether a network was compiled needs more than its value."""
    return ("compiled" if value else "not compiled") if name == "compiled" else str(value)


def _cases_text(cases: Sequence[Case]) -> str:
    texts = [f"{case.title}: {', '.join(_ladder_text(ladder) for ladder in case.ladders)}" for case in cases]
    return "; ".join(texts) or "nothing"


def _ladder_text(ladder: Ladder) -> str:
    return ladder.codec if ladder.training == "pretrained" else f"{ladder.codec}/{ladder.training}"


def _no_match_error(query: SideQuery, cases: Sequence[Case], unfinished: Sequence[ResultCell]) -> UsageError:
    """Return the error for a description that no ladder fits.

    The message names the first part of the description (model, weights, dataset, codec, training) that does not fit.
    """
    for name, value in (("model", query.model), ("weights", query.weights), ("dataset", query.dataset)):
        known = sorted({str(case.facts[name]) for case in cases})
        if value is not None and not matching_names(value, known):
            hint = did_you_mean(value, known)
            return UsageError(f"no finished results fit --{name} {value}.{hint} There is: {', '.join(known)}.")
    return UsageError(
        f"no finished results fit {query.text}.{_hint(query, cases, unfinished)} There is: {_cases_text(cases)}."
    )


def _hint(query: SideQuery, cases: Sequence[Case], unfinished: Sequence[ResultCell]) -> str:
    """Return why a label names nothing that can be compared, and what to type."""
    words = words_of(query.text)
    key = key_in(words)
    for cell in unfinished:
        if key is not None and str(cell.facts["experiment"]).startswith(key):
            return f" This experiment has not finished ({cell.facts['status'] or 'not begun'}): harness run ends it."
    if not {"none", "uncompressed"}.isdisjoint(words):
        return " Uncompressed frames are what every drop is measured against: name a codec on both sides."
    codecs = sorted({ladder.cells[0].facts["codec"] for case in cases for ladder in case.ladders})
    heads = [re.split("[:@/]", word)[0] for word in words]
    codec = next((head for head in heads if head in codecs), None)
    if codec is None:
        of_cases = {word for case in cases for phrase in of_case(case) for word in phrase}
        if words and of_cases.issuperset(words):
            return f' It names no codec: add one, such as "{query.text}, {codecs[0]}".'
        return did_you_mean(heads[0], codecs) if heads else ""
    if key is not None:
        return (
            f" The experiment {key} is in none of these: it is uncompressed, or another recipe is newer. Name a codec."
        )
    training = query.text.partition("/")[2] if "/" in query.text.split(",")[0] else query.text.partition(", ")[2]
    trainings = sorted({one.training for case in cases for one in case.ladders if one.cells[0].facts["codec"] == codec})
    hint = did_you_mean(training, trainings) if training and training not in trainings else ""
    if "@" in training:
        hint += " What was retrained at a level and tested there alone is part of /matched."
    return hint
