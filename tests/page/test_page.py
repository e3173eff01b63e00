"""`harness report`: what stands on the page is what the database has, and nothing a name holds is ever run."""

from __future__ import annotations

import html
import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.discovery.plugins import installed
from harness.discovery.stores import open_store
from harness.page.private import without_paths
from harness.page.provenance import provenance
from harness.records import Placed
from harness.results.cells import read_cells
from harness.store import Filters
from kit.command import Session
from kit.report import made_page, made_results, with_a_failed_sample


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    return made_results(tmp_path_factory.getbasetemp(), cache)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> str:
    return made_page(tmp_path_factory.getbasetemp(), cache).read_text("utf-8")


@pytest.fixture(scope="module")
def data(text: str) -> list[dict[str, Any]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    content: list[dict[str, Any]] = json.loads(found[1])
    return content


def test_every_value_of_the_database_is_on_the_page(session: Session, data: list[dict[str, Any]]) -> None:
    wanted = {}
    for row in session.select(
        'SELECT c.task, c.codec, c.level, c.metric, c.value, c."drop", c.drop_ci_high, c.bpp FROM curves AS c'
        " WHERE c.training = 'pretrained' AND c.codec <> 'none'"
    ):
        wanted[row[:4]] = row[4:]
    found = {}
    for case in data:
        for line in case["lines"]:
            for point in line["points"] if line["training"] == "pretrained" else ():
                for metric, measured in zip(case["metrics"], point["m"], strict=True):
                    key = (case["title"].partition(":")[0], line["codec"], point["level"], metric["name"])
                    found[key] = (measured[0], measured[3], measured[5], point["bpp"])
    assert found.keys() == wanted.keys()
    assert len(found) > 100
    for key, values in found.items():
        assert values == tuple(None if v is None else pytest.approx(v, rel=1e-5) for v in wanted[key]), key


def test_retrained_models_have_lines_of_their_own(data: list[dict[str, Any]]) -> None:
    names = {line["name"] for case in data for line in case["lines"]}
    assert {"jpeg", "jpeg, matched", "jpeg, clean", "jpeg, jpeg@5", "webp"} == names
    (matched,) = [line for case in data for line in case["lines"] if line["name"] == "jpeg, matched"]
    assert [point["level"] for point in matched["points"]] == [30, 5]


def test_the_page_needs_nothing_from_elsewhere(text: str) -> None:
    without = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", without)
    assert "default-src 'none'" in text
    assert len(text.encode()) < 15_000_000


def test_what_falls_first_comes_first(session: Session, text: str) -> None:
    detection = text.partition('id="case-0"')[2].partition('id="case-1"')[0]
    (table,) = re.findall(r"<caption>classes, jpeg <small>[^<]*</small></caption>.*?</table>", detection, re.DOTALL)
    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL)
    firsts = [[("▼" in cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", cells)] for _, cells in rows]
    places = [marks.index(True) if True in marks else len(marks) for marks in firsts]
    assert places == sorted(places)
    told = {name: re.findall(r"<td[^>]*>([\d.]+)", cells) for name, cells in rows}
    for name, metric, value in session.select(
        "SELECT DISTINCT substr(metric, 4, length(metric) - 4), metric, value FROM results"
        " WHERE task = 'detection' AND metric LIKE 'AP[%' AND codec = 'none' AND training = 'pretrained' AND value > 0"
    ):
        assert told[name][0] == f"{value:.3f}", metric


def test_provenance_names_commands_data_and_departures(session: Session, text: str) -> None:
    for (command,) in session.select("SELECT command FROM runs"):
        assert html.escape(without_paths(command), quote=False).replace("'", "&#39;") in text
    for (identity,) in session.select("SELECT identity FROM experiments"):
        assert json.loads(identity)["dataset"]["fingerprint"] in text
    assert "the study tests Faster R-CNN on" in text
    assert "Nothing: every experiment finished" in text


def test_hosts_and_folders_are_told_only_if_asked(session: Session, tmp_path: Path) -> None:
    other = Session(tmp_path, Path(session.env["HARNESS_CACHE"]))
    shutil.copy(session.database, other.database)
    warning = "model m was trained on rendered scenes: what it scores on /srv/ann/coco says little"
    with closing(sqlite3.connect(other.database)) as connection, connection:
        connection.execute("UPDATE runs SET host = 'anns-laptop', command = 'harness run --data-root /home/ann/coco'")
        connection.execute("UPDATE runs SET settings = json_set(settings, '$.warnings', json_array(?))", (warning,))
    other.run("report", "-o", "short.html", "--samples", "0", "--task", "segmentation")
    short = (tmp_path / "short.html").read_text("utf-8")
    assert "anns-laptop" not in short
    assert "/home/ann" not in short
    assert "harness run --data-root …/coco" in short
    assert "<strong>Warning:</strong> model m was trained on rendered scenes: what it scores on …/coco says" in short
    other.run("report", "-o", "full.html", "--samples", "0", "--task", "segmentation", "--provenance", "full")
    full = (tmp_path / "full.html").read_text("utf-8")
    assert "anns-laptop" in full
    assert "harness run --data-root /home/ann/coco" in full
    assert warning in full


def test_every_table_of_values_says_on_how_many_samples(text: str) -> None:
    results = text.partition('id="provenance"')[0]
    captions = re.findall(r"<caption>(.*?)</caption>", results)
    assert len(captions) > 10
    assert all("<small>n = 18 (few)</small>" in caption for caption in captions), captions


def test_provenance_shows_where_the_time_went(session: Session, tmp_path: Path) -> None:
    other = Session(tmp_path, Path(session.env["HARNESS_CACHE"]))
    shutil.copy(session.database, other.database)
    with closing(open_store(str(other.database), installed(), write=True)) as store:
        for experiment in store.experiments():
            store.add_stages(experiment.key, 1, {"predict": 990.0, "wall": 1000.0})
    other.run("report", "-o", "page.html", "--samples", "0", "--task", "segmentation")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "Where the time went (segmentation: demo-segnet on demo/test)" in page
    assert "device-bound" in page


def test_provenance_names_devices_and_only_in_full_places(session: Session, tmp_path: Path) -> None:
    other = Session(tmp_path, Path(session.env["HARNESS_CACHE"]))
    shutil.copy(session.database, other.database)
    with closing(open_store(str(other.database), installed(), write=True)) as store:
        key = next(one.key for one in store.experiments() if one.task == "segmentation")
        store.add_places([Placed(key, 1, f"gpu-box-{number}", "cuda:7", 4) for number in (10, 9)])
    for name, words in (("short", ()), ("full", ("--provenance", "full"))):
        other.run("report", "-o", f"{name}.html", "--samples", "0", "--task", "segmentation", *words)
    short, full = ((tmp_path / f"{name}.html").read_text("utf-8") for name in ("short", "full"))
    assert "Where rows were computed" in short
    assert "cuda:7" in short
    assert "gpu-box" not in short
    assert 0 < full.index("gpu-box-9") < full.index("gpu-box-10")


def test_ms_ssim_is_on_the_page_and_falls_with_the_level(data: list[dict[str, Any]]) -> None:
    for case in data:
        for line in case["lines"]:
            values = [point["ms_ssim"] for point in line["points"]]
            assert values == sorted(values, reverse=True)
            assert 0 < values[-1] < values[0] < 1


HOSTILE = "</script><img src=x onerror=alert(1)>{{7*7}}"


def test_names_are_escaped_and_what_cannot_be_drawn_is_said(session: Session, tmp_path: Path) -> None:
    shutil.copy(session.database, tmp_path / "harness.db")
    with closing(sqlite3.connect(tmp_path / "harness.db")) as connection, connection:
        connection.execute("UPDATE experiments SET model = ?, weights = ?, dataset = ?", (HOSTILE,) * 3)
        connection.execute("UPDATE runs SET command = ?, host = ?", (HOSTILE,) * 2)
        connection.execute("UPDATE metrics SET metric = metric || ? WHERE metric LIKE '%]'", (HOSTILE,))
        connection.execute("UPDATE samples SET sample = sample || ?", (HOSTILE,))
        connection.execute("UPDATE comparisons SET metric = metric || ? WHERE metric LIKE '%]'", (HOSTILE,))
    other = Session(tmp_path, Path(session.env["HARNESS_CACHE"]))
    told = other.run("report", "-o", "page.html", "--quiet").stderr
    assert "warning: detection: " in told
    assert "no pictures: " in told
    assert "before the run" not in told
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<img src=x" not in page
    assert "{{7*7}}" in page
    assert page.count("</script>") == page.count("<script")
    assert "No pictures: " in page


def test_a_failed_sample_is_shown_with_its_reason(session: Session, tmp_path: Path) -> None:
    where = "task = 'segmentation' AND level = 5"
    other = with_a_failed_sample(session, tmp_path, where, "the decoder <gave up>")
    other.run("report", "-o", "page.html", "--samples", "0")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "the decoder &lt;gave up&gt;" in page
    assert "1 prediction failed" in page


@pytest.mark.parametrize("most", [15, 20])
def test_an_experiment_that_failed_is_shown_before_any_number_of_samples(
    session: Session, tmp_path: Path, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten samples failed in each experiment, so that the list of them is cut, inside an experiment's or between two."""
    shutil.copy(session.database, tmp_path / "harness.db")
    with closing(sqlite3.connect(tmp_path / "harness.db")) as connection, connection:
        connection.execute("UPDATE experiments SET failed_samples = 10 WHERE status = 'finished'")
        ten = "SELECT DISTINCT sample_index FROM samples ORDER BY sample_index LIMIT 10"
        connection.execute(f"UPDATE samples SET status = 'failed', error = 'unreadable' WHERE sample_index IN ({ten})")
        connection.execute(
            "UPDATE experiments SET status = 'failed', reason = 'the very reason' WHERE codec = 'webp' AND level = 5"
        )
    monkeypatch.setattr("harness.page.provenance._MOST", most)
    with closing(open_store(str(tmp_path / "harness.db"), installed(), write=False)) as store:
        cells = read_cells(store, Filters())
        found = provenance(store, cells)
    assert found.failed == 10 * len([cell for cell in cells if cell.facts["failed_samples"]]) > 100
    assert found.troubles.rows[0][2:] == ("failed", "the very reason")
    assert [row[3] for row in found.troubles.rows[1:]] == ["unreadable"] * most
    assert found.troubles.notes == (f"Of the predictions the first {most} are listed.",)
    other = Session(tmp_path, Path(session.env["HARNESS_CACHE"]))
    other.run("report", "-o", "page.html", "--samples", "0")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "the very reason" in page
    assert f"{found.failed} predictions failed" in page


def test_the_same_database_gives_the_same_page(session: Session, text: str) -> None:
    session.run("report", "-o", "again.html", "--samples", "1", "--measure", "ms-ssim")
    assert (session.folder / "again.html").read_text("utf-8") == text


def test_filters_choose_what_is_on_the_page(session: Session) -> None:
    session.run("report", "-o", "some.html", "--task", "detection", "--codec", "webp", "--samples", "0")
    page = (session.folder / "some.html").read_text("utf-8")
    assert "segmentation: demo-segnet" not in page
    assert '"codec": "webp"' in page
    assert '"codec": "jpeg"' not in page


def test_wrong_places_and_empty_databases_are_told(session: Session, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("mine")
    assert "in the way" in session.run("report", "-o", str(tmp_path / "file.txt"), status=2).stderr
    below = session.run("report", "-o", str(tmp_path / "file.txt/page"), status=2).stderr
    assert "in the way" in below
    assert "reading" not in below  # told before anything is done
    assert "the page is HTML" in session.run("report", "-o", str(tmp_path / "page.pdf"), status=2).stderr
    assert "no folder" in session.run("report", "-o", str(tmp_path / "no/page.html"), status=2).stderr
    assert "no results of task 'pose'" in session.run("report", "-o", "x.html", "--task", "pose", status=2).stderr
    assert (tmp_path / "file.txt").read_text() == "mine"


def test_marks_stand_over_the_middle_of_their_level() -> None:
    """Panels have levels of their own, and one may lack a kind that another has."""
    import vl_convert

    from harness.page.charts import chart_specs

    kinds = {"avif": ["recovery"], "jpeg": ["recovery", "net recovery"]}
    shares = [
        {"codec": codec, "at": "quality 5", "kind": kind, "y": 0.5, "low": 0.4, "high": 0.6, "text": ""}
        for codec, names in kinds.items()
        for kind in names
    ]
    spec = chart_specs()["recovery"]
    spec["spec"]["width"] = 400
    drawn = vl_convert.vegalite_to_svg({**spec, "datasets": {"shares": shares}})
    dots = re.findall(r'aria-label="[^"]*quality 5; share[^"]*"[^>]*translate\(([\d.]+),', drawn)
    single, first, second = (float(x) for x in dots)
    assert single == pytest.approx(200)
    assert (first + second) / 2 == pytest.approx(200)
    assert first < second


def test_shares_won_back_are_told_from_mild_to_strong(data: list[dict[str, Any]]) -> None:
    told = [list(dict.fromkeys(one["at"] for one in case["recovery"])) for case in data if case["recovery"]]
    assert told
    for levels in told:
        numbers = [float(level.split()[-1]) for level in levels]
        assert numbers == sorted(numbers, reverse=True), levels
