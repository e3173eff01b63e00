"""The page that sets the study's claims beside one's own results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.results.tables.text import Table, render
from harness.study import behaviour, delay, percentages, resilience, retraining, shape, sizes, streams
from harness.study.evidence import Evidence
from harness.study.finding import claims

if TYPE_CHECKING:
    from harness.study.finding import Finding

__all__ = ["findings", "study_page"]

_HEAD = """\
# The study's claims, and what came of them here

Poyser, Atapour-Abarghouei and Breckon, "On the Impact of Lossy Image and Video Compression on the Performance of Deep
Convolutional Neural Network Architectures", say what compression does to five networks, and what retraining wins back.
This page sets each claim beside one's own results. Tables, figures and verdicts are computed; no verdict is typed in.

It was made by

    {command}

from {databases} with the experiments listed [at the end](#what-it-stands-on). Run the same on a database of your own.
How those of the documentation's page were made stands in the how-to of the same name.
The files in `docs/studies` ask for the study's Tables I-V on the real data sets.

Brackets are 95% intervals, paired by sample, from {resamples} resamples of the samples' groups, as everywhere in the
harness. They are over images, not over trainings, and each is for itself: of twenty true differences of 0, one is
expected to look like one. Those marked (few) stand on fewer than 66 samples, or 13
groups of them: it is not known whether they hold.

**What a verdict says.** Each claim is put as one or more tests, by the rule in its section. The claim *holds* if every
test comes out for it with its whole interval. It *holds in part* if some do and none comes out for the opposite: the
others have intervals with both inside, or were not measured. So a claim about several tasks, levels or figures holds in
part at most while one of them is not measured. It is *mixed* if some tests come out for it and others, as clearly, for
the opposite. It *does not hold* if none comes out for it and one or more for the opposite: a claim about all of them is
refuted by one, though others are not measured. It is *undecided* where nothing comes out clearly. Where the rule in a
section says otherwise, that counts.

**What the demo can decide.** Where the experiments below are of the demo world, they are of small networks on rendered
images of 256x192 pixels. They show that a claim does not hold everywhere, or that it is no matter of one data set; they
cannot show that it holds on Cityscapes or COCO.
"""


def findings(evidence: Evidence) -> list[Finding]:
    """Every claim, in the order of the study."""
    return [
        shape.bends(evidence),
        shape.uniform(evidence),
        shape.knees(evidence),
        resilience.encoder_decoders(evidence),
        resilience.upsamplings(evidence),
        percentages.percentages(evidence),
        retraining.gains(evidence),
        retraining.net_gains(evidence),
        delay.delayed(evidence),
        retraining.safe(evidence),
        streams.motion(evidence),
        streams.spatial_only(evidence),
        *sizes.sizes(evidence),
        retraining.augmentation(evidence),
        behaviour.detections(evidence),
        behaviour.persons(evidence),
        behaviour.thresholds(evidence),
        retraining.mixed(evidence),
        resilience.backbones(evidence),
    ]


def study_page(evidence: Evidence, command: str, resamples: int, databases: int = 1) -> str:
    """The page, as Markdown.

    Args:
        evidence: from one or more databases.
        command: that makes the page.
        resamples: from how many its intervals are.
        databases: from how many the evidence is.
    """
    found = findings(evidence)
    rows = [(n, claims()[f.claim].title, f.ours, f.outcome) for n, f in enumerate(found, 1)]
    summary = Table(("", "claim", "here", "verdict"), tuple(rows))
    source = "a database" if databases == 1 else f"{databases} databases"
    parts = [
        _HEAD.format(command=command, resamples=resamples, databases=source),
        "## In short\n",
        render(summary, "markdown"),
    ]
    for number, finding in enumerate(found, 1):
        parts += _section(number, finding)
    parts += ["## What it stands on\n", render(_inventory(evidence), "markdown")]
    return "\n".join(parts)


def _section(number: int, finding: Finding) -> list[str]:
    claim = claims()[finding.claim]
    tables = [table for table in finding.tables if table.rows]
    return [
        f"## {number}. {claim.title}\n",
        f"**Study**: {claim.study}.\n",
        f"**Here**: {finding.ours}.\n",
        f"**Verdict: {finding.outcome}.** {claim.rule}\n",
        *(render(table, "markdown") for table in tables),
        *([f"{claim.note}\n"] if claim.note and tables else []),
    ]


def _inventory(evidence: Evidence) -> Table:
    rows = []
    for subject in sorted(evidence.subjects, key=lambda one: (one.task, -len(one.cells))):
        codecs = {
            codec: f"{codec}@{','.join(f'{x:g}' for x in subject.levels(codec))}"
            for codec in dict.fromkeys(c.facts["codec"] for c in subject.cells)
            if subject.levels(codec)
        }
        taught = sorted({_taught(c.facts) for c in subject.cells if c.facts["training"] == "retrained"})
        seeds = {c.facts["seed"] for c in subject.cells if c.facts["training"] == "retrained"}
        told = f"{', '.join(taught)}; seeds: {len(seeds)}" if taught else "none"
        rows.append(
            (subject.task, subject.name, evidence.weights(subject), " ".join(codecs.values()), told, len(subject.cells))
        )
    return Table(("task", "model and data", "weights", "codecs", "retrained", "experiments"), tuple(rows))


def _taught(facts: Mapping[str, Any]) -> str:
    parts = f" ({facts['parts']})" if facts["parts"] else ""
    if facts["train_mode"] != "level":
        return f"{facts['train_mode']}{parts}"
    return f"{facts['train_codec']}@{facts['train_level']:g}{parts}"
