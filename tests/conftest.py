"""What several tests share: a toy data set, and the scripts run as a user runs them."""

from __future__ import annotations

import gc
import os
import pathlib
import subprocess
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

from tests import commands, undrawn
from tools.released.counts import published_counts

ROOT = commands.ROOT
pytest_plugins = ["tests.in_browser"]  # a browser for the tests of pages
Script = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_sessionfinish() -> None:
    """Let go of readers that a failed run has left in a cycle: their workers ignore SIGTERM, and
    Python would wait for them for ever as it ends.
    """
    gc.collect()


# A network and images small enough for a CPU to train in seconds.
TOY_OPTIONS = [
    *("--init", "scratch", "--arch", "mobilenet_v3_small", "--loadSize", "40", "--cropSize", "32"),
    *("--batch_size", "8", "--num_threads", "0", "--device", "cpu", "--loss_freq", "1"),
]


def write_image(path: pathlib.Path, seed: int, size: tuple[int, int] = (40, 40)) -> None:
    """Smooth random colours; those under 1_fake with a dark grid, which is easy to learn."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(40, 216, (5, 5, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).astype(int)
    if "1_fake" in path.parts:
        pixels[::2] -= 100
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """24 training and 8 validation images in two classes, and three test sets."""
    root = tmp_path_factory.mktemp("toy")
    folders = [f"train/{c}" for c in ("cat", "dog")] * 6 + [f"val/{c}" for c in ("cat", "dog")] * 2
    folders += ["test/progan/cat", "test/progan/dog", "test/biggan", "test/own set"] * 4
    for number, folder in enumerate(folders):
        for label in ("0_real", "1_fake"):
            write_image(root / folder / label / f"{number}.png", 2 * number + (label == "1_fake"))
    return root


def name_of(testset: str, number: int) -> str:
    """CycleGAN's names hold spaces and colons; others are numbers."""
    if testset == "cyclegan" and number % 2:
        return f"2014-08-{number % 28 + 1:02} 07:{number % 60:02}:{number:04}_fake B"
    return f"{number:05}"


@pytest.fixture(scope="session")
def real_skeleton(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The released test sets by name and number: 90,329 names for small files, a file a folder:
    ext4 allows 65,000 hard links to a file, and makes one twenty times as fast as a symbolic one.
    """
    root = tmp_path_factory.mktemp("skeleton")
    for testset, counts in published_counts().items():
        if testset == "val":
            continue
        for (folder, ending), number in counts.items():
            source = root / "files" / testset / folder / f"a{ending}"
            write_image(source, 1, (4, 4))
            at = root / "test" / testset / folder
            at.mkdir(parents=True, exist_ok=True)
            for i in range(number):
                os.link(source, f"{at}/{name_of(testset, i)}{ending}")
    return root / "test"


@pytest.fixture(scope="session")
def script() -> Script:
    """Run a script of the project in a process of its own."""
    return commands.run


@pytest.fixture
def figures() -> Iterator[None]:
    """Reports have their figures (tests/undrawn.py)."""
    with undrawn.figures():
        yield


def assert_wrong_usage(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit 2, one line on standard error, nothing on standard output, the words in the line."""
    assert result.returncode == 2, result
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    for word in words:
        assert word in result.stderr


def children(pid: int) -> list[int]:
    """The processes that `pid` has started."""
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in text.split()]
