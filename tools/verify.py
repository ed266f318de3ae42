"""Check a data set against what was published: `python -m tools.verify dataset`."""

from __future__ import annotations

import os
from collections import Counter

from data.manifest_file import read_manifest, refuse_stale
from data.packed import is_pack
from data.sources import find_all_sets
from data.testsets import ORDER, benchmark_note
from evaluation.benchmark import PAPER
from options.machine import MAX_PIXELS
from options.parse import parse
from options.verify_options import VerifyOptions
from tools.checks.content import Seen, look_at_all
from tools.checks.findings import FAULTS, Content, Finding, Report, Row
from tools.checks.inventory import Group, Inventory, inventory_of, take_inventory
from tools.checks.verify_report import as_text, save, shown
from tools.released import counts
from util.console import as_typed
from util.errors import UsageError, run
from util.progress import begin, end


def check(
    root: str,
    wanted: tuple[str, ...] = (),
    *,
    quick: bool = False,
    processes: int = 0,
    split: str = "",
    real: str = "",
    fakes: tuple[str, ...] = (),
    max_pixels: int = MAX_PIXELS,
    val_fraction: float = 0.1,
) -> Report:
    """Check the sets of `root`, or those `wanted`. `quick`: names and counts alone; by 0
    processes: in this one. The others as in data/sources.py. Raises UsageError
    where there is nothing to check.
    """
    if is_pack(root):
        raise UsageError(f"{root}: is a pack; check the folder that it was made of")
    if os.path.isfile(root):
        refuse_stale(read_manifest(root), every=1)
    if split or real or fakes or os.path.isfile(root):
        sets = find_all_sets(root, split=split, real=real, fakes=fakes, val_fraction=val_fraction)
        if lost := sorted(set(wanted) - {name.removeprefix("test/") for name in sets}):
            raise UsageError(f"--sets: no set {lost[0]} in {root}; it holds {', '.join(sets)}")
        chosen = [name for name in sets if not wanted or name.removeprefix("test/") in wanted]
        inventory = inventory_of({name: sets[name] for name in chosen})
    else:
        inventory = take_inventory(root, ORDER, wanted)
    note = benchmark_note(root)
    published = {} if note else counts.published_counts()
    findings = _compare(inventory, published, wanted, is_other=note is not None)
    findings += _by_name(inventory)
    contents: list[Content] = []
    if not quick:
        seen = look_at_all(inventory, processes, max_pixels)
        findings += _by_content(inventory, seen) + duplicates(inventory, seen)
        contents = _contents(inventory, seen)
    rows = _rows(inventory, published, findings, quick=quick)
    return Report(root, note or "", quick, inventory.images(), rows, findings, contents)


def _compare(
    inventory: Inventory,
    published: dict[str, counts.Counts],
    wanted: tuple[str, ...],
    *,
    is_other: bool,
) -> list[Finding]:
    findings = [] if is_other else counts.absent(inventory, published, wanted)
    classes, figure = counts.published_train()
    for name, at in inventory.sets.items():
        groups = [group for group in inventory.groups if group.set == name]
        bare, found = name.removeprefix("test/"), counts.count(groups)
        # train and val of any data set are called so: the paper's has at least one of its classes
        is_papers = name not in ("train", "val") or counts.has_one_of(found, classes)
        if bare in published and is_papers:
            findings += counts.compare(name, at, found=found, expected=published[bare])
        elif name == "train" and not is_other and is_papers:
            findings += counts.compare_train(at, found, classes)
            detail = f"only its classes: the exact number of images is not known ({figure})"
            findings.append(Finding("uncounted", (name,), (at or name,), detail))
        elif groups:
            findings.append(Finding("uncounted", (name,), (at or name,), "no published count"))
    return findings


def _by_name(inventory: Inventory) -> list[Finding]:
    findings = [Finding("ignored", (), (path,), reason) for path, reason in inventory.ignored]
    findings += [Finding("outside", (), (path,)) for path in inventory.outside]
    for name, path, twin in inventory.contrary:
        findings.append(Finding("across_labels", (name,), (path, twin), "one folder by two names"))
    for group in inventory.groups:
        for name, size in zip(group.names, group.sizes, strict=True):
            if size == 0:
                findings.append(Finding("empty", (group.set,), (group.prefix + name,)))
            elif size < 0:
                there = os.path.exists(os.path.join(inventory.root, group.prefix + name))
                detail = "is no regular file" if there else "a link to a file that is not there"
                findings.append(Finding("unreadable", (group.set,), (group.prefix + name,), detail))
    return findings


def _by_content(inventory: Inventory, seen: list[Seen]) -> list[Finding]:
    findings = []
    for group, its in zip(inventory.groups, seen, strict=True):
        for name, reason in its.unreadable:
            findings.append(Finding("unreadable", (group.set,), (group.prefix + name,), reason))
        for name, kind in its.misnamed:
            findings.append(
                Finding("misnamed", (group.set,), (group.prefix + name,), f"{kind} inside")
            )
    return findings


def duplicates(inventory: Inventory, seen: list[Seen]) -> list[Finding]:
    """Files with the same content: a fault across labels and across splits, else an observation."""
    twins: dict[bytes, list[tuple[Group, str]]] = {}
    for group, its in zip(inventory.groups, seen, strict=True):
        for name, digest in its.digests.items():
            twins.setdefault(digest, []).append((group, group.prefix + name))
    findings = []
    for files in twins.values():
        if len(files) > 1:
            sets = tuple(sorted({group.set for group, _ in files}))
            kinds = []
            if len({group.label for group, _ in files}) > 1:
                kinds.append("across_labels")
            if len({_split(name) for name in sets}) > 1:
                kinds.append("across_splits")
            paths = tuple(path for _, path in files)
            for kind in kinds or ["within_set" if len(sets) == 1 else "shared"]:
                findings.append(Finding(kind, sets, paths))
    return findings


def _split(name: str) -> str:
    return name if name in ("train", "val") else "test"


def _contents(inventory: Inventory, seen: list[Seen]) -> list[Content]:
    formats: dict[tuple[str, str], Counter[str]] = {}
    sizes: dict[tuple[str, str], Counter[tuple[int, int]]] = {}
    for group, its in zip(inventory.groups, seen, strict=True):
        formats.setdefault((group.set, group.label), Counter()).update(its.formats)
        sizes.setdefault((group.set, group.label), Counter()).update(its.sizes)
    contents = []
    for name, label in sorted(formats, key=lambda at: (_order(at[0]), at[1])):
        its_sizes = sizes[name, label]
        if its_sizes:
            ends = sorted(its_sizes, key=lambda size: (size[0] * size[1], size))
            common = [(*size, number) for size, number in its_sizes.most_common()]
            kinds = dict(formats[name, label].most_common())
            contents.append(Content(name, label[2:], kinds, common, ends[0], ends[-1]))
    return contents


def _order(name: str) -> tuple[int, tuple[int, str]]:
    split = _split(name)
    return ("train", "val", "test").index(split), PAPER.rank(name.removeprefix("test/"))


def _rows(
    inventory: Inventory,
    published: dict[str, counts.Counts],
    findings: list[Finding],
    *,
    quick: bool,
) -> list[Row]:
    faults: dict[str, Counter[str]] = {}
    for finding in findings:
        for name in finding.sets if finding.kind in FAULTS else ():
            is_folder = finding.kind == "missing" and finding.expected is None  # of train
            kind = "missing folders" if is_folder else finding.kind.replace("_", " ")
            number = abs((finding.expected or 0) - (finding.found or 0)) or 1
            faults.setdefault(name, Counter())[kind] += number
    away = {name for f in findings if f.kind in ("missing", "absent") for name in f.sets}
    uncounted = {name for f in findings if f.kind == "uncounted" for name in f.sets}
    rows = []
    for name in sorted({*inventory.sets, *away}, key=_order):
        groups = [group for group in inventory.groups if group.set == name]
        real, fake = counts.both_labels(counts.count(groups))
        its = None if name in uncounted else published.get(name.removeprefix("test/"))
        if groups or its or name in away:
            expected = counts.both_labels(its) if its else None
            state = ", ".join(f"{kind} {n:,}" for kind, n in faults.get(name, {}).items())
            if not groups and not (its and name in inventory.sets):
                state = "missing" if name in faults else "not there"
            if not state:
                compared = "counts as published" if quick else "whole"
                state = compared if its else "no published count"
            rows.append(Row(name, real, fake, expected, state))
    return rows


def main() -> int:
    """Check as the command line says; return 1 where there are faults."""
    options = parse(VerifyOptions)
    begun = begin(options.quiet)
    root = options.dataroot[0] if options.dataroot else options.fake[0]
    prefix = options.out or _default_prefix(root)
    report = check(
        root,
        options.sets,
        quick=options.quick,
        processes=options.processes,
        split=options.split,
        real=options.real,
        fakes=options.fake,
        max_pixels=options.max_pixels,
        val_fraction=options.val_fraction,
    )
    save(report, prefix)
    print(as_text(report))
    print(shown(f"{prefix}.md, {prefix}.json"))
    end(begun, shown(next_step(options, report, prefix)))
    return 0 if report.is_whole() else 1


def next_step(options: VerifyOptions, report: Report, prefix: str) -> str:
    """Return what to do when the data set is checked: mend it, look closer, or use it."""
    if not report.is_whole():
        return f"read {prefix}.md"
    if options.quick:
        return "the same without --quick, which decodes every image"
    data = ["--real", options.real, "--fake", ",".join(options.fake)]
    data = ["--dataroot", report.root] if options.dataroot else data
    if options.fake or {"train", "val"} <= {row.set for row in report.rows}:
        return as_typed("train.py", "--name", "NAME", *data)
    return as_typed("eval.py", "--model_path", "WEIGHTS", *data)


def _default_prefix(root: str) -> str:
    name = os.path.basename(os.path.abspath(root)) or "root"
    prefix = os.path.join("results", f"verify-{name}", "verify")
    if os.path.realpath(prefix).startswith(os.path.join(os.path.realpath(root), "")):
        raise UsageError(
            f"--out is needed: the reports would be written into {root}; or start in another folder"
        )
    return prefix


if __name__ == "__main__":
    run(main)
