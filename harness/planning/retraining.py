"""Interprets `--retrain`: which trainings to run, and at which levels to test each retrained model.

- `matched`: for each level except the mildest one (unless it is the only level), a training on data coded at that
  level, tested at the same level
- a level (`15`): for each codec, a training on data coded at that level, tested at every level
- `all`: for each level, a training on data coded at that level, tested at every level
- `mixed`: a training in which each example is coded at a random level, tested at every level
- `clean`: a training on uncompressed data with the same number of iterations, tested at every level. It is the control
  experiment that separates the effect of compressed training data from the effect of more training
- `jpeg@15`: a training on data coded with this codec at this level, tested on every codec at every level

Each retrained model is also tested on uncompressed data, to measure what the retraining costs there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.errors import UsageError, did_you_mean
from harness.planning.grid import CodecChoice, Retraining, TrainingData

__all__ = ["retrainings"]

_WORDS = ("matched", "all", "mixed", "clean")


def retrainings(
    texts: Sequence[str], codecs: Sequence[CodecChoice], find: Callable[[str], CodecChoice]
) -> tuple[Retraining, ...]:
    """Return the retrainings, each once, in the order of the texts on the command line.

    Args:
        texts: the values of `--retrain`.
        codecs: the codecs to test. The baseline is included unless the user excluded it.
        find: creates the codec that a text names.

    Raises:
        UsageError: a text has no meaning, a codec does not have a level, or no codec has levels to train at.
    """
    merged: dict[TrainingData, dict[str, CodecChoice]] = {}
    for text in texts:
        for retraining in _retrainings(text, codecs, find):
            tests = merged.setdefault(retraining.data, {})
            for test in retraining.tests:
                name = repr(test.codec)
                levels = (*tests[name].levels, *test.levels) if name in tests else test.levels
                scale = test.codec.scale
                ordered = scale.mildest_first(tuple(v for v in levels if v is not None)) if scale else levels[:1]
                tests[name] = replace(test, levels=ordered)
    return tuple(Retraining(data, tuple(tests.values())) for data, tests in merged.items())


def _retrainings(text: str, codecs: Sequence[CodecChoice], find: Callable[[str], CodecChoice]) -> list[Retraining]:
    """Return the retrainings that one text of `--retrain` stands for."""
    clean = [choice for choice in codecs if choice.baseline]
    coded = [choice for choice in codecs if not choice.baseline]
    ladders = [choice for choice in coded if choice.codec.scale is not None]
    if text == "clean":
        return [Retraining(TrainingData(), tuple(codecs))]
    if "@" in text:
        choice = find(text)
        return [Retraining(_training_data(choice, level), tuple(codecs)) for level in choice.levels]
    if not ladders:
        raise UsageError(f"--retrain {text}: none of the codecs asked for has levels to train at.")
    if text == "matched":
        matched = [(choice, level) for choice in ladders for level in _without_mildest(choice)]
        return [Retraining(_training_data(c, level), (*clean, replace(c, levels=(level,)))) for c, level in matched]
    if text == "all":
        return [
            Retraining(_training_data(choice, level), (*clean, choice)) for choice in ladders for level in choice.levels
        ]
    if text == "mixed":
        return [Retraining(TrainingData(c.codec, c.levels, c.plugin, c.source), (*clean, c)) for c in ladders]
    try:
        level = float(text)
    except ValueError:
        hint = did_you_mean(text, list(_WORDS))
        raise UsageError(
            f"--retrain {text}: neither a level, nor codec@level, nor one of {', '.join(_WORDS)}.{hint}"
        ) from None
    return [
        Retraining(_training_data(c, c.codec.scale.check(level, c.codec.name)), (*clean, c))
        for c in ladders
        if c.codec.scale
    ]


def _without_mildest(choice: CodecChoice) -> tuple[float | None, ...]:
    """Return all levels except the mildest, which needs no retraining. A single level is returned unchanged."""
    return choice.levels[1:] or choice.levels


def _training_data(choice: CodecChoice, level: float | None) -> TrainingData:
    return TrainingData(choice.codec, (level,), choice.plugin, choice.source)
