"""Packs: a data set in a few files that gives the batches and logits of its folder."""

from __future__ import annotations

import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data import packed
from data.augment import Blur, Jpeg
from data.contents import content_hash
from data.dataset import TrainImages
from data.images import UnreadableImage, open_image, read_file, read_header
from data.manifest_file import read_manifest
from data.samples import Samples
from data.sources import find_testsets, training_images
from data.train_batches import train_reader
from data.transforms import train_transform
from options.names import STORES
from options.pack_options import PackOptions
from options.parse import parse
from tests.conftest import Script, assert_wrong_usage, write_image
from tests.toy_runs import assert_same_run, run_training
from tools import pack as tool
from tools.packing import shards
from util.errors import UsageError, WorkError

SPLITS = ("train", "val")


def make(source: pathlib.Path, out: pathlib.Path, store: str = "zstd", *more: str) -> pathlib.Path:
    argv = [str(source), "--out", str(out), "--store", store, "--processes", "0", *more]
    tool.pack(parse(PackOptions, argv))
    packed._open.cache_clear()  # as in the next command
    packed._pack_above.cache_clear()
    return out


@pytest.fixture(scope="module")
def packs(toy: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    root = tmp_path_factory.mktemp("packs")
    return {store: make(toy, root / store, store) for store in STORES}


def batches(samples: Samples, workers: int) -> list[Any]:
    blur, jpeg = Blur(0.5, (0.0, 3.0)), Jpeg(0.5, (30, 100), ("cv2", "pil"))
    transforms = train_transform(40, 32, ("bilinear",), blur=blur, jpeg=jpeg, flip=True)
    read = train_reader(TrainImages(samples, transforms, seed=3), workers, pin_memory=False)
    keys: Any = [[(1, index) for index in (5, 2, 7)], [(1, index) for index in (0, 9, 20)]]
    return list(read(keys))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_the_folder(
    toy: pathlib.Path, packs: dict[str, pathlib.Path], workers: int
) -> None:
    expected = batches(training_images(str(toy), SPLITS)[0], workers)
    for store in STORES:
        found = batches(training_images(str(packs[store]), SPLITS)[0], workers)
        for ours, theirs in zip(found, expected, strict=True):
            assert torch.equal(ours.images, theirs.images), store
            assert ours.contents == theirs.contents
            assert torch.equal(ours.targets, theirs.targets)


def test_splits_classes_and_test_sets_are_those_of_the_folder(
    toy: pathlib.Path, packs: dict[str, pathlib.Path]
) -> None:
    root = str(packs["pixels"])
    for chosen in ([], ["dog"]):
        for ours, theirs in zip(
            training_images(root, SPLITS, chosen),
            training_images(str(toy), SPLITS, chosen),
            strict=True,
        ):
            assert [ours.content(i) for i in range(len(ours.labels))] == [
                theirs.content(i) for i in range(len(theirs.labels))
            ]
            assert ours.labels.tolist() == theirs.labels.tolist()
    tests, plain = find_testsets(root), find_testsets(str(toy / "test"))
    assert tests.keys() == plain.keys() == {"progan", "biggan", "own set"}
    for name in tests:
        for index in range(4):
            np.testing.assert_array_equal(tests[name].load(index)[1], plain[name].load(index)[1])


def test_a_run_on_a_pack_has_the_bits_of_one_on_the_folder(
    toy: pathlib.Path, packs: dict[str, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    argv = ("--niter", 1, "--num_threads", 0, "--tracker", "")
    first = run_training(toy, tmp_path / "folder", *argv)
    assert_same_run(first, run_training(packs["zstd"], tmp_path / "pack", *argv))


def test_eval_scores_a_pack_as_its_folder(
    toy: pathlib.Path, packs: dict[str, pathlib.Path], tmp_path: pathlib.Path, script: Script
) -> None:
    weights = run_training(toy, tmp_path / "runs", "--max_steps", 1, "--tracker", "")
    logits = []
    for name, root in (("folder", toy / "test"), *packs.items()):
        result = script(
            *("eval.py", "--model_path", weights / "model_epoch_best.pth", "--dataroot", root),
            *("--results_dir", tmp_path, "--name", name, "--num_threads", 0, "--bootstrap", 0),
            *("--thumbnails", 2),
        )
        assert result.returncode == 0, result.stderr
        table = (tmp_path / name / "predictions.csv").read_text().splitlines()[1:]
        logits.append(sorted((line.split(",")[0], line.split(",")[-1]) for line in table))
        page = (tmp_path / name / "report.html").read_text()
        assert page.count("data:image/png") >= 4, name  # thumbnails, read out of the pack
    assert logits[1:] == logits[:1] * 3


BICUBIC = ("--loadSize", "36", "--rz_interp", "bicubic")


def test_resized_images_give_the_bits_of_those_resized_in_training(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    source = tmp_path / "set"
    shutil.copytree(toy, source)
    for number, size in enumerate([(41, 67), (67, 41), (300, 37), (20, 20)]):
        write_image(source / f"train/cat/1_fake/odd{number}.png", number, size)
    argv = (*BICUBIC, "--niter", 1, "--tracker", "")
    first = run_training(source, tmp_path / "folder", *argv)
    for store in ("pixels", "zstd"):
        pack = make(source, tmp_path / store, store, *BICUBIC)
        samples = read_manifest(str(pack), resized=packed.resized_as(36, ["bicubic"])).samples
        assert {min(samples.load(i)[1].shape[:2]) for i in range(len(samples.labels))} == {36}
        assert_same_run(first, run_training(pack, tmp_path / f"{store}_run", *argv))


def test_resized_images_are_for_training_that_resizes_so(
    toy: pathlib.Path,
    tmp_path: pathlib.Path,
    script: Script,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pack = make(toy, tmp_path / "pack", "pixels", *BICUBIC)
    which = r"for train\.py --loadSize 36 --rz_interp bicubic alone"
    for argv in ([], ["--loadSize", "40"], [*BICUBIC[:3], "bicubic,bilinear"], [*BICUBIC[:2]]):
        with pytest.raises(UsageError, match=which):
            run_training(pack, tmp_path / "run", *argv)
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="were resized as they were packed"):
        find_testsets(str(pack))
    with pytest.raises(UsageError, match="resized otherwise"):
        make(toy, pack, "pixels")
    same = make(toy, pack, "pixels", *BICUBIC)
    assert same == pack
    assert "packed already" in capsys.readouterr().out
    refused = script("-m", "tools.pack", toy, "--store", "original", "--loadSize", 36)
    assert_wrong_usage(refused, "--loadSize", "--store original")


def odd_images(root: pathlib.Path) -> list[str]:
    """Files of several kinds, with names that are hard on a list of names."""
    pixels = np.random.default_rng(0).integers(0, 256, (13, 17, 3), np.uint8)
    rgb = Image.fromarray(pixels)
    for label in ("0_real", "1_fake"):
        folder = root / label
        folder.mkdir(parents=True)
        rgb.convert("L").save(folder / "grey a:b.png")
        rgb.convert("CMYK").save(folder / "cmyk,\u00fc.jpg", quality=90)
        Image.fromarray(pixels[..., 0].astype(np.uint16) * 256).save(folder / "deep.png")
        rgb.convert("P").save(folder / 'palette "x".png')
        exif = Image.Exif()
        exif[0x0112] = 6
        rgb.save(folder / "turned.jpg", exif=exif)
        rgb.save(folder / "\udcff.bmp")
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.*"))


@pytest.mark.parametrize("store", STORES)
def test_odd_files_have_their_pixels_and_hashes(store: str, tmp_path: pathlib.Path) -> None:
    names = odd_images(tmp_path / "set")
    out = make(tmp_path / "set", tmp_path / "pack", store)
    samples = read_manifest(str(out)).samples
    assert sorted(samples.relative(i) for i in range(len(names))) == sorted(names)
    for index in range(len(names)):
        original = str(tmp_path / "set" / samples.relative(index))
        content, pixels = samples.load(index)
        np.testing.assert_array_equal(pixels, open_image(original))
        np.testing.assert_array_equal(open_image(samples.path(index)), pixels)
        assert content == samples.content(index) == content_hash(read_file(original))
        assert samples.size(index) == pixels.shape[:2]
        if store == "original":
            assert read_header(samples.path(index)) == read_header(original)
        else:
            with pytest.raises(UnreadableImage, match="packed as pixels"):
                read_header(samples.path(index))
    with pytest.raises(UnreadableImage, match="No such file"):
        open_image(str(out / "0_real/other.png"))
    with pytest.raises(UnreadableImage, match="17x13 pixels, more than 200"):
        samples.load(0, 200)


def small(root: pathlib.Path, count: int = 6) -> pathlib.Path:
    for number in range(count):
        for label in ("0_real", "1_fake"):
            write_image(root / "set" / label / f"{number}.png", number, (9, 8))
    return root / "set"


def test_a_stopped_pack_goes_on(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (tool, shards):
        monkeypatch.setattr(module, "PER_SHARD", 5)
    source, out = small(tmp_path), tmp_path / "pack"
    write, written, again = shards.write_shard, list[int](), list[bool]()

    def stopped(shard: shards.Shard, **more: object) -> list[str]:
        if len(written) == 2 and not again:
            raise KeyboardInterrupt
        written.append(shard.number)
        return write(shard, **more)

    monkeypatch.setattr(tool, "write_shard", stopped)
    with pytest.raises(KeyboardInterrupt):
        make(source, out)
    assert not packed.is_pack(str(out))
    with pytest.raises(UsageError, match="unfinished pack"):
        make(source, out, "pixels")
    monkeypatch.setattr(
        tool, "write_shard", lambda its, **m: written.append(its.number) or write(its, **m)
    )
    make(source, out)
    assert written == [0, 1, 2]
    assert sorted(path.name for path in out.iterdir()) == [
        *("index.npy", "pack.json", "paths.npy"),
        *("shard-00000.bin", "shard-00001.bin", "shard-00002.bin"),
    ]
    samples = read_manifest(str(out)).samples
    for index in range(12):
        np.testing.assert_array_equal(
            samples.load(index)[1], open_image(str(source / samples.relative(index)))
        )


def test_a_changed_source_and_foreign_folders_are_refused(
    tmp_path: pathlib.Path, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    source = small(tmp_path)
    out = make(source, tmp_path / "pack")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    make(source, out)
    assert "packed already" in capsys.readouterr().out
    write_image(source / "0_real/0.png", 99, (9, 8))
    with pytest.raises(UsageError, match="of other images, or changed"):
        make(source, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    result = script("-m", "tools.pack", source, "--out", tmp_path / "mine")
    assert_wrong_usage(result, "is not empty")
    (tmp_path / "mine/pack.json").write_text("{}")
    assert not packed.is_pack(str(tmp_path / "mine"))
    with pytest.raises(UsageError, match="another program's"):
        make(source, tmp_path / "mine")
    assert_wrong_usage(script("-m", "tools.verify", out), "is a pack", "made of")


def test_what_cannot_be_read_is_named(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = small(tmp_path)
    (source / "0_real/3.png").write_bytes(b"no image")
    with pytest.raises(WorkError, match="1 images could not be read"):
        make(source, tmp_path / "pixels", "pixels")
    assert "0_real/3.png: cannot be read" in capsys.readouterr().err
    assert len(read_manifest(str(tmp_path / "pixels")).sizes) == 11
    kept = read_manifest(str(make(source, tmp_path / "original", "original"))).samples
    assert len(kept.labels) == 12
    assert kept.size(3) == (0, 0)
    with pytest.raises(UnreadableImage, match="cannot identify"):
        kept.load(3)


def test_a_damaged_pack_is_named(tmp_path: pathlib.Path) -> None:
    source = small(tmp_path)
    cut = make(source, tmp_path / "cut", "pixels")
    with (cut / "shard-00000.bin").open("r+b") as file:
        file.truncate(9 * 8 * 3 * 4)
    samples = read_manifest(str(cut)).samples
    assert samples.load(3)[1].shape == (8, 9, 3)
    with pytest.raises(UnreadableImage, match=r"1.png.*shard-00000.bin.*cut short"):
        samples.load(7)
    bad = make(source, tmp_path / "bad", "zstd")
    (bad / "shard-00000.bin").write_bytes(b"x" * (bad / "shard-00000.bin").stat().st_size)
    with pytest.raises(UnreadableImage, match="cannot be read"):
        read_manifest(str(bad)).samples.load(0)
    (bad / "index.npy").write_bytes(b"")
    packed._open.cache_clear()
    with pytest.raises(UsageError, match="index cannot be read"):
        read_manifest(str(bad))


def test_images_outside_are_refused(tmp_path: pathlib.Path) -> None:
    source = small(tmp_path)
    shutil.copytree(source, tmp_path / "elsewhere")
    (tmp_path / "lists").mkdir()
    manifest = tmp_path / "lists/m.csv"
    manifest.write_text("path,label\n../set/0_real/0.png,0\n../set/1_fake/0.png,1\n")
    with pytest.raises(UsageError, match="lies outside"):
        make(manifest, tmp_path / "pack")


def test_a_pack_is_not_packed_again(toy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Its images' names, sizes and times are its own, and of pixels there are no files to copy."""
    packed_already = make(toy, tmp_path / "pack")
    with pytest.raises(UsageError, match="pack: is a pack; pack the folder that it was made from"):
        make(packed_already, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_the_codec_loses_nothing() -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 1, 3), (1, 7, 3), (7, 1, 3), (64, 48, 3)):
        for pixels in (rng.integers(0, 256, shape, np.uint8), np.full(shape, 255, np.uint8)):
            before = pixels.copy()
            again = packed.decompress(packed.compress(pixels), *shape[:2])
            np.testing.assert_array_equal(pixels, before)
            np.testing.assert_array_equal(again, pixels)


def test_the_stores_of_help_are_those_there_are() -> None:
    assert packed.STORES == STORES
