"""`harness results`: the table people read, the formats programs read, and queries that can only read."""

import csv
import io
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from harness.experiment import Training
from harness.keep.processes import this_process
from harness.records import Claim, Comparison, MetricValue, Totals
from harness.results.tables.results import FORMATS, results_table
from harness.results.tables.text import Table, render
from harness.statistics.intervals import GROUPS_FROM, HOLDS_FROM
from harness.store import Filters
from harness_plugins.sql_store import SqlStore
from kit.command import run
from kit.store_rows import INFO, cell, failed, metric, put_results, row


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline and six JPEG levels of detection, one level of depth that failed, and one cell that was cut off."""
    file = tmp_path_factory.mktemp("ladder") / "harness.db"
    store = SqlStore(str(file))
    store.open()
    run = store.begin_run(INFO)
    claim = Claim(this_process(), run)
    none = cell("none", None)
    levels = [cell(level=float(level)) for level in (10, 95, 50, 75, 5, 15)]
    depth = cell(level=50.0, task="depth", model="midas", baseline=None)
    cut = cell("webp", 80.0)
    everything = [*levels, none, depth, cut]
    store.register(everything, run)
    store.claim([one.key for one in everything], claim)
    store.finish(
        none.key, claim, Totals(4, 0, 9600, 400, 24.0), [metric("AP", 0.5, 0.4, 0.6), metric("AP50", 0.8, 0.7, 0.9)]
    )
    for one in levels:
        assert one.level is not None
        value, bpp = 0.3 + one.level / 500, one.level / 20
        found = [
            metric("AP", value, value - 0.1, value + 0.1),
            metric("AP50", value + 0.3, value, 0.99),
            metric("AR", None),
        ]
        store.finish(one.key, claim, Totals(4, 0, 100, 400, bpp, psnr=30.0), found)
        store.compare([Comparison(one.key, none.key, "AP", "drop", 0.5 - value, 0.01, 0.3, 4)])
    store.write([row(depth.key, 0), failed(depth.key, 1)], claim)
    store.finish(
        depth.key,
        claim,
        Totals(1, 1, 100, 100, 1.0),
        [MetricValue("rmse", 12.345, 11.0, 13.5, 1, True, False, "m")],
        failed="1 of 2 samples failed, 0 are allowed",
    )
    store.release([cut.key], claim, "interrupted", "stopped by the user")
    store.end_run(run, "finished")
    store.close()
    return file


def test_all_metrics_stand_below_each_other(ladder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "results", "--db", ladder, "--task", "detection", "--all-metrics").splitlines()
    assert lines[1].split() == ["metric", "codec", "quality", "value", "drop", "status"]
    rows = [line.split() for line in lines[2:-1]]
    assert [row[0] for row in rows[:-1]] == ["AP"] * 7 + ["AP50"] * 7 + ["AR"] * 6
    assert rows[1][:6] == ["AP", "jpeg", "95", "0.490", "[0.390,", "0.590]"]
    assert rows[-1][:2] == ["webp", "80"]  # has none
    assert "comp. ratio" not in lines[-1]
    narrow = run(capsys, "results", "--db", ladder, "--task", "detection", "--codec", "jpeg", "--all-metrics")
    assert max(map(len, narrow.splitlines()[:-1])) <= 80
    long = run(capsys, "results", "--db", ladder, "--task", "detection", "--all-metrics", "-f", "csv")
    assert len(list(csv.reader(io.StringIO(long)))) == 1 + 7 + 7 + 6 + 1


def test_the_format_may_stand_before_sql(ladder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query = "select codec, level from results where metric = 'AP' and level > 80"
    before = run(capsys, "results", "--db", ladder, "-f", "csv", "sql", query)
    assert before == "codec,level\njpeg,95.0\n" == run(capsys, "results", "--db", ladder, "sql", "-f", "csv", query)
    assert run(capsys, "results", "--db", ladder, "-f", "csv", "sql", "-f", "json", query)[0] == "["


def test_the_table_of_a_ladder(ladder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(
        capsys, "results", "--db", ladder, "--task", "detection", "--codec", "none", "--codec", "jpeg"
    ).splitlines()
    assert lines[0] == "detection: rcnn on streets/test"
    assert lines[1].split() == ["codec", "quality", "AP", "AP", "drop", "AP50", "bpp", "comp.", "ratio", "PSNR"]
    rows = lines[2:-1]
    assert len(rows) == 7
    assert [line.split()[:2] for line in rows[1:]] == [["jpeg", str(level)] for level in (95, 75, 50, 15, 10, 5)]
    assert re.split(r"\s{2,}", rows[0]) == ["none", "0.500 [0.400, 0.600]", "0.800 [0.700, 0.900]", "24.00", "1.0"]
    assert re.split(r"\s{2,}", rows[3]) == [
        *("jpeg", "50", "0.400 [0.300, 0.500]", "0.100 [0.010, 0.300]", "0.700 [0.400, 0.990]", "2.500", "9.6", "30.00")
    ]
    assert lines[-1].startswith("4 samples. [ ]: 95% interval. They stand on 4 samples (below 66)")


def test_what_did_not_finish_is_shown_with_its_reason(ladder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "results", "--db", ladder)
    assert text.index("depth: midas") < text.index("detection: rcnn")
    assert re.search(r"50 +12\.35 \[11\.00, 13\.50\] .* 1 +failed: 1 of 2 samples failed, 0 are allowed", text)
    assert re.search(r"webp +80 .* interrupted: stopped by the user", text)


def test_failed_lists_experiments_and_samples(ladder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(run(capsys, "results", "--db", ladder, "--failed", "--format", "json"))
    assert [(r["codec"], r["sample"], r["status"], r["reason"]) for r in rows] == [
        ("jpeg", None, "failed", "1 of 2 samples failed, 0 are allowed"),
        ("jpeg", "img1", "failed", "cut short"),
        ("webp", None, "interrupted", "stopped by the user"),
    ]


def test_metrics_are_chosen(ladder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = run(capsys, "results", "--db", ladder, "--codec", "jpeg", "--task", "detection", "--metric", "AP50")
    assert "AP50" in one.splitlines()[1]
    assert " AP " not in one.splitlines()[1]
    every = run(capsys, "results", "--db", ladder, "--codec", "jpeg", "--task", "detection", "--all-metrics")
    assert "AR" in {line.split()[0] for line in every.splitlines()}
    assert "undefined" in every
    assert "no such metric 'AP5'" in run(capsys, "results", "--db", ladder, "--metric", "AP5", status=2)


def test_csv_and_json_have_one_row_for_each_metric(ladder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = list(csv.DictReader(io.StringIO(run(capsys, "results", "--db", ladder, "--format", "csv"))))
    data = json.loads(run(capsys, "results", "--db", ladder, "--format", "json"))
    assert list(table[0]) == list(data[0])
    assert len(table) == len(data) == 7 * 2 + 1 + 1
    (found,) = [r for r in data if r["level"] == 50 and r["metric"] == "AP" and r["codec"] == "jpeg"]
    assert (found["value"], found["ci_low"], found["compression_ratio"]) == (0.4, pytest.approx(0.3), 9.6)
    assert (found["drop"], found["drop_ci_low"], found["is_primary"]) == (pytest.approx(0.1), 0.01, True)


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_of_every_command(ladder: Path, capsys: pytest.CaptureFixture[str], format_: str) -> None:
    for extra in ([], ["--all-metrics"], ["--failed"]):
        assert run(capsys, "results", "--db", ladder, "--format", format_, *extra).endswith("\n")
    text = run(capsys, "results", "--db", ladder, "sql", "select 1 as one, 'a' as two", "--format", format_)
    assert "one" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--codec", "jpg"], "no results of codec 'jpg'. Did you mean 'jpeg'? It has: jpeg, none, webp."),
        (["--task", "pose"], "no results of task 'pose'."),
        (["--format", "xml"], "'xml' is not one of"),
        (["sql", "selct 1"], "the query failed: near"),
        (["sql", "delete from runs"], "the query was refused: DELETE is not allowed"),
        (["sql", "attach 'x.db' as x"], "the query was refused: ATTACH is not allowed"),
        (["sql", ""], "the query gives no rows"),
    ],
)
def test_bad_requests(ladder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert said in run(capsys, "results", "--db", ladder, *arguments, status=2)


def test_the_database_comes_from_the_option_or_the_environment(
    ladder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there is no results database harness.db" in run(capsys, "results", status=2)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("HARNESS_DB", f"sqlite:///{ladder}")
    assert run(capsys, "results", "sql", "select count(*) from runs").split() == ["count(*)", "1"]
    monkeypatch.setenv("HARNESS_DB", "elsewhere.db")
    query = "select count(*) from runs"
    assert run(capsys, "results", "sql", query, "--db", ladder) == run(capsys, "results", "--db", ladder, "sql", query)


def test_a_database_without_experiments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = SqlStore(str(tmp_path / "harness.db"))
    store.open()
    assert results_table(store, keys=[]).by_task() == []
    store.close()
    assert run(capsys, "results", "--db", tmp_path / "harness.db") == ""
    assert run(capsys, "results", "--db", tmp_path / "harness.db", "--failed") == ""


def test_differences_become_columns_and_what_is_equal_the_title(tmp_path: Path) -> None:
    store = SqlStore(str(tmp_path / "harness.db"))
    store.open()
    none, _ = put_results(store)
    claim = Claim(this_process(), store.begin_run(INFO))
    subsampled = [cell(codec_options={"subsampling": s, "optimize": True}) for s in ("4:4:4", "4:2:0")]
    video = cell("h264", 23.0, level_name="crf", intra=True)
    retrained = cell(training=Training("retrained", "jpeg", 15.0, "level"))
    more = [*subsampled, video, retrained]
    store.register(more, claim.run)
    store.claim([one.key for one in more], claim)
    for one in more:
        store.finish(one.key, claim, Totals(4, 0, bpp=1.0), [metric("AP", 0.4)])
    (table,) = results_table(store).by_task()
    store.close()
    assert table.columns[:3] == ("training", "codec", "level")
    rows = {tuple(cells[:3]) for cells in table.rows}
    assert ("pretrained", "jpeg:optimize=true,subsampling=4:4:4", "quality 50") in rows
    assert ("pretrained", "h264 (intra)", "crf 23") in rows
    assert ("jpeg@15", "jpeg", "quality 50") in rows
    assert ("pretrained", "none", "") in rows
    assert none.key


def test_levers_are_always_told(tmp_path: Path) -> None:
    store = SqlStore(str(tmp_path / "harness.db"))
    store.open()
    none, _ = put_results(store)
    claim = Claim(this_process(), store.begin_run(INFO))
    more = [
        cell("none", None, codec_options={"scale": 0.25}, baseline=none.key),
        cell("webp", 50.0, codec_options={"lossless": False, "scale": 0.5, "fps": 5.0}),
    ]
    store.register(more, claim.run)
    store.claim([one.key for one in more], claim)
    for one in more:
        store.finish(one.key, claim, Totals(4, 0, bpp=1.0), [metric("AP", 0.4)])
    store.compare([Comparison(more[0].key, none.key, "AP", "drop", 0.0, -0.1, 0.1, 4)])
    (table,) = results_table(store).by_task()
    (alone,) = results_table(store, [more[1].key]).by_task()
    store.close()
    place = table.columns.index("codec")
    assert [r[place] for r in table.rows] == ["none", "none:scale=0.25", "jpeg", "webp:fps=5,scale=0.5"]
    assert alone.rows[0][0] == "webp:fps=5,scale=0.5"
    drops = [r[table.columns.index("AP drop")] for r in table.rows]
    assert drops == ["", "0.000 [-0.100, 0.100]", "0.100 [0.050, 0.150]", ""]


def footer_of(file: Path, *totals: Totals) -> str:
    """What stands below the table of experiments with those totals."""
    store = SqlStore(str(file))
    store.open()
    claim = Claim(this_process(), store.begin_run(INFO))
    cells = [cell(level=float(level)) for level, _ in enumerate(totals, 1)]
    store.register(cells, claim.run)
    store.claim([one.key for one in cells], claim)
    for one, its in zip(cells, totals, strict=True):
        store.finish(one.key, claim, its, [metric("AP", 0.4, 0.3, 0.5)])
    (table,) = results_table(store).by_task()
    store.close()
    return " ".join(table.notes)


@pytest.mark.parametrize(
    ("totals", "said"),
    [
        ([Totals(4, 0), Totals(4, 0)], "4 samples. "),
        ([Totals(2, 1), Totals(2, 1)], "Metrics stand on 2 samples; 1 more failed. "),
        ([Totals(4, 0), Totals(1, 3)], "Metrics stand on 1 to 4 samples: those that did not fail (0 to 3 did). "),
        ([Totals(4, 0), Totals(3, 0)], "[ ]: 95% interval. "),
    ],
)
def test_the_footer_says_on_how_many_samples_metrics_stand(tmp_path: Path, totals: list[Totals], said: str) -> None:
    assert footer_of(tmp_path / "harness.db", *totals).startswith(said)


def test_the_footer_warns_of_intervals_on_few_samples_or_groups(tmp_path: Path) -> None:
    enough, many = Totals(HOLDS_FROM, 0, groups=GROUPS_FROM), Totals(HOLDS_FROM, 0, groups=HOLDS_FROM)
    assert "too few" not in footer_of(tmp_path / "0.db", enough, many)
    said = footer_of(
        tmp_path / "1.db", enough, Totals(HOLDS_FROM - 1, 0, groups=HOLDS_FROM - 1), Totals(9, 0, groups=9)
    )
    few = f"They stand on 9 to {HOLDS_FROM - 1} samples (below {HOLDS_FROM}) and 9 groups of samples"
    assert f"{few} (below {GROUPS_FROM}): too few to be sure" in said
    said = footer_of(tmp_path / "2.db", enough, Totals(HOLDS_FROM, 0, groups=2))
    assert f"They stand on 2 groups of samples (below {GROUPS_FROM}): too few to be sure" in said


def test_a_name_stands_for_it_with_any_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = SqlStore(str(tmp_path / "harness.db"))
    store.open()
    claim = Claim(this_process(), store.begin_run(INFO))
    ssd, rcnn = "torchvision:arch=ssd300_vgg16", "torchvision:arch=fasterrcnn_mobilenet_v3_large_fpn"
    cells = [cell(model=model) for model in (ssd, rcnn, "demo")]
    store.register(cells, claim.run)
    store.claim([one.key for one in cells], claim)
    for one in cells:
        store.finish(one.key, claim, Totals(4, 0, bpp=1.0), [metric("AP", 0.4)])
    store.close()
    shown = ("results", "--db", tmp_path / "harness.db", "--format", "json", "--model")
    assert {r["model"] for r in json.loads(run(capsys, *shown, "torchvision"))} == {ssd, rcnn}
    assert {r["model"] for r in json.loads(run(capsys, *shown, ssd, "--model", "demo"))} == {ssd, "demo"}


def test_levels_go_from_mild_to_strong_whatever_their_direction(tmp_path: Path) -> None:
    store = SqlStore(str(tmp_path / "harness.db"))
    store.open()
    claim = Claim(this_process(), store.begin_run(INFO))
    levels = [cell("h264", float(crf)) for crf in (40, 23, 32, 51)]
    store.register(levels, claim.run)
    store.claim([one.key for one in levels], claim)
    for one in levels[:-1]:
        assert one.level is not None
        store.finish(one.key, claim, Totals(4, 0, bpp=10 / one.level), [metric("AP", 0.4)])
    store.release([levels[-1].key], claim, "interrupted")
    found = results_table(store, filters=Filters({"codec": ["h264"]}))
    store.close()
    assert [c.facts["level"] for c in found.cells] == [23.0, 32.0, 40.0, 51.0]


def test_a_damaged_value_is_an_error_not_a_traceback(
    ladder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for statement in ("UPDATE metrics SET value = 'high'", "UPDATE experiments SET codec_options = '[1'"):
        file = shutil.copy(ladder, tmp_path / "harness.db")
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(statement)
            connection.commit()
        assert "the database is damaged" in run(capsys, "results", "--db", file, status=2)


ODD = Table(
    ("na|me", "value_%"),
    (("a&b\\c_{d}^~#$", 1.5), ("*x* <b> `y`\n\x1b[31m", None), ("[z]", 2)),
    "title & more",
    ("a note",),
)


def test_names_are_escaped() -> None:
    assert render(ODD, "markdown") == (
        "**title & more**\n\n| na\\|me | value\\_% |\n|---|---:|\n| a&b\\\\c\\_{d}^~\\#$ | 1.5 |\n"
        "| \\*x\\* \\<b\\> \\`y\\`\\\\x0a\\\\x1b[31m |  |\n| [z] | 2 |\n\na note\n"
    )
    latex = render(ODD, "latex")
    assert r"a\&b\textbackslash{}c\_\{d\}\textasciicircum{}\textasciitilde{}\#\$ & 1.5 \\" in latex
    assert "\n{}[z] & 2 \\\\\n" in latex
    assert "\x1b" not in render(ODD, "table")
    assert list(csv.reader(io.StringIO(render(ODD, "csv"))))[2][0] == "*x* <b> `y`\n\x1b[31m"
    assert json.loads(render(ODD, "json"))[2] == {"na|me": "[z]", "value_%": 2}
    assert json.loads(render(Table(("a",), ((float("nan"),), (b"x",))), "json")) == [{"a": None}, {"a": "b'x'"}]


def test_empty_tables_have_a_head() -> None:
    for format_ in FORMATS:
        assert "a" in render(Table(("a", "b"), ()), format_) or format_ == "json"


def test_a_terminal_gets_a_table_that_fits(ladder: Path) -> None:
    from rich.console import Console

    from harness.results.tables.results import print_table

    store = SqlStore(str(ladder))
    store.open(write=False)
    found = results_table(store, filters=Filters({"codec": ["none", "jpeg"], "task": ["detection"]}))
    store.close()
    for width in (80, 200):
        console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
        print_table(found, "table", console)
        assert isinstance(console.file, io.StringIO)
        text = console.file.getvalue()
        assert max(map(len, text.splitlines())) <= width
        assert ("0.400 [0.300, 0.500]" in text) == (width == 200)
        assert "[0.300, 0.500]" in text


def test_results_imports_neither_torch_nor_alembic(ladder: Path) -> None:
    code = (
        "import sys\nfrom harness.cli import main\ntry:\n    main(['results', '--db', sys.argv[1]])\n"
        "except SystemExit as stop:\n    assert stop.code == 0\n"
        "print([name for name in ('torch', 'alembic', 'cv2', 'av') if name in sys.modules])\n"
    )
    found = subprocess.run([sys.executable, "-c", code, str(ladder)], check=True, stdout=subprocess.PIPE, text=True)
    assert found.stdout.splitlines()[-1] == "[]"
