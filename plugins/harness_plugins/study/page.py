"""The Markdown page that compares the study's claims with your own results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.pages import Table
from harness.results.tables.text import render
from harness_plugins.study import behaviour, delay, percentages, resilience, retraining, shape, sizes, streams
from harness_plugins.study.evidence import Evidence
from harness_plugins.study.finding import claims

if TYPE_CHECKING:
    from harness_plugins.study.finding import Finding

__all__ = ["findings", "study_page"]

_HEAD = """\
# The study's claims, and what came of them here

Poyser, Atapour-Abarghouei and Breckon published the study "On the Impact of Lossy Image and Video Compression on the
Performance of Deep Convolutional Neural Network Architectures". It measures how compression affects five networks, and
how much retraining wins back. This page compares each claim of the study with results of the harness, and says whether
the claim holds for these results. All tables, figures and verdicts are computed; none is written by hand.

It was made by

    {command}

from {databases} with the experiments listed [at the end](#what-it-stands-on). You can run the same command on your own
database. The how-to guide of the same name says how the databases of the documentation's page were made.
The files in `docs/studies` are experiments for the study's Tables I-V on the real data sets.

Brackets are 95% intervals, paired by sample, from {resamples} resamples of the samples' groups, as everywhere in the
harness. They cover the randomness of the images, not that of the trainings. Each interval holds by itself: among twenty
comparisons without a true difference, one interval is expected to exclude 0. An interval marked (few) is computed from
fewer than 66 samples, or fewer than 13 groups of samples; such intervals are not known to be reliable.

**What a verdict means.** The section of a claim states a rule with one or more tests. A test supports the claim, or
contradicts it, if its whole interval does.

- The claim *holds* if every test supports it.
- It *holds in part* if some tests support it and none contradicts it; the other tests are unclear or were not measured.
  So a claim about several tasks, levels or figures holds at most in part while one of them is not measured.
- It is *mixed* if some tests support it and others contradict it.
- It *does not hold* if at least one test contradicts it and none supports it, even if other tests were not measured.
- It is *undecided* if no test is clear.

If the rule in a section says otherwise, the rule counts.

**What the demo can decide.** The experiments on the demo world use small networks on rendered images of 256x192 pixels.
They can show that a claim does not hold everywhere, or that it holds on more than one data set. They cannot show that
it holds on Cityscapes or COCO.
"""


def findings(evidence: Evidence) -> list[Finding]:
    """Test every claim of the study; return the findings in the order of the study."""
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
    """Return the page as Markdown.

    Args:
        evidence: the experiments of one or more databases.
        command: the command line that makes the page.
        resamples: the number of resamples for the intervals.
        databases: the number of databases.
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
    """Return a table of the models whose experiments the page uses."""
    rows = []
    for subject in sorted(evidence.subjects, key=lambda subject: (subject.task, -len(subject.cells))):
        codecs = {
            codec: f"{codec}@{','.join(f'{x:g}' for x in subject.levels(codec))}"
            for codec in dict.fromkeys(c.facts["codec"] for c in subject.cells)
            if subject.levels(codec)
        }
        trainings = sorted({_training_name(c.facts) for c in subject.cells if c.facts["training"] == "retrained"})
        seeds = {c.facts["seed"] for c in subject.cells if c.facts["training"] == "retrained"}
        retrained = f"{', '.join(trainings)}; seeds: {len(seeds)}" if trainings else "none"
        rows.append(
            (
                subject.task,
                subject.name,
                evidence.weights(subject),
                " ".join(codecs.values()),
                retrained,
                len(subject.cells),
            )
        )
    return Table(("task", "model and data", "weights", "codecs", "retrained", "experiments"), tuple(rows))


def _training_name(facts: Mapping[str, Any]) -> str:
    """Return what a model was retrained on: a mode such as "mixed", or codec@level; with the parts if not all."""
    parts = f" ({facts['parts']})" if facts["parts"] else ""
    if facts["train_mode"] != "level":
        return f"{facts['train_mode']}{parts}"
    return f"{facts['train_codec']}@{facts['train_level']:g}{parts}"
