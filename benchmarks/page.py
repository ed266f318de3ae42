"""Make docs/benchmarks.md of what was measured on one or more processors."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.timing import Row, verdict
from util.machine import processor, versions
from util.markdown import table

PACKAGES = ("torch", "torchvision", "opencv-python-headless", "simplejpeg", "pillow", "numpy")
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16")

INTRODUCTION = """\
# Benchmarks

Each row is the reference recipe (`benchmarks/reference.py`, written afresh from the paper's
description) against this code, in turns in one process. Figures are medians over the rounds; the
ratio is the median of the rounds' ratios, and beside it the smallest and the largest. Each turn
begins with a run that is not timed. As in our scripts, and not in the reference, freed memory is
kept on a CPU (`networks/device.py`): *kept* is the ratio to the reference with that setting, too.
*Limit* is the ratio that were left if nothing but what stands under the table took time, and
beside it how much of that is reached.

`make bench`, alone on the machine, writes one section, of the processor it runs on, and keeps it in
`benchmarks/results`; those of other processors stay. Compare ratios, not rates, between them.
"""

HEADINGS = ("what", "unit", "reference", "ours", "ratio", "from, to", "kept", "limit", "target", "")


class Record(NamedTuple):
    """A run of all benchmarks on one processor, as it is kept in a JSON file."""

    processor: str
    facts: list[str]  # Markdown list items: machine, versions, how and when
    rows: list[dict[str, Any]]  # of timing.Row


def describe(when: str, commit: str | None, rounds: int) -> tuple[str, list[str]]:
    """Return this machine's processor, and the facts of a run on it."""
    model, flags = processor()
    found = [name for name in INSTRUCTIONS if name in flags]
    packages = ", ".join(f"{name} {version}" for name, version in versions(PACKAGES).items())
    return model, [
        f"- {os.cpu_count()} cores ({', '.join(found) or 'instruction sets unknown'})",
        f"- {platform.system()}, Python {platform.python_version()}, {packages}",
        f"- {when}, `make bench` (`python -m benchmarks`), {rounds} rounds, commit"
        f" {(commit or 'unknown')[:7]}",
    ]


def file_of(processor: str) -> str:
    """Return the name of the file that keeps a processor's run."""
    return re.sub(r"[^a-z0-9]+", "_", processor.lower()).strip("_") + ".json"


def document(records: Sequence[Record]) -> str:
    """Return the Markdown page: a section per processor, with a table, notes, and a profile of each
    row whose target was not met.
    """
    return "\n\n".join([INTRODUCTION.rstrip(), *map(_section, records)]) + "\n"


def _section(record: Record) -> str:
    rows = [Row(**row) for row in record.rows]
    lines = [f"## {record.processor}", "", *record.facts, ""]
    lines.append(table(HEADINGS, [_cells(row) for row in rows], num_left=2))
    notes = [f"- {row.what}: {row.note}." for row in rows if row.note]
    limits: dict[str, list[str]] = {}
    for row in rows:
        if row.alone:
            limits.setdefault(row.alone, []).append(row.what)
    notes += [f"- limit, {alone}: {'; '.join(of)}." for alone, of in limits.items()]
    lines += ["", *notes] if notes else []
    for row in rows:
        if row.met is False and row.details:
            lines += ["", f"### Not met: {row.what}", "", row.details]
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    return [
        row.what,
        row.unit,
        f"{row.reference:.3g}",
        f"{row.ours:.3g}",
        f"{row.ratio:.2f}",
        f"{row.low:.2f} to {row.high:.2f}",
        f"{row.retained:.2f}" if row.retained else "",
        f"{row.limit:.2f} ({row.ratio / row.limit:.0%})" if row.limit else "",
        row.target,
        verdict(row),
    ]
