"""The identity of an experiment: everything that determines its result, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.media.levers import ReducedCodec
from harness.planning.batches import PLANNER_VERSION

if TYPE_CHECKING:
    from harness.codec import Codec, Level
    from harness.experiment import Training
    from harness.planning.grid import Grid
    from harness.unit import Subject

__all__ = ["changed_options", "codec_identity", "experiment_identity", "subject_identity"]


def codec_identity(codec: Codec, plugin: str, source: str | None = None) -> dict[str, Any]:
    """Return everything, apart from the frames and the level, that determines a codec's output.

    Args:
        codec: the codec, including its levers.
        plugin: the distribution that provides the codec, and its version.
        source: the digest of the plugin's source; None for a plugin of the harness itself.
    """
    revisions = {"revision": codec.revision} if codec.revision > 1 else {}
    for (option, value), revision in codec.option_revisions.items():
        if codec.config.get(option) == value:
            revisions[f"{option}_revision"] = revision
    return {
        "name": codec.name,
        "options": codec.lasting_config(),
        "fingerprint": {**codec.fingerprint(), **revisions},
        "plugin": plugin,
        **_source(source),
    }


def changed_options(codec: Codec) -> dict[str, Any]:
    """Return the options of a codec, including levers, that differ from the defaults."""
    plain = codec.codec if isinstance(codec, ReducedCodec) else codec
    defaults = {(option.name, option.default) for option in plain.options}
    return {name: value for name, value in codec.lasting_config().items() if (name, value) not in defaults}


def subject_identity(grid: Grid, subject: Subject) -> dict[str, Any]:
    """Return the part of an experiment's identity that is equal for all codecs, levels and trainings of a subject.

    It is made once for a subject, because it asks libraries and files for their versions.
    """
    return {
        "task": {
            "name": subject.task.name,
            "options": subject.task.lasting_config(),
            "scoring": subject.task.scoring_version,
            **_source(subject.sources.get("task")),
        },
        "model": {
            "kind": subject.model.name,
            "options": subject.model.deciding_config("prediction"),
            "fingerprint": dict(subject.model.fingerprint()),
            "weights": subject.weights.sha256,
            **({"key": subject.weights.key} if subject.weights.key is not None else {}),
            "classes": list(subject.weights.classes),
            **_source(subject.sources.get("model")),
        },
        "dataset": {
            "kind": subject.dataset.name,
            "options": subject.dataset.lasting_config(),
            "split": subject.dataset.split,
            "fingerprint": subject.fingerprint,
            "decoders": dict(subject.dataset.decoders()),
            **({"revision": subject.dataset.revision} if subject.dataset.revision > 1 else {}),
            **_source(subject.sources.get("dataset")),
        },
        "plugins": sorted(subject.plugins),
        "limit": _subset(subject, grid.seed),
        "batch": {"size": subject.batch, "planner": PLANNER_VERSION},
        "precision": grid.precision,
        **({"compiled": True} if grid.compiled else {}),
        "reference": grid.reference,
    }


def experiment_identity(
    subject: Mapping[str, Any], codec: Mapping[str, Any], level: Level, training: Training
) -> dict[str, Any]:
    """Return everything that determines the result of one experiment. The experiment's key is its hash.

    Args:
        subject: the identity of task, model and dataset (`subject_identity`).
        codec: the identity of the codec (`codec_identity`).
        level: the level.
        training: how the weights were trained.
    """
    return {
        **subject,
        "codec": {**codec, "level": level},
        "training": {"kind": training.kind, **({"job": training.checkpoint} if training.checkpoint else {})},
    }


def _source(digest: str | None) -> dict[str, str]:
    return {} if digest is None else {"source": digest}


def _subset(subject: Subject, seed: int) -> Mapping[str, Any] | None:
    """Return the identity of the subset of samples; None if the experiment uses all samples of the split."""
    if len(subject.indices) == len(subject.dataset):
        return None
    digest = hashlib.sha256(",".join(map(str, subject.indices)).encode()).hexdigest()
    return {"samples": len(subject.indices), "seed": seed, "indices": digest}
