"""Write what the studies found into docs/studies.md, between markers, and their figures."""

from __future__ import annotations

import textwrap
from pathlib import Path

from studies.catalogue import STUDIES
from studies.figures import save_figure
from studies.jobs import ROOT
from studies.reading import Row
from studies.results import Run, read_results, read_runs
from studies.tables import SHAPES, table_of
from studies.verdicts import CONTRASTS, Tested, counted, judge
from util.console import say
from util.errors import UsageError
from util.files import atomic_write

PAGE = ROOT / "docs/studies.md"
IMAGES = ROOT / "docs/images"
RESULTS = ROOT / "studies/results"


def write_report(results: Path, page: Path = PAGE, images: Path = IMAGES) -> None:
    """Draw the figures and fill the page's blocks from the tables in `results`.

    Raises UsageError where the page lacks the markers of a study.
    """
    every = all_results(results)
    for study, rows in every.items():
        save_figure(study, rows, images / f"studies_{study}.png")
    text = filled(page.read_text(encoding="utf-8"), blocks(results))
    with atomic_write(str(page)) as file:
        file.write(text)
    say(f"{page}: {len(every)} of {len(STUDIES)} studies have results")


def all_results(results: Path) -> dict[str, list[Row]]:
    """Return the rows of all studies that have some, by name."""
    return {study: rows for study in STUDIES if (rows := read_results(results, study))}


def blocks(results: Path) -> dict[str, str]:
    """Return what stands between a study's markers, by name."""
    every = all_results(results)
    tested = judge(every)
    return {
        study: "\n\n".join(_parts(study, every.get(study, []), tested=tested, results=results))
        for study in STUDIES
    }


def filled(text: str, blocks: dict[str, str]) -> str:
    """Return `text` with the blocks put between `<!-- NAME -->` and `<!-- /NAME -->`."""
    for name, block in blocks.items():
        first, start, rest = text.partition(f"<!-- {name} -->\n")
        _, end, last = rest.partition(f"<!-- /{name} -->")
        if not (start and end):
            raise UsageError(
                f"docs/studies.md: lacks <!-- {name} --> and <!-- /{name} --> after it"
            )
        text = f"{first}{start}\n{block}\n\n{end}{last}"
    return text


def _parts(study: str, rows: list[Row], *, tested: list[Tested], results: Path) -> list[str]:
    """Return the paragraphs of a study."""
    command = f"    python -m studies {study}"
    if not rows:
        findings = "\n".join(_item(its.finding) for its in CONTRASTS if its.study == study)
        return [command, findings, "Not run yet."]
    runs = read_runs(results, study)
    verdicts = [_item(verdict_text(its)) for its in tested if its.contrast.study == study]
    count = sum(its.contrast.study == study for its in tested)
    missing = sum(its.study == study for its in CONTRASTS) - count
    if missing:
        verdicts.append(_item(f"{missing} more not measured: conditions are missing."))
    return [
        command,
        "\n".join(verdicts),
        f"![{study}](images/studies_{study}.png)",
        table_of(study, rows),
        _wrapped(_caption(study, rows, runs)),
    ]


def _caption(study: str, rows: list[Row], runs: list[Run]) -> str:
    shape = SHAPES[study]
    unit = "per cent" if shape.scale == 100 else "log10 of magnitude"
    seeds = len({row["seed"] for row in rows} - {""})
    means = "" if "testset" in shape.by else f", means over {len(shape.testsets)} test sets"
    spread = f"; mean ± standard deviation over {seeds} seeds" if seeds > 1 else ""
    machines = dict.fromkeys(
        f"{run['processor']}, {run['device']}, torch {run['packages']['torch']}" for run in runs
    )
    minutes = sum(job["seconds"] for run in runs for job in run["jobs"].values()) / 60
    return (
        f"{', '.join(shape.metrics)}, {unit}{means}{spread}."
        f" {' and '.join(machines)}; the jobs of this study took"
        f" {minutes:.0f} minutes together, those shared with others included"
        f" (`studies/results/{study}.json`)."
    )


def verdict_text(its: Tested) -> str:
    """Return a contrast's finding, figures and verdict."""
    contrast = its.contrast
    digits = 1 if contrast.scale == 100 else 3
    numbers = [f"{value:.{digits}f}" for value in (its.low, its.high)]
    runs = f", {counted(its.seeds, 'seed')}" if its.seeds else ""
    few = f" (with so few at least {its.least_p:.2g})" if its.least_p > 0.05 else ""
    t_test = f", t test over seeds {its.over_seeds:.2g}" if its.seeds > 1 else ""
    return (
        f"{contrast.finding} Difference {its.mean:+.{digits}f} {contrast.unit}, 95 % interval"
        f" {numbers[0]} to {numbers[1]}, {counted(its.units, 'generator')}{runs}; p {its.p:.2g}"
        f"{few}, corrected {its.holm:.2g} (Wilcoxon {its.wilcoxon:.2g}{t_test}). Verdict:"
        f" **{its.verdict()}**."
    )


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _item(text: str) -> str:
    return _wrapped(f"- {text}", "  ")
