"""What the audit says: sentences, tables, a figure, and files of them."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from evaluation.metrics import Labels
from tools.checks.audit_figure import heatmap_png
from tools.checks.audit_scores import ALL, NOTHING, Separability, noise
from tools.checks.cues import CUES, Value
from util.errors import one_line
from util.files import atomic_write, csv_writer, write_json
from util.markdown import table

HINT, STRONG = 0.6, 0.9  # AUROC from which on a set is warned of
FEW = 100  # images of a label, below which the figures' spread is told
SIGNIFICANT = 3  # standard errors above chance, as the best of many cues is above it anyhow

WHAT_TO_DO = {
    "encoder": "eval.py --reencode jpeg:95 gives both labels the same last encoder; what that"
    " costs a detector, it owed to the files.",
    "size": "Find out why the sizes differ, and compare at crops of one size; resampling leaves"
    " traces in the pixels that no crop removes.",
    "bytes": "Contents decide on a file's length, too, so this may be the generator's own doing:"
    " see whether format, quality or size tells the labels as well.",
}
EXPLANATION = (
    "How far the label can be told from the file alone, pixels unseen: AP (chance: the share of"
    " fakes) and AUROC (chance: 0.5) of scores learned on other images of the same set, from each"
    " cue alone and from all together. Below chance means nothing was found. High figures do not"
    " prove that a detector takes the shortcut, only that it could."
)


class Audited(NamedTuple):
    """What came of a set. Pairs are real, fake."""

    name: str
    counts: tuple[int, int]  # files that the figures are of
    available: tuple[int, int]  # files in the folder
    num_copies: int
    unreadable: list[str]
    problem: str  # why there are no figures, or empty
    by_cue: dict[str, Separability]  # by cue, and ALL; empty where there is a problem
    described: dict[str, str]  # by cue: what the labels' values are

    def of(self, cue: str) -> Separability:
        """Return the figures of a cue, NaN where there are none."""
        return self.by_cue.get(cue, NOTHING)

    def strongest(self) -> str:
        """Return the cue that tells most by itself; of near equals the first: a format names the
        reason, the file's length only follows from it.
        """
        highest = max((self.of(cue).auroc for cue in CUES), default=math.nan)
        return next((cue for cue in CUES if self.of(cue).auroc >= highest - 0.01), "")

    def chance(self) -> float:
        """Return the AP of chance: the share of fakes."""
        return self.counts[1] / sum(self.counts) if self.by_cue else math.nan


def describe(cue: str, values: Sequence[Value], labels: Labels) -> str:
    """Where the labels differ: in the share of one value or, of numbers, in their middle half."""
    reals, fakes = ([v for v, own in zip(values, labels, strict=True) if own == k] for k in (0, 1))
    share, other = ({v: n / len(x) for v, n in Counter(x).items()} for x in (reals, fakes))
    most = max(share | other, key=lambda v: round(abs(share.get(v, 0) - other.get(v, 0)), 9))
    a, b = share.get(most, 0.0), other.get(most, 0.0)
    words = CUES[cue].words
    is_usual = max(*share.values(), *other.values()) >= 0.5  # which leaves no middle half
    if not CUES[cue].is_number or abs(a - b) >= 0.3 or is_usual:
        what = f"{words} {most:g}" if isinstance(most, float) else most
        if cue == "quality" and not most:
            what = "no JPEG quality"
        verb = "are" if cue in ("format", "mode", "size") else "have"
        return f"{_per_cent(a)} of the reals {verb} {what}, {_per_cent(b)} of the fakes"
    ends = [
        [_short(x) for x in np.quantile(np.array(v, float), (0.25, 0.75), method="nearest")]
        for v in (reals, fakes)
    ]
    a_half, b_half = (
        f"{low} to {high} {words}" if CUES[cue].kind == "bytes" else f"{words} {low} to {high}"
        for low, high in ends
    )
    return f"half of the reals have {a_half}, half of the fakes {b_half}"


def warning(audited: Audited) -> str:
    """Return a sentence on what tells the labels and what to do; empty where nothing does."""
    if not audited.by_cue:
        return ""
    cue = audited.strongest()
    best, together = audited.of(cue), audited.of(ALL)
    highest = max(best.auroc, together.auroc)
    beyond_chance = 0.5 + SIGNIFICANT * noise(np.repeat([0, 1], audited.counts))
    if highest < min(STRONG, max(HINT, beyond_chance)):
        return ""
    level = (
        "the labels can nearly be read off the file"
        if highest >= STRONG
        else "the file hints at the label"
    )
    claim = f"A detector can score AP {max(best.ap, together.ap):.2f} without looking at generators"
    if CUES[cue].kind == "bytes":
        claim = f"The file's length alone scores AP {best.ap:.2f}"
    return (
        f"{one_line(audited.name)}: {level}. Strongest cue: {cue} (AUROC {best.auroc:.2f}; all cues"
        f" together {together.auroc:.2f}): {one_line(audited.described[cue])}. {claim} (chance:"
        f" {audited.chance():.2f}). {WHAT_TO_DO[CUES[cue].kind]}"
    )


def notes(audited: Audited) -> list[str]:
    """Return what a reader must know about a set's figures, a sentence each."""
    name, found = one_line(audited.name), []
    if audited.problem:
        found.append(f"{name}: {audited.problem}, so that nothing can be measured.")
    for label, used, available in zip(
        ("real", "fake"), audited.counts, audited.available, strict=True
    ):
        if used < available:
            found.append(f"{name}: {used} of {available} {label} images.")
    if audited.by_cue and min(audited.counts) < FEW:
        spread = 2 * noise(np.repeat([0, 1], audited.counts))
        found.append(f"{name}: few images; by chance alone AUROC is 0.5 give or take {spread:.2f}.")
    if audited.num_copies:
        found.append(f"{name}: left out as copies of another image: {audited.num_copies}.")
    if audited.unreadable:
        found.append(f"{name}: left out as unreadable: {len(audited.unreadable)}.")
    return found


def overview(audited: Sequence[Audited]) -> str:
    """Return a line per set (its size, the strongest cue, all cues together), then the notes."""
    headings = ["set", "real", "fake", "chance AP", "strongest cue", "AP", "AUROC"]
    headings += ["all cues: AP", "AUROC"]
    lines = []
    for each in audited:
        cue = each.strongest()
        figures = [*each.of(cue), *each.of(ALL)]
        counts = [str(count) for count in each.counts]
        chance = _figure(each.chance())
        lines.append([one_line(each.name), *counts, chance, cue, *map(_figure, figures)])
    found = [note for each in audited for note in notes(each)]
    return "\n".join([table(headings, lines), "", *(f"- {note}" for note in found)]).rstrip()


def write_report(folder: str, audited: Sequence[Audited], about: dict[str, Any]) -> None:
    """Write audit.json, audit.csv, audit.md and audit.png into `folder`."""
    cues = (*CUES, ALL)
    found = {**about, "sets": [_as_json(each) for each in audited]}
    write_json(os.path.join(folder, "audit.json"), found)
    with atomic_write(os.path.join(folder, "audit.csv")) as file:
        writer = csv_writer(file)
        columns = [f"{cue}_{figure}" for cue in cues for figure in Separability._fields]
        writer.writerow(["set", "num_real", "num_fake", "chance_ap", *columns])
        for each in audited:
            cells = [f"{x:.6f}" if each.by_cue else "" for c in cues for x in each.of(c)]
            chance = f"{each.chance():.6f}" if each.by_cue else ""
            writer.writerow([each.name, *each.counts, chance, *cells])
    with atomic_write(os.path.join(folder, "audit.md")) as file:
        file.write(_page(audited, about))
    with atomic_write(os.path.join(folder, "audit.png"), "wb") as file:
        file.write(
            heatmap_png(
                {one_line(each.name): [each.of(c).auroc for c in cues] for each in audited}, cues
            )
        )


def _page(audited: Sequence[Audited], about: dict[str, Any]) -> str:
    warnings = [f"- {sentence}" for sentence in map(warning, audited) if sentence]
    parts = [
        "# Audit for shortcuts",
        f"{EXPLANATION} At most {about['max_images']} images of each label, seed {about['seed']}.",
        overview(audited),
        *("## Warnings", "\n".join(warnings) or "None: no cue tells the labels apart."),
    ]
    for title, index in (("AUROC", 1), ("AP", 0)):
        lines = [
            [one_line(each.name), *(_figure(each.of(cue)[index]) for cue in (*CUES, ALL))]
            for each in audited
        ]
        parts += [f"## {title} by cue", table(["set", *CUES, ALL], lines)]
    return "\n\n".join([*parts, "![AUROC by set and cue](audit.png)"]) + "\n"


def _as_json(audited: Audited) -> dict[str, Any]:
    cues = {
        cue: {**its._asdict(), "values": audited.described.get(cue)}
        for cue, its in audited.by_cue.items()
    }
    return {
        "set": audited.name,
        "num_real": audited.counts[0],
        "num_fake": audited.counts[1],
        "available_real": audited.available[0],
        "available_fake": audited.available[1],
        "copies_left_out": audited.num_copies,
        "unreadable": audited.unreadable,
        "problem": audited.problem or None,
        "chance_ap": audited.chance() if audited.by_cue else None,
        "cues": cues,
        "warning": warning(audited) or None,
    }


def _figure(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def _per_cent(share: float) -> str:
    if 0 < share < 0.005:
        return "under 1 %"
    return "over 99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"
