"""Bad input and broken plugins: a clear message, the rest done, nothing lost."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.batches.desk import Step, look
from harness_plugins.demo_world.dataset import DemoWorld
from kit.command import Session
from kit.plugins import write_distribution

SAMPLES = 6
VOC = ("run", "--task", "detection", "--dataset", "voc", "--data-root", "data", "--resamples", "100")

RAISES = """
from harness import hookimpl
from harness.codec import ImageCodec, Scale
from harness_codecs.pillow_family import Jpeg

class Fickle(Jpeg):
    name = "{name}"
    def encode_image(self, image, level):
        if image.sum() % {modulus} == 0:
            raise ArithmeticError("the encoder gave up")
        return super().encode_image(image, level)

@hookimpl
def harness_codecs():
    return [Fickle]
"""


def write_voc(root: Path, quality: int = 90) -> list[Path]:
    """Demo scenes as a data set in the layout of VOC; gives the image files."""
    world = DemoWorld("detection", "val")
    world.open()
    folder = root / "VOCdevkit" / "VOC2007"
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    names, files = [], []
    for index in range(SAMPLES):
        sample = world[index]
        name = f"{index:06d}"
        names.append(name)
        files.append(folder / "JPEGImages" / f"{name}.jpg")
        Image.fromarray(sample.frames[0]).save(files[-1], quality=quality)
        objects = ""
        for box, label in zip(sample.targets[0].boxes, sample.targets[0].labels, strict=True):
            kind = world.classes[label]
            if kind in ("person", "car", "bus"):
                x1, y1, x2, y2 = (round(v) for v in box)
                objects += (
                    f"<object><name>{kind}</name><difficult>0</difficult><bndbox><xmin>{x1 + 1}</xmin>"
                    f"<ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
                )
        height, width = sample.frames.shape[1:3]
        (folder / "Annotations" / f"{name}.xml").write_text(
            f"<annotation><filename>{name}.jpg</filename><size><width>{width}</width><height>{height}</height>"
            f"<depth>3</depth></size>{objects}</annotation>"
        )
    (folder / "ImageSets" / "Main" / "test.txt").write_text("\n".join(names) + "\n")
    return files


@pytest.fixture
def session(tmp_path: Path, cache: Path) -> Session:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    return Session(tmp_path, cache, path=plugins)


def test_corrupt_images_are_recorded_and_the_rest_is_done(session: Session) -> None:
    files = write_voc(session.folder / "data")
    files[1].write_bytes(files[1].read_bytes()[:2000])
    files[4].write_bytes(b"this is no image")
    run = (*VOC, "--codec", "jpeg@50,10")
    result = session.run(*run, status=1)
    assert "Traceback" not in result.stderr
    assert "2 of 6 samples failed (allowed: 0)" in result.stderr
    failed = session.select("select sample, error from per_sample where status = 'failed' order by sample")
    assert [sample for sample, _ in failed] == ["000001"] * 3 + ["000004"] * 3
    assert all(error.startswith("reading the source: ") for _, error in failed)
    assert session.select("select distinct samples, failed_samples, status from results") == [(4, 2, "failed")]
    # With the failures allowed, the same command finishes, and its metrics stand on the four samples that are left.
    session.run(*run, "--max-failures", "2")
    assert session.select("select distinct samples, failed_samples, status from results") == [(4, 2, "finished")]
    assert session.select("select distinct n from metrics") == [(4,)]
    assert session.select("select distinct n from comparisons where kind = 'drop'") == [(4,)]
    # And who allows fewer again is told, though nothing has to be computed.
    assert "2 of 6 samples failed (allowed: 1)" in session.run(*run, "--max-failures", "1", status=1).stderr


def test_classes_that_the_model_lacks_are_warned_of(session: Session) -> None:
    write_voc(session.folder / "data")
    told = session.run(*VOC, "--codec", "jpeg@50", "--limit", "2").stderr
    (line,) = [line for line in told.splitlines() if line.startswith("warning: dataset voc")]
    assert "the model lacks 17 of its 20 classes (aeroplane, bicycle, bird, " in line
    assert "AP is 0" in line


def test_an_encoder_that_raises_costs_its_samples_and_no_other_codec(session: Session) -> None:
    write_voc(session.folder / "data")
    write_distribution(session.folder / "plugins", "fickle", "plugged_fickle", RAISES.format(name="fickle", modulus=1))
    result = session.run_process(*VOC, "--codec", "fickle@50", "--codec", "jpeg@50", status=1)
    assert re.search(r"failed: fickle@50 detection demo-detector \[[0-9a-f]{8}\]: 6 of 6 samples failed", result.stderr)
    assert "ArithmeticError: the encoder gave up" in result.stderr
    statuses = session.select("select codec, status from experiments order by codec")
    assert statuses == [("fickle", "failed"), ("jpeg", "finished"), ("none", "finished")]
    # Only the failed cell is tried again.
    again = session.run(*VOC, "--codec", "fickle@50", "--codec", "jpeg@50", status=1)
    assert "3 experiments: 2 found in the database, 1 to do" in again.stderr


def test_a_broken_plugin_that_nobody_asked_for_is_not_in_the_way(session: Session) -> None:
    write_distribution(session.folder / "plugins", "wrecked", "plugged_wrecked", "import no_such_module")
    write_voc(session.folder / "data")
    session.run(*VOC, "--codec", "jpeg@50", "--limit", "2")
    listed = session.run("list", "plugins").stdout
    assert "plugged_wrecked" in listed
    assert "broken: ModuleNotFoundError" in listed
    assert "wrecked 1.0 is broken" in session.run(*VOC, "--codec", "wreck", status=2).stderr
    assert session.run_process("doctor", "--db", "none.db", status=1).stdout.count("no_such_module") == 1


def test_two_plugins_that_claim_one_name_are_refused_when_it_is_used(session: Session) -> None:
    for number in ("one", "two"):
        source = RAISES.format(name="twin", modulus=10**9)
        write_distribution(session.folder / "plugins", f"dist-{number}", f"plugged_{number}", source)
    write_voc(session.folder / "data")
    session.run(*VOC, "--codec", "jpeg@50", "--limit", "2")
    error = session.run(*VOC, "--codec", "twin@50", status=2).stderr
    assert "dist-one 1.0" in error
    assert "dist-two 1.0" in error


def test_results_of_a_codec_that_was_uninstalled_stay_readable(session: Session) -> None:
    write_voc(session.folder / "data")
    source = RAISES.format(name="guest", modulus=10**9)
    write_distribution(session.folder / "plugins", "guest", "plugged_guest", source)
    session.run(*VOC, "--codec", "guest@50", "--limit", "2")
    for file in (session.folder / "plugins").iterdir():
        (file / "entry_points.txt").unlink() if file.is_dir() else file.unlink()
    assert "guest" in session.run("results").stdout
    assert "unknown codec 'guest'" in session.run(*VOC, "--codec", "guest@50", status=2).stderr


def test_a_level_above_its_source_s_quality_is_warned_of_and_the_quality_is_stored(session: Session) -> None:
    write_voc(session.folder / "data", quality=60)
    result = session.run(*VOC, "--codec", "jpeg@75,50", "--limit", "3")
    assert "warning: jpeg@75 detection demo-detector [" in result.stderr
    assert "]: 3 samples" in result.stderr
    assert "jpeg@50" not in "".join(line for line in result.stderr.splitlines() if line.startswith("warning"))
    assert session.select("select distinct source_format, source_quality from samples") == [("jpeg", 60)]
    ((source_bpp, bpp),) = session.select("select distinct source_bpp, bpp from curves where level = 50")
    assert source_bpp > bpp


def test_a_half_present_dataset_is_refused_with_what_is_missing(session: Session) -> None:
    files = write_voc(session.folder / "data")
    files[3].unlink()
    error = session.run(*VOC, "--codec", "jpeg@50", status=2).stderr
    assert "000003" in error
    assert not session.database.exists()


def test_weights_that_do_not_fit_are_refused_with_what_does_not(session: Session) -> None:
    import torch
    from safetensors.torch import save_file

    write_voc(session.folder / "data")
    save_file({"backbone.weight": torch.zeros(3)}, session.folder / "other.safetensors")
    (session.folder / "notes.safetensors").write_text("no weights")
    for name in ("other.safetensors", "notes.safetensors"):
        result = session.run(*VOC, "--codec", "jpeg@50", "--weights", name, status=None)
        assert result.returncode == 2, result.stderr
        assert name in result.stderr
        assert "Traceback" not in result.stderr


def test_a_locked_database_is_waited_for(session: Session) -> None:
    write_voc(session.folder / "data")
    session.run(*VOC, "--codec", "jpeg@50", "--limit", "2")
    holder = sqlite3.connect(session.database, isolation_level=None)
    holder.execute("begin immediate")
    process = session.start(*VOC, "--codec", "jpeg@40", "--limit", "2")
    with pytest.raises(Exception, match="timed out"):
        process.wait(timeout=8)
    holder.execute("rollback")
    holder.close()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "40" in out


WEAK_MODEL = """
from harness import hookimpl
from harness_tasks.detection.models.demo import DemoDetector

class Weak(DemoDetector):
    name = "weak"
    def {method}(self, *arguments):
        found = super().{method}(*arguments)
        {fault}
        return found

@hookimpl
def harness_models():
    return [Weak]
"""


@pytest.mark.parametrize(
    ("method", "fault", "message"),
    [
        ("predict", "raise RuntimeError('out of tune')", "model weak: RuntimeError: out of tune"),
        ("predict", "found = found[:-1]", "model 'weak' (plugin weak 1.0): 1 samples went in, 0 predictions came back"),
        ("prepare", "raise ValueError('bad frame')", "model weak: ValueError: bad frame"),
        ("collate", "raise ValueError('bad batch')", "model weak: ValueError: bad batch"),
    ],
)
def test_a_model_that_fails_is_named_with_its_reason(session: Session, method: str, fault: str, message: str) -> None:
    source = WEAK_MODEL.format(method=method, fault=fault)
    write_distribution(session.folder / "plugins", "weak", "plugged_weak", source)
    write_voc(session.folder / "data")
    result = session.run(*VOC, "--codec", "jpeg@50", "--model", "weak", "--limit", "2", status=1)
    assert message in result.stderr
    assert session.select("select count(*) from per_sample where status = 'failed'") == [(4,)]
    assert session.select("select distinct value from metrics") == [(None,)]
    assert session.select("select count(*) from metrics where reason is null") == [(0,)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return super().decode(encoded)[:, :-1]", "came back"),
        ("return super().decode(encoded).astype('float32')", "float32"),
    ],
)
def test_a_codec_that_breaks_its_contract_is_caught(session: Session, body: str, message: str) -> None:
    source = (
        "from harness import hookimpl\nfrom harness_codecs.pillow_family import Jpeg\n"
        f"class Odd(Jpeg):\n    name = 'odd'\n    def decode(self, encoded):\n        {body}\n"
        "@hookimpl\ndef harness_codecs(): return [Odd]\n"
    )
    write_distribution(session.folder / "plugins", "odd", "plugged_odd", source)
    write_voc(session.folder / "data")
    error = session.run(*VOC, "--codec", "odd@50", "--limit", "2", status=1).stderr
    assert "codec odd: " in error
    assert message in error


RAISING = {
    "codec": (
        "from harness_codecs.pillow_family import Jpeg\n"
        "class Weak(Jpeg):\n    name = 'weak'\n    def __init__(self, **options): raise OSError('no licence')\n",
        ("--codec", "weak@50"),
        "weak@50: OSError: no licence",
        2,
    ),
    "model": (
        "from harness_tasks.detection.models.demo import DemoDetector\n"
        "class Weak(DemoDetector):\n    name = 'weak'\n    def load(self, *a): raise RuntimeError('no memory')\n",
        ("--codec", "jpeg@50", "--model", "weak"),
        "model weak: RuntimeError: no memory",
        2,
    ),
    "dataset": (
        "from harness_plugins.demo_world.dataset import DemoWorld\n"
        "class Weak(DemoWorld):\n    name = 'weak'\n    def outline(self, index): raise OSError('unplugged')\n",
        ("--codec", "jpeg@50", "--dataset", "weak", "--limit", "2"),
        "reading the source: OSError: unplugged",
        1,
    ),
    "task": (
        "from harness_tasks.detection.task import Detection\n"
        "class Weak(Detection):\n    name = 'weak'\n    def reduce(self, *a): raise ValueError('no such sum')\n",
        None,
        "task weak: ValueError: no such sum",
        1,
    ),
}


@pytest.mark.parametrize("kind", sorted(RAISING))
def test_a_plugin_that_raises_anywhere_gives_a_reason_and_no_traceback(session: Session, kind: str) -> None:
    body, arguments, message, status = RAISING[kind]
    hook = f"from harness import hookimpl\n@hookimpl\ndef harness_{kind}s(): return [Weak]\n"
    if kind == "task":  # a task needs a model and a dataset that serve it
        body += (
            "from harness_tasks.detection.models.demo import DemoDetector\n"
            "from harness_plugins.demo_world.dataset import DemoWorld\n"
            "class M(DemoDetector):\n    name = 'weak-model'\n    task = 'weak'\n"
            "class D(DemoWorld):\n    name = 'weak-data'\n    tasks = ('weak',)\n"
            "    def open(self):\n        from harness_plugins.demo_world.classes import CLASSES\n"
            "        super().open()\n        self.classes = CLASSES\n"
        )
        hook += "@hookimpl\ndef harness_models(): return [M]\n@hookimpl\ndef harness_datasets(): return [D]\n"
    write_distribution(session.folder / "plugins", "weak", "plugged_weak", body + hook)
    run = ("run", "--task", "detection", *(arguments or ()))
    if kind == "task":
        run = ("run", "--task", "weak", "--codec", "jpeg@50", "--model", "weak-model", "--dataset", "weak-data")
        run += ("--limit", "2")
    result = session.run(*run, "--resamples", "100", status=status)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    for command in (("list", "codecs"), ("doctor", "--db", "none.db")):
        shown = session.run(*command, status=None)
        assert "Traceback" not in shown.stderr


ODD = r"""
import dataclasses
from harness import hookimpl
from harness.dataset import Sample
from harness.errors import SampleError
from harness_plugins.demo_world.dataset import DemoWorld

IDS = ["plain", "no UTF-8: \udcff\udcfe", "a NUL: \0.", "long" * 500_000, "\ud800", 7, "\x1b[2J\n", "raises"]

class Odd(DemoWorld):
    name = "odd"
    splits = ("test",)
    def __len__(self):
        return len(IDS)
    def outline(self, index):
        return dataclasses.replace(super().outline(index), id=IDS[index], group=IDS[index])
    def __getitem__(self, index):
        if IDS[index] == "raises":
            raise SampleError("a message with \udcff, \0 and much more: " + "x" * 3_000_000)
        return dataclasses.replace(super().__getitem__(index), id=IDS[index])

@hookimpl
def harness_datasets():
    return [Odd]
"""


def test_odd_texts_cost_a_sample_at_most(session: Session) -> None:
    write_distribution(session.folder / "plugins", "odd", "plugged_odd", ODD)
    run = ("run", "-t", "detection", "-d", "odd", "-d", "demo", "--limit", "8", "-c", "jpeg@50", "--resamples", "100")
    told = session.run(*run, "--workers", "2", status=1)
    assert "Traceback" not in told.stderr
    assert len(told.stderr) < 100_000
    rows = session.select(
        'select s.sample, s."group", s.status, s.error from samples s join experiments e on e.id = s.experiment_id '
        "where e.dataset = 'odd' and e.codec = 'jpeg' order by s.sample_index"
    )
    names = [row[0] for row in rows]
    assert names[:3] == ["plain", r"no UTF-8: \udcff\udcfe", r"a NUL: \x00."]
    assert names[3].startswith("longlong")
    assert "(2000000 characters, SHA-256 " in names[3]
    assert names[4:] == [r"\ud800", "5", "\x1b[2J\n", "raises"]
    assert [row[1] for row in rows] == names
    assert [row[2] for row in rows] == ["ok"] * 5 + ["failed", "ok", "failed"]
    assert "outline.id: a text is expected, found 7" in rows[5][3]
    assert rows[-1][3].startswith(r"reading the source: a message with \udcff, \x00 and much more: xxx")
    assert len(rows[-1][3]) < 5000
    finished = "select dataset, status, samples, failed_samples from experiments order by dataset, id"
    assert session.select(finished) == [("demo", "finished", 8, 0)] * 2 + [("odd", "failed", 6, 2)] * 2
    for command in (("results",), ("results", "--failed"), ("results", "--format", "json"), ("doctor", "--database")):
        assert "Traceback" not in session.run(*command, status=0).stderr


FATAL = """
import faulthandler, ctypes, os
from harness import hookimpl
from harness_codecs.pillow_family import Jpeg

class Fatal(Jpeg):
    name = "fatal"
    def encode_image(self, image, level):
        if level == 10 and int(image.sum()) == {total}:
            faulthandler.disable()
            ctypes.string_at(0)
        return super().encode_image(image, level)

@hookimpl
def harness_codecs():
    return [Fatal]
"""


def test_a_codec_that_ends_its_process_costs_one_sample_at_one_level(session: Session) -> None:
    file = write_voc(session.folder / "data")[2]
    total = int(np.asarray(Image.open(file), np.int64).sum())
    run = (*VOC, "--codec", "fatal@50,10", "--codec", "jpeg@10", "--workers", "2")
    write_distribution(session.folder / "plugins", "fatal", "plugged_fatal", FATAL.format(total=-1))
    session.run(*run, "--db", "sqlite:///right.db")
    (session.folder / "plugins" / "plugged_fatal.py").write_text(FATAL.format(total=total))
    result = session.run(*run, status=1)
    told = "the worker was killed by signal 11 while codec fatal encoded sample 000002 at level 10"
    assert result.stderr.count(f"warning: {told}. That is tried once more, alone.") == 1
    assert result.stderr.count(f"warning: {told}. That is not tried again, and everything else is done.") == 1
    assert "Traceback" not in result.stderr
    assert session.select("select sample, error from per_sample where status = 'failed'") == [("000002", told)]
    every = "select e.codec, e.level, sample_index, samples.bits, squared_error, score from samples join experiments e"
    every += " on e.id = experiment_id where samples.status = 'ok'"
    found = set(session.select(every))
    session.database = session.folder / "right.db"
    assert found < (right := set(session.select(every)))
    assert len(right - found) == 1
    session.database = session.folder / "harness.db"
    assert session.select("select codec, level, status from experiments where status != 'finished'") == [
        ("fatal", 10, "failed")
    ]


HANGS = """
import time
from pathlib import Path
from harness import hookimpl
from harness_tasks.detection.models.demo import DemoDetector

STOP = Path(__file__).with_name("stop.txt")  # not in the source, whose digest is a part of the key

class Weak(DemoDetector):
    name = "weak"
    seen = 0
    def predict(self, batch):
        Weak.seen += 1
        while Weak.seen == int(STOP.read_text()):
            time.sleep(1)
        return super().predict(batch)

@hookimpl
def harness_models():
    return [Weak]
"""


def test_a_model_that_hangs_ends_the_run_with_a_sentence(session: Session) -> None:
    write_distribution(session.folder / "plugins", "weak", "plugged_weak", HANGS)
    (session.folder / "plugins" / "stop.txt").write_text("5")
    write_voc(session.folder / "data")
    run = (*VOC, "--codec", "jpeg@50", "--model", "weak", "--batch", "1", "--sample-timeout", "4")
    process = session.start(*run)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    told = "model weak took longer than 4 s (--sample-timeout) to predict batch "
    failed = [line for line in err.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 1
    assert told in failed[0]
    interrupted = [line for line in err.splitlines() if line.startswith("interrupted: ")]
    assert len(interrupted) == 1
    assert "the run stopped: " in interrupted[0]
    assert "Traceback" not in err
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    kept = session.select("select count(*) from samples where status = 'ok'")[0][0]
    assert 1 <= kept <= 4
    (session.folder / "plugins" / "stop.txt").write_text("-1")
    session.run(*run)
    assert session.select("select distinct status, samples from results") == [("finished", 6)]


CRASHES = """
import os
from pathlib import Path
from harness import hookimpl
from harness_tasks.detection.models.demo import DemoDetector

SEEN, FATAL = (Path(__file__).with_name(name) for name in ("seen.txt", "fatal.txt"))

class Weak(DemoDetector):
    name = "weak"
    def predict(self, batch):
        mark = str(int(batch.long().sum()))
        with SEEN.open("a") as file:
            file.write(mark + "\\n")
        if mark in FATAL.read_text().split():
            os._exit(77)
        return super().predict(batch)

@hookimpl
def harness_models():
    return [Weak]
"""


def test_a_model_that_ends_the_run_twice_in_one_place_is_tried_alone_and_fails_if_it_ends_that_too(
    session: Session,
) -> None:
    plugins = session.folder / "plugins"
    write_distribution(plugins, "weak", "plugged_weak", CRASHES)
    (plugins / "fatal.txt").touch()
    write_voc(session.folder / "data")
    session.env["HARNESS_CACHE"] = str(session.folder / "cache")
    run = (*VOC, "--codec", "jpeg@50", "--model", "weak", "--batch", "1", "--workers", "1", "--limit", "4")
    session.run_process(*run, "--db", "sqlite:///right.db")
    marks = (plugins / "seen.txt").read_text().split()
    assert len(set(marks)) == len(marks) == 8
    (plugins / "fatal.txt").write_text(marks[4])  # the third batch of `none`
    for _ in range(2):
        session.run_process(*run, status=77)
    # The third run fails the cell that was on the device, and does what it can of the others.
    for _ in range(2):
        err = session.run_process(*run, status=1).stderr
        told = "2 runs ended without a word while model weak predicted batch 2; tried in a process of its own, that "
        assert f"{told}process ended with exit status 77" in err
        assert sorted(session.select("select codec, status from experiments")) == [
            ("jpeg", "finished"),
            ("none", "failed"),
        ]
    assert not list((session.folder / "cache" / "runs").iterdir())
    # Whoever mends it, for example by more memory, need not ask for another try.
    (plugins / "fatal.txt").write_text("")
    session.run_process(*run)
    values = session.values()
    session.database = session.folder / "right.db"
    assert session.values() == values


def test_runs_that_were_killed_in_one_place_cost_it_nothing(session: Session) -> None:
    write_distribution(session.folder / "plugins", "weak", "plugged_weak", HANGS)
    write_voc(session.folder / "data")
    stop = session.folder / "plugins" / "stop.txt"
    session.env["HARNESS_CACHE"] = str(session.folder / "cache")
    run = (*VOC, "--codec", "jpeg@50", "--model", "weak", "--batch", "1", "--workers", "1", "--limit", "4")
    stop.write_text("1")  # the first batch of each run takes as long as it takes to kill the run
    for _ in range(2):
        process = session.start(*run)
        deadline = time.monotonic() + 60
        while not _is_predicting(session.folder / "cache" / "runs") and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    (deaths,) = (session.folder / "cache" / "runs").iterdir()
    assert deaths.is_file()
    stop.write_text("-1")
    assert "failed" not in session.run_process(*run).stderr
    assert session.select("select distinct status, samples from results") == [("finished", 4)]


def _is_predicting(runs: Path) -> bool:
    """Whether the trace of a run says that a batch is on the device."""
    with contextlib.suppress(OSError):
        return any(look(path.read_bytes()).step == Step.PREDICT for path in runs.iterdir())
    return False
