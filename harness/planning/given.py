"""Checks what models and datasets say of themselves, and names them with the plugins that they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

from harness.dataset import Outline
from harness.errors import ContentError, PluginError, found, plain_text

if TYPE_CHECKING:
    from harness.unit import Subject

__all__ = ["check_classes", "check_ids", "check_outline", "check_text", "difference", "named", "order_note"]


def named(kind: Literal["model", "dataset"], subject: Subject) -> str:
    """Return the name of a subject's model or dataset for messages, with the distribution that provides it."""
    name = subject.model_name if kind == "model" else subject.dataset_name
    origin = subject.origins.get(kind)
    return f"{kind} {name!r}" + (f" (plugin {origin})" if origin else "")


def check_classes(subject: Subject, classes: Any) -> None:
    """Check the classes of a loaded model.

    Args:
        subject: task, model and dataset.
        classes: what `Model.load` has set `classes` to.

    Raises:
        PluginError: they are no texts, or there are none though the dataset has classes.
    """
    who, known = named("model", subject), subject.dataset.classes
    if not isinstance(classes, tuple | list) or not all(isinstance(name, str) for name in classes):
        raise PluginError(f"{who}: load() has set classes to {found(classes)}; a tuple of texts is expected.")
    if known and not classes:
        raise PluginError(
            f"{who}: load() has set no classes; dataset {subject.dataset_name} has {len(known)}. `load` sets "
            "`self.classes` to the names that the labels of predictions are indices into."
        )


def order_note(subject: Subject, classes: Any) -> list[str]:
    """Return a warning if a loaded model took its classes from the dataset, because its weights do not name them.

    Args:
        subject: task, model and dataset.
        classes: what `Model.load` has set `classes` to. It took the dataset's if it is the tuple that was given to it.
    """
    weights, known = subject.weights, subject.dataset.classes
    if weights.path is None or weights.classes or not known or classes is not known:
        return []
    names = ", ".join(known[:3]) + (", ..." if len(known) > 3 else "")
    safe = weights.path.suffix == ".safetensors"
    place = "The file's metadata" if safe else f"A file {weights.path.with_suffix('.json').name} beside it"
    return [
        f"weights {weights.name} of {named('model', subject)} do not name their classes: the {len(known)} of dataset "
        f"{subject.dataset_name} are taken, in its order ({names}). If they were trained in another order, every "
        f"result is wrong. {place} can name them, under `classes`."
    ]


def check_outline(outline: Any) -> Outline:
    """Return what `Dataset.outline` gave, if it is an outline.

    Raises:
        ContentError: it is anything else; the message begins with the field.
    """
    if not isinstance(outline, Outline):
        raise ContentError(f"a harness.dataset.Outline is expected, found {found(outline)}.")
    for field in ("id", "group", "stratum"):
        check_text(f"outline.{field}", getattr(outline, field))
    for field in ("height", "width", "frames"):
        value = getattr(outline, field)
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ContentError(f"outline.{field}: a whole number above 0 is expected, found {found(value)}.")
    if not isinstance(outline.scored, tuple) or not all(isinstance(frame, Integral) for frame in outline.scored):
        raise ContentError(f"outline.scored: a tuple of frame numbers is expected, found {found(outline.scored)}.")
    return outline


def check_ids(subject: Subject, twins: Mapping[str, Sequence[int]]) -> None:
    """Check that no two samples have one id.

    Args:
        subject: task, model and dataset.
        twins: the ids that several samples have, with the indices of these samples.

    Raises:
        PluginError: there are such samples. The message names the dataset with its plugin, and the first three ids.
    """
    if not twins:
        return
    shown = "; ".join(
        f"{plain_text(name)!r} (samples {', '.join(map(str, places[:4]))}{', ...' if len(places) > 4 else ''})"
        for name, places in list(twins.items())[:3]
    )
    several = f", and {len(twins) - 3} ids more" if len(twins) > 3 else ""
    raise PluginError(
        f"{named('dataset', subject)}: several samples have one id: {shown}{several}. An id names one sample of a "
        "dataset and split."
    )


def difference(stated: Outline, read: Outline) -> str | None:
    """Say how a sample differs from what its dataset stated before it was read; None if it does not.

    Batches are planned and frames are judged by the outline, so a sample that is another is not judged by it.

    Args:
        stated: what `Dataset.outline` gave.
        read: the same facts about the sample that was read.
    """
    pairs = {
        "id": (stated.id, read.id),
        "height": (stated.height, read.height),
        "width": (stated.width, read.width),
        "frames": (stated.frames, read.frames),
        "scored": (tuple(sorted(stated.scored)), tuple(sorted(read.scored))),
    }
    for field, (asked, given) in pairs.items():
        if asked != given:
            texts = (_in_words(asked), _in_words(given))
            return f"{field}: its outline says {texts[0]}, the sample that was read has {texts[1]}."
    return None


def _in_words(value: Any) -> str:
    """Return a field of an outline for a message; of many frames the first ones."""
    if not isinstance(value, tuple):
        return found(value)
    shown = ", ".join(str(int(frame)) for frame in value[:8]) + (", ..." if len(value) > 8 else "")
    return f"{len(value)} ({shown})" if value else "none"


def check_text(field: str, value: Any) -> None:
    """Check that a value is a text. What it may not hold in a database is stored as escapes (`harness.keep.texts`).

    Raises:
        ContentError: it is no text.
    """
    if not isinstance(value, str):
        raise ContentError(f"{field}: a text is expected, found {found(value)}.")
