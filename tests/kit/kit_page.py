"""The tables of docs/reference/kit.md, made of the kit and of the seeded faults: `python -m kit.kit_page` writes them."""

from __future__ import annotations

from pathlib import Path

from harness.testing.chosen import KIT
from kit import mutants

PAGE = (
    next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file()) / "docs/reference/kit.md"
)
PROMISES = "<!-- promises -->\n"
FAULTS = "<!-- faults -->\n"


def promises() -> str:
    """A table of the promises of each kind."""
    lines = []
    for kind, promises in KIT.items():
        lines += [f"### {kind.capitalize()}: `{promises.__name__}`", "", "| promise | in words |", "|---|---|"]
        lines += [f"| `{name}` | {promises.told(name)} |" for name in promises.names()] + [""]
    return "\n".join(lines)


def faults() -> str:
    """A table of the seeded faults, with the promise that each breaks."""
    lines = ["| kind | fault | what is wrong | promise that is broken |", "|---|---|---|---|"]
    for kind, one in mutants.ALL:
        what = " ".join((one.__doc__ or "").split())
        lines.append(f"| {kind} | `{one.__name__}` | {what} | `{one.broken}` |")
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """A page with its tables made anew."""
    for mark, made in ((PROMISES, promises()), (FAULTS, faults())):
        before, _, rest = text.partition(mark)
        _, _, after = rest.partition(mark)
        text = f"{before}{mark}\n{made}\n{mark}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
