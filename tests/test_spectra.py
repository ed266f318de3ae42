from __future__ import annotations

import pathlib

import numpy as np
import numpy.typing as npt
import pytest
import scipy.ndimage
from PIL import Image

from evaluation.spectrum import residual
from tests.commands import Result, run
from tests.conftest import assert_wrong_usage
from tests.tolerances import near
from tools.spectra import (
    Spectra,
    Sums,
    check_size,
    choose_images,
    mean_spectra,
    spectra_figure,
    sum_groups,
    sum_spectra,
)
from util.errors import UsageError

Pixels = npt.NDArray[np.uint8]
SIZE = 32


def noise(seed: int, height: int = SIZE, width: int = SIZE) -> npt.NDArray[np.float64]:
    """Grey levels around 128, different in each channel."""
    return np.random.default_rng(seed).normal(128, 6, (height, width, 3))


def with_period_4(seed: int, phase: int) -> npt.NDArray[np.float64]:
    """A faint stripe in every fourth column and row."""
    trace = np.zeros((SIZE, SIZE, 1))
    trace[phase % 4 :: 4] += 12
    trace[:, phase // 4 % 4 :: 4] += 12
    return noise(seed) + trace


def save(path: pathlib.Path, pixels: npt.NDArray[np.float64]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8)).save(path)
    return str(path)


@pytest.fixture
def testsets(tmp_path: pathlib.Path) -> pathlib.Path:
    """Plain real images; fakes with a trace, at one place in `progan`, at all in `moved`."""
    for number in range(64):
        for name, phase in (("progan", 5), ("moved", number % 16)):
            save(tmp_path / name / "0_real" / f"{number}.png", noise(1000 + number))
            save(tmp_path / name / "1_fake" / f"{number}.png", with_period_4(number, phase))
    return tmp_path


def command(*argv: object) -> Result:
    return run("-m", "tools.spectra", *argv)


def test_the_residual_is_grey_minus_its_median() -> None:
    image = noise(3, 20, 31).clip(0, 255).astype(np.uint8)
    grey = image[..., 0] * 0.299 + image[..., 1] * 0.587 + image[..., 2] * 0.114
    result = residual(image)
    assert (result.shape, result.dtype) == ((20, 31), np.float32)
    expected = grey - scipy.ndimage.median_filter(grey, 5, mode="nearest")
    eps = 255 * np.finfo(np.float32).eps
    assert result == near(expected, 4 * eps, "four roundings of a float32 grey level")
    rounded = np.asarray(Image.fromarray(image).convert("L"))
    assert grey == near(rounded.astype(float), 1, "PIL rounds")
    for y, x in ((0, 0), (0, 30), (10, 15), (19, 1)):
        rows = np.clip(range(y - 2, y + 3), 0, 19)
        columns = np.clip(range(x - 2, x + 3), 0, 30)
        assert result[y, x] == near(
            grey[y, x] - sorted(grey[np.ix_(rows, columns)].ravel())[12], 4 * eps, "as above"
        )


def test_the_averages_are_those_of_a_plain_loop(tmp_path: pathlib.Path) -> None:
    paths = [save(tmp_path / f"{i}.png", noise(i, 40 + i, 37)) for i in range(7)]
    transforms = []
    for path in paths:
        image = np.asarray(Image.open(path))
        top, left = round((image.shape[0] - SIZE) / 2), round((image.shape[1] - SIZE) / 2)
        crop = image[top : top + SIZE, left : left + SIZE].astype(float) @ [0.299, 0.587, 0.114]
        high = crop - scipy.ndimage.median_filter(crop, 5, mode="nearest")
        transforms.append(np.fft.fft2(high) / SIZE)
    spectra = mean_spectra(sum_spectra(paths, SIZE))
    assert spectra is not None
    centred = np.fft.fftshift(transforms, axes=(1, 2))
    # each value is a sum of SIZE * SIZE residuals, rounded to float32, over SIZE
    off = SIZE * 4 * 255 * float(np.finfo(np.float32).eps)
    assert 10**spectra.of_mean == near(abs(sum(centred)) / 7, off, "float32 grey levels")
    assert 10**spectra.mean_magnitude == near(sum(abs(centred)) / 7, off, "float32 grey levels")


def peak(plane: npt.NDArray[np.float64], y: int, x: int) -> float:
    """How far, in factors of ten, a frequency stands above what is usual around it."""
    near = plane[y - 2 : y + 3, x - 2 : x + 3]
    return float(plane[y, x] - np.median(near))


@pytest.mark.parametrize("name", ["progan", "moved"])
def test_a_trace_shows_in_each_kind_as_its_phase_allows(testsets: pathlib.Path, name: str) -> None:
    groups, _ = choose_images(str(testsets), (), most=1000, seed=0)
    sums = sum_groups(groups, SIZE, 0)
    real, fake = (mean_spectra(sums[name, label]) for label in (0, 1))
    middle, quarter = SIZE // 2, SIZE // 4  # a period of 4 pixels is a quarter of the size away
    for y, x in ((middle, middle + quarter), (middle - quarter, middle)):
        assert peak(fake.mean_magnitude, y, x) > 0.4
        fixed = peak(fake.of_mean, y, x)
        assert fixed > 1 if name == "progan" else fixed < 0.6
        assert abs(peak(real.mean_magnitude, y, x)) < 0.1
        assert abs(peak(real.of_mean, y, x)) < 0.6


def test_processes_change_nothing(testsets: pathlib.Path) -> None:
    groups, _ = choose_images(str(testsets), (), most=1000, seed=0)
    alone, shared = (sum_groups(groups, SIZE, processes) for processes in (0, 2))
    assert list(alone) == list(shared) == list(groups)
    for group in groups:
        assert alone[group].used == shared[group].used == 64
        for mine, theirs in zip(shared[group][:2], alone[group][:2], strict=True):
            assert mine == near(theirs, 1e-9 * abs(theirs).max(), "sums in another order")


def test_small_and_unreadable_images_are_counted_and_left_out(tmp_path: pathlib.Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    good = save(tmp_path / "good.png", noise(1))
    small = save(tmp_path / "small.png", noise(2, SIZE, SIZE - 1))
    sums = sum_spectra([str(tmp_path / "bad.png"), good, small], SIZE)
    assert (sums.used, sums.small, len(sums.unreadable)) == (1, 1, 1)
    assert "bad.png" in sums.unreadable[0]
    np.testing.assert_array_equal(sums.spectrum, sum_spectra([good], SIZE).spectrum)
    assert mean_spectra(sum_spectra([small], SIZE)) is None


def test_a_plain_image_has_no_infinite_logarithm(tmp_path: pathlib.Path) -> None:
    spectra = mean_spectra(sum_spectra([save(tmp_path / "p.png", 0 * noise(1))], SIZE))
    assert spectra is not None
    assert all(np.isfinite(plane).all() for plane in spectra)


def test_of_many_images_a_seeded_choice_is_taken(testsets: pathlib.Path) -> None:
    groups, available = choose_images(str(testsets), ("moved",), most=50, seed=7)
    assert available == {("moved", 0): 64, ("moved", 1): 64}
    assert [len(set(paths)) for paths in groups.values()] == [50, 50]
    assert all("0_real" in path for path in groups["moved", 0])
    assert choose_images(str(testsets), ("moved",), most=50, seed=7)[0] == groups
    assert choose_images(str(testsets), ("moved",), most=50, seed=8)[0] != groups
    groups, _ = choose_images(str(testsets), (), most=64, seed=7)
    assert [len(paths) for paths in groups.values()] == [64] * 4


def test_test_sets_come_in_the_papers_order(testsets: pathlib.Path) -> None:
    assert [name for name, _ in choose_images(str(testsets), (), most=9, seed=0)[0]] == [
        *("progan", "progan", "moved", "moved")
    ]


def test_a_size_that_no_image_has_names_the_largest_that_fits(tmp_path: pathlib.Path) -> None:
    save(tmp_path / "a/0_real/1.png", noise(1, 50, 60))
    save(tmp_path / "a/1_fake/1.png", noise(1, 40, 90))
    save(tmp_path / "b/0_real/1.png", noise(1, 45, 45))
    save(tmp_path / "c/0_real/1.png", noise(1, 99, 99))
    groups, _ = choose_images(str(tmp_path), (), most=9, seed=0)
    check_size(groups, 45)
    with pytest.raises(UsageError, match=r"^--size 46 .* of b; .* fits is 45$"):
        check_size(groups, 46)
    with pytest.raises(UsageError, match=r"^--size 51 .* of a, b; .* fits is 45$"):
        check_size(groups, 51)


@pytest.mark.parametrize(("number", "columns"), [(1, 1), (7, 7), (8, 4), (13, 7)])
def test_the_figure_has_a_panel_for_each_average(number: int, columns: int) -> None:
    size = 500  # larger than a panel: a lone bright pixel must not vanish as it is shrunk
    planes = [np.zeros((size, size)) for _ in range(4)]
    for value, plane in enumerate(planes):
        plane[124, 322] = 5 + value
    real, fake = Spectra(planes[0], planes[1]), Spectra(planes[2], planes[3])
    figure = spectra_figure({f"set {i}": (real, fake) for i in range(number)})
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 4 * number
    assert panels[0].get_subplotspec().get_geometry()[:2] == (2, columns)
    brightest = [float(np.max(axes.images[0].get_array())) for axes in panels]
    assert sorted(brightest) == sorted([5.0, 6.0, 7.0, 8.0] * number)
    assert max(max(axes.images[0].get_array().shape) for axes in panels) <= 250
    for kind in (0, 1):  # real and fake of one set and kind share their scale
        first = kind * 2 * columns
        upper, lower = figure.axes[first], figure.axes[first + columns]
        assert (upper.get_ylabel(), lower.get_ylabel()) == ("real", "fake")
        assert upper.images[0].get_clim() == lower.images[0].get_clim()
    titles = [part.get_suptitle() for part in figure.subfigs]
    assert all("(b)" in title if i % 2 else "(a)" in title for i, title in enumerate(titles))


def test_a_missing_label_leaves_words_in_its_panel() -> None:
    there = Spectra(np.eye(9), np.eye(9))
    figure = spectra_figure({"a": (None, there), "b": (there, None), "c": (None, None)})
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert sorted(words) == ["no fake images"] * 4 + ["no real images"] * 4
    assert len([axes for axes in figure.axes if axes.images]) == 4


def test_the_command_writes_png_and_pdf(testsets: pathlib.Path) -> None:
    out = testsets / "out" / "spectra.png"
    argv = ("--dataroot", testsets, "--testsets", "moved,progan", "--size", SIZE, "--out", out)
    result = command(*argv, "--num_threads", 2, "--max_images", 20)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[:-1] == [  # the last says how long it took
        "progan: 20 real images, from a random 20 of 64",
        "progan: 20 fake images, from a random 20 of 64",
        "moved: 20 real images, from a random 20 of 64",
        "moved: 20 fake images, from a random 20 of 64",
        str(out),
    ]
    assert Image.open(out).width > 500
    assert out.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert sorted(path.name for path in out.parent.iterdir()) == ["spectra.pdf", "spectra.png"]


def test_an_unreadable_image_costs_exit_code_1_and_nothing_else(tmp_path: pathlib.Path) -> None:
    save(tmp_path / "own/1_fake/a.png", noise(1))
    save(tmp_path / "own/1_fake/small.png", noise(1, 12, 12))
    (tmp_path / "own/1_fake/bad.png").write_bytes(b"no image")
    out = tmp_path / "s.png"
    result = command(
        *("--dataroot", tmp_path / "own", "--size", 16, "--out", out, "--num_threads", 0)
    )
    assert result.returncode == 1
    assert result.stdout.splitlines()[:2] == [
        "own: 0 real images",
        "own: 1 fake images; 1 smaller than 16 pixels left out",
    ]
    named, counted = [line for line in result.stderr.splitlines() if "warning" in line]
    assert "bad.png: cannot be read" in named
    assert "1 image could not be read; with --skip_unreadable" in counted
    assert out.exists()
    assert out.with_suffix(".pdf").exists()


def test_wrong_usage_is_one_line(tmp_path: pathlib.Path) -> None:
    save(tmp_path / "own/0_real/a.png", noise(1))
    assert_wrong_usage(command(), "--dataroot is needed")
    assert_wrong_usage(command("--dataroot", tmp_path / "no"), f"{tmp_path}/no: no such folder")
    assert_wrong_usage(command("--dataroot", tmp_path), "--size 224", "own", f"fits is {SIZE}")
    assert_wrong_usage(command("--dataroot", tmp_path, "--out", "s.pdf"), "--out", ".png", "s.pdf")
    assert_wrong_usage(command("--dataroot", tmp_path, "--testsets", "x"), "--testsets", "own")


def test_sums_of_two_halves_are_the_sum_of_all(testsets: pathlib.Path) -> None:
    groups, _ = choose_images(str(testsets), ("moved",), most=1000, seed=0)
    whole: Sums = sum_spectra(groups["moved", 1], SIZE)
    parts = sum_groups(groups, SIZE, 0)["moved", 1]
    off = 1e-9 * abs(whole.spectrum).max()
    assert parts.spectrum == near(whole.spectrum, off, "sums in another order")
    assert parts.used == whole.used == 64
