"""Audit a data set for shortcuts: `python -m tools.audit dataset`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from data.images import UnreadableImage
from data.samples import SPLITS, Samples, count_labels, pair_name, subsample
from data.sources import find_all_sets
from data.unreadable import report_unreadable
from evaluation.benchmark import PAPER
from evaluation.metrics import Labels
from options.audit_options import AuditOptions
from options.parse import parse
from tools.checks.audit_report import Audited, describe, overview, warning, write_report
from tools.checks.audit_scores import FEWEST, make_folds, measure_cues, number_of_folds
from tools.checks.cues import CUES, Value, read_cues
from util.errors import one_line, run
from util.files import sha256
from util.progress import begin, end, progress


class Files(NamedTuple):
    """What the files of a set tell: those that can be read, each content once per label."""

    names: list[str]  # as `pair_name`
    labels: Labels
    columns: dict[str, list[Value]]  # a value for each file, by cue
    num_copies: int  # left out, as another file of the label is the same to the byte
    unreadable: list[str]  # a message each


def read_files(samples: Samples, processes: int, title: str) -> Files:
    """Read the cues of all images. Copies are left out: a model that has learned from one knows the
    other, which says nothing about the set.
    """
    paths = [samples.path(index) for index in range(len(samples.labels))]
    with ThreadPoolExecutor(processes) as pool:
        read = _attempt(pool, read_cues, paths, title=f"{title}: headers", unit="header")
        # only files of one length can be copies of each other
        lengths = [None if isinstance(cues, UnreadableImage) else cues["bytes"] for cues in read]
        count = Counter(lengths)
        alike = [i for i, length in enumerate(lengths) if length and count[length] > 1]
        hashes = _attempt(
            pool, _content, [paths[i] for i in alike], title=f"{title}: copies", unit="file"
        )
    content: dict[int, Any] = dict(zip(alike, hashes, strict=True))
    failed = [r for r in (*read, *hashes) if isinstance(r, UnreadableImage)]
    bad = {error.path for error in failed}
    readable = [i for i, path in enumerate(paths) if path not in bad]
    first = {(int(samples.labels[i]), content.get(i, i)): i for i in reversed(readable)}
    kept = sorted(first.values())
    return Files(
        [pair_name(samples.relative(i)) for i in kept],
        samples.labels[kept],
        {cue: [read[i][cue] for i in kept] for cue in CUES},
        len(readable) - len(kept),
        [one_line(error) for error in failed],
    )


def audit_set(name: str, samples: Samples, *, most: int, seed: int, processes: int) -> Audited:
    """Read a set's files and measure how far each cue tells their labels."""
    files = read_files(subsample(samples, most, seed, per_label=True), processes, name)
    labels = files.labels
    counts, available = count_labels(labels), samples.counts()
    problem, told = "", {}
    if 0 in available:
        problem = f"holds {'fake' if available[1] else 'real'} images only"
    elif not number_of_folds(labels):
        problem = f"has fewer than {FEWEST} different images of a label"
    else:
        told = measure_cues(files.columns, labels, make_folds(files.names, labels, seed), seed=seed)
    described = {cue: describe(cue, files.columns[cue], labels) for cue in CUES} if told else {}
    return Audited(
        name, counts, available, files.num_copies, files.unreadable, problem, told, described
    )


def main() -> int:
    """Audit as the command line says; return 1 where a file could not be read."""
    options = parse(AuditOptions)
    begun = begin(options.quiet)
    dataroot = options.dataroot[0] if options.dataroot else ""
    sets = find_all_sets(
        dataroot,
        split=options.split,
        real=options.real,
        fakes=options.fake,
        val_fraction=options.val_fraction,
    )
    name = os.path.basename(os.path.abspath(dataroot or options.fake[0]))
    out = options.out or os.path.join("results", f"audit-{name}")
    audited = [
        audit_set(
            key, sets[key], most=options.max_images, seed=options.seed, processes=options.processes
        )
        for key in sorted(sets, key=_place)
    ]
    about = {
        "dataroot": dataroot or [options.real, *options.fake],
        "max_images": options.max_images,
        "seed": options.seed,
    }
    write_report(out, audited, about)
    print(overview(audited))
    for sentence in filter(None, map(warning, audited)):
        print(f"\n{sentence}")
    print(f"\n{one_line(out)}: audit.md, audit.png, audit.csv, audit.json")
    unreadable = [message for each in audited for message in each.unreadable]
    code = report_unreadable(unreadable, options.skip_unreadable, "audit.json")
    end(begun, f"read {os.path.join(out, 'audit.md')}")
    return code


def _place(name: str) -> tuple[bool, tuple[int, str]]:
    """Train and val first, then the test sets in the paper's order."""
    return name not in SPLITS, PAPER.rank(name.removeprefix("test/"))


def _content(path: str) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise UnreadableImage(path, f"cannot be read ({error.strerror})") from error


def _attempt(
    pool: ThreadPoolExecutor,
    function: Callable[[str], Any],
    paths: Iterable[str],
    *,
    title: str,
    unit: str,
) -> list[Any]:
    """Return what `function` returns for each path, or the UnreadableImage that it raises."""

    def attempt(path: str) -> Any:  # noqa: ANN401
        try:
            return function(path)
        except UnreadableImage as error:
            return error

    paths = list(paths)
    done = pool.map(attempt, paths)
    return list(progress(done, title, unit=unit, total=len(paths), delay=1))


if __name__ == "__main__":
    run(main)
