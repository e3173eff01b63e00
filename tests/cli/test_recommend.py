"""`harness recommend` on real results."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from pathlib import Path

import pytest

from kit.command import Session
from kit.report import made_results, with_a_failed_sample


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    return made_results(tmp_path_factory.getbasetemp(), cache)


def test_the_command_on_real_results(session: Session) -> None:
    text = session.run_process("recommend", "--task", "detection", "--max-drop", "60%").stdout
    assert "18 samples (below 66): too few to be sure" in text
    found = json.loads(session.run("recommend", "--task", "detection", "--max-drop", "60%", "--json").stdout)
    (case,) = found
    drops = {
        row[:2]: row[2:]
        for row in session.select(
            'SELECT codec, level, "drop", drop_ci_low, drop_ci_high, bpp FROM curves'
            " WHERE task = 'detection' AND is_primary AND training = 'pretrained'"
        )
    }
    shown = 0
    for one in case["recommendations"]:
        for step in (one["chosen"], one["next"]):
            if step and one["training"] == "pretrained":
                drop, low, high, bpp = drops[one["codec"], step["level"]]
                assert step["bound"]["drop"] == pytest.approx(drop)
                assert step["cost"]["bpp"] == pytest.approx(bpp)
                # Computed from 1000 resamples here, from 100 in the run.
                assert step["bound"]["high"] - step["bound"]["low"] == pytest.approx(high - low, rel=0.35, abs=0.02)
                shown += 1
    assert shown >= 2
    assert {one["training"] for one in case["recommendations"]} >= {"pretrained", "matched"}


def cells_of(markdown: str) -> list[list[str]]:
    """The cells of Markdown tables, without the lines between heads and rows."""
    rows = [line for line in markdown.splitlines() if line.startswith("|") and not set(line) <= set("|-: ")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@pytest.mark.parametrize("limit", ["2%", "60%", "0.05"])
def test_the_report_recommends_what_the_command_does(session: Session, tmp_path: Path, limit: str) -> None:
    told = session.run("recommend", "--max-drop", limit, "--format", "markdown", status=None).stdout
    session.run("report", "-o", str(tmp_path / "page.html"), "--max-drop", limit, "--samples", "0")
    page = (tmp_path / "page.html").read_text("utf-8")
    caption = rf"<caption>[^<]*at most {limit} lost[^<]*<small>[^<]*</small></caption>"
    shown = [
        [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for table in re.findall(rf"{caption}.*?</table>", page, re.DOTALL)
        for row in re.findall(r"<tr>(.*?)</tr>", table)
    ]
    assert len(shown) >= 5
    assert {row[0] for row in shown} >= {"codec", "jpeg", "webp"}
    assert shown == cells_of(told)


def test_a_limit_that_lets_everything_be_lost_recommends_nothing(session: Session) -> None:
    for text, hint in (("5", "; a share of it is written with %"), ("100%", ""), ("150%", "")):
        told = session.run("recommend", "--task", "detection", "--max-drop", text, "--json", status=1)
        for one in json.loads(told.stdout)[0]["recommendations"]:
            assert one["chosen"] is None
            assert re.search(rf"the limit lets all of the uncompressed AP of 0\.\d+ be lost{hint}$", one["why_not"])
    assert "not known" in session.run("recommend", "--task", "detection", "--max-drop", "5", status=1).stdout
    # Where lower is better there is no such end.
    lower = ("recommend", "--task", "detection", "--metric", "missed", "--max-drop", "50", "--json")
    assert any(one["chosen"] for one in json.loads(session.run(*lower).stdout)[0]["recommendations"])


def test_csv_is_one_table_with_the_same_columns_whatever_was_found(session: Session) -> None:
    tables = []
    for limit, status in (("60%", 0), ("0", 1)):
        asked = ("recommend", "--max-drop", limit)
        data = json.loads(session.run(*asked, "--json", status=status).stdout)
        rows = list(csv.DictReader(io.StringIO(session.run(*asked, "--format", "csv", status=status).stdout)))
        tables.append(tuple(rows[0]))
        every = [(case, one) for case in data for one in case["recommendations"]]
        assert len(rows) == len(every)
        assert {row["task"] for row in rows} == {"detection", "segmentation"}
        for row, (case, one) in zip(rows, every, strict=True):
            assert (row["task"], row["codec"], row["training"]) == (case["task"], one["codec"], one["training"])
            assert float(row["max_drop"]) == one["max_drop"]
            assert row["go_to"] == one["go_to"]
            assert (row["level"] == "") == row["go_to"].startswith(("none holds", "undecided", "not known"))
            for prefix, step in (("", one["chosen"]), ("next_", one["next"])):
                if step is None:
                    assert row[prefix + "verdict"] == row[prefix + "experiment"] == ""
                    continue
                assert row[prefix + "verdict"] == step["bound"]["verdict"]
                assert row[prefix + "experiment"] == step["experiment"]
                for name, value in (("drop", step["bound"]["drop"]), ("bpp", step["cost"]["bpp"])):
                    assert (float(row[prefix + name]) if row[prefix + name] else None) == value
    assert tables[0] == tables[1]
    both = session.run("recommend", "--max-drop", "60%", "--json", "--format", "csv", status=2)
    assert "--json and --format csv: choose one of them" in both.stderr


def test_failed_predictions_are_told(session: Session, tmp_path: Path) -> None:
    asked = ("recommend", "--task", "detection", "--codec", "jpeg", "--max-drop", "60%")
    assert "failed" not in session.run(*asked).stdout
    where = "task = 'detection' AND codec = 'jpeg' AND level = 30"
    told = with_a_failed_sample(session, tmp_path, where, "the decoder gave up").run(*asked).stdout
    assert re.search(r"\d predictions at these levels failed, and are left out: `harness results` has them", told)


def test_a_ladder_that_begins_below_the_mildest_level_says_from_where(session: Session) -> None:
    text = session.run("recommend", "--task", "detection", "--codec", "jpeg", "--max-drop", "0", status=None).stdout
    assert re.search(r"jpeg +matched +(none holds|undecided) \(from quality 30 on\)", text)


def test_exit_statuses(session: Session) -> None:
    session.run("recommend", "--task", "detection", "--codec", "jpeg", "--max-drop", "99%", status=0)
    session.run("recommend", "--task", "segmentation", "--max-drop", "0", "--metric", "global_accuracy", status=1)
    assert "--max-drop" in session.run("recommend", "--task", "detection", "--max-drop", "x", status=2).stderr
    for fps in ("nan", "inf", "0"):
        told = session.run("recommend", "--max-drop", "1%", "--fps", fps, "--resolution", "64x64", status=2).stderr
        assert "'--fps'" in told
    for confidence in ("nan", "50", "100"):
        told = session.run("recommend", "--max-drop", "1%", "--confidence", confidence, status=2).stderr
        assert "'--confidence'" in told
    wrong = session.run("recommend", "--task", "detection", "--max-drop", "1%", "--metric", "AP_smal", status=2).stderr
    assert "Did you mean 'AP_small'?" in wrong
