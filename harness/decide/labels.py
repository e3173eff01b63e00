"""Which recorded ladder a label names, as any output prints it.

Outputs name experiments by their codec, and add what tells them apart: the training, the model, the data, conditions,
the level, the first digits of the experiment's key. Some write commas between these, others brackets or "on". So the
words of a label may be in any order: it names a ladder if all of them are of this ladder, and one is its codec.

    jpeg:scale=0.5@50 detection demo-detector, retrained jpeg@15 [1c7cd2b0]       progress and failures
    detection: demo-detector on demo/test (samples 12), jpeg, matched             tables and reports
    jpeg, demo/test, seed 1                                                       figures
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.planning.grammar import ParsedName, is_written, parse
from harness.results.naming import training_words
from harness.results.tables.profile_names import profile_name

if TYPE_CHECKING:
    from harness.discovery.registry import Registry
    from harness.results.cells import ResultCell
    from harness.results.ladders import Case, Ladder

__all__ = ["Phrases", "codec_in", "exact_labels", "key_in", "names_ladder", "of_case", "words_of"]

Phrases = frozenset[tuple[str, ...]]
"""Words that are known together, such as ("samples", "12")."""

_KEY = re.compile(r"[0-9a-f]{8,64}")
_TABLE = re.compile(r"^Table [IVX]+ \([\w-]+\): ")
_MARKS = re.compile(r"[(){}\[\]]|(?<=\S)[,;:](?=\s|$)")
"""Brackets, and the commas and colons between parts; those inside of a codec's options have no space behind them."""


def words_of(text: str) -> list[str]:
    """Return the words of a label, without what joins them.

    >>> words_of("Table III (detection): demo-detector on demo/test, jpeg:subsampling=4:4:4 (samples 4)")
    ['demo-detector', 'demo/test', 'jpeg:subsampling=4:4:4', 'samples', '4']
    """
    return [word for word in _MARKS.sub(" ", _TABLE.sub("", text.strip())).split() if word != "on"]


def key_in(words: Sequence[str]) -> str | None:
    """Return the first digits of an experiment's key, if a label ends with them or starts with them."""
    return next((word for word in (*words[-1:], *words[:1]) if _KEY.fullmatch(word)), None)


def exact_labels(ladder: Ladder) -> set[str]:
    """Return the texts by which `compare`, `recommend` and reports name a ladder of a case."""
    words = {ladder.training, *(() if ladder.is_matched else (training_words(ladder.cells[0]),))}
    labels = {f"{ladder.codec}{mark}{word}" for word in words for mark in ("/", ", ")}
    return labels | {ladder.name}


def names_ladder(words: Sequence[str], case: Case, ladder: Ladder, registry: Registry) -> bool:
    """Return whether all words of a label are of a ladder, and one of them is its codec.

    A label without a training names no retrained model, unless it has the key of its experiment.

    Args:
        words: the words of the label (`words_of`).
        case: the ladder's case.
        ladder: the ladder.
        registry: names the profiles of codecs.
    """
    neutral = of_case(case) | _of_codec(ladder, registry)
    trained = _of_training(case, ladder)
    for place, word in enumerate(words):
        if codec_in([word], ladder, registry) is not None:
            training = word.partition("/")[2]
            rest = [*words[:place], *([training] if training else []), *words[place + 1 :]]
            if _are_known(rest, neutral | trained):
                return ladder.training == "pretrained" or not _are_known(rest, neutral)
    return False


def codec_in(words: Sequence[str], ladder: Ladder, registry: Registry) -> ParsedName | None:
    """Return the first word that is a ladder's codec, with options and levels that the ladder has; None without one."""
    facts, options = ladder.cells[0].facts, ladder.cells[0].options
    levels = {cell.facts["level"] for cell in ladder.cells}
    for word in words:
        try:
            codec = parse(word.partition("/")[0])
        except UsageError:
            continue
        written = dict(codec.options)
        profile = None if "profile" in options else written.pop("profile", None)
        if (
            codec.name == facts["codec"]
            and (codec.options or codec.name != "none")  # `none` alone is uncompressed
            and all(name in options and is_written(options[name], text) for name, text in written.items())
            and levels.issuperset(codec.levels or ())
            and (profile is None or profile == profile_name(codec.name, options, registry))
        ):
            return codec
    return None


def of_case(case: Case) -> Phrases:
    """Return the phrases that name the model, the data and the conditions of a case, and its metrics."""
    facts = case.facts
    data, compiled = f"{facts['dataset']}/{facts['split']}", "compiled" if facts["compiled"] else "not compiled"
    texts = [str(facts[name]) for name in ("task", "model", "weights", "dataset", "precision", "reference")]
    texts += [f"{name} {facts[name]}" for name in ("model", "weights", "precision", "batch", "reference", "seed")]
    texts += [f"samples {facts['planned_samples']}", f"n = {facts['planned_samples']}", data, f"data {data}"]
    texts += [compiled, f"compiled {compiled}", case.differing]
    texts += ["reference: its own predictions"] if facts["reference"] == "predictions" else []
    return _phrases([*texts, *dict.fromkeys(name for cell in case.cells for name in cell.metrics)])


def _of_codec(ladder: Ladder, registry: Registry) -> Phrases:
    """Return the phrases that go with a ladder's codec."""
    first = ladder.cells[0]
    texts = ["intra"] if first.options.get("intra") is True else []
    texts += ["superseded"] if first.superseded else []
    texts += [profile_name(first.facts["codec"], first.options, registry) or "", f"ladder {first.ladder[:8]}"]
    texts += [
        f"{cell.facts['level_name']} {cell.facts['level']:g}"
        for cell in ladder.cells
        if cell.facts["level"] is not None
    ]
    if ladder.training == "pretrained":
        texts += _keys(ladder.cells)
    return _phrases(texts)


def _of_training(case: Case, ladder: Ladder) -> Phrases:
    """Return the phrases that name the training of a ladder, and its experiments of all seeds."""
    texts = [ladder.training]
    series = {cell.facts["series"] for cell in ladder.cells}
    cells = [c for c in case.every if c.ladder == ladder.cells[0].ladder and c.facts["series"] in series]
    if ladder.training == "pretrained":
        return _phrases(texts)
    texts.append(f"seed {', '.join(str(seed) for seed in sorted({cell.facts['seed'] for cell in cells}))}")
    for cell in cells:
        words = training_words(cell)
        plain = words.removeprefix("matched ")
        texts += [words, f"retrained {plain}", f"seed {cell.facts['seed']}", f"series {str(cell.facts['series'])[:8]}"]
        if cell.facts["train_level"] is not None:
            texts += [f"{cell.facts['train_level']:g}"]  # a row of `results matrix`
        if ladder.is_matched:
            texts += [f"matched {cell.facts['train_codec']}"]  # a line of `plot`
    return _phrases([*texts, *_keys(cells)])


def _keys(cells: Iterable[ResultCell]) -> list[str]:
    keys = [str(cell.facts["experiment"]) for cell in cells]
    return [key[:digits] for key in keys for digits in (8, 12, len(key))]


def _phrases(texts: Iterable[str]) -> Phrases:
    return frozenset(tuple(words_of(text)) for text in texts) - {()}


def _are_known(words: Sequence[str], phrases: Phrases) -> bool:
    """Return whether words can be divided into known phrases."""
    ends = {0}
    for end in range(1, len(words) + 1):
        if any(start in ends and tuple(words[start:end]) in phrases for start in range(end)):
            ends.add(end)
    return len(words) in ends
