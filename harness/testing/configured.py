"""What every plugin with options promises: the options are what they say, and results can be told apart by them."""

from __future__ import annotations

from typing import Any

from harness.errors import HarnessError, UsageError
from harness.options import Option, Value
from harness.testing.tools.base import Promises
from harness.testing.tools.broken import broken, promise
from harness.testing.tools.elsewhere import pickled

__all__ = ["ConfiguredPromises", "another_value"]


class ConfiguredPromises(Promises):
    """What every plugin with options promises (`harness.options.Configured`)."""

    def test_a_changed_option_changes_the_key(self) -> None:
        """Each option takes the value that is given, and stands in `config`, from which keys are made."""
        made = self.make()
        cls = type(made)
        promise(
            set(made.config) == {option.name for option in cls.options},
            f"config has {sorted(made.config)}, declared are {sorted(option.name for option in cls.options)}: call "
            "super().__init__(**options), and leave `config` as it is.",
        )
        given = {name: value for name, value in made.config.items() if value is not None}
        for option in cls.options:
            value = another_value(option, made.config[option.name])
            if value is None:
                continue
            try:
                other = self.made_of(cls, {**given, option.name: value})
            except UsageError:
                continue  # the class refuses this value beside the others
            promise(
                other.config.get(option.name) == value and other != made,
                f"{option.name}={value} makes the same {self.kind} as {option.name}={made.config[option.name]}: "
                "results of both would be taken for each other. Pass all options to super().__init__.",
            )

    def test_an_unknown_option_is_refused(self) -> None:
        """An option that is not declared is refused by an error of the harness."""
        cls = type(self.make())
        try:
            self.made_of(cls, {"no_such_option": "1"})
        except HarnessError:
            return
        except TypeError as error:
            broken(f"an unknown option raises TypeError ({error}): take **options and pass them to super().__init__.")
        broken("an unknown option is taken without a word: pass all options to super().__init__(**options).")

    def test_the_fingerprint_is_plain(self) -> None:
        """What the plugin says of itself is the same each time, and can be written as JSON."""
        import json

        for name in ("fingerprint", "decoders", "identity_config"):
            made = self.make()
            if not hasattr(made, name) or (self.kind == "dataset" and name == "fingerprint"):
                continue
            facts, again = _facts(made, name), _facts(self.make(), name)
            try:
                json.dumps(facts, sort_keys=True, allow_nan=False)
            except (TypeError, ValueError) as error:
                broken(f"{name}() is no plain JSON ({error}): give texts, numbers and truth values.")
            promise(facts == again, f"{name}() gives {facts}, and then {again}: name only what changes results.")

    def test_it_is_picklable(self) -> None:
        """It can be pickled, and is equal to itself afterwards."""
        import pickle

        made = self.make()
        back = pickle.loads(pickled(made, f"the {self.kind}"))  # noqa: S301 - pickled a moment ago
        promise(back.config == made.config, "options are lost by pickling: keep `config` in the object's state.")


def _facts(made: Any, name: str) -> dict[str, Any]:
    facts = getattr(made, name)()
    promise(hasattr(facts, "items"), f"{name}() gives {type(facts).__name__}: give a mapping of names to values.")
    return dict(facts)


def another_value(option: Option, value: Value) -> Value:
    """Return an allowed value of an option that is not `value`; None if none is known (of texts that are free)."""
    if option.choices:
        return next((choice for choice in option.choices if choice != value), None)
    if option.type is bool:
        return not value
    if option.type in (int, float):
        step = 1 if option.type is int else 0.5
        start = value if isinstance(value, int | float) else option.minimum if option.minimum is not None else 1
        for candidate in (start + step, start - step, option.minimum, option.maximum, (start + step) / 2):
            if candidate is None or candidate == value:
                continue
            try:
                return option.parse(candidate)
            except UsageError:
                continue
    return None
