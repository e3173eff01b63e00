"""What `--retrain` asks for: which trainings there are, and at which levels each is tested.

- `matched`: for each level below the top of a ladder, a training on data coded at that level, tested at that level
- a level (`15`): for each codec, a training at that level, tested at every level
- `all`: a training at each level, tested at every level
- `mixed`: a training on data coded at a random level of the ladder, another for each example; tested at every level
- `clean`: as long a training on uncompressed data, tested at every level: the control without which recovery cannot be
  told from more training
- `jpeg@15`: a training on data coded so, tested on every codec at every level

Each model that was retrained is tested on uncompressed data too, which is what its retraining costs.
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
    """The trainings, in the order they were asked for, each once.

    Args:
        texts: as on the command line.
        codecs: what is tested; the baseline among them unless it was declined.
        find: gives the codec that a text names.

    Raises:
        UsageError: a text that means nothing, a level that a codec does not have, or nothing to train on.
    """
    found: dict[TrainingData, dict[str, CodecChoice]] = {}
    for text in texts:
        for retraining in _retrainings(text, codecs, find):
            tests = found.setdefault(retraining.data, {})
            for test in retraining.tests:
                name = repr(test.codec)
                levels = (*tests[name].levels, *test.levels) if name in tests else test.levels
                scale = test.codec.scale
                ordered = scale.mildest_first(tuple(v for v in levels if v is not None)) if scale else levels[:1]
                tests[name] = replace(test, levels=ordered)
    return tuple(Retraining(data, tuple(tests.values())) for data, tests in found.items())


def _retrainings(text: str, codecs: Sequence[CodecChoice], find: Callable[[str], CodecChoice]) -> list[Retraining]:
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
        below = [(choice, level) for choice in ladders for level in _below_the_top(choice)]
        return [Retraining(_training_data(c, level), (*clean, replace(c, levels=(level,)))) for c, level in below]
    if text == "all":
        return [
            Retraining(_training_data(choice, level), (*clean, choice)) for choice in ladders for level in choice.levels
        ]
    if text == "mixed":
        return [Retraining(TrainingData(c.codec, c.levels, c.plugin), (*clean, c)) for c in ladders]
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


def _below_the_top(choice: CodecChoice) -> tuple[float | None, ...]:
    """The ladder without its mildest level, which a model needs no retraining for; a single level as it is."""
    return choice.levels[1:] or choice.levels


def _training_data(choice: CodecChoice, level: float | None) -> TrainingData:
    return TrainingData(choice.codec, (level,), choice.plugin)
