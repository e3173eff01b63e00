"""What the classes of the kit share: how the plugin under test is named and made, and how a promise is broken.

A class of the kit is a plain class with a method for each promise. pytest runs it like any class of tests, and
`harness.testing.runner` runs it without pytest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from harness.testing.tools.broken import broken, promise, skip
from harness.testing.tools.elsewhere import slow_imports

__all__ = ["Promises"]


class Promises:
    """Base class of the kit's classes: one test method for each promise that a kind of plugin makes.

    A class that derives from it says which plugin it tests: by `spec`, or by `make`.

    Class attributes:
        kind: the kind of plugin: "codec", "task", "model", "dataset", "store", "executor" or "logger".
        spec: the plugin as on the command line: its name, and options if it is to be tested with others than its
            defaults ("jpeg:subsampling=4:4:4"). It has to be installed, or given by `--plugin` or `HARNESS_PLUGINS`.
    """

    kind: ClassVar[str] = ""
    spec: ClassVar[str] = ""

    def make(self) -> Any:
        """Return a new object of the plugin under test. The default makes the one that `spec` names.

        A class that is not installed as a plugin overrides this: `def make(self): return MyCodec(quality=3)`.
        """
        return self.made_of(*self.parsed())

    def parsed(self) -> tuple[type[Any], dict[str, Any]]:
        """Return the class that `spec` names, and the options that it gives."""
        from harness.discovery.plugins import installed
        from harness.planning.grammar import parse

        if not self.spec:
            raise TypeError(f"{type(self).__name__} names no {self.kind}: set `spec`, or override `make`.")
        parsed = parse(self.spec, levels=False)
        return installed().get(self.kind, parsed.name), dict(parsed.options)

    def made_of(self, cls: type[Any], options: dict[str, Any]) -> Any:
        """Return an object of a class with some options."""
        return cls(**options)

    @classmethod
    def setup_class(cls) -> None:
        """Prepare what all promises of the class share. Called once, before the first."""

    @classmethod
    def teardown_class(cls) -> None:
        """Give up what `setup_class` has made. Called once, after the last promise."""

    def setup_method(self) -> None:
        """Prepare what one promise needs. Called before each."""

    def teardown_method(self) -> None:
        """Give up what one promise needed. Called after each, also if it is broken."""

    @classmethod
    def names(cls) -> Iterator[str]:
        """Yield the promises of the class, in the order in which they are written, the inherited ones first."""
        seen = {name: None for base in reversed(cls.__mro__) for name in vars(base) if name.startswith("test_")}
        yield from (name.removeprefix("test_") for name in seen if callable(getattr(cls, name, None)))

    @classmethod
    def told(cls, name: str) -> str:
        """Return what a promise says: the first line of its method's docstring."""
        return (getattr(cls, f"test_{name}").__doc__ or "").strip().split("\n")[0]

    # Promises of every kind

    def test_it_says_what_it_is(self) -> None:
        """It has a name that can be typed, and one line of summary."""
        import re

        cls = type(self.make())
        name, summary = getattr(cls, "name", ""), getattr(cls, "summary", "")
        promise(
            isinstance(name, str) and re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name),
            f"{cls.__name__}.name is {name!r}: give it lower-case letters, digits, '.', '_' and '-'.",
        )
        promise(
            isinstance(summary, str) and summary.strip() and "\n" not in summary,
            f"{cls.__name__}.summary is {summary!r}: write one line that says what it is, for `harness list`.",
        )

    def test_it_imports_quickly(self) -> None:
        """Its module imports no deep-learning library, which would make every command seconds slower."""
        module = type(self.make()).__module__
        if module == type(self).__module__:
            skip("the plugin stands in the module of its tests")
        if slow := slow_imports(module):
            broken(
                f"module {module} imports {', '.join(slow)} when it is imported, so every command waits for it: move "
                "the import into the functions that need it (and under `if TYPE_CHECKING:` for annotations)."
            )
