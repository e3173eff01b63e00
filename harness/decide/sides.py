"""Which two ladders are compared: from the texts of a command line to recorded experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.decide.estimate import Side
from harness.errors import UsageError, did_you_mean
from harness.experiment import canonical
from harness.planning.grammar import ParsedName, is_written, parse
from harness.results.cells import matching_names
from harness.results.trainings import codec_defaults

if TYPE_CHECKING:
    from harness.results.ladders import Case, Ladder

__all__ = ["SideQuery", "sides_of"]

_ALIKE = ("task", "dataset", "limit", "reference")
"""What of their identity two experiments have in common that can be compared sample by sample."""


@dataclass(frozen=True)
class SideQuery:
    """One side, as it was asked for.

    Args:
        text: `CODEC[:key=value,...][/TRAINING]`.
        model: `name[:options]`; None for any.
        weights: their name; None for any.
        dataset: `name[:options]`; None for any.
    """

    text: str
    model: str | None = None
    weights: str | None = None
    dataset: str | None = None

    @property
    def codec(self) -> ParsedName:
        """The codec with the options that were written."""
        return parse(self.text.partition("/")[0], levels=False)

    @property
    def training(self) -> str:
        """The word behind the slash."""
        return self.text.partition("/")[2] or "pretrained"


def sides_of(
    cases: Sequence[Case], wanted: tuple[SideQuery, SideQuery], identities: Mapping[str, Mapping[str, Any]]
) -> tuple[Side, Side]:
    """The two ladders.

    Options of a codec that are not written are its defaults, where the database has several.

    Args:
        cases: of one task.
        wanted: the two.
        identities: of the cases' experiments, by key.

    Raises:
        UsageError: nothing fits, or several things do; the message lists them.
    """
    found = [[(case, ladder) for case in cases for ladder in _fitting(case, one)] for one in wanted]
    for one, some in zip(wanted, found, strict=True):
        if not some:
            raise _nothing(one, cases)
    pairs = [
        (first, second)
        for first in found[0]
        for second in found[1]
        if first != second and _data(first[0], identities) == _data(second[0], identities)
    ]
    if wanted[0].model == wanted[1].model and wanted[0].weights == wanted[1].weights:
        pairs = [pair for pair in pairs if pair[0][0] is pair[1][0]] or pairs
    if not pairs and all(first == second for first in found[0] for second in found[1]):
        raise UsageError(f"{wanted[0].text} and {wanted[1].text} are the same. There is: {_listed(cases)}.")
    if not pairs:
        raise UsageError(
            f"{wanted[0].text} and {wanted[1].text} are on other samples: two are compared on the same ones. There is: "
            f"{_listed(cases)}."
        )
    if len(pairs) > 1:
        several = "; ".join(dict.fromkeys(f"{one.title}, {ladder.name}" for pair in pairs for one, ladder in pair))
        raise UsageError(
            f"several fit {wanted[0].text} and {wanted[1].text}: {several}. Choose with options of the codec, "
            "/TRAINING, --model, --weights or --dataset."
        )
    first, second = pairs[0]
    names = _names(first, second)
    return Side(names[0], first[1], first[0].baseline), Side(names[1], second[1], second[0].baseline)


def _fitting(case: Case, wanted: SideQuery) -> list[Ladder]:
    facts = case.facts
    for name, asked in (("model", wanted.model), ("weights", wanted.weights), ("dataset", wanted.dataset)):
        if asked is not None and not matching_names(asked, [facts[name]]):
            return []
    codec = wanted.codec
    found = [
        ladder
        for ladder in case.ladders
        if ladder.training == wanted.training and ladder.cells[0].facts["codec"] == codec.name and _has(ladder, codec)
    ]
    usual = [ladder for ladder in found if _is_plain(ladder, codec)]
    return usual if len(found) > 1 and usual else found


def _has(ladder: Ladder, codec: ParsedName) -> bool:
    options = ladder.cells[0].options
    return all(name in options and is_written(options[name], text) for name, text in codec.options.items())


def _is_plain(ladder: Ladder, codec: ParsedName) -> bool:
    """Whether the options that were not written are the codec's defaults."""
    defaults = codec_defaults(codec.name)
    options = {name: value for name, value in ladder.cells[0].options.items() if name != "intra"}
    rest = {name: value for name, value in options.items() if name not in codec.options}
    return defaults is not None and all(name in defaults and defaults[name] == value for name, value in rest.items())


def _data(case: Case, identities: Mapping[str, Mapping[str, Any]]) -> str:
    identity = identities[case.cells[0].facts["experiment"]]
    return canonical({name: identity.get(name) for name in _ALIKE})


def _names(first: tuple[Case, Ladder], second: tuple[Case, Ladder]) -> tuple[str, str]:
    names = [first[1].name, second[1].name]
    if first[0] is not second[0]:
        facts = [case.facts for case, _ in (first, second)]
        differing = [name for name in ("model", "weights", "precision", "batch") if facts[0][name] != facts[1][name]]
        told = [", ".join(str(one[name]) for name in differing) for one in facts]
        names = [f"{name}, {words}" if words else name for name, words in zip(names, told, strict=True)]
    return names[0], names[1]


def _listed(cases: Sequence[Case]) -> str:
    return (
        "; ".join(f"{case.title}: {', '.join(_text(ladder) for ladder in case.ladders)}" for case in cases) or "nothing"
    )


def _text(ladder: Ladder) -> str:
    return ladder.codec if ladder.training == "pretrained" else f"{ladder.codec}/{ladder.training}"


def _nothing(wanted: SideQuery, cases: Sequence[Case]) -> UsageError:
    """Of model, weights, dataset, codec and training the first that nothing fits is named."""
    for name, asked in (("model", wanted.model), ("weights", wanted.weights), ("dataset", wanted.dataset)):
        known = sorted({str(case.facts[name]) for case in cases})
        if asked is not None and not matching_names(asked, known):
            told = (
                f"no finished results fit --{name} {asked}.{did_you_mean(asked, known)} There is: {', '.join(known)}."
            )
            return UsageError(told)
    ladders = [ladder for case in cases for ladder in case.ladders]
    codecs = sorted({ladder.cells[0].facts["codec"] for ladder in ladders})
    hint = did_you_mean(wanted.codec.name, codecs) if wanted.codec.name not in codecs else ""
    of_codec = [one for one in ladders if one.cells[0].facts["codec"] == wanted.codec.name]
    if of_codec and wanted.training not in {one.training for one in of_codec}:
        hint = did_you_mean(wanted.training, sorted({one.training for one in of_codec}))
        if "@" in wanted.training:
            hint += " What was retrained at a level and tested there alone is part of /matched."
    return UsageError(f"no finished results fit {wanted.text}.{hint} There is: {_listed(cases)}.")
