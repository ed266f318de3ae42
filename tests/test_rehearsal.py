"""The commands at the size of the real data: 90,329 test images, 720,000 training images.

Memory is bounded; seconds are only printed (`pytest -s`), since machines differ.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pathlib
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from data import images
from data.dataset import TrainImages, TrainItem
from data.geometry import CentreCrop
from data.images import UnreadableImage
from data.manifest_file import read_manifest
from data.order import EpochBatches, epoch_order, make_pools
from data.samples import LABELS, Samples, find_samples, fingerprint
from data.sources import find_testsets
from data.train_batches import train_reader
from options.manifest_options import ManifestOptions
from options.parse import parse
from tests import commands
from tests.conftest import children, write_image
from tools import manifest
from tools.checks.findings import Report
from tools.released.counts import published_train
from tools.verify import check

TESTSETS = {  # images of both labels, as published
    **{"progan": 8000, "stylegan": 11982, "biggan": 4000, "cyclegan": 2642, "stargan": 3998},
    **{"gaugan": 10000, "crn": 12764, "imle": 12764, "seeingdark": 360, "san": 438},
    **{"deepfake": 5405, "stylegan2": 15976, "whichfaceisreal": 2000},
}
EACH = 18_000  # training images of each class and label; the paper: 18,000 of each label
NUM_TRAIN = 20 * 2 * EACH
PATH_BYTES = len("diningtable/0_real/00000.png")  # the longest path below train/
SIDE = 16  # of the training images, in pixels
WORKERS = 2
BATCH = 500
PROC = pathlib.Path("/proc/self")
on_linux = pytest.mark.skipif(not PROC.exists(), reason="memory is read from /proc")

# Megabytes: about one and a half times what was measured; of the workers, twice: they fill up
# what is free in the memory that they inherit, once, and how much that is differs.
MAX_LISTING = 220
MAX_MANIFEST_WRITTEN = 180
MAX_MANIFEST_READ = 150
MAX_VERIFIED = 120
MAX_WORKER_GROWTH = 16


class Cost(NamedTuple):
    """What a task gave, and what it took."""

    answer: Any
    seconds: float
    megabytes: float  # by which the process grew, at its peak


def kilobytes(name: str) -> int:
    """A figure of this process from /proc/self/status."""
    lines = (PROC / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def measured(task: Callable[..., object], *arguments: object) -> Cost:
    before = kilobytes("VmRSS") if PROC.exists() else 0
    started = time.monotonic()
    answer = task(*arguments)
    seconds = time.monotonic() - started
    grown = kilobytes("VmHWM") - before if PROC.exists() else 0
    return Cost(answer, seconds, grown / 1024)


def in_a_new_process(task: Callable[..., object], *arguments: object) -> Cost:
    """Measured where no memory is left over from other tests, which would hide the growth."""
    commands.start_server()
    with ProcessPoolExecutor(1, commands.CONTEXT) as pool:
        cost = pool.submit(measured, task, *arguments).result()
    tell(task.__name__, cost.seconds, cost.megabytes)
    return cost


def tell(what: str, seconds: float, megabytes: float) -> None:
    print(f"\nrehearsal: {what}: {seconds:.1f} s, {megabytes:.1f} MB")


def write_manifest(dataroot: str, out: str) -> None:
    manifest.write(parse(ManifestOptions, [dataroot, "--out", out]))


def check_quickly(root: str) -> Report:
    return check(root, quick=True)


def summary(samples: Samples) -> tuple[int, int, str]:
    """Enough to tell two listings apart, and little to send: images, fakes, hash of the paths."""
    return len(samples.paths), int(samples.labels.sum()), fingerprint(samples)


# --- the test sets ---


def full_paths(sets: dict[str, Samples]) -> dict[str, list[tuple[str, int]]]:
    return {
        name: [
            (os.path.normpath(its.path(index)), label)
            for index, label in enumerate(its.labels.tolist())
        ]
        for name, its in sets.items()
    }


def test_the_test_sets_are_found_to_the_last_file(real_skeleton: pathlib.Path) -> None:
    cost = in_a_new_process(find_testsets, str(real_skeleton))
    found: dict[str, Samples] = cost.answer
    assert {name: len(its.labels) for name, its in found.items()} == TESTSETS
    assert sum(TESTSETS.values()) == 90_329
    fakes = {name: int(its.labels.sum()) for name, its in found.items()}
    assert fakes == {**{n: number // 2 for n, number in TESTSETS.items()}, "deepfake": 2698}
    san = found["san"].paths.tolist()
    assert sum(path.endswith(b".bmp") for path in san) == 19
    odd = [path for path in found["cyclegan"].paths.tolist() if b" " in path and b":" in path]
    assert len(odd) > 1000
    assert all(os.path.exists(found["cyclegan"].path(index)) for index in range(0, 2642, 100))


def test_a_manifest_of_the_test_sets_gives_the_same(
    real_skeleton: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    out = str(tmp_path / "manifest.csv")
    in_a_new_process(write_manifest, str(real_skeleton), out)
    found: dict[str, Samples] = in_a_new_process(find_testsets, out).answer
    assert full_paths(found) == full_paths(find_testsets(str(real_skeleton)))


def test_the_test_sets_are_whole_by_either_way(
    real_skeleton: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    out = str(tmp_path / "manifest.csv")
    write_manifest(str(real_skeleton), out)
    for root in (str(real_skeleton), out):
        cost = in_a_new_process(check_quickly, root)
        report: Report = cost.answer
        assert report.is_whole()
        assert report.images == 90_329
        assert {row.state for row in report.rows} == {"counts as published"}
        assert {row.set: row.real + row.fake for row in report.rows} == TESTSETS


# --- the training images ---


@pytest.fixture(scope="module")
def train_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """A root with train/: 720,000 names for 40 tiny files, one file a folder: ext4 allows 65,000
    hard links to a file.
    """
    root = tmp_path_factory.mktemp("rehearsal")
    started = time.monotonic()
    for number, name in enumerate(published_train()[0]):
        for label in LABELS:
            source = root / "files" / label / f"{name}.png"
            write_image(source, number, (SIDE, SIDE))
            folder = root / "data/train" / name / label
            folder.mkdir(parents=True)
            at = os.open(folder, os.O_RDONLY)
            for image in range(EACH):
                os.link(source, f"{image:05}.png", dst_dir_fd=at)
            os.close(at)
    tell("make the training skeleton", time.monotonic() - started, 0)
    yield root / "data"
    shutil.rmtree(root)  # pytest keeps those of three runs


@pytest.fixture(scope="module")
def train(train_root: pathlib.Path) -> Samples:
    return find_samples(str(train_root / "train"))


def list_training_images(root: str) -> tuple[int, int, str, int]:
    samples = find_samples(root)
    return *summary(samples), samples.paths.nbytes + samples.labels.nbytes


@on_linux
def test_the_training_images_are_listed_in_little_memory(train_root: pathlib.Path) -> None:
    cost = in_a_new_process(list_training_images, str(train_root / "train"))
    count, fakes, _, nbytes = cost.answer
    assert (count, fakes) == (NUM_TRAIN, NUM_TRAIN // 2)
    assert nbytes == NUM_TRAIN * (PATH_BYTES + 1)
    assert cost.megabytes < MAX_LISTING


def read_splits(path: str) -> tuple[int, int, str]:
    return summary(read_manifest(path).select(split="train"))


@on_linux
def test_a_manifest_of_the_training_images_gives_the_same(
    train_root: pathlib.Path, train: Samples, tmp_path: pathlib.Path
) -> None:
    out = str(tmp_path / "manifest.csv")
    written = in_a_new_process(write_manifest, str(train_root), out)
    read = in_a_new_process(read_splits, out)
    way = os.path.relpath(train.root, tmp_path)
    paths = np.char.add(os.fsencode(f"{way}/"), train.paths)
    assert read.answer == summary(Samples(str(tmp_path), paths, train.labels))
    assert written.megabytes < MAX_MANIFEST_WRITTEN
    assert read.megabytes < MAX_MANIFEST_READ


@on_linux
def test_the_training_images_are_checked(train_root: pathlib.Path) -> None:
    cost = in_a_new_process(check_quickly, str(train_root))
    report: Report = cost.answer
    assert report.is_whole()
    assert report.images == NUM_TRAIN
    row = next(row for row in report.rows if row.set == "train")
    assert (row.real, row.fake) == (NUM_TRAIN // 2, NUM_TRAIN // 2)
    assert cost.megabytes < MAX_VERIFIED


def plan(samples: Samples, batch_size: int, batches: int) -> EpochBatches:
    pools = make_pools(
        samples.labels,
        len(samples.labels),
        None,
        batch_size=batch_size,
        replay_fraction=0.0,
        world_size=1,
    )
    order = epoch_order(pools, balanced=False, seed=0, epoch=0)
    return EpochBatches(order, 0, batch_size, 0, batches, rank=0, world_size=1)


@on_linux
def test_the_first_batch_reads_no_more_than_a_few(
    train_root: pathlib.Path, train: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = multiprocessing.get_context("fork").Value("i", 0)

    def counted(path: str) -> bytes:
        with opened.get_lock():
            opened.value += 1
        return images.read_plain(path)

    monkeypatch.setattr("data.samples.read_plain", counted)
    started = time.monotonic()
    read = train_reader(TrainImages(train, [CentreCrop(8)], seed=0), WORKERS, pin_memory=False)
    batch = next(iter(read(plan(train, 64, 1000))))
    tell("first batch", time.monotonic() - started, 0)
    time.sleep(1)  # for the workers to read ahead as far as they will
    assert batch.images.shape == (64, 3, 8, 8)
    assert batch.targets.tolist() == train.labels[batch.indices].tolist()
    assert not batch.unreadable
    assert 64 <= opened.value <= 64 * (2 * WORKERS + 1)  # two batches ahead in each worker


def private_megabytes(pid: int) -> float:
    """The memory that belongs to a process alone."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def worker_growth(dataset: TrainImages, number: int) -> npt.NDArray[np.float64]:
    """By how many MB each worker grows from its first images (four batches) to the last."""
    multiprocessing.set_start_method("fork", force=True)  # as in train.py, not as in this suite
    read = train_reader(dataset, WORKERS, pin_memory=False)
    started = time.monotonic()
    for count, _ in enumerate(read(plan(dataset.samples, BATCH, number // BATCH)), 1):
        if count * BATCH == 2000:
            workers = children(os.getpid())
            first = [private_megabytes(pid) for pid in workers]
    grown = np.array([private_megabytes(pid) for pid in workers]) - first
    assert len(grown) == WORKERS
    tell(f"{number:,} images by {type(dataset).__name__}", time.monotonic() - started, grown.max())
    return grown


class Collecting(TrainImages):
    """Collects garbage now and then, as Python does when it likes."""

    def __getitem__(self, key: tuple[int, int]) -> TrainItem | UnreadableImage:
        if key[1] % 10_000 == 0:
            gc.collect()
        return super().__getitem__(key)


class ListOfPaths(TrainImages):
    """What Samples is there to avoid: each use of a str changes its reference count, and so copies
    its page of memory into the worker.
    """

    def __init__(self, samples: Samples) -> None:
        super().__init__(samples, [CentreCrop(8)], seed=0)
        self.files = [samples.path(index) for index in range(len(samples.paths))]

    def __getitem__(self, key: tuple[int, int]) -> TrainItem | UnreadableImage:
        assert self.files[key[1]].endswith(".png")
        return super().__getitem__(key)


@on_linux
def test_workers_stay_as_small_as_they_are(train: Samples) -> None:
    dataset = Collecting(train, [CentreCrop(8)], seed=0)
    grown = in_a_new_process(worker_growth, dataset, 100_000).answer
    assert grown.max() < MAX_WORKER_GROWTH


@on_linux
def test_workers_with_a_list_of_paths_would_grow(train: Samples) -> None:
    """The contrast, after two fifths of the images: the test above can fail."""
    grown = in_a_new_process(worker_growth, ListOfPaths(train), 40_000).answer
    assert grown.min() > 2 * MAX_WORKER_GROWTH
