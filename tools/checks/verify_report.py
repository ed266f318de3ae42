"""What a check of the data found, for programs (JSON) and readers (Markdown, console)."""

from __future__ import annotations

import re
from typing import Any

from tools.checks.findings import FAULTS, OBSERVATIONS, Content, Finding, Report
from util.files import atomic_write, write_json
from util.markdown import table

SHOWN = 20  # of each list, in Markdown
QUICK = "Names, counts and empty files only: nothing was decoded, no duplicates were looked for."


def save(report: Report, prefix: str) -> None:
    """Write `prefix`.json, which holds everything, and `prefix`.md."""
    write_json(f"{prefix}.json", as_json(report))  # undecodable bytes as \\udc80 .. \\udcff
    with atomic_write(f"{prefix}.md") as file:
        file.write(as_markdown(report, f"{prefix}.json"))


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as plain values."""
    return {
        "folder": report.root,
        "note": report.note,
        "whole": report.is_whole(),
        "quick": report.quick,
        "images": report.images,
        "sets": [row._asdict() for row in report.rows],
        "faults": {kind: [_plain(f) for f in report.of(kind)] for kind in FAULTS},
        "observations": {kind: [_plain(f) for f in report.of(kind)] for kind in OBSERVATIONS},
        "contents": [content._asdict() for content in report.contents],
    }


def _plain(finding: Finding) -> dict[str, Any]:
    values = finding._asdict()
    del values["kind"]
    return {key: value for key, value in values.items() if value not in ("", None)}


def as_text(report: Report) -> str:
    """Return the short table for the console."""
    head = ("set", "real", "fake", "expected", "state")
    rows = [head]
    for row in report.rows:
        cells = (f"{row.real:,}", f"{row.fake:,}", _expected(row.expected), row.state)
        rows.append((shown(row.set), *cells))
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = []
    for name, real, fake, expected, state in rows:
        numbers = f"{real:>{widths[1]}}  {fake:>{widths[2]}}  {expected:>{widths[3]}}"
        lines.append(f"{name:<{widths[0]}}  {numbers}  {state}".rstrip())
    return "\n".join([*lines, "", *_told(report)])


def _told(report: Report) -> list[str]:
    lines = [report.note] if report.note else []
    lines += [QUICK] if report.quick else []
    for title, kinds in (("fault", FAULTS), ("note", OBSERVATIONS)):
        for kind, text in kinds.items():
            if found := report.of(kind):
                lines.append(f"{title}: {text}: {len(found):,}, e.g. {_sentence(found[0])}")
    images = f"{report.images:,} images"
    if report.is_whole():
        return [*lines, f"{shown(report.root)}: {images}, no faults"]
    number = sum(len(report.of(kind)) for kind in FAULTS)
    return [*lines, f"{shown(report.root)}: {images}, faults: {number:,}"]


def _sentence(finding: Finding) -> str:
    paths = " = ".join(shown(path) for path in finding.paths[:3])
    more = f" = and {len(finding.paths) - 3:,} more" if len(finding.paths) > 3 else ""
    return f"{paths}{more}{f': {shown(finding.detail)}' if finding.detail else ''}"


def _expected(numbers: tuple[int, int] | None) -> str:
    return f"{numbers[0]:,} + {numbers[1]:,}" if numbers else "-"


def as_markdown(report: Report, complete: str) -> str:
    """Return the report for readers; lists are cut short: the file `complete` has them whole."""
    number = sum(len(report.of(kind)) for kind in FAULTS)
    verdict = "No faults." if report.is_whole() else f"Faults: {number:,}."
    parts = [f"# Check of {code(report.root)}", f"{report.images:,} images. {verdict}"]
    parts += [_plain_text(report.note)] if report.note else []
    parts += [QUICK] if report.quick else []
    parts.append("## Sets")
    parts.append(
        table(
            ("Set", "State", "Real", "Fake", "Expected"),
            [
                (code(r.set), r.state, f"{r.real:,}", f"{r.fake:,}", _expected(r.expected))
                for r in report.rows
            ],
            num_left=2,
        )
    )
    for title, kinds in (("Faults", FAULTS), ("Observations", OBSERVATIONS)):
        parts.append(f"## {title}")
        found = [
            part
            for kind in kinds
            for part in _list(report, kind, title=kinds[kind], complete=complete)
        ]
        parts += found or ["None."]
    if report.contents:
        parts.append("## Contents")
        parts.append("Sizes are height x width, the most frequent first.")
        head = ("Set", "Label", "Formats", "Sizes", "Smallest", "Largest")
        rows = [_content(content) for content in report.contents]
        parts.append(table(head, rows, num_left=len(head)))
    return "\n\n".join(parts) + "\n"


def _list(report: Report, kind: str, *, title: str, complete: str) -> list[str]:
    found = report.of(kind)
    if not found:
        return []
    lines = [_item(finding) for finding in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"- and {len(found) - SHOWN:,} more in {code(complete.rsplit('/', 1)[-1])}")
    return [f"### {title} ({len(found):,})", "\n".join(lines)]


def _item(finding: Finding) -> str:
    paths = [code(path) for path in finding.paths[:SHOWN]]
    more = len(finding.paths) - SHOWN
    text = " = ".join([*paths, f"and {more:,} more"] if more > 0 else paths)
    return f"- {text}{f': {_plain_text(finding.detail)}' if finding.detail else ''}"


def _content(content: Content) -> tuple[str, ...]:
    formats = ", ".join(f"{name} {number:,}" for name, number in content.formats.items())
    common = ", ".join(f"{h}x{w} ({number:,})" for h, w, number in content.sizes[:3])
    others = len(content.sizes) - 3
    sizes = f"{common}, {others:,} others" if others > 0 else common
    ends = ("x".join(map(str, size)) for size in (content.smallest, content.largest))
    return (code(content.set), content.label, formats, sizes, *ends)


def shown(text: str) -> str:
    """`text` in one line for the console: line breaks, control and undecodable bytes escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def code(name: str) -> str:
    """Return a file's name as Markdown, whatever it holds; for tables see util/markdown.py."""
    text = shown(name)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if text[:1] in ("`", " ") or text[-1:] in ("`", " ") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _plain_text(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", shown(text))
