"""Fetch the paper's images and weights: `python -m tools.download testset val train weights`."""

from __future__ import annotations

import json
import os
from pathlib import Path

from data.testsets import ORDER
from options.download_options import DownloadOptions
from options.names import DETECTORS
from options.parse import parse
from tools.released.fetch import fetch_checked, require_space
from tools.released.hub import (
    REPOSITORY,
    SPLITS,
    Split,
    ask_hub,
    describe_archives,
    find,
    obtain,
    still_to_fetch,
)
from util.console import as_typed, warn
from util.errors import Interrupted, WorkError, run
from util.files import atomic_write, sha256
from util.progress import amount, begin, end

HERE = Path(__file__).parent / "released"
MARKER = ".unpacked.json"
WEIGHTS_URL = "https://www.dropbox.com/s"
WEIGHTS = {  # the reference's, by file name: where they are published
    "blur_jpg_prob0.5.pth": "2g2jagq2jn1fd0i/blur_jpg_prob0.5.pth?dl=1",
    "blur_jpg_prob0.1.pth": "h7tkpcgiwuftb6g/blur_jpg_prob0.1.pth?dl=1",
}
REFERENCE = "https://github.com/PeterWang512/CNNDetection"


def get_split(name: str, options: DownloadOptions) -> None:
    """Fetch, check and unpack the test sets, the validation or the training images.

    Raises UsageError for want of disk space, before anything is fetched; WorkError as the hub,
    the network and the archives give reason to.
    """
    split = SPLITS[name]
    target = os.path.join(options.root, split.folder)
    folder = os.path.join(options.root, "archives")
    if is_complete(target):
        print(f"{target}: complete already (remove {target}/{MARKER} to have it checked again)")
        if options.delete_archives:
            tidy_up([path for a in split.archives if (path := find(a, folder))], folder, True)
        return
    wanted = split.archives
    if name == "train" and options.parts:
        wanted = tuple(split.archives[number - 1] for number in sorted(set(options.parts)))
    lacking = [a for a in split.archives if a not in wanted and not find(a, folder)]
    if lacking:
        get_archives(split, wanted, folder=folder, target=target)
        print(
            f"{folder}: nothing is unpacked before all {len(split.archives)} volumes are there;"
            f" still to fetch: {', '.join(lacking)}"
        )
        return
    paths = get_archives(split, split.archives, folder=folder, target=target)
    unpack_split(
        split, paths, target=target, known=set(ORDER) if name == "testset" else class_names()
    )
    tidy_up(paths, folder, options.delete_archives)


def get_archives(split: Split, wanted: tuple[str, ...], *, folder: str, target: str) -> list[str]:
    """Fetch the archives `wanted` into `folder`, where they are not on this machine; check all.

    Returns their paths. Raises UsageError where the disk has no room for them and their contents.
    """
    published = ask_hub(wanted)
    sizes = {archive: split.size / len(split.archives) for archive in wanted}
    if isinstance(published, str):
        if missing := [archive for archive in wanted if not find(archive, folder)]:
            raise WorkError(
                f"{published}; {', '.join(missing)} can be fetched by other means from dataset"
                f" {REPOSITORY} and put into {folder}"
            )
        warn(f"{published}; size and SHA-256 of {', '.join(wanted)} could not be checked")
        published = {}
    else:
        sizes |= {archive: published[archive].size for archive in wanted}
    needed = still_to_fetch(wanted, folder, sizes)
    if needed:
        print(f"{REPOSITORY}: {describe_archives(wanted, sizes)}", flush=True)
        # PNG images hardly shrink: unpacked they are about as large as the archive. What it is
        # exactly, unpack() learns from the archive, and asks the disk again.
        contents = sum(sizes.values()) if wanted == split.archives else 0
        require_space(
            folder,
            needed + contents,
            f"{amount(needed)} to fetch"
            + (f" and about {amount(contents)} to unpack into {target}" if contents else ""),
        )
    paths = [obtain(archive, folder, published.get(archive)) for archive in wanted]
    if published:
        print(f"{', '.join(wanted)}: size and SHA-256 are the published ones", flush=True)
    return paths


def unpack_split(split: Split, paths: list[str], *, target: str, known: set[str]) -> None:
    """Unpack and say what there is; `known` folders are missed where the archive lacks them."""
    from tools.released.archives import unpack  # noqa: PLC0415 - --help should not wait for py7zr

    unpacked = unpack(paths, target, known)
    with atomic_write(os.path.join(target, MARKER)) as file:
        json.dump({"archives": split.archives, "files": unpacked.files}, file)
    print(
        f"{target}: {unpacked.files:,} files in {len(unpacked.folders)} folders,"
        f" {unpacked.files - unpacked.written:,} of them there already",
        flush=True,
    )
    if missing := sorted(known - set(unpacked.folders)):
        warn(f"{target}: the archive has no folder {', '.join(missing)}")


def is_complete(target: str) -> bool:
    """Whether an archive was unpacked here, and no file has gone since."""
    try:
        files = json.loads((Path(target) / MARKER).read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return sum(len(names) for _, _, names in os.walk(target)) > files  # the marker is one more


def tidy_up(paths: list[str], folder: str, delete: bool) -> None:
    """Delete the archives in `folder` if asked to, or say where they are."""
    size = sum(os.path.getsize(path) for path in paths)
    ours = [path for path in paths if os.path.dirname(path) == folder]
    if not delete:
        where = folder if ours else os.path.dirname(paths[0])
        print(f"{where}: keeps {amount(size)} of archives (--delete_archives removes them)")
        return
    for path in ours:  # those in the hub's cache are the hub's
        os.remove(path)
    print(f"{folder}: {len(ours)} archives deleted")


def class_names() -> set[str]:
    """Return the class folders of train and val."""
    testsets = json.loads((HERE / "testsets.json").read_bytes())
    return set(testsets["train"]["classes"])


def get_weights(folder: str) -> None:
    """Fetch the reference's two checkpoints into `folder` and check that they fit.

    One that is there already is checked alone. Raises WorkError that says how to get them by hand.
    """
    for name, address in WEIGHTS.items():
        path = os.path.join(folder, name)
        by_hand = f"get {name} by way of the README of {REFERENCE} and put it into {folder}"
        was_there = fetch_checked(
            f"{WEIGHTS_URL}/{address}", path, check=check_resnet50, by_hand=by_hand
        )
        size = amount(os.path.getsize(path))
        told = "there already" if was_there else "fetched"
        print(f"{path}: {told}, fits resnet50, {size}, SHA-256 {sha256(path)}", flush=True)


def check_resnet50(path: str) -> None:
    """Raise UsageError unless `path` holds weights of resnet50 with one output, to the key."""
    from networks.create import create_trained  # noqa: PLC0415 - torch takes seconds
    from networks.weights import read_weights  # noqa: PLC0415

    create_trained("resnet50", read_weights(path))


def main() -> None:
    """Fetch what the command line names, in its order; detectors first."""
    options = parse(DownloadOptions)
    begun = begin(options.quiet)
    try:
        if detectors := [name for name in options.what if name in DETECTORS]:
            from tools.released.detectors import get_detectors  # noqa: PLC0415 - torch

            get_detectors(detectors, options.checkpoints_dir, accepted=options.accept_licence)
        for name in dict.fromkeys(options.what):
            if name in DETECTORS or (name == "weights" and detectors):
                continue  # "weights" before the names of detectors means theirs
            if name == "weights":
                get_weights(options.checkpoints_dir)
            elif name == "mobilenet_v2":
                from tools.released.mobilenet import get_mobilenet  # noqa: PLC0415 - torch

                print(get_mobilenet(options.checkpoints_dir), flush=True)
            else:
                get_split(name, options)
    except KeyboardInterrupt as error:
        raise Interrupted("what is finished stays; the same command goes on from there") from error
    end(begun, next_step(options))


def next_step(options: DownloadOptions) -> str:
    """Return the command that uses what was fetched: images before weights before a start."""
    if set(SPLITS) & set(options.what):
        return as_typed("-m", "tools.verify", options.root)
    if "mobilenet_v2" in options.what:
        init = os.path.join(options.checkpoints_dir, "mobilenet_v2_imagenet.pth")
        return as_typed(
            *("train.py", "--name", "NAME", "--arch", "mobilenet_v2", "--init", init),
            *("--preset", "blur_jpg_prob0.5", "--dataroot", options.root),
        )
    if set(DETECTORS) & set(options.what):
        return "score with it, as said above"
    weights = os.path.join(options.checkpoints_dir, next(iter(WEIGHTS)))
    test = os.path.join(options.root, "test")
    return as_typed("eval.py", "--model_path", weights, "--dataroot", test)


if __name__ == "__main__":
    run(main)
