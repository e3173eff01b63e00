"""Read an annotation file of PASCAL VOC: the objects of one image, as XML."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DatasetError
from harness_tasks.datasets.texts import flag, number_in, shown
from harness_tasks.detection.types import Boxes

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["read_annotation"]

_LARGEST_SIDE = 2**31


def read_annotation(path: Path, classes: Sequence[str]) -> tuple[Boxes, tuple[int, int] | None] | str:
    """Return the objects of an image and its stated size (height, width).

    The size is None if the file states none, or 0. For a file that cannot be used, the error message is returned: it
    costs one sample, and the others can be read.

    Args:
        path: the XML file.
        classes: the dataset's classes; labels are indices into it.

    Raises:
        DatasetError: an object has a class that the dataset does not have.
    """
    try:
        root = _parsed(path)
        elements = _objects(root)
        objects = [_object(path, number, element, classes) for number, element in enumerate(elements, 1)]
        size = _child(root, "size", root.tag)
        stated = None if size is None else (_side(size, "height"), _side(size, "width"))
    except (ValueError, OSError) as error:
        return f"{path} cannot be read as VOC's XML: {error or type(error).__name__}."
    boxes = Boxes.of([box for box, _, _ in objects], [n for _, n, _ in objects], None, [hard for _, _, hard in objects])
    return boxes, None if stated is None or 0 in stated else stated


def _parsed(path: Path) -> Element:
    """Return the root of an XML file.

    Raises:
        ValueError: the file is no XML, or has an encoding that Python's parser cannot read.
        OSError: the file cannot be opened.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException, ElementTree

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of codecs that no text is written in
            root: Element = ElementTree.parse(path).getroot()
    except (ParseError, DefusedXmlException) as error:
        raise ValueError(error) from error
    except (LookupError, ValueError) as error:
        # An encoding that Python does not have, that is none of text, or of more than one byte a character.
        raise ValueError(f'line 1: {error}. Save it as UTF-8, with encoding="UTF-8" in this line') from error
    return root


def _objects(root: Element) -> list[Element]:
    """Return the `object` elements directly under the root.

    Raises:
        ValueError: there are none, and the file does not look like an image without objects.
    """
    found = root.findall("object")
    if not found and root.tag != "annotation":
        raise ValueError(f"its root is <{shown(root.tag)[1:-1]}>, and has no <object>; <annotation> was expected")
    if not found and root.find(".//object") is not None:
        raise ValueError("its <object> elements are not directly under the root")
    return found


def _object(
    path: Path, number: int, element: Element, classes: Sequence[str]
) -> tuple[tuple[float, float, float, float], int, bool]:
    """Return an object's box, label and difficult flag; `number` counts the file's objects from 1.

    Raises:
        DatasetError: the dataset does not have the object's class.
        ValueError: an element is missing, comes twice, or has no valid number.
    """
    where = f"object {number}"
    label = _child(element, "name", where)
    name = "" if label is None else (label.text or "").strip()
    if name not in classes:
        raise DatasetError(
            f"{path}: {where}: class {shown(name)} is none of {', '.join(classes)}. A dataset with classes of its "
            "own names them by the option classes, as in 'voc:classes=cat|dog'."
        )
    where = f"{where} ({name})"
    box = _child(element, "bndbox", where)
    if box is None:
        raise ValueError(f"{where} has no bndbox")
    left, top, right, bottom = (_number(box, key, f"<bndbox> of {where}") for key in ("xmin", "ymin", "xmax", "ymax"))
    if right < left or bottom < top:
        raise ValueError(f"the box of {where} has its corners the wrong way round")
    return (left - 1, top - 1, right, bottom), classes.index(name), _difficult(element, where)


def _difficult(element: Element, where: str) -> bool:
    """Return an object's difficult flag: a number that is 0 or 1. An object without one is not difficult."""
    found = _child(element, "difficult", where)
    if found is None:
        return False
    value = None if len(found) else flag(number_in(found.text))
    if value is None:
        raise ValueError(f"<difficult> of {where} is {shown((found.text or '').strip())}, 0 or 1 was expected")
    return value


def _number(parent: Element, key: str, where: str) -> float:
    """Return the number in a child element."""
    found = _child(parent, key, where)
    text = "" if found is None else (found.text or "").strip()
    value = number_in(text) if found is not None and not len(found) else None
    if value is None:
        problem = "missing" if found is None else shown(text)
        raise ValueError(f"<{key}> in {where} is {problem}, a number was expected")
    return value


def _side(size: Element, key: str) -> int:
    """Return the stated height or width in pixels."""
    value = _number(size, key, "<size>")
    if not value.is_integer() or not 0 <= value < _LARGEST_SIDE:
        raise ValueError(f"<{key}> in <size> is {value:g}, a whole number of pixels was expected")
    return int(value)


def _child(parent: Element, key: str, where: str) -> Element | None:
    """Return the only child element of a name; None if there is none."""
    found = parent.findall(key)
    if len(found) > 1:
        raise ValueError(f"<{key}> comes {len(found)} times in {where}")
    return found[0] if found else None
