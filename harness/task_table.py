"""The table of one task for people: one row an experiment, only the columns in which something is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.levers import LEVERS
from harness.text_tables import Table

if TYPE_CHECKING:
    from harness.result_cells import Cell, Measured

__all__ = [
    "codec_names",
    "conditions",
    "interval_text",
    "metric_table",
    "named",
    "seeds_note",
    "stands_on",
    "task_table",
    "training_words",
]

Column = tuple[str, list[str]]

_LEVERS = frozenset(lever.name for lever in LEVERS)


def task_table(cells: Sequence[Cell], metrics: Sequence[str]) -> Table:
    """The table of one task: what is the same in every row stands in the title.

    Args:
        cells: the task's experiments, in the order to show them in.
        metrics: the names of those to show.
    """
    same, columns = named(cells)
    compared = False
    for name in metrics:
        found = [cell.metrics.get(name) for cell in cells]
        columns.append((name, ["" if m is None else _value_of(m) for m in found]))
        if any(m is not None and (m.is_primary or len(metrics) == 1) for m in found):
            drops = [_drop(cell, m) for cell, m in zip(cells, found, strict=True)]
            columns.append((f"{name} drop", drops))
            compared = compared or any(drops)
    intervals = any("[" in text for _, values in columns for text in values)
    columns += _rates(cells) + _troubles(cells)
    rows = tuple(zip(*(values for _, values in columns), strict=True))
    title = f"{cells[0].facts['task']}: {' '.join(same)}".removesuffix(": ")
    return Table(tuple(name for name, _ in columns), rows, title, _notes(cells, intervals, compared))


def metric_table(cells: Sequence[Cell], metrics: Sequence[str]) -> Table:
    """The table of one task with a row for each metric and experiment: narrow, however many metrics there are.

    Args:
        cells: the task's experiments, in the order to show them in.
        metrics: the names of those to show; an experiment without any has one row.
    """
    same, columns = named(cells)
    troubles = _troubles(cells)
    rows: list[tuple[str, ...]] = []
    for name in (*metrics, None):
        for number, cell in enumerate(cells):
            measured = None if name is None else cell.metrics.get(name)
            if measured is None and (name is not None or any(metric in cell.metrics for metric in metrics)):
                continue
            told = ("", "") if measured is None else (_value_of(measured), _drop(cell, measured))
            place = (values[number] for _, values in columns)
            rows.append((name or "", *place, *told, *(values[number] for _, values in troubles)))
    heads = ("metric", *(head for head, _ in columns), "value", "drop", *(head for head, _ in troubles))
    intervals = any("[" in text for row in rows for text in row)
    title = f"{cells[0].facts['task']}: {' '.join(same)}".removesuffix(": ")
    drop = len(columns) + 2
    notes = _notes(cells, intervals, any(row[drop] for row in rows), rates=False)
    if not any(row[drop] for row in rows):
        heads, rows = heads[:drop] + heads[drop + 1 :], [row[:drop] + row[drop + 1 :] for row in rows]
    return Table(heads, tuple(rows), title, notes)


def named(cells: Sequence[Cell]) -> tuple[list[str], list[Column]]:
    """What is the same for all; and the columns that tell the experiments from each other."""
    same, columns = conditions(cells)
    if any(series := _series(cells)):
        columns.append(("series", series))
    columns += [("codec", codec_names(cells)), _levels(cells)]
    if max(Counter(zip(*(values for _, values in columns), strict=True)).values()) > 1:
        columns.insert(0, ("experiment", [cell.facts["experiment"][:12] for cell in cells]))
    return same, columns


def _series(cells: Sequence[Cell]) -> list[str]:
    """The start of the digest that tells trainings apart that have one name, where a cell has several of them."""
    alike: dict[tuple[object, str], set[object]] = {}
    for cell in cells:
        alike.setdefault((cell.facts["cell"], training_words(cell)), set()).add(cell.facts["series"])
    several = {words for (_, words), series in alike.items() if len(series) > 1}
    return [str(cell.facts["series"])[:8] if training_words(cell) in several else "" for cell in cells]


def conditions(cells: Sequence[Cell]) -> tuple[list[str], list[Column]]:
    """What the experiments differ in besides the codec, as columns; and what model and data are the same, in words."""
    rows = [cell.facts for cell in cells]
    conditions: list[Column] = [
        ("model", [str(row["model"]) for row in rows]),
        ("weights", [str(row["weights"]) for row in rows]),
        ("data", [f"{row['dataset']}/{row['split']}" for row in rows]),
        ("samples", [str(row["planned_samples"]) for row in rows]),
        ("reference", [str(row["reference"]) for row in rows]),
        ("seed", [str(row["seed"]) for row in rows]),
        ("precision", [str(row["precision"]) for row in rows]),
        ("batch", [str(row["batch"]) for row in rows]),
        ("training", [training_words(cell) for cell in cells]),
    ]
    differing = [(name, values) for name, values in conditions if len(set(values) - {""}) > 1]
    told = {name for name, _ in differing}
    words = {name: values[0] for name, values in conditions if name not in told}
    same = [words["model"]] if "model" in words else []
    return same + ([f"on {words['data']}"] if "data" in words else []), differing


def training_words(cell: Cell) -> str:
    """How the weights came to be: "pretrained", "retrained jpeg@15 (level)"."""
    row = cell.facts
    if row["training"] == "pretrained":
        return "pretrained"
    level = "" if row["train_level"] is None else f"@{row['train_level']:g}"
    coded = f" {row['train_codec']}{level}" if row["train_codec"] else ""
    mode = f" ({row['train_mode']})" if row["train_mode"] else ""
    parts = f", {row['parts']} only" if row["parts"] else ""
    return f"{row['training']}{coded}{mode}{parts}"


def codec_names(cells: Sequence[Cell]) -> list[str]:
    """Each codec with its levers, and with those of its options that differ within the table."""
    options = [cell.options for cell in cells]
    values: dict[tuple[str, str], set[object]] = {}
    for cell in cells:
        for name in {name for given in options for name in given}:
            values.setdefault((cell.facts["codec"], name), set()).add(str(cell.options.get(name)))
    names = []
    for cell, given in zip(cells, options, strict=True):
        codec = cell.facts["codec"]
        told = [
            n for n in given if n in _LEVERS or (n != "intra" and given[n] is not None and len(values[codec, n]) > 1)
        ]
        name = codec + (":" if told else "") + ",".join(f"{n}={_value(given[n])}" for n in told)
        names.append(name + (" (intra)" if given.get("intra") is True else ""))
    return names


def _value(value: object) -> str:
    """An option's value as the command line takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _levels(cells: Sequence[Cell]) -> Column:
    """The levels under the name that their codec has for them, or, where there are several, with it."""
    units = sorted({cell.facts["level_name"] for cell in cells if cell.facts["level_name"] is not None})
    texts = []
    for cell in cells:
        level = cell.facts["level"]
        text = "" if level is None else f"{level:g}"
        texts.append(f"{cell.facts['level_name']} {text}" if text and len(units) > 1 else text)
    return (units[0] if len(units) == 1 else "level"), texts


def interval_text(
    value: float | None, low: float | None = None, high: float | None = None, margin: float | None = None
) -> str:
    """ "0.482 [0.451, 0.513]", with as many decimals as its size calls for; behind it the margin over seeds."""
    if value is None:
        return "undefined"
    digits = _digits(value)
    text = _fixed(value, digits)
    text = text if low is None or high is None else f"{text} [{_fixed(low, digits)}, {_fixed(high, digits)}]"
    return text if margin is None else f"{text} ±{_fixed(margin, digits)}"


def _value_of(measured: Measured) -> str:
    return interval_text(measured.value, measured.ci_low, measured.ci_high, measured.margin)


def _drop(cell: Cell, measured: Measured | None) -> str:
    if measured is None or measured.drop is None or cell.is_baseline:
        return ""
    return interval_text(measured.drop, measured.drop_ci_low, measured.drop_ci_high, measured.drop_margin)


def _fixed(value: float, digits: int) -> str:
    """The number with so many decimals; never "-0.000"."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _digits(value: float) -> int:
    return 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1


def _rates(cells: Sequence[Cell]) -> list[Column]:
    def texts(name: str) -> list[str]:
        values = [cell.facts[name] for cell in cells]
        return ["" if value is None else f"{value:.{_digits(value)}f}" for value in values]

    ratios = [cell.compression_ratio for cell in cells]
    columns = [
        ("bpp", texts("bpp")),
        ("comp. ratio", ["" if ratio is None else f"{ratio:.1f}" for ratio in ratios]),
    ]
    for name, title in (("kbps", "kbps"), ("psnr", "PSNR")):
        if any(texts(name)):
            columns.append((title, texts(name)))
    return columns


def _troubles(cells: Sequence[Cell]) -> list[Column]:
    """Columns for what did not go well, where there is any."""
    columns = []
    if any(cell.facts["failed_samples"] for cell in cells):
        columns.append(("failed samples", [str(cell.facts["failed_samples"] or 0) for cell in cells]))
    if any(cell.facts["status"] != "finished" for cell in cells):
        told = [cell.facts["status"] + (f": {cell.reason}" if cell.reason else "") for cell in cells]
        columns.append(("status", told))
    return columns


def seeds_note(counts: Sequence[int]) -> list[str]:
    """What the margins mean, where trainings from several seeds are shown as one; from so many each."""
    several = sorted({count for count in counts if count > 1})
    if not several:
        return []
    return [
        f"Means over {_range(several)} seeds of each training; ±: half their 95% interval (Student's), which covers "
        "training's randomness alone."
    ]


def stands_on(cells: Sequence[Cell]) -> list[str]:
    """On how many samples the metrics stand, and how many failed."""
    rows = [cell.facts for cell in cells if cell.facts["samples"] is not None]
    stand = sorted({row["samples"] for row in rows})
    failed = sorted({row["failed_samples"] or 0 for row in rows})
    if not any(failed):
        return [f"{stand[0]} samples."] if len(stand) == 1 else []
    if len(stand) == len(failed) == 1:
        return [f"Metrics stand on {stand[0]} samples; {failed[0]} more failed."]
    return [f"Metrics stand on {_range(stand)} samples: those that did not fail ({_range(failed)} did)."]


def _too_few(cells: Sequence[Cell]) -> list[str]:
    """Whether intervals stand on so few samples, or groups of them, that nobody has seen them hold."""
    from harness.bootstrap import GROUPS_FROM, HOLDS_FROM

    rows = [cell.facts for cell in cells if any(m.ci_low is not None for m in cell.metrics.values())]
    found = []
    for name, least, words in (("samples", HOLDS_FROM, "samples"), ("groups", GROUPS_FROM, "groups of samples")):
        few = sorted({row[name] for row in rows if row[name] is not None and row[name] < least})
        if few:
            found.append(f"{_range(few)} {words} (below {least})")
    return [f"They stand on {' and '.join(found)}: too few to be sure that they hold."] if found else []


def _range(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _notes(cells: Sequence[Cell], intervals: bool, compared: bool, rates: bool = True) -> tuple[str, ...]:
    notes = stands_on(cells)
    if intervals:
        notes.append("[ ]: 95% interval.")
        notes += _too_few(cells)
    notes += seeds_note([cell.seeds for cell in cells])
    if any(_series(cells)):
        notes.append("series: tells trainings of one name apart, by their recipe or by the weights they started from.")
    if compared:
        notes.append("drop: against none, paired by sample; positive is worse.")
    if rates:
        notes.append("comp. ratio: compression ratio, 24 bits per pixel over bpp.")
    return (" ".join(notes),)
