"""Each random transform has draws of its own, which no other transform moves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data.augment import Blur, Jpeg, Transform
from data.dataset import apply
from data.geometry import Flip, RandomCrop
from data.images import Pixels

IMAGE = np.random.default_rng(5).integers(0, 256, (40, 40, 3), dtype=np.uint8)
STEPS: list[Transform] = [Blur(1.0, (0.5, 2.0)), Jpeg(1.0, (30, 100)), RandomCrop(24), Flip()]


def greedy(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Draw many numbers and change nothing, as an augmentation at p = 0 may."""
    rng.random(100)
    return image


class Greedy:
    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        return greedy(image, rng)


@pytest.mark.parametrize("place", range(len(STEPS) + 1))
@pytest.mark.parametrize("added", [Greedy(), Blur(0.0, (0.5, 2.0)), Flip(0.0)])
def test_a_step_that_changes_nothing_moves_no_other_draw(place: int, added: Transform) -> None:
    if isinstance(added, (Blur, Flip)) and place < (1 if isinstance(added, Blur) else 4):
        pytest.skip("comes before a transform of its own kind, which then counts as the second")
    more = [*STEPS[:place], added, *STEPS[place:]]
    for image in range(8):
        plain, with_it = (apply(transforms, IMAGE, (0, 3, image)) for transforms in (STEPS, more))
        assert torch.equal(plain, with_it)


def test_two_steps_of_one_kind_draw_apart() -> None:
    drawn: list[float] = []

    def keep(image: Pixels, rng: np.random.Generator) -> Pixels:
        drawn.append(rng.random())
        return image

    apply([keep, keep], IMAGE, (0, 3, 1))
    apply([keep, keep], IMAGE, (0, 3, 2))
    assert len(set(drawn)) == 4
