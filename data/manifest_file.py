"""Read and write manifests: one file that lists the images of a data set (tools/manifest.py)."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from data.overlap import refuse_both, with_label
from data.samples import Samples
from options.declare import file_name
from util.errors import UsageError
from util.files import atomic_write, csv_writer, open_csv, wrong_separator

COLUMNS = ("path", "label", "testset", "class", "split", "size", "mtime_ns")
LABEL_NAMES = {"0": 0, "1": 1, "real": 0, "fake": 1}
MAX_CHECKED = 1000  # about how many files' size and time are checked on reading


class Manifest(NamedTuple):
    """The rows of a manifest by column; an empty cell or a missing column is "" or -1."""

    path: str
    samples: Samples  # paths relative to the manifest's folder, or absolute
    testsets: list[str]
    classes: list[str]
    splits: list[str]
    sizes: list[int]  # bytes
    times: list[int]  # mtime, nanoseconds since 1970

    def select(
        self, split: str = "", testset: str | None = None, classes: Sequence[str] = ()
    ) -> Samples:
        """Return the images of a split, a test set and some classes, sorted by path.

        Of all splits for "", of all test sets for None, of all classes for none. Raises UsageError
        where there are no images, none of one of the classes, or one that is both real and fake.
        """
        chosen = [
            index
            for index, (row_split, row_testset, row_class) in enumerate(
                zip(self.splits, self.testsets, self.classes, strict=True)
            )
            if (not split or row_split == split)
            and (testset is None or row_testset == testset)
            and (not classes or row_class in classes)
        ]
        if lost := sorted(set(classes) - {self.classes[index] for index in chosen}):
            raise UsageError(f"--classes: no rows of class {lost[0]} in {self.path}")
        if not chosen:
            raise UsageError(f"{self.path}: no rows of split {split or 'any'}")
        samples = self.samples.take(np.array(chosen))
        refuse_both(with_label(samples, 1), with_label(samples, 0), self.path)
        return samples.take(np.argsort(samples.paths, kind="stable"))


def read_manifest(path: str) -> Manifest:
    """Read a manifest: a CSV file with a header, or JSON lines (*.jsonl).

    Rows have `path` and `label` (0 or 1, real or fake) and may have the other COLUMNS. Raises
    UsageError for another kind of file, a row that lacks these, a path that comes twice, a testset
    that is no folder's name, and where a checked file is not of the recorded size and time
    (`refuse_stale`, for about MAX_CHECKED files).
    """
    read = _json_lines if path.endswith(".jsonl") else _csv_rows
    columns: dict[str, list[str]] = {name: [] for name in COLUMNS}
    labels: list[int] = []
    plain_names = {""}
    try:
        with open_csv(path) as file:
            for number, row in read(path, file):
                label = LABEL_NAMES.get(str(row["label"]).lower())
                if label is None or not row["path"] or "\0" in str(row["path"]):
                    raise UsageError(
                        f"{path}: row {number}: has label {row['label']!r} and path"
                        f" {row['path']!r}; wants a path, and 0 (real) or 1 (fake)"
                    )
                labels.append(label)
                for name, values in columns.items():
                    cell = row.get(name)
                    values.append("" if cell is None else str(cell))
                testset = columns["testset"][-1]  # becomes a folder's name
                if testset not in plain_names and (wrong := file_name(testset)):
                    raise UsageError(f"{path}: row {number}: testset {testset!r} {wrong}")
                plain_names.add(testset)
    except (OSError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as a manifest ({error})") from error
    if not labels:
        raise UsageError(f"{path}: has no rows")
    paths = [os.fsencode(name) for name in columns["path"]]
    plain = list(map(os.path.normpath, paths))  # a path has many spellings
    if len(set(plain)) < len(plain):
        twice = Counter(plain).most_common(1)[0][0]
        raise UsageError(f"{path}: lists {os.fsdecode(twice)} more than once")
    root = os.path.dirname(path) or "."
    manifest = Manifest(
        path,
        Samples(root, np.array(paths), np.array(labels, np.uint8)),
        columns["testset"],
        columns["class"],
        columns["split"],
        _whole_numbers(path, columns["size"]),
        _whole_numbers(path, columns["mtime_ns"]),
    )
    refuse_stale(manifest, every=max(1, len(labels) // MAX_CHECKED))
    return manifest


def read_column(path: str, name: str) -> dict[str, str]:
    """Return a column, which may be another than COLUMNS, of a manifest that `read_manifest` takes:
    its cells by path. Raises UsageError where there is no such column.
    """
    read = _json_lines if path.endswith(".jsonl") else _csv_rows
    cells: dict[str, str] = {}
    found = False
    with open_csv(path) as file:
        for _, row in read(path, file):
            found |= name in row
            cell = row.get(name)
            cells[row["path"]] = "" if cell is None else str(cell)
    if not found:
        raise UsageError(f"{path}: has no column {name}")
    return cells


def write_manifest(path: str, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows of COLUMNS as CSV or, to *.jsonl, as JSON lines; return their number."""
    count = 0
    with atomic_write(path) as file:
        writer = csv_writer(file)
        if not path.endswith(".jsonl"):
            writer.writerow(COLUMNS)
        for row in rows:
            if path.endswith(".jsonl"):
                file.write(json.dumps(row) + "\n")
            else:
                writer.writerow([row.get(name, "") for name in COLUMNS])
            count += 1
    return count


def _csv_rows(path: str, file: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, row). Raises UsageError for wrong columns or a row of another length."""
    reader = csv.reader(file, strict=True)
    header = next(reader, [])
    if wrong := wrong_separator(header):
        raise UsageError(f"{path}: {wrong}")
    if missing := [name for name in ("path", "label") if name not in header]:
        raise UsageError(f"{path}: has no column {missing[0]}; wants {', '.join(COLUMNS)}")
    for row in reader:
        if len(row) != len(header):
            raise UsageError(f"{path}: row {reader.line_num}: not {len(header)} cells")
        yield reader.line_num, dict(zip(header, row, strict=True))


def _json_lines(path: str, file: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, row). Raises UsageError for a line that is no object with a path."""
    for number, line in enumerate(file, 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}: row {number}: is no JSON ({error})") from error
        if not isinstance(row, dict) or not {"path", "label"} <= set(row):
            raise UsageError(f'{path}: row {number}: wants {{"path": ..., "label": ...}}')
        yield number, row


def _whole_numbers(path: str, cells: list[str]) -> list[int]:
    try:
        return [int(cell) if cell else -1 for cell in cells]
    except ValueError as error:
        raise UsageError(f"{path}: size and mtime_ns want whole numbers ({error})") from error


def refuse_stale(manifest: Manifest, every: int) -> None:
    """Raise UsageError where a file is gone, or not of the size and time that the manifest says.

    Checks each `every`-th file.
    """
    for index in range(0, len(manifest.sizes), every):
        recorded = manifest.sizes[index], manifest.times[index]
        try:
            state = os.stat(manifest.samples.path(index))
        except OSError:
            if recorded == (-1, -1):
                continue  # nothing to compare: opening it will raise
            reason = "is gone"
        else:
            now = state.st_size, state.st_mtime_ns
            if all(a in (-1, b) for a, b in zip(recorded, now, strict=True)):
                continue
            reason = "has changed"
        raise UsageError(
            f"{manifest.path}: is stale: {manifest.samples.relative(index)} {reason} since it was"
            " written; write it anew with python -m tools.manifest"
        )
