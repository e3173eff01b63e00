"""Checks what models and datasets say of themselves, and names them with the plugins that they come from."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

from harness.dataset import Outline
from harness.errors import ContentError, PluginError, found

if TYPE_CHECKING:
    from harness.unit import Subject

__all__ = ["check_classes", "check_outline", "check_text", "named", "order_note"]


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


def check_text(field: str, value: Any) -> None:
    """Check that a value is a text. What it may not hold in a database is stored as escapes (`harness.keep.texts`).

    Raises:
        ContentError: it is no text.
    """
    if not isinstance(value, str):
        raise ContentError(f"{field}: a text is expected, found {found(value)}.")
