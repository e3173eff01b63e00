"""Every label that an output prints is taken by `compare`, or answered with a sentence that says what to type."""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

import harness_tasks.detection
from harness.decide.labels import words_of
from harness.decide.sides import SideQuery, sides_of
from harness.errors import UsageError
from harness.results.cells import read_cells
from harness.results.ladders import Case, Ladder, cases_of
from harness.store import Filters
from harness_plugins.sql_store import SqlStore
from kit.command import Session
from kit.shared import made_once

DETECTOR = Path(harness_tasks.detection.__file__).parent / "models" / "demo-detector.safetensors"
SHORT = ("--set", "iterations=2", "--set", "batch=2", "--set", "checkpoint=2", "--set", "warmup=1")
FEW = ("--limit", "4", "--resamples", "100", "--threads", "1")
COLUMNS = ("model", "weights", "data", "samples", "reference", "seed", "training", "codec", "level", "quality", "crf")
NAMED = ("samples", "seed", "quality", "crf")
"""Columns whose values are bare numbers: a label has the column's name before them."""


def make(folder: Path, cache: Path) -> None:
    """Runs with all options: profiles, levers, all kinds of trainings, seeds, models, datasets, references."""
    session = Session(folder, cache)
    weights = {name: 1.001 * value for name, value in load_file(DETECTOR).items()}
    save_file(weights, folder / "nudged.safetensors")
    detection = ("run", "--task", "detection", *FEW)
    still = ("--codec", "jpeg@90,30", "--codec", "jpeg:subsampling=4:4:4@90,30", "--codec", "jpeg:scale=0.5@90,30")
    retrain = [word for kind in ("matched", "mixed", "clean", "30") for word in ("--retrain", kind)]
    clips = ("--codec", "h264:profile=surveillance@25,40", "--codec", "h264@25,40", "--codec", "h264:fps=5@25,40")
    runs = (
        (*detection, *still, "--codec", "none:scale=0.5"),
        (*detection, "--codec", "jpeg@90,30", "--weights", "nudged.safetensors"),
        (*detection, "--codec", "jpeg@90,30", *retrain, "--seeds", "2", *SHORT),
        (*detection, "--codec", "jpeg@90,30", "--codec", "webp@50", "--reference", "predictions"),
        (
            "run",
            "--task",
            "detection",
            "--limit",
            "3",
            "--seed",
            "1",
            *FEW[2:],
            "--codec",
            "jpeg@90,30",
            "--codec",
            "webp@50",
        ),
        (*detection, "--dataset", "demo-clips", *clips),
    )
    (folder / "log.txt").write_text("".join(session.run(*run).stderr for run in runs))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    made = made_once(cache.parent / "labels", functools.partial(make, cache=cache))
    return Session(Path(shutil.copytree(made, tmp_path_factory.mktemp("labels") / "copy")), cache)


@pytest.fixture(scope="module")
def store(session: Session) -> Iterator[SqlStore]:
    with closing(SqlStore(str(session.database))) as opened:
        opened.open(write=False)
        yield opened


@pytest.fixture(scope="module")
def cases(store: SqlStore) -> list[Case]:
    return cases_of(read_cells(store, Filters({"task": ["detection"]})))


@pytest.fixture
def named(cases: list[Case], store: SqlStore) -> Any:
    """Return what `compare` takes a label for, beside each other ladder of the database: case, codec and training."""
    identities = store.identities([cell.facts["experiment"] for case in cases for cell in case.every])

    def find(label: str) -> tuple[Case, Ladder]:
        errors = []
        for case in cases:
            for other in case.ladders:
                exact = f"{case.title}, {other.codec}, {other.training}"
                try:
                    side, beside = sides_of(cases, (SideQuery(label), SideQuery(exact)), identities)
                except UsageError as error:
                    errors.append(str(error))
                    continue
                assert (beside.ladder.codec, beside.ladder.training) == (other.codec, other.training), exact
                return next(c for c in cases if c.baseline is side.baseline), side.ladder
        raise UsageError("\n".join(dict.fromkeys(errors)))

    return find


def tables(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The title and each row of the Markdown tables in a text."""
    title, head = "", None
    for line in text.splitlines():
        plain = re.sub(r"\\(.)", r"\1", line)
        if line.startswith("**"):
            title, head = plain.strip("*"), None
        elif line.startswith("| "):
            cells = [cell.strip() for cell in plain.strip("|").split(" | ")]
            if head is None:
                head = cells
            else:
                yield title, dict(zip(head, cells, strict=False))


def label_of(title: str, row: dict[str, str]) -> str:
    """A row's label: what stands above the table, and in the columns that tell rows apart."""
    parts = [f"{name} {row[name]}" if name in NAMED else row[name] for name in COLUMNS if row.get(name)]
    return ", ".join([title, *parts])


def is_right(label: str, case: Case, ladder: Ladder) -> bool:
    """Whether the case and the ladder have what the label says of data, samples and training."""
    words = words_of(label)
    data = [word for word in words if word.endswith("/test")]
    trainings = {"clean", "mixed", "matched", "jpeg@30"} & set(words)
    said = next((name for name in ("matched", "mixed", "clean", "jpeg@30") if name in trainings), "pretrained")
    facts = case.facts
    return (
        said == ladder.training
        and all(word == f"{facts['dataset']}/{facts['split']}" for word in data)
        and ("samples 3" in label) <= (facts["planned_samples"] == 3)
        and ("predictions" in words) <= (facts["reference"] == "predictions")
        and ("nudged" in label) <= ("nudged" in facts["weights"])
        and ladder.codec.split(":")[0] in " ".join(words)
    )


def test_rows_of_results(session: Session, named: Any) -> None:
    rows = list(tables(session.run("results", "--format", "markdown").stdout))
    assert len(rows) > 25
    taken = 0
    for title, row in rows:
        label = label_of(title, row)
        if row["codec"] == "none":
            with pytest.raises(UsageError, match="name a codec on both sides"):
                named(label)
        else:
            assert is_right(label, *named(label)), label
            taken += 1
    assert taken > 20


def test_rows_of_recommend_recovery_and_matrix(session: Session, named: Any) -> None:
    texts = [session.run("recommend", "--task", "detection", "--max-drop", "0.05", "--format", "markdown").stdout]
    texts += [session.run("results", "recovery", "--format", "markdown").stdout]
    rows = [(re.split(": (agreement )?AP", title)[0], row) for title, row in tables("\n".join(texts))]
    assert len(rows) > 12
    for title, row in rows:
        label = label_of(title, row)
        assert is_right(label, *named(label)), label
    for title, row in tables(session.run("results", "matrix", "--format", "markdown").stdout):
        training = {"30": "jpeg@30"}.get(row["trained on"], row["trained on"])
        case, ladder = named(f"{title}, {row['trained on']}")
        assert ladder.training == training
        assert case.facts["model"] == "demo-detector"


def test_titles_of_tables(session: Session, named: Any) -> None:
    titles = {title for title, _ in tables(session.run("results", "tables", "--format", "markdown").stdout)}
    titles = {title for title in titles if title.startswith("Table III")}
    assert len(titles) > 6
    for title in titles:
        assert is_right(title, *named(title)), title


def test_legends_of_figures(session: Session, named: Any) -> None:
    session.run("plot", "--task", "detection", "--output", "curves.svg")
    texts = re.findall(r"<!-- (.*?) -->", (session.folder / "curves.svg").read_text())
    legend = {text for text in texts if re.match(r"[a-z0-9]+(:\S+)?, ", text)}
    assert len(legend) > 10
    for label in legend:
        if label.startswith("uncompressed"):
            with pytest.raises(UsageError, match="name a codec on both sides"):
                named(label)
        else:
            assert is_right(label, *named(label)), label


def test_lines_of_reports(session: Session, named: Any) -> None:
    session.run("report", "--output", "page.html", "--samples", "0")
    page = (session.folder / "page.html").read_text()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    lines = [(part["title"], line["name"]) for part in json.loads(found[1]) for line in part.get("lines", ())]
    assert len(lines) > 10
    for title, name in lines:
        assert is_right(f"{title}: {name}", *named(f"{title}: {name}")), (title, name)


def test_experiments_as_progress_names_them(session: Session, named: Any) -> None:
    log = (session.folder / "log.txt").read_text()
    labels = re.findall(r"^(.+ \[[0-9a-f]{8}\]): \d+ samples", log, re.MULTILINE)
    assert len(labels) > 35
    for label in labels:
        if label.startswith("none "):
            with pytest.raises(UsageError, match="name a codec on both sides"):
                named(label)
            continue
        case, ladder = named(label)
        key = label[-9:-1]
        experiments = {cell.facts["experiment"][:8]: cell.facts for cell in case.every}
        assert key in experiments, label
        if experiments[key]["training"] == "pretrained" or "seed 1" not in label:
            assert key in {cell.facts["experiment"][:8] for cell in ladder.cells}, label


def test_the_command_takes_them(session: Session) -> None:
    shown = session.run(
        *("compare", "demo-detector on demo-clips/test: h264:profile=surveillance", "h264:fps=5", "-t", "detection"),
    ).stdout
    assert "h264:fps=5" in shown.splitlines()[0]
    assert "h264:bframes=0,gop=2s" in shown.splitlines()[0]


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("demo/test", 'It names no codec: add one, such as "demo/test, h264"'),
        ("demo-detector on demo/test", "It names no codec"),
        ("uncompressed", "Uncompressed frames are what every drop is measured against"),
        ("jepg", "Did you mean 'jpeg'"),
        ("jpeg@55", "There is: "),
        ("jpeg, matchd", "Did you mean 'matched'"),
        ("jpeg, samples 5", "There is: "),
    ],
)
def test_what_cannot_be_compared_says_what_to_type(named: Any, label: str, answer: str) -> None:
    with pytest.raises(UsageError, match=re.escape(answer)):
        named(label)


def test_a_label_of_several_says_how_to_choose(cases: list[Case], store: SqlStore) -> None:
    identities = store.identities([cell.facts["experiment"] for case in cases for cell in case.every])
    with pytest.raises(UsageError, match=r"several fit jpeg and webp: .*Choose with options"):
        sides_of(cases, (SideQuery("jpeg"), SideQuery("webp")), identities)
    one, other = sides_of(cases, (SideQuery("jpeg, seed 1"), SideQuery("webp, seed 1")), identities)
    assert (one.ladder.name, other.ladder.name) == ("jpeg", "webp")


def test_what_has_not_finished_is_told(session: Session, cases: list[Case], store: SqlStore) -> None:
    (first, *_), identities = cases, {}
    cell = first.ladders[0].cells[0]
    query = SideQuery(f"webp@50 detection demo-detector [{cell.facts['experiment'][:8]}]")
    with pytest.raises(UsageError, match="This experiment has not finished"):
        sides_of([Case(None, first.ladders[1:])], (query, query), identities, [cell])
