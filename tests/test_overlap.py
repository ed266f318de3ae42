"""No image is on both sides: real and fake, or trained on and validated on."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest
import torch
import torchvision

import eval as evaluation
import train
from data.held_out import held_out
from data.manifest_file import read_manifest
from data.overlap import shared_image
from data.samples import Samples, concat, find_samples
from data.sources import find_all_sets, find_testsets, replayed_images, training_images
from evaluation.predictions import read_predictions
from options.eval_options import EvalOptions
from options.manifest_options import ManifestOptions
from options.parse import parse
from options.train_options import TrainOptions
from tests.conftest import TOY_OPTIONS, write_image
from tools.manifest import write
from util.errors import UsageError

SPLITS = ("train", "val")


def touch(root: pathlib.Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())


def real_paths(samples: Samples) -> set[str]:
    return {os.path.realpath(samples.path(i)) for i in range(len(samples.labels))}


@pytest.fixture
def plain(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Twenty photographs, as many fakes, and links to both folders; in the working directory."""
    touch(tmp_path, *(f"{folder}/{n}.png" for folder in ("photos", "made") for n in range(20)))
    (tmp_path / "same_photos").symlink_to("photos")
    (tmp_path / "album").mkdir()
    (tmp_path / "album/summer").symlink_to(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("fake", ["photos", "photos/", "same_photos", "album", "made/../photos"])
def test_one_folder_as_real_and_as_fake_is_refused(plain: pathlib.Path, fake: str) -> None:
    message = r"--real .*: \S*\.png is among the real images and among the fakes"
    with pytest.raises(UsageError, match=message):
        training_images("", SPLITS, real="photos", fakes=[fake], val_fraction=0.5)
    with pytest.raises(UsageError, match=message):
        find_testsets("", real="photos", fakes=[fake])


def test_a_folder_inside_the_other_is_refused(plain: pathlib.Path) -> None:
    touch(plain, "photos/fakes/x.png")
    with pytest.raises(UsageError, match=r"photos/fakes/x\.png is among the real images"):
        training_images("", SPLITS, real="photos", fakes=["photos/fakes"])


def test_a_folder_of_fakes_that_is_given_twice_is_refused(plain: pathlib.Path) -> None:
    (plain / "again").symlink_to("made")
    with pytest.raises(UsageError, match=r"--fake again: again/\d+\.png is in another"):
        training_images("", SPLITS, real="photos", fakes=["made", "again"])


def test_the_reals_of_a_set_of_fakes_are_not_among_them(plain: pathlib.Path) -> None:
    touch(plain, "sets/gan/1_fake/x.png")
    with pytest.raises(UsageError, match="--real sets/gan: "):
        find_testsets("sets", real="sets/gan")
    assert len(find_testsets("sets", real="photos")["gan"].labels) == 21


@pytest.fixture
def splits(tmp_path: pathlib.Path) -> pathlib.Path:
    for split in SPLITS:
        touch(tmp_path, *(f"{split}/cat/{x}/{split}.png" for x in ("0_real", "1_fake")))
    return tmp_path


def test_a_split_that_is_both_is_refused(splits: pathlib.Path) -> None:
    with pytest.raises(
        UsageError, match=r"--train_split train and --val_split train: .* is in both"
    ):
        training_images(str(splits), ("train", "train"))
    (splits / "again").symlink_to("train")
    with pytest.raises(UsageError, match="--train_split train and --val_split again"):
        training_images(str(splits), ("train", "again"))
    (splits / "val/dog").symlink_to(splits / "train/cat")
    with pytest.raises(UsageError, match=r"cat/0_real/train.png is in both"):
        training_images(str(splits), SPLITS)
    argv = ["--dataroot", str(splits), "--val_split", "train", "--dry_run", *TOY_OPTIONS]
    with pytest.raises(UsageError, match="--val_split train"):
        train.main(parse(TrainOptions, argv))


def test_replayed_images_are_others(splits: pathlib.Path, tmp_path: pathlib.Path) -> None:
    new = dict(zip(SPLITS, training_images(str(splits), SPLITS), strict=True))
    with pytest.raises(UsageError, match=r"--replay_root .*train.png is among the images of"):
        replayed_images(str(splits), SPLITS, **new)
    argv = ["--dataroot", str(splits), "--replay_root", str(splits), "--dry_run", *TOY_OPTIONS]
    with pytest.raises(UsageError, match="--replay_root"):
        train.main(parse(TrainOptions, argv))
    old = tmp_path / "old"
    for split in SPLITS:
        touch(old, f"{split}/0_real/{split}.png", f"{split}/1_fake/{split}.png")
    (old / "train/0_real/more").symlink_to(splits / "train/cat/0_real")  # shared photographs
    assert len(replayed_images(str(old), SPLITS, **new).labels) == 3
    (old / "train/1_fake/more").symlink_to(splits / "val/cat/1_fake")
    with pytest.raises(UsageError, match=r"val.png is among the images"):
        replayed_images(str(old), SPLITS, **new)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a/x.png,0,train\na/y.png,1,train\n./a/x.png,1,val\n", "lists a/x.png more than once"),
        ("a/x.png,0,train\nb/x.png,1,train\n", "x.png is among the real images and among the"),
        (
            "a/x.png,0,train\na/y.png,1,train\nb/x.png,0,val\nc,1,val\n",
            "--val_split val: .*a/x.png",
        ),
    ],
)
def test_a_manifest_is_held_to_the_same(tmp_path: pathlib.Path, rows: str, message: str) -> None:
    touch(tmp_path, "a/x.png", "a/y.png")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "m.csv").write_text(f"path,label,split\n{rows}")
    with pytest.raises(UsageError, match=message):
        training_images(str(tmp_path / "m.csv"), SPLITS)


def test_images_of_one_folder_may_be_on_different_sides(tmp_path: pathlib.Path) -> None:
    touch(tmp_path, *(f"all/{n}.png" for n in range(4)))
    lines = [f"all/{n}.png,{n % 2},{SPLITS[n // 2]}" for n in range(4)]
    (tmp_path / "m.csv").write_text("path,label,split\n" + "\n".join(lines))
    train_samples, val_samples = training_images(str(tmp_path / "m.csv"), SPLITS)
    assert shared_image(train_samples, val_samples) == ""
    assert shared_image(train_samples, train_samples) == str(tmp_path / "all/0.png")


def test_folders_that_are_links_are_joined_where_they_lie(tmp_path: pathlib.Path) -> None:
    """The parent of a link is not the parent of what it leads to."""
    touch(tmp_path, "here/made/a.png", "far/away/photos/a.png")
    (tmp_path / "here/photos").symlink_to(tmp_path / "far/away/photos")
    pair = {"real": str(tmp_path / "here/photos"), "fakes": [str(tmp_path / "here/made")]}
    wanted = {str(tmp_path / "here/made/a.png"), str(tmp_path / "far/away/photos/a.png")}
    (samples,) = find_testsets("", **pair).values()
    assert real_paths(samples) == wanted
    again = concat(*(find_testsets("", fakes=[x])[n] for n, x in named(tmp_path)))
    assert real_paths(again) == wanted
    out = tmp_path / "here/m.csv"
    flags = ["--real", pair["real"], "--fake", pair["fakes"][0], "--out", str(out)]
    write(parse(ManifestOptions, flags))
    assert real_paths(read_manifest(str(out)).samples) == wanted


def named(root: pathlib.Path) -> list[tuple[str, str]]:
    return [(name, str(root / "here" / name)) for name in ("photos", "made")]


# --- the share that training holds out ---


def test_the_held_out_share_can_be_chosen(plain: pathlib.Path) -> None:
    pair = {"real": "photos", "fakes": ["made"]}
    train_samples, val_samples = training_images("", SPLITS, **pair, val_fraction=0.3)
    for split, samples in (("train", train_samples), ("val", val_samples)):
        (found,) = find_testsets("", split=split, **pair, val_fraction=0.3).values()
        assert real_paths(found) == real_paths(samples)
        assert real_paths(
            find_all_sets("", split=split, real="photos", fakes=["made"], val_fraction=0.3)["made"]
        ) == real_paths(found)
    lines = [f"{x}/{n}.png,{int(x == 'made')}" for x in ("photos", "made") for n in range(20)]
    (plain / "m.csv").write_text("path,label\n" + "\n".join(lines))
    (found,) = find_testsets("m.csv", split="val", val_fraction=0.3).values()
    assert real_paths(found) == real_paths(val_samples)
    with pytest.raises(UsageError, match=r"--split val: --val_fraction 0.001 leaves no image of m"):
        find_testsets("m.csv", split="val", val_fraction=0.001)
    with pytest.raises(UsageError, match="--split other: no rows"):
        find_testsets("m.csv", split="other")


def test_eval_scores_the_held_out_share(tmp_path: pathlib.Path) -> None:
    for number in range(20):
        for folder in ("photos", "made"):
            write_image(tmp_path / folder / f"{number}.png", number)
    torch.manual_seed(0)
    network = torchvision.models.resnet18(num_classes=1)
    torch.save({"model": network.state_dict(), "arch": "resnet18"}, tmp_path / "w.pth")
    flags = ["--model_path", "w.pth", "--real", "photos", "--fake", "made", "--split", "val"]
    flags += ["--val_fraction", "0.3", "--cropSize", "32", "--device", "cpu", "--num_threads", "0"]
    flags += ["--results_dir", "results", "--bootstrap", "0", "--name", "own"]
    flags = [str(tmp_path / x) if x in ("w.pth", "photos", "made", "results") else x for x in flags]
    assert evaluation.main(parse(EvalOptions, flags)) == 0
    scores = read_predictions(str(tmp_path / "results/own/predictions.csv"))["made"]
    samples = Samples("", np.array([os.fsencode(p) for p in scores.paths]), scores.labels)
    assert 0 < len(scores.paths) < 20
    assert held_out(samples, 0.3).all()


def test_all_folders_are_compared_by_one_look_each(
    splits: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by one at each of 720,000 images."""
    touch(splits, *(f"train/cat/0_real/{n}.png" for n in range(50)))
    train_samples, val_samples = (find_samples(str(splits / split)) for split in SPLITS)
    stat, seen = os.stat, []
    monkeypatch.setattr(os, "stat", lambda path: seen.append(path) or stat(path))
    assert shared_image(train_samples, val_samples) == ""
    assert len(seen) == 4
