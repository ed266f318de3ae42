"""What upsampling leaves in images, by minibench.traces: against slow loops, and pictures whose
traces are known.
"""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
from PIL import Image

from minibench.families import FAMILIES
from minibench.traces import block_ratio, peak, separable, traces_of
from tests.commands import run
from tests.conftest import assert_wrong_usage
from tests.tolerances import near


def noise(seed: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, (side, side))


def repeated(seed: int) -> np.ndarray:
    return np.kron(noise(seed, 16), np.ones((2, 2)))


def test_differences_inside_and_across_blocks_are_those_of_a_slow_loop() -> None:
    grey = noise(0, 8)
    inside, across = [], []
    for y in range(8):
        for x in range(7):
            (inside if x % 2 == 0 else across).append((grey[y, x] - grey[y, x + 1]) ** 2)
            (inside if x % 2 == 0 else across).append((grey[x, y] - grey[x + 1, y]) ** 2)
    found = traces_of(grey)
    assert found.inside == pytest.approx(np.mean(inside))
    assert found.across == pytest.approx(np.mean(across))


def test_repeated_pixels_are_told_from_noise_and_noise_from_nothing() -> None:
    plain = [traces_of(noise(seed)) for seed in range(40)]
    doubled = [traces_of(repeated(seed)) for seed in range(40)]
    for doubled_one in doubled:
        assert doubled_one.inside == 0
    assert block_ratio(doubled) == 0
    assert block_ratio(plain) == near(1, 0.05, "a mean over 40 images of noise")
    slightly = [traces_of(0.5 * repeated(seed) + 0.5 * noise(seed)) for seed in range(40)]
    assert 0.3 < block_ratio(slightly) < 0.8
    assert separable(plain, slightly) > 0.95
    assert 0.3 < separable(plain[:20], plain[20:]) < 0.7


@pytest.mark.parametrize("part", [2, 4])
def test_a_period_stands_out_at_its_frequency_alone(part: int) -> None:
    wave = 40 * np.cos(2 * np.pi * np.arange(32) / part)
    marked = [traces_of(noise(s) + wave + wave[:, None] + wave * wave[:, None]) for s in range(20)]
    plain = [traces_of(noise(seed)) for seed in range(20)]
    other = 6 - part  # 4 for 2 and 2 for 4
    assert peak(marked, part) > 10
    assert abs(peak(marked, other)) < 2
    assert abs(peak(plain, part)) < 2


def test_the_command_prints_a_row_for_each_family(tmp_path: pathlib.Path) -> None:
    for family in FAMILIES:
        for label, draw in (("0_real", noise), ("1_fake", repeated)):
            folder = tmp_path / "test" / family / label
            folder.mkdir(parents=True)
            for seed in range(3):
                Image.fromarray(draw(seed).astype(np.uint8)).save(folder / f"{seed}.png")
    done = run("-m", "minibench.traces", "--data", str(tmp_path))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == list(FAMILIES)
    assert all("| 0.00 | 1.00 |" in line for line in lines[2:])
    empty = run("-m", "minibench.traces", "--data", str(tmp_path / "test"))
    assert_wrong_usage(empty, "holds no images")
