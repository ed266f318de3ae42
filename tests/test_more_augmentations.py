"""Augmentations of later papers: against slow loops, with draws of their own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from data import augment
from data.augment import Blur, ColorJitter, Cutout, Jpeg, Noise, Transform, jpeg_cv2, jpeg_pil
from data.dataset import apply
from data.geometry import Flip, RandomCrop, Resize, Rotate90
from data.images import Pixels
from options.parse import parse
from options.presets import PRESETS, RECIPES
from options.train_options import TrainOptions
from tests.tolerances import assert_as_exact, near
from training.setup import augmentations, build_datasets, build_state, with_input_size

IMAGE = np.random.default_rng(5).integers(1, 256, (40, 40, 3), dtype=np.uint8)
KINDS: list[Callable[[float], Transform]] = [Rotate90, ColorJitter, Noise, Cutout]
FLAGS = ("rotate90", "color_jitter", "noise", "cutout")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", KINDS)
def test_probability_0_never_and_1_always_changes_the_image(
    kind: Callable[[float], Transform],
) -> None:
    generator, before = rng(), IMAGE.copy()
    for _ in range(50):
        assert kind(0.0)(IMAGE, generator) is IMAGE
        changed = kind(1.0)(IMAGE, generator)
        assert (changed.dtype, changed.shape) == (np.uint8, IMAGE.shape)
        assert (changed != IMAGE).any()
    np.testing.assert_array_equal(IMAGE, before)
    mirrored = IMAGE[:, ::-1]  # as Flip gives it: no memory of its own
    np.testing.assert_array_equal(kind(1.0)(mirrored, rng()), kind(1.0)(mirrored.copy(), rng()))


@pytest.mark.parametrize("kind", KINDS)
def test_the_chance_is_the_one_given(kind: Callable[[float], Transform]) -> None:
    generator, small = rng(), IMAGE[:17, :20]
    changed = sum(kind(0.3)(small, generator) is not small for _ in range(2000))
    assert abs(changed - 600) < 4 * math.sqrt(2000 * 0.3 * 0.7)


def test_an_image_is_turned_each_way_equally_often() -> None:
    generator, small = rng(), IMAGE[:3, :3]
    ways = [small.tobytes(), small[::-1, ::-1].tobytes()]
    ways += [
        w.tobytes() for w in (small.transpose(1, 0, 2)[::-1], small.transpose(1, 0, 2)[:, ::-1])
    ]
    counts = dict.fromkeys(ways, 0)
    for _ in range(2000):
        counts[Rotate90(0.75)(small, generator).tobytes()] += 1
    assert len(counts) == 4
    assert all(abs(n - 500) < 4 * math.sqrt(2000 / 4 * 3 / 4) for n in counts.values())


def slow_enhance(image: Pixels, which: int, factor: float) -> Pixels:
    """Brightness, contrast or saturation: the distance from black, from the image's mean grey, or
    from each pixel's own grey, times `factor`. Grey as in ITU-R 601.
    """
    grey = np.round(image @ np.array([0.299, 0.587, 0.114]))
    far = [np.zeros_like(grey), np.full_like(grey, int(grey.mean() + 0.5)), grey][which][..., None]
    return np.clip(far + factor * (image - far), 0, 255).astype(int).astype(np.uint8)


def test_color_jitter_is_the_textbooks_in_a_random_order() -> None:
    orders, factors = set(), []
    for seed in range(60):
        generator = rng(seed)
        generator.random()
        expected = IMAGE
        order = generator.permutation(3)
        for which in order:
            factors.append(generator.uniform(0.5, 1.5))
            expected = slow_enhance(expected, int(which), factors[-1])
        orders.add(tuple(order))
        difference = ColorJitter(1.0)(IMAGE, rng(seed)).astype(int) - expected
        assert abs(difference).max() <= 4  # grey's rounding, carried on by two factors up to 1.5
        assert abs(difference).mean() < 0.5
    assert len(orders) == 6
    assert min(factors) < 0.55
    assert max(factors) > 1.45


def test_noise_has_no_mean_and_a_deviation_within_its_range() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    deviations = []
    for seed in range(200):
        added = Noise(1.0)(grey, rng(seed)).astype(float) - 128
        assert added.mean() == near(0, 0.4, "of 12,288 draws of deviation 8")
        assert abs(np.corrcoef(added[..., 0].ravel(), added[..., 1].ravel())[0, 1]) < 0.1
        deviations.append(added.std())
    low, high = augment.NOISE
    assert low * 0.95 < min(deviations) < low * 1.15
    assert high * 0.9 < max(deviations) < high * 1.05
    assert np.mean(deviations) == near((low + high) / 2, 0.6, "of 200 draws")
    for level in (0, 255):  # no value goes round
        edge = Noise(1.0)(np.full((32, 32, 3), level, np.uint8), rng())
        assert abs(edge.astype(int) - level).max() < 50


@pytest.mark.parametrize("sides", [(48, 64), (40, 40), (16, 16), (9, 50)])
def test_cutout_blackens_whole_patches_up_to_three_quarters(sides: tuple[int, int]) -> None:
    image = np.full((*sides, 3), 200, np.uint8)
    image[0, 0] = (1, 2, 3)
    patches = math.ceil(sides[0] / 16) * math.ceil(sides[1] / 16)
    shares, places = [], set()
    for seed in range(300):
        cut = Cutout(1.0)(image, rng(seed))
        black = 0
        for top in range(0, sides[0], 16):
            for left in range(0, sides[1], 16):
                patch = cut[top : top + 16, left : left + 16]
                same = image[top : top + 16, left : left + 16]
                assert not patch.any() or np.array_equal(patch, same)
                black += not patch.any()
                places |= set() if patch.any() else {(top, left)}
        shares.append(black / patches)
    assert min(shares) == 1 / patches
    assert max(shares) <= max(0.75, 1 / patches)
    assert len(places) == patches
    if patches == 12:
        assert max(shares) == 8 / 12  # int(0.75 * 12) is reached by nothing below 0.75
        assert np.mean(shares) == near(0.375 - 0.5 / 12 + 1 / 12 / 9, 0.04, "of 300 draws")


def slow_passes(image: Pixels, seed: int, most: int) -> tuple[Pixels, list[tuple[int, str]]]:
    generator, drawn = rng(seed), []
    generator.random()
    for _ in range(int(generator.integers(1, most + 1))):
        quality = int(generator.integers(70, 91))
        method = ("cv2", "pil")[generator.integers(2)]
        drawn.append((quality, method))
        image = (jpeg_cv2 if method == "cv2" else jpeg_pil)(image, quality)
    return image, drawn


def test_jpeg_passes_are_drawn_each_anew() -> None:
    step = Jpeg(1.0, (70, 90), ("cv2", "pil"), 3)
    counts, qualities = [], set()
    for seed in range(150):
        expected, drawn = slow_passes(IMAGE, seed, 3)
        np.testing.assert_array_equal(step(IMAGE, rng(seed)), expected)
        counts.append(len(drawn))
        qualities.add(len({quality for quality, _ in drawn}))
    assert set(counts) == {1, 2, 3}
    assert qualities == {1, 2, 3}
    assert dataclasses.replace(step, prob=0.0)(IMAGE, rng()) is IMAGE


def test_one_pass_is_what_it_was_bit_for_bit() -> None:
    for seed in range(30):
        generator = rng(seed)
        generator.random()
        quality = int(generator.integers(30, 100, endpoint=True))
        method = (jpeg_cv2, jpeg_pil)[generator.integers(2)]
        ours, after = Jpeg(1.0, (30, 100), ("cv2", "pil")), rng(seed)
        np.testing.assert_array_equal(ours(IMAGE, after), method(IMAGE, quality))
        assert after.random() == generator.random()  # nor is a number more drawn


BEFORE: list[Transform] = [Resize(40), Blur(0.5, (0.5, 2.0)), Jpeg(0.5, (30, 100))]
BEFORE += [RandomCrop(24), Flip()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", range(len(BEFORE) + 1))
def test_one_that_does_nothing_moves_no_other_draw(
    kind: Callable[[float], Transform], place: int
) -> None:
    more = [*BEFORE[:place], kind(0.0), *BEFORE[place:]]
    for image in range(6):
        plain, with_it = (apply(transforms, IMAGE, (0, 3, image)) for transforms in (BEFORE, more))
        assert torch.equal(plain, with_it)


def test_each_option_is_one_augmentation_after_the_crop_in_training_alone(
    toy: object,
) -> None:
    argv = ["--dataroot", str(toy), "--loadSize", "40", "--cropSize", "32", "--batch_size", "8"]
    plain, val, _ = build_datasets(with_input_size(parse(TrainOptions, argv)), 1)
    names = ["Resize", "Blur", "Jpeg", "RandomCrop", "Flip"]
    assert [type(t).__name__ for t in plain.transforms] == names
    flags = [word for flag in FLAGS for word in (f"--{flag}", "0.4")]
    full, same_val, _ = build_datasets(with_input_size(parse(TrainOptions, [*argv, *flags])), 1)
    assert [type(t).__name__ for t in full.transforms[:5]] == names
    assert full.transforms[5:] == [kind(0.4) for kind in KINDS]
    assert same_val.variants == val.variants
    for flag, kind in zip(FLAGS, KINDS, strict=True):
        assert augmentations(parse(TrainOptions, [f"--{flag}", "0.4"])) == [kind(0.4)]
    passes = ["--jpg_prob", "1", "--jpg_passes", "3"]
    compressed, its_val, _ = build_datasets(
        with_input_size(parse(TrainOptions, [*argv, *passes])), 1
    )
    assert compressed.transforms[2] == Jpeg(1.0, (75,), ("cv2",), 3)
    assert its_val.variants[0][2] == Jpeg(1.0, (75,), ("pil",), 1)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_parses_and_means_what_it_says(name: str) -> None:
    options = parse(TrainOptions, ["--preset", name])
    assert all(getattr(options, key) == value for key, value in PRESETS[name].items())
    if name == "grag2021":
        blurred = parse(TrainOptions, ["--preset", "blur_jpg_prob0.5"])
        assert (options.stem_stride, options.cropSize) == (1, 96)
        same = {"preset": (), "stem_stride": 2, "cropSize": None}
        assert dataclasses.replace(options, **same) == dataclasses.replace(blurred, preset=())


def test_the_decay_of_adamw_is_apart_from_the_gradient() -> None:
    """Where the gradient is zero, Adam's moves by its rate whatever the weight."""
    layer = nn.Linear(12, 1, bias=False)
    before = layer.weight.detach().clone()
    flags = "--optim adamw --lr 0.01 --weight_decay 0.5 --beta1 0.8".split()  # noqa: SIM905
    optimizer = build_state(with_input_size(parse(TrainOptions, flags)), layer, 10).optimizer
    layer.weight.grad = torch.zeros_like(before)
    optimizer.step()
    left = 1 - 0.01 * 0.5
    assert_as_exact(layer.weight, before * left, before.double() * left)
    assert optimizer.param_groups[0]["betas"] == (0.8, 0.999)


def test_all_of_them_together_give_one_image() -> None:
    """All at once, as a training image goes through them."""
    every = [*BEFORE, *(kind(1.0) for kind in KINDS)]
    one, again, other = (apply(every, IMAGE, (0, 1, seed)) for seed in (1, 1, 2))
    assert (one.shape, one.dtype) == ((3, 24, 24), torch.uint8)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
