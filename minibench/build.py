"""Build the miniature benchmark: `python -m minibench.build --out dataset/mini`."""

import hashlib
import io
import json
import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from minibench.edits import KINDS, edit
from minibench.families import (
    FAMILIES,
    JPEG_FAMILIES,
    NETWORKS,
    SHALLOW,
    SHARED_REALS,
    WITH_CLASS_FOLDERS,
    family_and_class,
    network_of,
)
from minibench.photographs import (
    CLUSTER,
    FOLDER,
    SIZE,
    Crop,
    Pixels,
    cut,
    draw_crop,
    draw_different_crops,
)
from options.minibench_options import BuildOptions
from options.parse import parse
from util.console import as_typed
from util.errors import UsageError, run
from util.files import write_json
from util.progress import Progress, begin, end

HERE = Path(__file__).parent
WEIGHTS = HERE / "weights"
MARKER = "minibench.json"
NOTE = (
    "A miniature made by small generators after AutoGAN's idea (Zhang, Karaman, Chang, 2019). "
    "Its numbers are not those of the paper's benchmark."
)
TRAIN_PAIRS, VAL_PAIRS, TEST_PAIRS = 4000, 300, 200
TRAINED_ON = "progan"
"""The family of the train and val folders, as in the paper."""
FAMILY_TRAIN_PAIRS, FAMILY_VAL_PAIRS = 512, 150
"""Pairs of a build of one family (`--only`), to fine-tune on."""
BATCH = 25
"""Pairs per batch. Fixed: sums in another order would round to other bytes."""
JPEG_QUALITIES = (75, 95)


class Task(NamedTuple):
    """One batch of pairs of one folder, for a worker to write."""

    family: str
    folder: str
    crops: list[Crop]
    seed: list[int]


def plan(seed: int, only: str = "") -> list[Task]:
    """Draw all crops and divide them into batches, the same for the same seed.

    They are those of the whole benchmark or, with a family `only`, of its train and val folders.
    """
    folders = [("train", "train", TRAINED_ON, TRAIN_PAIRS), ("val", "val", TRAINED_ON, VAL_PAIRS)]
    folders += [("test", f"test/{family}", family, TEST_PAIRS) for family in FAMILIES]
    folders.append(("test", f"test/{SHALLOW}", SHALLOW, TEST_PAIRS))  # last: seeds follow the order
    if only:
        counts = {"train": FAMILY_TRAIN_PAIRS, "val": FAMILY_VAL_PAIRS}
        folders = [(split, split, only, pairs) for split, pairs in counts.items()]
    tasks = []
    for number, (split, folder, family, pairs) in enumerate(folders):
        draws_as = folder.replace(family, SHARED_REALS.get(family, family))
        draws_as = f"{only} {folder}" if only else draws_as  # other crops than the benchmark's
        rng = np.random.default_rng([seed, *draws_as.encode()])
        crops = draw_different_crops(split, pairs, rng)
        for start in range(0, pairs, BATCH):
            some = crops[start : start + BATCH]
            tasks.append(Task(family, folder, some, [seed, number, start]))
    return tasks


def encode(pixels: Pixels, quality: int | None) -> bytes:
    """Encode an image, (H, W, 3) uint8, as PNG, or as JPEG of the given quality."""
    file, image = io.BytesIO(), Image.fromarray(pixels)
    if quality is None:
        image.save(file, "PNG")
    else:
        image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def write_pairs(task: Task, root: Path) -> int:
    """Write one batch of pairs below `root` and return the number of images.

    Real and fake of a pair have the same file name and go through the same crop, rounding and
    encoder (and JPEG quality), so that nothing but the generator, or the edit, tells them apart.
    """
    rng = np.random.default_rng(task.seed)
    is_test = task.folder.startswith("test/")
    with_classes = task.family in (WITH_CLASS_FOLDERS if is_test else {TRAINED_ON})
    reals = [cut(crop) for crop in task.crops]
    if task.family == SHALLOW:
        made = edits_of(task, reals, rng)
    else:
        fakes = fakes_by_class(task, reals, int(rng.integers(2**31)))
        made = [(crop.name, fake) for crop, fake in zip(task.crops, fakes, strict=True)]
    for crop, real, (name, fake) in zip(task.crops, reals, made, strict=True):
        low, high = JPEG_QUALITIES
        jpeg = task.family in JPEG_FAMILIES
        quality = int(rng.integers(low, high + 1)) if jpeg else None
        folder = root / task.folder / (crop.kind if with_classes else "")
        for label, pixels in (("0_real", real), ("1_fake", fake)):
            path = folder / label / f"{name}.{'jpeg' if jpeg else 'png'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(pixels, quality))
    return 2 * len(task.crops)


def fakes_by_class(task: Task, reals: list[Pixels], seed: int) -> list[Pixels]:
    """Return the fakes of a batch, each from its class's network where the family has several."""
    from minibench.fakes import fakes_of  # noqa: PLC0415 - only the workers need torch

    networks = [network_of(task.family, crop.kind) for crop in task.crops]
    fakes = list(reals)
    for network in dict.fromkeys(networks):
        chosen = [at for at, its in enumerate(networks) if its == network]
        made = fakes_of(network, [reals[at] for at in chosen], seed)
        for at, fake in zip(chosen, made, strict=True):
            fakes[at] = fake
    return fakes


def edits_of(task: Task, reals: list[Pixels], rng: np.random.Generator) -> list[tuple[str, Pixels]]:
    """Return for each crop of `task` a name that tells the kind of edit, and the edited image."""
    made, first = [], task.seed[-1]  # the place of this batch in the set: the kinds take turns
    for number, (crop, real) in enumerate(zip(task.crops, reals, strict=True), first):
        kind = KINDS[number % len(KINDS)]
        while (other := draw_crop("test", rng)).photograph == crop.photograph:
            pass
        made.append((f"{crop.name}_{kind}", edit(kind, real, other=cut(other), rng=rng)))
    return made


def _start_worker() -> None:
    from minibench.fakes import start_worker  # noqa: PLC0415 - as above

    start_worker()


def fingerprint(seed: int, only: str) -> str:
    """Return a SHA-256 of all that determines the images, as hexadecimal digits.

    That is the seed, the family, the photographs, the weights and the code that makes the images.
    """
    paths = [*FOLDER.glob("*.jpg"), *WEIGHTS.glob("*.safetensors"), *HERE.glob("generators/*.py")]
    sources = ("build.py", "edits.py", "fakes.py", "families.py", "photographs.py")
    paths += [HERE / name for name in sources]
    digest = hashlib.sha256(f"seed {seed} {only}\n".encode())
    for path in sorted(paths):
        digest.update(path.relative_to(HERE).as_posix().encode() + b"\n")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def make_images(root: Path, tasks: list[Task], processes: int) -> int:
    """Write all images below `root` and return their number."""
    total = 0
    workers = ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    with (
        workers as pool,
        Progress(sum(2 * len(task.crops) for task in tasks), "", unit="image", leave=True) as bar,
    ):
        try:
            for number in pool.map(write_pairs, tasks, [root] * len(tasks)):
                total += number
                bar.update(number)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # drop the queue rather than finish it
            raise
    return total


def build(out: Path, *, seed: int, processes: int, only: str) -> int:
    """Build the benchmark beside `out`, then move it there whole; return the number of images.

    Replaces what `out` holds; `main` decides whether it may.
    """
    partial = out.with_name(f".{out.name}.partial")
    replaced = out.with_name(f".{out.name}.replaced")
    shutil.rmtree(partial, ignore_errors=True)  # left by a build that was killed
    partial.mkdir(parents=True)
    try:
        images = make_images(partial, plan(seed, only), processes)
        about = {
            "benchmark": "minibench",
            "note": NOTE,
            "cluster": CLUSTER,
            "seed": seed,
            "images": images,
            "only": only,
            "size": SIZE,
            "torch": version("torch"),
            "fingerprint": fingerprint(seed, only),
        }
        write_json(str(partial / MARKER), about)
        if out.exists():
            out.rename(replaced)
        partial.rename(out)
    finally:
        if replaced.exists() and not out.exists():
            replaced.rename(out)
        shutil.rmtree(partial, ignore_errors=True)  # does not exist after success
        shutil.rmtree(replaced, ignore_errors=True)
    return images


def read_marker(out: Path) -> dict[str, Any] | None:
    """Return the content of minibench.json in `out`; None if that is no minibench."""
    try:
        about = json.loads((out / MARKER).read_bytes())
    except (OSError, ValueError):
        return None
    is_ours = isinstance(about, dict) and about.get("benchmark") == "minibench"
    return about if is_ours else None


def main() -> None:
    """Build as the command line says, unless the same build is there already."""
    options = parse(BuildOptions)
    begun = begin(options.quiet)
    out = Path(options.out).absolute()
    if options.only not in ("", *FAMILIES):
        raise UsageError(f"--only {options.only}: is not one of {', '.join(FAMILIES)}")
    missing = [name for name in NETWORKS if not (WEIGHTS / f"{name}.safetensors").is_file()]
    if missing:
        families = ",".join(dict.fromkeys(family_and_class(name)[0] for name in missing))
        command = f"python -m minibench.train_generators --families {families}"
        raise UsageError(f"generator weights are missing in {WEIGHTS}; to train them: {command}")
    about = read_marker(out)
    if about is None and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"--out {out}: exists and is no minibench; name another folder")
    if about is not None and not options.overwrite:
        if about.get("fingerprint") == fingerprint(options.seed, options.only):
            print(f"{options.out}: complete already, {about['images']} images")
            return
        raise UsageError(
            f"--out {out}: holds a minibench of another seed, family or version; add --overwrite to"
            " replace it, or name another folder"
        )
    images = build(out, seed=options.seed, processes=options.processes, only=options.only)
    print(f"{options.out}: {images} images")
    tuned = ("--init", "WEIGHTS") if options.only else ()
    argv = ("--name", options.only or "demo", "--preset", "minibench", "--dataroot", options.out)
    end(begun, as_typed("train.py", *argv, *tuned))


if __name__ == "__main__":
    run(main)
