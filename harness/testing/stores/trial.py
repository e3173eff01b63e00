"""A new, empty store for each promise, and how what comes back is compared."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import StoreError
from harness.testing.tools.base import Promises
from harness.testing.tools.broken import broken, promise
from harness.testing.tools.store_rows import INFO

if TYPE_CHECKING:
    from harness.records import Claim
    from harness.store import Store

__all__ = ["Near", "StoreTrial"]


class Near:
    """A number that another one equals to the precision of a database's arithmetic."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float) and math.isclose(self.value, other, rel_tol=1e-6, abs_tol=1e-12)

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"{self.value!r} (about)"


class StoreTrial(Promises):
    """What the promises of stores share."""

    kind = "store"
    words: ClassVar[str | None] = None

    @property
    def url(self) -> str:
        """The URL of the store that a promise is tried with: a place of its own for each promise."""
        return self.url_in(Path(self.folder.name))

    def url_in(self, folder: Path) -> str:
        """Return the URL of a store in an empty folder. Override it for stores that need another one."""
        return f"{self.parsed()[0].schemes[0]}:///{folder}/results.db"

    def made_of(self, cls: type[Any], options: dict[str, Any]) -> Any:
        return cls(self.url)

    def another(self, url: str) -> Store:
        """Return another object of the store for the same URL, not opened."""
        made: Store = type(self.store)(url)
        return made

    @cached_property
    def folder(self) -> tempfile.TemporaryDirectory[str]:
        """The folder of the store; it is removed after the promise."""
        return tempfile.TemporaryDirectory()

    @cached_property
    def store(self) -> Store:
        """The open store."""
        made: Store = self.make()
        made.open()
        return made

    @cached_property
    def run(self) -> int:
        """A run in the store."""
        return self.store.begin_run(INFO)

    @cached_property
    def mine(self) -> Claim:
        """A claim of this process."""
        from harness.keep.processes import this_process
        from harness.records import Claim

        return Claim(this_process(), self.run)

    def teardown_method(self) -> None:
        if "store" in self.__dict__:
            self.store.close()
        if "folder" in self.__dict__:
            self.folder.cleanup()

    def same(self, found: Any, expected: Any) -> None:
        """Hold what the store gives against what is expected."""
        promise(found == expected, f"the store gives {_short(found)}, expected is {_short(expected)}. {_ADVICE}")

    def holds(self, condition: object, why: str = "") -> None:
        """Hold a condition to be true."""
        promise(condition, f"{why or 'what was read is not what was written'}. {_ADVICE}")

    @contextmanager
    def refused(self, words: str = "") -> Iterator[None]:
        """Expect a StoreError; with the class attribute `words` also one with certain words."""
        try:
            yield
        except StoreError as error:
            if self.words is not None and words:
                promise(re.search(words, str(error)), f"the message {error} does not match {words!r}.")
            return
        except Exception as error:  # noqa: BLE001 - any other error breaks the promise
            broken(f"{type(error).__name__} ({error}) is raised: raise StoreError. {_ADVICE}")
        broken(f"what the contract refuses is done: raise StoreError. {_ADVICE}")


_ADVICE = "Read the docstrings of harness.store.Store for these methods, and the lines of this promise for the steps."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 500 else f"{text[:300]} ... {text[-150:]}"
