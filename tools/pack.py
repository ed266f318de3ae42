"""Put a data set into a few large files: `python -m tools.pack dataset --out dataset/packed`."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from data.geometry import Resize
from data.images import image_size
from data.manifest_file import COLUMNS, Column, Manifest, collect, read_manifest
from data.packed import FORMAT, INDEX, PATHS, ROWS, open_pack, resized_as
from data.samples import fingerprint
from data.sources import find_all_sets
from options.pack_options import PackOptions
from options.parse import parse
from tools.manifest import rows
from tools.packing.shards import PER_SHARD, Shard, rows_file, write_shard
from tools.released.fetch import require_space
from util.console import as_typed, say, warn
from util.errors import UsageError, WorkError, run
from util.files import atomic_write, write_json
from util.processes import parallel_map
from util.progress import Progress, amount, begin, end

BEGUN = "packing.json"  # what an unfinished pack is being made of
SAMPLE = 200  # images whose headers are read to guess how large a pack will be
SHARES = {"pixels": 1.0, "zstd": 0.75}  # of the decoded bytes that a store takes, at most


def sorted_rows(dataroot: str) -> Manifest:
    """Return the rows of a folder or a manifest, sorted by path, each path below their folder.

    Raises UsageError where an image lies outside of it: a pack has names from one folder.
    """
    if os.path.isfile(dataroot):
        found = read_manifest(dataroot)
    else:
        sets = find_all_sets(dataroot)
        found = collect(os.path.join(dataroot, ""), _cells(rows(sets, dataroot)))
    order = np.argsort(found.samples.paths, kind="stable")
    samples = found.samples.take(order)
    for path in samples.paths:
        if path.startswith((b"/", b"../")) or os.path.normpath(path) != path:
            raise UsageError(
                f"{dataroot}: {os.fsdecode(path)} lies outside of its folder, or is spelled with"
                " dots; pack the folder that holds all images"
            )
    few = [
        Column(its.names, its.codes[order]) for its in (found.testsets, found.classes, found.splits)
    ]
    return found._replace(
        samples=samples,
        testsets=few[0],
        classes=few[1],
        splits=few[2],
        sizes=found.sizes[order],
        times=found.times[order],
    )


def _cells(dicts: Iterator[dict[str, Any]]) -> Iterator[tuple[int, Sequence[str]]]:
    for number, row in enumerate(dicts):
        yield number, [str(row.get(name, "")) for name in COLUMNS]


def pack(options: PackOptions) -> None:
    """Make the pack that `options` ask for.

    Raises UsageError where the folder holds something else, or the source is a pack, and WorkError,
    once the pack is made of the others, where an image could not be read.
    """
    begun = begin(options.quiet)
    (dataroot,) = options.dataroot
    if not os.path.exists(dataroot):
        raise UsageError(f"{dataroot}: no such file or folder")
    if open_pack(dataroot):
        raise UsageError(f"{dataroot}: is a pack; pack the folder that it was made from")
    source = sorted_rows(dataroot)
    state = {"store": options.store, "source": _state(source)}
    resize = None
    if options.loadSize:
        resize = Resize(options.loadSize, (options.rz_interp,))
        state["resized"] = resized_as(options.loadSize, resize.methods)
    if os.path.isfile(os.path.join(options.out, INDEX)):
        _require_same(options.out, state)
        say(f"{options.out}: is packed already, and nothing has changed")
        return
    _begin(options.out, state)
    _require_space(options, source, resize)
    every = _write_shards(options, source, resize)
    _finish(options.out, source, every, state=state)
    lengths = every["length"]
    count, lost = int((lengths >= 0).sum()), int((lengths < 0).sum())
    size = amount(int(lengths.clip(0).sum()))
    say(f"{options.out}: {count:,} images, {size}, as {options.store}")
    if lost:
        raise WorkError(f"{lost:,} images could not be read and are not in the pack; named above")
    flags = state.get("resized", "").split()
    end(begun, as_typed("train.py", "--dataroot", options.out, *flags, "--dry_run"))


def _state(source: Manifest) -> str:
    """Return a hash of the images' names, labels, sizes and times."""
    digest = hashlib.sha256(fingerprint(source.samples).encode())
    for column in (source.samples.labels, source.sizes, source.times):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()[:32]


def _require_same(out: str, state: dict[str, str]) -> None:
    its = open_pack(out)
    if its is None:
        raise UsageError(f"--out {out}: its {INDEX} is another program's; name another folder")
    different = {
        "store": "as another --store",
        "source": "of other images, or changed",
        "resized": "of images resized otherwise",
    }
    for name, words in different.items():
        if its.about.get(name) != state.get(name):
            raise UsageError(
                f"--out {out}: is a pack {words}; name another folder, or remove this one"
            )


def _begin(out: str, state: dict[str, str]) -> None:
    """Note what is packed. Raises UsageError where the folder holds what is not of this packing."""
    place = os.path.join(out, BEGUN)
    if os.path.exists(place):
        with open(place, encoding="utf-8") as file:
            if json.load(file) != state:
                raise UsageError(
                    f"--out {out}: holds an unfinished pack of other images, of another --store or"
                    " --loadSize, or of images that have changed since; remove it, or name another"
                    " folder"
                )
        return
    if os.path.isdir(out) and os.listdir(out):
        raise UsageError(f"--out {out}: is not empty; name a new folder")
    write_json(place, state)


def _require_space(options: PackOptions, source: Manifest, resize: Resize | None) -> None:
    """Raise UsageError where the disk has less room than what is still to be packed will take."""
    starts = range(0, len(source.sizes), PER_SHARD)
    todo = sum(not os.path.exists(rows_file(options.out, k)) for k in range(len(starts)))
    if options.store == "original":
        whole = float(source.sizes.clip(0).sum())
    else:
        count = len(source.sizes)
        chosen = np.unique(np.linspace(0, count - 1, min(SAMPLE, count)).astype(int)).tolist()
        sizes = [image_size(source.samples.path(index)) for index in chosen]
        if resize:
            sizes = [resize.new_size(*size) for size in sizes if all(size)]
        area = float(np.mean([height * width for height, width in sizes] or [0]))
        whole = 3 * area * count * SHARES[options.store]
    require_space(options.out, whole * todo / max(1, len(starts)), "the pack")


def _write_shards(
    options: PackOptions, source: Manifest, resize: Resize | None
) -> npt.NDArray[np.void]:
    """Write the shards that are not there yet; return the rows of all, with the length -1 for an
    image that cannot be read.
    """
    count = len(source.sizes)
    shards = [
        Shard(number, [source.samples.path(index) for index in range(first, last)])
        for number, first in enumerate(range(0, count, PER_SHARD))
        for last in [min(first + PER_SHARD, count)]
    ]
    todo = [its for its in shards if not os.path.exists(rows_file(options.out, its.number))]
    done = count - sum(len(its.paths) for its in todo)
    write = functools.partial(
        write_shard,
        folder=options.out,
        store=options.store,
        resize=resize,
        max_pixels=options.max_pixels,
    )
    with Progress(count, "packing", unit="image", initial=done, delay=1) as bar:
        written = parallel_map(write, todo, processes=options.processes, flag="--processes")
        for shard, errors in zip(todo, written, strict=True):
            for error in errors:
                warn(error)
            bar.update(len(shard.paths))
    return np.concatenate([np.load(rows_file(options.out, its.number)) for its in shards])


def _finish(
    out: str, source: Manifest, every: npt.NDArray[np.void], *, state: dict[str, str]
) -> None:
    """Write the index of the rows `every`, `pack.json` last, and remove what led there."""
    every["label"] = source.samples.labels
    every["size"], every["mtime_ns"] = source.sizes, source.times
    columns = {"testset": source.testsets, "class": source.classes, "split": source.splits}
    for name, column in columns.items():
        every[name] = column.codes
    there = every["length"] >= 0
    for file_name, values in ((PATHS, source.samples.paths), (ROWS, every)):
        with atomic_write(os.path.join(out, file_name), "wb") as file:
            np.save(file, values[there])
    names = {name: column.names for name, column in columns.items()}
    about = {"format": FORMAT, "images": int(there.sum()), **state, "names": names}
    write_json(os.path.join(out, INDEX), about)
    for shard in range(-(-len(every) // PER_SHARD)):
        os.remove(rows_file(out, shard))
    os.remove(os.path.join(out, BEGUN))


if __name__ == "__main__":
    run(lambda: pack(parse(PackOptions)))
