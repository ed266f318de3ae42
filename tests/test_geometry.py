"""Resizing and cropping against torchvision."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import functional

from data import geometry
from data.geometry import CentreCrop, Flip, RandomCrop, Resize
from data.images import Pixels
from options.names import INTERPOLATIONS

MODES = functional.InterpolationMode


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(height * 1000 + width).integers(
        0, 256, (height, width, 3), dtype=np.uint8
    )


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("size", [(40, 61), (61, 40), (33, 33), (100, 47), (20, 35)])
@pytest.mark.parametrize("method", INTERPOLATIONS)
def test_resize_is_torchvisions(size: tuple[int, int], method: str) -> None:
    image = noise(*size)
    expected = functional.resize(Image.fromarray(image), [33], MODES(method))
    np.testing.assert_array_equal(Resize(33, (method,))(image, rng()), np.asarray(expected))


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_resize_to_both_sides_is_torchvisions(method: str) -> None:
    image = noise(40, 61)
    expected = functional.resize(Image.fromarray(image), [33, 20], MODES(method))
    np.testing.assert_array_equal(Resize((33, 20), (method,))(image, rng()), np.asarray(expected))
    assert Resize((40, 61))(image, rng()) is image


def test_resize_leaves_an_image_that_fits_alone() -> None:
    image = noise(33, 50)
    assert Resize(33, ("lanczos",))(image, rng()) is image


def test_resize_draws_its_method() -> None:
    image, generator = noise(40, 40), rng()
    step = Resize(20, ("nearest", "bicubic"))
    results = {step(image, generator).tobytes() for _ in range(30)}
    assert len(results) == 2


@pytest.mark.parametrize("height", [5, 8, 9, 10, 23, 24])
@pytest.mark.parametrize("width", [4, 8, 9, 11, 30])
@pytest.mark.parametrize("size", [8, 9])
def test_centre_crop_is_torchvisions(height: int, width: int, size: int) -> None:
    image = noise(height, width)
    expected = functional.center_crop(Image.fromarray(image), [size, size])
    np.testing.assert_array_equal(CentreCrop(size)(image, rng()), np.asarray(expected))


def test_random_crop_reaches_every_place() -> None:
    image = np.arange(5 * 6, dtype=np.uint8).reshape(5, 6, 1).repeat(3, axis=2)
    generator = rng()
    corners = {int(RandomCrop(4)(image, generator)[0, 0, 0]) for _ in range(300)}
    assert corners == {0, 1, 2, 6, 7, 8}
    assert RandomCrop(5)(image, generator).shape == (5, 5, 3)


def test_flip_mirrors_half_of_the_time() -> None:
    image, generator = noise(4, 5), rng()
    mirrored = 0
    for _ in range(1000):
        result = Flip()(image, generator)
        is_mirrored = bool((result == image[:, ::-1]).all())
        assert is_mirrored or (result == image).all()
        mirrored += is_mirrored
    assert 430 < mirrored < 570
    assert all((Flip(0.0)(image, generator) == image).all() for _ in range(50))


def test_the_interpolations_of_help_are_those_there_are() -> None:
    assert tuple(geometry.INTERPOLATIONS) == INTERPOLATIONS
