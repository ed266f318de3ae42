"""Loops of links, pipes and other endings: nothing is counted twice, and nothing hangs."""

from __future__ import annotations

import os
import pathlib
import socket
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image, features

import eval as evaluation
import predict
import train
from data.images import UnreadableImage, decode, open_image, read_file, read_header
from data.samples import ENDINGS, find_images, find_samples
from data.sources import find_all_sets, find_testsets, training_images
from options.eval_options import EvalOptions
from options.parse import parse
from options.predict_options import PredictOptions
from options.train_options import TrainOptions
from tests.conftest import TOY_OPTIONS, write_image
from tests.tolerances import near
from tools import audit
from tools.verify import check
from util.errors import UsageError

SPLITS = ("train", "val")


def touch(root: pathlib.Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())


def link(path: pathlib.Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def names(root: pathlib.Path, *classes: str) -> list[str]:
    samples = find_samples(str(root), classes)
    return [samples.relative(i) for i in range(len(samples.labels))]


@pytest.fixture
def cat(tmp_path: pathlib.Path) -> pathlib.Path:
    """One class, two images of each label."""
    touch(tmp_path, *(f"cat/{label}/{n}.png" for label in ("0_real", "1_fake") for n in "ab"))
    return tmp_path / "cat"


ORIGINAL = ["0_real/a.png", "0_real/b.png", "1_fake/a.png", "1_fake/b.png"]


# --- loops ---


@pytest.mark.parametrize(
    "links",
    [
        {"0_real/self": "."},
        {"0_real/one": ".", "0_real/two": "."},  # two to the power of forty ways
        {"1_fake/up": ".."},
        {"1_fake/root": "../.."},
        {"1_fake/all": "/"},
        {"0_real/x/back": "..", "1_fake/y/back": "../.."},
    ],
)
def test_a_loop_of_links_is_passed_over_and_said(
    cat: pathlib.Path, links: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for name, target in links.items():
        link(cat / name, target)
    assert names(cat) == ORIGINAL
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    number = f"{len(links)} linked folder"
    assert number in told
    assert f"the first: {next(iter(links))}" in told
    report = check(str(cat), quick=True)
    assert report.images == 4
    assert {f.paths[0] for f in report.of("ignored")} == {f"{name}/" for name in links}
    assert sum(its.labels.size for its in find_all_sets(str(cat)).values()) == 4
    assert len(find_images([str(cat)], recursive=True).labels) == 4


def test_links_that_lead_into_each_other_end(cat: pathlib.Path) -> None:
    touch(cat, "0_real/x/c.png", "0_real/y/d.png")
    link(cat / "0_real/x/to_y", "../y")
    link(cat / "0_real/y/to_x", "../x")
    assert names(cat) == sorted([*ORIGINAL, "0_real/x/c.png", "0_real/y/d.png"])


def test_a_folder_that_is_reached_twice_counts_once(
    cat: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its own name, whichever comes first in the alphabet; another set may have it, too."""
    touch(tmp_path, "store/dog/0_real/d.png", "store/dog/1_fake/d.png")
    for name in ("dog", "ant", "zoo/dog"):
        link(tmp_path / "set" / name, str(tmp_path / "store/dog"))
    link(tmp_path / "set/0cat", "cat")
    cat.rename(tmp_path / "set/cat")
    link(tmp_path / "set/all", str(tmp_path / "store"))
    found = names(tmp_path / "set")
    assert found == [
        "all/dog/0_real/d.png",
        "all/dog/1_fake/d.png",
        *(f"cat/{path}" for path in ORIGINAL),
    ]
    told = capsys.readouterr().err
    assert "4 linked folders" in told
    assert len(find_testsets(str(tmp_path / "set"))["dog"].labels) == 2
    assert check(str(tmp_path / "set"), quick=True).is_whole()


def test_reals_that_classes_share_by_links_count_once(cat: pathlib.Path) -> None:
    """The class that has none but the shared ones is no class without reals."""
    touch(cat.parent, "dog/1_fake/a.png")
    link(cat.parent / "dog/0_real", "../cat/0_real")
    found = [*(f"cat/{path}" for path in ORIGINAL), "dog/1_fake/a.png"]
    assert names(cat.parent) == found
    (cat.parent / "dog/0_real").unlink()
    link(cat.parent / "dog/0_real/photos", "../../cat/0_real")
    assert names(cat.parent) == found
    touch(cat.parent, "pool/x.png")
    link(cat.parent / "set/0_real", "../pool")  # in no label folder itself
    touch(cat.parent, "set/1_fake/a.png")
    for folder in ("cat", "dog"):
        (cat.parent / folder).rename(cat.parent / "set" / folder)
    (cat.parent / "pool").rename(cat.parent / "set/pool")
    (cat.parent / "set/0_real").unlink()
    link(cat.parent / "set/0_real", "pool")
    assert names(cat.parent / "set")[0] == "0_real/x.png"


@pytest.mark.parametrize(("at", "target"), [("1_fake", "0_real"), ("1_fake/also", "../0_real")])
def test_one_folder_under_both_labels_is_refused(
    cat: pathlib.Path, at: str, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if at == "1_fake":
        (cat / "1_fake").rename(cat.parent / "away")
    link(cat / at, target)
    with pytest.raises(UsageError, match=rf"{at}: is the folder 0_real, .* real and fake"):
        find_samples(str(cat))
    report = check(str(cat), quick=True)
    assert [f.paths for f in report.of("across_labels")] == [(f"{at}/", "0_real/")]
    assert not report.is_whole()


def test_a_test_set_that_leads_above_itself_is_none(
    cat: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link(cat.parent / "self", ".")
    assert list(find_testsets(str(cat.parent))) == ["cat"]
    assert "1 linked folder" in capsys.readouterr().err
    assert list(find_all_sets(str(cat.parent))) == ["cat"]
    assert [row.set for row in check(str(cat.parent), quick=True).rows] == ["cat"]


def test_linked_files_are_images_of_their_own(cat: pathlib.Path) -> None:
    """The test skeleton's 90,329 names are links to three files."""
    for name in ("c.png", "d.png"):
        link(cat / "0_real" / name, "a.png")
    link(cat / "0_real/dead.png", "nowhere.png")
    link(cat / "0_real/ring.png", "ring.png")
    assert len(names(cat)) == 8  # opening the last two will tell


def test_a_folder_that_cannot_be_listed_is_named(
    cat: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def forbidden(path: str) -> Iterator[os.DirEntry[str]]:
        if os.fspath(path).endswith("1_fake/"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(UsageError, match=r"1_fake.*cannot be listed .Permission denied"):
        find_samples(str(cat))


# --- what is no regular file ---


def make_pipe(path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)


def make_socket(path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path may have some 100 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)


def link_to_device(path: pathlib.Path) -> None:
    link(path, "/dev/zero")


SPECIAL = [make_pipe, make_socket, link_to_device]


@pytest.mark.parametrize("make", SPECIAL, ids=["pipe", "socket", "device"])
def test_what_is_no_file_is_no_image(
    cat: pathlib.Path, make: Callable[[pathlib.Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    make(cat / "0_real/odd.png")
    assert names(cat) == ORIGINAL
    assert (
        "1 pipe, socket or device was left out; the first: 0_real/odd.png"
        in capsys.readouterr().err
    )
    assert {f.paths[0] for f in check(str(cat), quick=True).of("ignored")} == {"0_real/odd.png"}
    assert len(find_images([str(cat)], recursive=True).labels) == 4
    for read in (open_image, read_header, read_file):
        with pytest.raises(UnreadableImage, match=r"odd\.png: is no regular file") as error:
            read(str(cat / "0_real/odd.png"))
        assert error.value.path == str(cat / "0_real/odd.png")


def test_a_folder_is_no_image(cat: pathlib.Path) -> None:
    (cat / "0_real/folder.png").mkdir()
    assert names(cat) == ORIGINAL
    with pytest.raises(UnreadableImage, match="is no regular file"):
        open_image(str(cat / "0_real/folder.png"))


def test_reading_and_decoding_are_two(cat: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(cat / "0_real/real.png")
    write_image(pathlib.Path(path), 1)
    content = read_file(path)
    assert content == pathlib.Path(path).read_bytes()
    np.testing.assert_array_equal(decode(content, path), open_image(path))
    with pytest.raises(UnreadableImage, match=r"real\.png: holds 40x40 pixels, more than 1,599"):
        decode(content, path, 1599)
    with pytest.raises(UnreadableImage, match=r"real\.png: cannot be read as an image"):
        decode(b"no image", path)
    monkeypatch.setattr("data.images.MAX_BYTES", 10)
    with pytest.raises(UnreadableImage, match="bytes, more than"):
        read_file(path)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("weights") / "w.pth"
    torch.manual_seed(0)
    network = torchvision.models.resnet18(num_classes=1)
    torch.save({"model": network.state_dict(), "arch": "resnet18", "crop_size": 32}, path)
    return path


@pytest.fixture
def odd(tmp_path: pathlib.Path) -> pathlib.Path:
    """A whole data set with a pipe, a loop and a picture of another ending in each set."""
    root = tmp_path / "odd"
    for split in ("train", "val", "test/own"):
        for label in ("0_real", "1_fake"):
            for number in range(4):
                path = root / split / label / f"{number}.png"
                write_image(path, 100 * len(split) + 2 * number + (label == "1_fake"))
        make_pipe(root / split / "0_real/pipe.png")
        link(root / split / "1_fake/up", "..")
        touch(root, f"{split}/0_real/movie.mov", f"{split}/0_real/notes.txt")
    return root


def said(text: str) -> tuple[int, int, int]:
    """How often each of the three is said."""
    links = text.count("1 linked folder was passed over")
    pipes = text.count("1 pipe, socket or device was left out")
    return links, pipes, text.count("1 file with another ending was left out: .mov (1)")


def test_every_command_ends_and_says_what_it_left_out(
    odd: pathlib.Path,
    weights: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    common = ["--device", "cpu", "--num_threads", "0"]
    scoring = ["--model_path", str(weights), *common]
    flags = ["--results_dir", str(tmp_path / "results"), "--bootstrap", "0", "--thumbnails", "none"]
    argv = ["--dataroot", str(odd / "test"), *scoring, *flags]
    assert evaluation.main(parse(EvalOptions, argv)) == 0
    assert said(capsys.readouterr().err) == (1, 1, 1)

    train.main(
        parse(
            TrainOptions,
            [*TOY_OPTIONS, "--dataroot", str(odd), "--checkpoints_dir", str(tmp_path)]
            + ["--name", "run", "--niter", "1"],
        )
    )
    told = capsys.readouterr()
    assert said(told.err) == (2, 2, 2)  # train and val
    assert "train: 4 real and 4 fake images" in told.out

    folder = str(odd / "test/own")
    assert predict.main(parse(PredictOptions, [folder, "--recursive", *scoring])) == 0
    told = capsys.readouterr()
    assert said(told.err) == (1, 1, 1)
    assert told.out.count("\n") == 9
    pipe = f"{folder}/0_real/pipe.png"
    assert predict.main(parse(PredictOptions, [pipe, *scoring])) == 1
    assert "pipe.png: is no regular file" in capsys.readouterr().err

    assert check(str(odd)).is_whole()
    assert said(capsys.readouterr().err) == (3, 3, 3)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["audit.py", str(odd)])
    assert audit.main() == 0
    assert said(capsys.readouterr().err) == (3, 3, 3)


def test_a_manifest_that_names_a_pipe_does_not_hang(
    odd: pathlib.Path, weights: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    rows = ["test/own/0_real/pipe.png,0", "test/own/0_real/0.png,0", "test/own/1_fake/0.png,1"]
    (odd / "m.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    argv = ["--model_path", str(weights), "--dataroot", str(odd / "m.csv"), "--device", "cpu"]
    argv += ["--results_dir", str(tmp_path), "--num_threads", "0", "--bootstrap", "0"]
    assert evaluation.main(parse(EvalOptions, argv)) == 1
    (finding,) = check(str(odd / "m.csv")).of("unreadable")
    assert finding.detail == "is no regular file"


# --- endings ---


def test_other_endings_are_counted_and_named(
    cat: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    touch(cat, "0_real/a.HEIC2", "1_fake/b.heic2", "1_fake/c.mov", "1_fake/noending")
    assert names(cat) == ORIGINAL
    told = capsys.readouterr().err
    assert "4 files with other endings were left out: .heic2 (2), .mov (1), none (1)" in told
    assert told.count("\n") == 1


def test_side_files_and_hidden_ones_are_not_worth_a_word(
    cat: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    touch(cat, "0_real/Thumbs.db", "0_real/._a.png", "0_real/.DS_Store", "0_real/list.TXT")
    touch(cat, "0_real/meta.json", "1_fake/prompts.csv", "readme.md", "beside.zip", ".git/x.heic")
    assert names(cat) == ORIGINAL
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("known", [True, False])
def test_what_would_make_them_readable_is_said(
    cat: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    known: bool,
) -> None:
    monkeypatch.setattr("data.walk.ENDINGS", (*ENDINGS, ".heic") if known else (".png",))
    touch(cat, "0_real/x.heic")
    assert len(names(cat)) == 4 + known
    told = capsys.readouterr().err
    assert told == "" if known else "pip install pillow-heif" in told


@pytest.mark.parametrize(
    ("ending", "kind"),
    [("gif", "GIF"), ("jfif", "JPEG"), ("jpe", "JPEG"), ("PNG", "PNG"), ("avif", "AVIF")],
)
def test_more_endings_are_read(tmp_path: pathlib.Path, ending: str, kind: str) -> None:
    path = tmp_path / f"0_real/a.{ending}"
    path.parent.mkdir()
    frames = [Image.new("RGB", (8, 9), colour) for colour in ("red", "blue")]
    if kind == "AVIF" and not features.check("avif"):
        assert ".avif" not in ENDINGS
        return
    more = {"save_all": True, "append_images": frames[1:]} if kind == "GIF" else {}
    frames[0].save(path, kind, **more)
    samples = find_samples(str(tmp_path), both_labels=False)
    assert samples.paths.tolist() == [os.fsencode(f"0_real/a.{ending}")]
    red = open_image(samples.path(0))
    assert red.shape == (9, 8, 3)
    assert red[4, 4].astype(int) == near(np.array([255, 0, 0]), 8, "lossy kinds")
    assert check(str(tmp_path)).of("misnamed") == []


def test_the_contracts_endings_are_always_read() -> None:
    assert {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm"} <= set(ENDINGS)


def test_training_images_by_links_from_elsewhere(cat: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The usual: splits and classes that are links to another disk."""
    touch(tmp_path, *(f"disk/dog/{x}/1.png" for x in ("0_real", "1_fake")))
    link(tmp_path / "data/train", str(cat))
    link(tmp_path / "data/val/dog", str(tmp_path / "disk/dog"))
    train_samples, val_samples = training_images(str(tmp_path / "data"), SPLITS)
    assert (len(train_samples.labels), len(val_samples.labels)) == (4, 2)
