"""Shallow edits: each changes what is under its brush and nothing else, and tells nothing more."""

from __future__ import annotations

import hashlib
import json
import pathlib
import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from data.samples import find_samples
from evaluation.benchmark import PAPER
from minibench import build, edits, shallow
from minibench.edits import KINDS, LEAST_CHANGE, LEAST_SIDE, Brush, TooPlain
from minibench.families import FAMILIES, SHALLOW
from minibench.photographs import SIZE, Crop, Pixels, cut, draw_crop
from options.minibench_options import ShallowOptions
from util.errors import UsageError

Capture = pytest.CaptureFixture[str]


def photograph(seed: int, height: int = 48, width: int = 60) -> Pixels:
    """Noise, smoothed a little: every place has detail."""
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width, 3))
    return ndimage.gaussian_filter(noise, (1, 1, 0)).clip(0, 255).astype(np.uint8)


OTHER = photograph(99)
EDITS: dict[str, edits.Edit] = {
    "liquify": edits.liquify,
    "splice": partial(edits.splice, other=OTHER),
    "clone": edits.clone,
    "retouch": edits.retouch,
}


def outside(image: Pixels, brush: Brush) -> list[tuple[int, int]]:
    """The pixels, row and column, that are as far from the centre as the radius, or further."""
    height, width, _ = image.shape
    return [
        (row, column)
        for row in range(height)
        for column in range(width)
        if (row - brush.y) ** 2 + (column - brush.x) ** 2 >= brush.radius**2
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_changes_what_is_under_its_brush_and_not_a_bit_elsewhere(kind: str) -> None:
    assert set(EDITS) == set(KINDS)
    real = photograph(1)
    kept = real.copy()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        brush = edits.draw_brush(real, rng)
        fake = EDITS[kind](real, brush, rng)
        assert (fake.dtype, fake.shape) == (np.uint8, real.shape)
        rows, columns = zip(*outside(real, brush), strict=True)
        np.testing.assert_array_equal(fake[rows, columns], real[rows, columns])
        assert (fake != real).any(axis=2).sum() > brush.radius**2  # a third of the disc
        np.testing.assert_array_equal(real, kept)


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_follows_from_its_seed_and_changes_at_least_so_much(kind: str) -> None:
    real = photograph(2, 64, 64)
    first, again, other = (
        edits.edit(kind, real, other=OTHER, rng=np.random.default_rng(s)) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    changed = (first != real).any(axis=2)
    assert 0.01 < changed.mean() < 0.11  # a disc of at most 0.18 of the side
    assert np.abs(first.astype(int) - real)[changed].mean() >= LEAST_CHANGE


@pytest.mark.parametrize("kind", ["liquify", "clone", "retouch"])
def test_a_plain_image_is_refused_rather_than_left_as_it_is(kind: str) -> None:
    sky = np.full((40, 40, 3), 120, np.uint8)
    with pytest.raises(TooPlain):
        edits.edit(kind, sky, other=OTHER, rng=np.random.default_rng(0))
    assert (edits.edit("splice", sky, other=OTHER, rng=np.random.default_rng(0)) != sky).any()


def test_liquify_moves_content_and_invents_none() -> None:
    """On a ramp whose grey level is the column, a pixel tells where it came from: nowhere beyond
    the brush, and in the same order (a fold would turn it round). Each tool is drawn.
    """
    columns = np.arange(60, dtype=np.uint8) * 4
    ramp = np.repeat(np.tile(columns, (60, 1))[..., None], 3, axis=2)
    brush, moves = Brush(30, 30, 10), set()
    for seed in range(40):
        fake = edits.liquify(ramp, brush, np.random.default_rng(seed)).astype(int)[..., 0] / 4
        assert (np.diff(fake, axis=1) >= 0).all()
        assert fake[30, 20:41].min() >= 20
        assert fake[30, 20:41].max() <= 40
        moved = fake[30] - ramp[30, :, 0] / 4
        left, right = np.sign(moved[[27, 33]])
        moves.add("push" if left == right else "bulge" if left > right else "pinch")
        assert left or right or np.abs(moved).max() < 1  # pushed up or down
    assert moves == {"push", "pinch", "bulge"}


def test_a_paste_holds_the_source_in_its_middle() -> None:
    """Every source place is tried: the core of the disc is a copy of one of them, to the bit."""
    real = photograph(3, LEAST_SIDE, LEAST_SIDE)
    core = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
    for kind, source in (("splice", OTHER), ("clone", real)):
        for seed in range(6):
            rng = np.random.default_rng(seed)
            brush = edits.draw_brush(real, rng)
            fake = EDITS[kind](real, brush, rng)
            height, width, _ = source.shape
            found = [
                (x, y)
                for y in range(1, height - 1)
                for x in range(1, width - 1)
                if all(
                    (fake[brush.y + r, brush.x + c] == source[y + r, x + c]).all() for r, c in core
                )
            ]
            assert len(found) == 1
            away = np.hypot(found[0][0] - brush.x, found[0][1] - brush.y)
            assert kind == "splice" or away >= 2 * brush.radius


def test_retouching_blurs_or_sharpens() -> None:
    real, brush = photograph(4), Brush(30, 24, 8)
    window = (slice(22, 27), slice(28, 33))
    spread = [
        edits.retouch(real, brush, np.random.default_rng(seed))[window].std() for seed in range(20)
    ]
    assert min(spread) < 0.8 * real[window].std() < 1.2 * real[window].std() < max(spread)
    turns = {value > real[window].std() for value in spread}
    assert turns == {True, False}


@pytest.fixture
def photographs(tmp_path: pathlib.Path) -> pathlib.Path:
    """Nine that fit, one too small, one that is damaged, one of plain sky."""
    folder = tmp_path / "photos"
    (folder / "day 2").mkdir(parents=True)
    for number in range(9):
        place = folder / ("day 2" if number % 2 else "") / f"{number}.png"
        Image.fromarray(photograph(number, 40 + number, 50)).save(place)
    Image.fromarray(photograph(20, 39, 80)).save(folder / "small.png")
    Image.fromarray(np.zeros((60, 60, 3), np.uint8)).save(folder / "plain.png")
    (folder / "broken.png").write_bytes(b"\x89PNG")
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["shallow.py", *map(str, arguments), "--size", "40"])
    shallow.main()


def hashes(root: pathlib.Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_the_command_writes_pairs_of_one_crop_and_encoder(
    photographs: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    outs = [tmp_path / name for name in ("first", "again", "other")]
    for out, seed in zip(outs, (0, 0, 1), strict=True):
        run(monkeypatch, "--real", photographs, "--out", out, "--seed", seed)
    assert hashes(outs[0]) == hashes(outs[1])
    assert hashes(outs[0]) != hashes(outs[2])
    told = capsys.readouterr()
    assert f"{outs[0]}: 9 pairs (3 liquify, 2 splice, 2 clone, 2 retouch)" in told.out
    for words in ("1 left out, smaller than 40x40 pixels, as small.png", "broken.png", "plain"):
        assert words in told.err

    samples = find_samples(str(outs[0]), [])
    assert np.bincount(samples.labels).tolist() == [9, 9]
    images = json.loads((outs[0] / shallow.MARKER).read_text())["images"]
    names = sorted(path.name for path in (outs[0] / "0_real").iterdir())
    assert names == [f"{n:04}_{KINDS[n % 4]}.png" for n in range(9)] == sorted(images)
    assert len({its["photograph"] for its in images.values()}) == 9
    for name, its in images.items():
        files = [outs[0] / label / name for label in ("0_real", "1_fake")]
        chunks = []
        for file in files:
            with Image.open(file) as image:
                assert (image.format, image.size, image.mode) == ("PNG", (40, 40), "RGB")
                chunks.append((file.read_bytes()[:33], image.info))  # signature and header
        assert chunks[0] == chunks[1]
        real, fake = (np.asarray(Image.open(file)) for file in files)
        share = (real != fake).any(axis=2).mean()
        assert 0 < share < 0.15
        whole = np.asarray(Image.open(photographs / its["photograph"]))
        x, y = its["x"], its["y"]
        np.testing.assert_array_equal(real, whole[y : y + 40, x : x + 40])


def test_what_is_there_is_replaced_only_if_it_is_a_set_and_asked_for(
    photographs: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine"
    for folder in (out, mine):
        folder.mkdir()  # an empty one may be filled
    (mine / "notes.txt").write_text("keep")
    run(monkeypatch, "--real", photographs, "--out", out)
    before = hashes(out)
    with pytest.raises(UsageError, match=r"--out .*--overwrite"):
        run(monkeypatch, "--real", photographs, "--out", out, "--seed", 1)
    with pytest.raises(UsageError, match="no set of edits"):
        run(monkeypatch, "--real", photographs, "--out", mine, "--overwrite")
    for real, place in ((photographs, photographs / "x"), (out, tmp_path), (out, out)):
        with pytest.raises(UsageError, match="must not be, hold, or lie in"):
            run(monkeypatch, "--real", real, "--out", place, "--overwrite")
    assert hashes(out) == before
    (out / "notes.txt").write_text("keep")
    for name in ("0.png", "plain.png"):
        (photographs / name).unlink()
    run(monkeypatch, "--real", photographs, "--out", out, "--seed", 1, "--overwrite")
    assert (out / "notes.txt").read_text() == (mine / "notes.txt").read_text() == "keep"
    assert len(list((out / "1_fake").iterdir())) == len(list((out / "0_real").iterdir())) == 8


def test_too_few_photographs_are_told_with_what_was_left_out(
    photographs: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 9):
        next(photographs.rglob(f"{number}.png")).unlink()
    (photographs / "plain.png").unlink()
    with pytest.raises(UsageError, match=r"two photographs .* 40 .*1 left out, smaller than 40x40"):
        run(monkeypatch, "--real", photographs, "--out", tmp_path / "out")
    with pytest.raises(UsageError, match="nowhere"):
        run(monkeypatch, "--real", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
    with pytest.raises(SystemExit):
        run(monkeypatch, "--out", tmp_path / "out")


def test_the_splice_of_a_crop_is_from_another_photograph() -> None:
    def crops(count: int) -> list[shallow.Cropped]:
        rng = np.random.default_rng(0)
        return [shallow.Cropped(str(n), 0, 0, photograph(n), rng) for n in range(count)]

    for count in range(2, 5):
        pairs = list(shallow.with_others(crops(count)))
        assert sorted(crop.photograph for crop, _ in pairs) == [str(n) for n in range(count)]
        assert all((crop.pixels != other).any() for crop, other in pairs)
    assert list(shallow.with_others(crops(1))) == list(shallow.with_others([])) == []


def test_the_miniatures_set_is_an_extra_one_in_no_mean(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    crops = [draw_crop("test", rng) for _ in range(6)]
    build.write_pairs(build.Task(SHALLOW, f"test/{SHALLOW}", crops, [0, 15, 25]), tmp_path)
    names = {f"{crop.name}_{KINDS[n % 4]}.png" for n, crop in enumerate(crops, 25)}
    for label in ("0_real", "1_fake"):
        assert {path.name for path in (tmp_path / "test/shallow" / label).iterdir()} == names
    for name in names:
        photo, scale, x, y, _ = name.rsplit("_", 4)
        images = [
            np.asarray(Image.open(tmp_path / f"test/shallow/{label}/{name}"))
            for label in ("0_real", "1_fake")
        ]
        np.testing.assert_array_equal(images[0], cut(Crop(photo, int(scale), int(x), int(y))))
        assert 0 < (images[0] != images[1]).any(axis=2).mean() < 0.15
    assert SHALLOW not in FAMILIES
    assert PAPER.chosen([*FAMILIES, SHALLOW]) == PAPER.chosen(FAMILIES)
    assert SIZE >= LEAST_SIDE <= ShallowOptions.size


def test_the_miniatures_splices_are_from_another_photograph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crop = draw_crop("test", np.random.default_rng(0))
    twin = crop._replace(x=crop.x + 1)
    foreign = Crop("china", 50, 0, 0)
    drawn = iter([crop, twin, foreign])
    monkeypatch.setattr(build, "draw_crop", lambda split, rng: next(drawn))
    monkeypatch.setattr(build, "edit", lambda kind, pixels, other, rng: other)
    task = build.Task(SHALLOW, f"test/{SHALLOW}", [crop], [0, 15, 1])
    [(name, other)] = build.edits_of(task, [cut(crop)], np.random.default_rng(0))
    assert name == f"{crop.name}_splice"
    np.testing.assert_array_equal(other, cut(foreign))


def test_the_thirteen_are_drawn_as_they_were_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRAIN_PAIRS", "VAL_PAIRS", "TEST_PAIRS"):
        monkeypatch.setattr(build, name, 2)
    tasks = build.plan(3)
    assert [task.family == SHALLOW for task in tasks] == sorted(t.family == SHALLOW for t in tasks)
    shallow_numbers = {task.seed[1] for task in tasks if task.family == SHALLOW}
    assert shallow_numbers == {2 + len(FAMILIES)}  # after train, val and the thirteen
