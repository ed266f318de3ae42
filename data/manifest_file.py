"""Read and write manifests: one file that lists the images of a data set (tools/manifest.py)."""

from __future__ import annotations

import csv
import json
import os
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from data.overlap import refuse_both, with_label
from data.packed import Pack, is_pack, open_pack
from data.samples import RUN, Samples
from options.declare import file_name
from util.errors import UsageError
from util.files import atomic_write, csv_writer, open_csv, wrong_separator

COLUMNS = ("path", "label", "testset", "class", "split", "size", "mtime_ns")
LABEL_NAMES = {"0": 0, "1": 1, "real": 0, "fake": 1}
MAX_CHECKED = 1000  # about how many files' size and time are checked on reading


class Column(NamedTuple):
    """A column of few different cells: 4 bytes a row."""

    names: list[str]  # the different cells, in the order of their first rows
    codes: npt.NDArray[np.int32]  # (N,) of each row, the index of its cell in `names`

    def rows(self, *names: str) -> npt.NDArray[np.bool_]:
        """Return (N,) whether a row's cell is one of `names`."""
        return np.isin(self.codes, [self.names.index(name) for name in names if name in self.names])


class Manifest(NamedTuple):
    """The rows of a manifest by column; an empty cell or a missing column is "" or -1."""

    path: str
    samples: Samples  # paths relative to the manifest's folder, or absolute
    testsets: Column
    classes: Column
    splits: Column
    sizes: npt.NDArray[np.int64]  # (N,) bytes
    times: npt.NDArray[np.int64]  # (N,) mtime, nanoseconds since 1970

    def select(
        self, split: str = "", testset: str | None = None, classes: Sequence[str] = ()
    ) -> Samples:
        """Return the images of a split, a test set and some classes, sorted by path.

        Of all splits for "", of all test sets for None, of all classes for none. Raises UsageError
        where there are no images, none of one of the classes, or one that is both real and fake.
        """
        chosen = np.ones(len(self.sizes), bool)
        if split:
            chosen &= self.splits.rows(split)
        if testset is not None:
            chosen &= self.testsets.rows(testset)
        if classes:
            chosen &= self.classes.rows(*classes)
            there = {self.classes.names[code] for code in np.unique(self.classes.codes[chosen])}
            if lost := sorted(set(classes) - there):
                raise UsageError(f"--classes: no rows of class {lost[0]} in {self.path}")
        if not chosen.any():
            raise UsageError(f"{self.path}: no rows of split {split or 'any'}")
        samples = self.samples if chosen.all() else self.samples.take(np.flatnonzero(chosen))
        refuse_both(with_label(samples, 1), with_label(samples, 0), self.path)
        if (samples.paths[1:] >= samples.paths[:-1]).all():
            return samples
        return samples.take(np.argsort(samples.paths, kind="stable"))

    def names_of(self, split: str) -> list[str]:
        """Return the sorted names of the test sets that have rows of a split, of any for ""."""
        rows = self.splits.rows(split) if split else slice(None)
        return sorted(self.testsets.names[code] for code in np.unique(self.testsets.codes[rows]))


def is_manifest(path: str) -> bool:
    """Return whether `read_manifest` is to read a path: a file, or the folder of a pack."""
    return os.path.isfile(path) or is_pack(path)


def read_manifest(path: str, *, resized: str = "") -> Manifest:
    """Read a manifest: a CSV file with a header, JSON lines (*.jsonl), or the index of a pack.

    Rows have `path` and `label` (0 or 1, real or fake) and may have the other COLUMNS. Raises
    UsageError for another kind of file, a row that lacks these, a path that comes twice, a testset
    that is no folder's name, and where a checked file is not of the recorded size and time
    (`refuse_stale`, for about MAX_CHECKED files); and for a pack whose images were resized, unless
    `resized` says the same (data/packed.py, `resized_as`).
    """
    if its := open_pack(path):
        if (as_packed := its.about.get("resized", "")) not in ("", resized):
            raise UsageError(
                f"{path}: its images were resized as they were packed; it is for train.py"
                f" {as_packed} alone, and the folder that it was made of for all else"
            )
        return _of_pack(its)
    try:
        with open_csv(path) as file:
            manifest = collect(path, _rows(path, file, COLUMNS))
    except (OSError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as a manifest ({error})") from error
    refuse_stale(manifest, every=max(1, len(manifest.sizes) // MAX_CHECKED))
    return manifest


def collect(path: str, rows: Iterable[tuple[int, Sequence[str]]]) -> Manifest:
    """Return the manifest `path` of its rows, (line number, cells of COLUMNS). Raises UsageError as
    `read_manifest` does.
    """
    parts: list[npt.NDArray[np.bytes_]] = []  # of the paths, RUN rows each
    paths: list[bytes] = []
    hashes, labels = array("q"), array("B")
    few = tuple((dict[str, int](), array("i")) for _ in range(3))  # testset, class, split
    sizes, times = array("q"), array("q")
    for number, cells in rows:
        name, label = cells[0], LABEL_NAMES.get(cells[1].lower())
        if label is None or not name or "\0" in name:
            raise UsageError(
                f"{path}: row {number}: has label {cells[1]!r} and path {name!r}; wants a path, and"
                " 0 (real) or 1 (fake)"
            )
        if cells[2] and cells[2] not in few[0][0] and (wrong := file_name(cells[2])):
            raise UsageError(f"{path}: row {number}: testset {cells[2]!r} {wrong}")
        labels.append(label)
        for cell, (codes_of, codes) in zip(cells[2:5], few, strict=True):
            codes.append(codes_of.setdefault(cell, len(codes_of)))
        sizes.append(_whole_number(path, cells[5]))
        times.append(_whole_number(path, cells[6]))
        paths.append(os.fsencode(name))
        hashes.append(hash(os.path.normpath(paths[-1])))  # a path has many spellings
        if len(paths) == RUN:
            parts.append(np.array(paths))
            paths.clear()
    if not labels:
        raise UsageError(f"{path}: has no rows")
    every = np.concatenate([*parts, np.array(paths, np.bytes_)])
    _refuse_twice(path, every, np.frombuffer(hashes, np.int64))
    columns = [Column(list(names), np.frombuffer(codes, np.int32)) for names, codes in few]
    samples = Samples(os.path.dirname(path) or ".", every, np.frombuffer(labels, np.uint8))
    numbers = [np.frombuffer(its, np.int64) for its in (sizes, times)]
    return Manifest(path, samples, columns[0], columns[1], columns[2], numbers[0], numbers[1])


def _of_pack(its: Pack) -> Manifest:
    names = its.about["names"]
    columns = [
        Column(names[name], np.ascontiguousarray(its.rows[name]))
        for name in ("testset", "class", "split")
    ]
    samples = Samples(its.folder, its.paths, np.ascontiguousarray(its.rows["label"]))
    unknown = np.full(len(its.rows), -1)  # its images cannot change
    return Manifest(its.folder, samples, columns[0], columns[1], columns[2], unknown, unknown)


def read_column(path: str, name: str) -> dict[str, str]:
    """Return a column, which may be another than COLUMNS, of a manifest that `read_manifest` takes:
    its cells by path. Raises UsageError where there is no such column.
    """
    with open_csv(path) as file:
        cells = {its[0]: its[2] for _, its in _rows(path, file, ("path", "label", name))}
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


def _rows(
    path: str, file: Iterable[str], names: Sequence[str]
) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield (line number, cells of the columns `names`), "" for a column that is not there.

    Raises UsageError for wrong columns, a row of another length, a line that is no object, and a
    column of `names` beyond COLUMNS that no row has.
    """
    read = _json_lines if path.endswith(".jsonl") else _csv_rows
    return read(path, file, names)


def _csv_rows(
    path: str, file: Iterable[str], names: Sequence[str]
) -> Iterator[tuple[int, Sequence[str]]]:
    reader = csv.reader(file, strict=True)
    header = next(reader, [])
    if wrong := wrong_separator(header):
        raise UsageError(f"{path}: {wrong}")
    if missing := [name for name in ("path", "label") if name not in header]:
        raise UsageError(f"{path}: has no column {missing[0]}; wants {', '.join(COLUMNS)}")
    _require_column(path, names, header)
    last = {name: place for place, name in enumerate(header)}  # of two of one name, the last
    cells = itemgetter(*(last.get(name, len(header)) for name in names))
    for row in reader:
        if len(row) != len(header):
            raise UsageError(f"{path}: row {reader.line_num}: not {len(header)} cells")
        row.append("")  # what a missing column has
        yield reader.line_num, cells(row)


def _json_lines(
    path: str, file: Iterable[str], names: Sequence[str]
) -> Iterator[tuple[int, Sequence[str]]]:
    found: set[str] = set()
    for number, line in enumerate(file, 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}: row {number}: is no JSON ({error})") from error
        if not isinstance(row, dict) or not {"path", "label"} <= set(row):
            raise UsageError(f'{path}: row {number}: wants {{"path": ..., "label": ...}}')
        found |= row.keys()
        yield number, ["" if (cell := row.get(name)) is None else str(cell) for name in names]
    _require_column(path, names, found)


def _require_column(path: str, names: Sequence[str], found: Collection[str]) -> None:
    if lost := [name for name in names if name not in COLUMNS and name not in found]:
        raise UsageError(f"{path}: has no column {lost[0]}")


def _whole_number(path: str, cell: str) -> int:
    try:
        return int(cell) if cell else -1
    except ValueError as error:
        raise UsageError(f"{path}: size and mtime_ns want whole numbers ({error})") from error


def _refuse_twice(path: str, paths: npt.NDArray[np.bytes_], hashes: npt.NDArray[np.int64]) -> None:
    """Raise UsageError where two paths are one; equal ones have equal `hashes`."""
    ordered, counts = np.unique(hashes, return_counts=True)
    suspects = np.flatnonzero(np.isin(hashes, ordered[counts > 1]))
    plain = Counter(os.path.normpath(name) for name in paths[suspects].tolist())
    for name, count in plain.most_common(1):
        if count > 1:
            raise UsageError(f"{path}: lists {os.fsdecode(name)} more than once")


def refuse_stale(manifest: Manifest, every: int) -> None:
    """Raise UsageError where a file is gone, or not of the size and time that the manifest says.

    Checks each `every`-th file.
    """
    for index in range(0, len(manifest.sizes), every):
        recorded = int(manifest.sizes[index]), int(manifest.times[index])
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
