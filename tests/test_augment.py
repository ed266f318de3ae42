"""Blur and JPEG against slow textbook versions and the libraries called directly."""

from __future__ import annotations

import functools
import io
import math

import cv2
import numpy as np
import pytest
from PIL import Image

from data import augment
from data.augment import Blur, Jpeg, blur_cv2, blur_scipy, jpeg_cv2, jpeg_pil
from data.images import Pixels
from tests.tolerances import near

SMOOTH = np.asarray(
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (8, 9, 3), dtype=np.uint8)).resize(
        (53, 41), Image.Resampling.BICUBIC
    )
)
NOISE = np.random.default_rng(2).integers(0, 256, (24, 31, 3), dtype=np.uint8)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def textbook_blur(image: Pixels, sigma: float) -> Pixels:
    """Two passes of a full-width Gaussian, radius int(4 sigma + 0.5), edges dcba|abcd, each pass
    cut down to whole grey levels: what the reference's in-place uint8 filter does. Neighbours
    are summed in pairs from the outside in, since 17 and 16.999999999999996 differ once cut.
    """
    radius = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 / sigma**2 * np.arange(-radius, radius + 1) ** 2)
    weights = (weights / weights.sum())[radius:]
    for axis in (0, 1):
        length = image.shape[axis]

        def line(at: int, axis: int = axis, length: int = length, image: Pixels = image) -> Pixels:
            at %= 2 * length  # the reflected image repeats itself
            return np.take(image, at if at < length else 2 * length - 1 - at, axis).astype(float)

        lines = []
        for i in range(length):
            total = line(i) * weights[0]
            for k in range(radius, 0, -1):
                total += (line(i - k) + line(i + k)) * weights[k]
            lines.append(total)
        image = np.stack(lines, axis).astype(np.uint8)
    return image


@pytest.mark.parametrize("sigma", [0.13, 0.3, 0.6, 1.0, 1.5, 2.2, 2.99])
@pytest.mark.parametrize("image", [SMOOTH, NOISE], ids=["smooth", "noise"])
def test_scipy_blur_is_the_references_operation(image: Pixels, sigma: float) -> None:
    np.testing.assert_array_equal(blur_scipy(image, sigma), textbook_blur(image, sigma))


def test_scipy_blur_darkens_and_cv2_does_not() -> None:
    photo_like = np.random.default_rng(3).integers(60, 190, (64, 64, 3), dtype=np.uint8)
    shift = [float((b(photo_like, 1.5) - photo_like.astype(float)).mean()) for b in BLURS]
    assert -1.2 < shift[0] < -0.8  # two passes, each losing half a level
    assert abs(shift[1]) < 0.1


BLURS = (blur_scipy, blur_cv2)


@pytest.mark.parametrize("sigma", [0.05, 0.13, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
@pytest.mark.parametrize("image", [SMOOTH, NOISE], ids=["smooth", "noise"])
def test_cv2_blur_differs_by_at_most_two_levels(image: Pixels, sigma: float) -> None:
    difference = blur_cv2(image, sigma).astype(int) - blur_scipy(image, sigma)
    assert difference.min() >= -1
    assert difference.max() <= 2


def test_blur_of_an_image_smaller_than_its_kernel() -> None:
    tiny = NOISE[:4, :3]
    np.testing.assert_array_equal(blur_scipy(tiny, 3.0), textbook_blur(tiny, 3.0))
    difference = blur_cv2(tiny, 3.0).astype(int) - blur_scipy(tiny, 3.0)
    assert abs(difference).max() <= 2


@pytest.mark.parametrize("quality", [30, 65, 75, 100])
def test_jpeg_is_what_each_library_makes_of_it(quality: int) -> None:
    buffer = io.BytesIO()
    Image.fromarray(SMOOTH, "RGB").save(buffer, "JPEG", quality=quality)
    np.testing.assert_array_equal(jpeg_pil(SMOOTH, quality), np.array(Image.open(buffer)))
    bgr = cv2.cvtColor(SMOOTH, cv2.COLOR_RGB2BGR)
    _, code = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))
    expected = cv2.cvtColor(cv2.imdecode(code, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(jpeg_cv2(SMOOTH, quality), expected)


@pytest.mark.parametrize("method", ["cv2", "pil"])
def test_jpeg_keeps_the_colours_apart(method: str) -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    result = Jpeg(1.0, (95,), (method,))(red, rng()).astype(int)
    assert abs(result - red).max() <= 3


@pytest.mark.parametrize(
    "step",
    [lambda p: Blur(p, (1.0, 3.0), "cv2"), lambda p: Blur(p, (1.0, 3.0), "scipy")]
    + [lambda p: Jpeg(p, (30, 90), ("cv2", "pil"))],
    ids=["cv2 blur", "scipy blur", "jpeg"],
)
def test_probability_0_never_and_1_always_changes_the_image(step: type) -> None:
    generator = rng()
    for _ in range(50):
        np.testing.assert_array_equal(step(0.0)(NOISE, generator), NOISE)
        assert (step(1.0)(NOISE, generator) != NOISE).any()


@pytest.mark.parametrize("step", [Blur(0.3, (2.0,)), Jpeg(0.3, (50,))], ids=["blur", "jpeg"])
def test_the_chance_is_the_one_given(step: Blur | Jpeg) -> None:
    generator = rng()
    changed = sum(bool((step(NOISE, generator) != NOISE).any()) for _ in range(2000))
    assert abs(changed - 600) < 4 * math.sqrt(2000 * 0.3 * 0.7)


def test_blur_and_jpeg_draw_independently() -> None:
    generator, blur, jpeg = rng(), Blur(0.5, (2.0,)), Jpeg(0.5, (50,))
    both = blurred = compressed = 0
    for _ in range(2000):
        after_blur = blur(NOISE, generator)
        after_jpeg = jpeg(after_blur, generator)
        is_blurred = bool((after_blur != NOISE).any())
        is_compressed = bool((after_jpeg != after_blur).any())
        blurred, compressed = blurred + is_blurred, compressed + is_compressed
        both += is_blurred and is_compressed
    assert abs(both / 2000 - blurred * compressed / 2000**2) < 4 * math.sqrt(0.25 * 0.75 / 2000)


def test_sigma_quality_and_encoder_are_drawn_from_the_whole_range(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sigmas: list[float] = []
    jpegs: list[tuple[str, int]] = []

    def fake_blur(image: Pixels, sigma: float) -> Pixels:
        sigmas.append(sigma)
        return image

    def fake_jpeg(method: str, image: Pixels, quality: int) -> Pixels:
        jpegs.append((method, quality))
        return image

    monkeypatch.setitem(augment.BLUR_METHODS, "cv2", fake_blur)
    for method in ("cv2", "pil"):
        monkeypatch.setitem(augment.JPEG_METHODS, method, functools.partial(fake_jpeg, method))
    generator = rng()
    for _ in range(4000):
        Blur(1.0, (0.0, 3.0))(NOISE, generator)
        Jpeg(1.0, (30, 100), ("cv2", "pil"))(NOISE, generator)
    assert 0 <= min(sigmas) < 0.01
    assert 2.99 < max(sigmas) < 3
    assert np.mean(sigmas) == near(1.5, 0.06, "of 4000 draws")
    assert {quality for _, quality in jpegs} == set(range(30, 101))
    assert np.mean([method == "cv2" for method, _ in jpegs]) == near(0.5, 0.04, "of 4000 draws")


def test_one_value_is_always_that_value() -> None:
    expected = blur_cv2(NOISE, 1.25)
    np.testing.assert_array_equal(Blur(1.0, (1.25,))(NOISE, rng()), expected)
    np.testing.assert_array_equal(Jpeg(1.0, (42,), ("pil",))(NOISE, rng()), jpeg_pil(NOISE, 42))
