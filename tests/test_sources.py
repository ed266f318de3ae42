"""Other layouts, plain folders and manifests lead to the same images as this project's layout."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import torch
import torchvision

from data.manifest_file import COLUMNS, read_manifest, write_manifest
from data.samples import Samples
from data.sources import find_all_sets, find_testsets, hold_out, training_images
from options.manifest_options import ManifestOptions
from options.parse import parse
from tests.conftest import Script, assert_wrong_usage, write_image
from tests.plain_protocol import plain_logits
from tests.tolerances import assert_as_exact
from tools.manifest import write
from tools.verify import check
from util.errors import UsageError

SPLITS = ("train", "val")


def touch(root: pathlib.Path, *paths: str) -> pathlib.Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")
    return root


def listed(samples: Samples) -> dict[str, int]:
    """The real path of every image, and its label."""
    paths = [os.path.realpath(samples.path(i)) for i in range(len(samples.labels))]
    assert len(set(paths)) == len(paths)
    return dict(zip(paths, samples.labels.tolist(), strict=True))


def both(root: pathlib.Path, folder: str, names: tuple[str, ...] = ("a.png", "b.png")) -> None:
    touch(root, *(f"{folder}/{label}/{n}" for label in ("0_real", "1_fake") for n in names))


def test_genimage_folders_are_labels_only_side_by_side(tmp_path: pathlib.Path) -> None:
    for split in SPLITS:
        for generator in ("ADM/imagenet_adm", "Midjourney/imagenet_mj"):
            touch(tmp_path, *(f"{generator}/{split}/{x}/1.PNG" for x in ("ai", "nature")))
    both(tmp_path, "own/nature")  # a class that happens to be called so
    train, val = training_images(str(tmp_path / "ADM/imagenet_adm"), SPLITS)
    base = tmp_path / "ADM/imagenet_adm"
    assert listed(train) == {f"{base}/train/ai/1.PNG": 1, f"{base}/train/nature/1.PNG": 0}
    assert listed(val) == {f"{base}/val/ai/1.PNG": 1, f"{base}/val/nature/1.PNG": 0}
    with pytest.raises(UsageError, match=r"ADM: holds images of both train and val; .*--split val"):
        find_testsets(str(tmp_path))
    shutil.rmtree(tmp_path / "own")
    found = find_testsets(str(tmp_path), split="val")
    assert list(found) == ["ADM", "Midjourney"]
    assert listed(found["ADM"]) == listed(val)
    shutil.rmtree(tmp_path / "ADM")
    shutil.rmtree(tmp_path / "Midjourney")
    both(tmp_path, "own/nature")
    assert sorted(listed(find_testsets(str(tmp_path))["own"]).values()) == [0, 0, 1, 1]
    with pytest.raises(UsageError, match="--split val: no images below a folder of this name"):
        find_testsets(str(tmp_path), split="val")


def test_known_sets_of_fakes_take_their_neighbours_reals(tmp_path: pathlib.Path) -> None:
    touch(tmp_path, "laion/0_real/r.png", "imagenet/0_real/i.png", "other/1_fake/o.png")
    touch(tmp_path, "ldm_200/1_fake/f.png", "guided/1_fake/g.png", "dalle/1_fake/d.png")
    both(tmp_path, "glide_50_27")  # has reals of its own
    found = find_testsets(str(tmp_path))
    assert set(found) == {"ldm_200", "guided", "dalle", "glide_50_27", "other"}
    assert listed(found["ldm_200"]) == {
        str(tmp_path / "ldm_200/1_fake/f.png"): 1,
        str(tmp_path / "laion/0_real/r.png"): 0,
    }
    assert str(tmp_path / "imagenet/0_real/i.png") in listed(found["guided"])
    assert len(found["glide_50_27"].labels) == 4
    assert found["other"].labels.tolist() == [1]
    assert found["dalle"].paths.tolist() == sorted(found["dalle"].paths.tolist())
    given = find_testsets(str(tmp_path), ["other", "laion", "dalle"], real=str(tmp_path / "laion"))
    assert len(given["other"].labels) == len(given["dalle"].labels) == 2
    assert given["laion"].labels.tolist() == [0]  # named, so it stays


def test_plain_folders(tmp_path: pathlib.Path) -> None:
    touch(tmp_path, "photos/x/1_fake/p.png", "photos/q.jpg", "gan/0_real/f.png", "more/f.png")
    real, fakes = str(tmp_path / "photos"), [str(tmp_path / "gan"), str(tmp_path / "more")]
    found = find_testsets("", real=real, fakes=fakes)
    reals = {str(tmp_path / "photos/x/1_fake/p.png"): 0, str(tmp_path / "photos/q.jpg"): 0}
    assert listed(found["gan"]) == {str(tmp_path / "gan/0_real/f.png"): 1, **reals}
    assert listed(found["more"]) == {str(tmp_path / "more/f.png"): 1, **reals}
    assert find_all_sets("", real=real, fakes=fakes).keys() == found.keys()
    with pytest.raises(UsageError, match="two of these folders are called gan"):
        find_testsets(
            "", real=real, fakes=[fakes[0], str(touch(tmp_path, "b/gan/f.png") / "b/gan")]
        )
    for arguments, message in (
        ({"real": "nowhere", "fakes": fakes}, "--real nowhere: no such folder"),
        ({"real": real, "fakes": [str(tmp_path / "empty")]}, "--fake .*empty: no images"),
    ):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(UsageError, match=message):
            find_testsets("", **arguments)


def test_held_out_images_follow_from_their_names(tmp_path: pathlib.Path) -> None:
    names = [f"{number:03}" for number in range(300)]
    touch(tmp_path, *(f"real/{n}.jpg" for n in names), *(f"fake/{n}.png" for n in names))
    places = (str(tmp_path / "real"), [str(tmp_path / "fake")])
    train, val = training_images("", SPLITS, (), real=places[0], fakes=places[1], val_fraction=0.2)
    assert len(train.labels) + len(val.labels) == 600
    assert abs(len(val.labels) - 120) < 3 * np.sqrt(2 * 600 * 0.2 * 0.8)
    assert not set(listed(train)) & set(listed(val))
    stems = [pathlib.Path(path).stem for path in listed(val)]
    assert all(stems.count(stem) == 2 for stem in stems)  # pairs stay together
    again = training_images("", SPLITS, (), real=places[0], fakes=places[1], val_fraction=0.2)[1]
    np.testing.assert_array_equal(val.paths, again.paths)
    larger = training_images("", SPLITS, (), real=places[0], fakes=places[1], val_fraction=0.4)[1]
    assert set(listed(val)) < set(listed(larger))
    with pytest.raises(UsageError, match=r"--val_fraction 0.2 of 1 images: no"):
        hold_out(train.take(np.array([0])), 0.2)


def nasty(tmp_path: pathlib.Path) -> pathlib.Path:
    """A data set whose names need quoting or are no text, with a class called train."""
    names = ("a, b.png", 'quote".png', "new\nline.png", "Ünï.v2.JPG", os.fsdecode(b"\xff\xfe.png"))
    for split in SPLITS:
        for name in ("cat", "train"):
            both(tmp_path, f"{split}/{name}", names)
    both(tmp_path, "test/progan/train", names)
    both(tmp_path, "test/san", names)
    return tmp_path


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("place", [".", "lists"])
def test_a_manifest_takes_the_place_of_the_folders(
    tmp_path: pathlib.Path, ending: str, place: str
) -> None:
    root = nasty(tmp_path / "data")
    file = tmp_path / place / f"m.{ending}"
    run_manifest(root, file)
    folders, manifest = find_all_sets(str(root)), find_all_sets(str(file))
    assert folders.keys() == manifest.keys() == {"train", "val", "test/progan", "test/san"}
    for name, samples in folders.items():
        assert listed(samples) == listed(manifest[name])
    for ours, theirs in zip(
        training_images(str(root), SPLITS, ["train"]),
        training_images(str(file), SPLITS, ["train"]),
        strict=True,
    ):
        assert listed(ours) == listed(theirs)
        assert len(ours.labels) == 10
    found = find_testsets(str(file), ["san"])
    assert listed(found["san"]) == listed(find_testsets(str(root / "test"))["san"])
    assert found["san"].paths.tolist() == sorted(found["san"].paths.tolist())
    rows = read_manifest(str(file))
    assert set(rows.sizes) == {1}
    assert rows.times[0] == os.stat(rows.samples.path(0)).st_mtime_ns
    assert set(rows.classes.names) == {"cat", "train", ""}


def run_manifest(dataroot: pathlib.Path, out: object, *more: str) -> None:
    write(parse(ManifestOptions, [str(dataroot), "--out", str(out), *more]))


def test_a_manifest_is_not_overwritten_unasked(tmp_path: pathlib.Path) -> None:
    both(tmp_path, "data/san")
    file = tmp_path / "m.csv"
    run_manifest(tmp_path / "data", file)
    before = file.read_bytes()
    both(tmp_path, "data/biggan")
    with pytest.raises(UsageError, match=r"m\.csv: is there already; add --overwrite"):
        run_manifest(tmp_path / "data", file)
    assert file.read_bytes() == before
    run_manifest(tmp_path / "data", file, "--overwrite")
    assert set(find_all_sets(str(file))) == {"san", "biggan"}


def test_a_stale_manifest_is_noticed(tmp_path: pathlib.Path) -> None:
    both(tmp_path, "data/san")
    file = str(tmp_path / "m.csv")
    run_manifest(tmp_path / "data", file)
    image = tmp_path / "data/san/0_real/a.png"
    read_manifest(file)
    state = image.stat()
    image.write_bytes(b"xy")
    os.utime(image, ns=(state.st_atime_ns, state.st_mtime_ns))  # another size alone
    with pytest.raises(UsageError, match=r"is stale: data/san/0_real/a.png has changed .* anew"):
        read_manifest(file)
    image.write_bytes(b"z")
    os.utime(image, ns=(state.st_atime_ns, state.st_mtime_ns + 1))  # another time alone
    with pytest.raises(UsageError, match="has changed"):
        read_manifest(file)
    image.unlink()
    with pytest.raises(UsageError, match=r"a\.png is gone"):
        read_manifest(file)


def test_a_minimal_manifest(tmp_path: pathlib.Path) -> None:
    """Two columns, one absolute path; without splits some images are held out."""
    touch(tmp_path, *(f"x/{number}.png" for number in range(40)))
    lines = [f"x/{n}.png,{('real', 'FAKE', '0', '1')[n % 4]}" for n in range(40)]
    lines[7] = f"{tmp_path}/{lines[7]}"
    file = tmp_path / "mine.csv"
    file.write_text("path,label\n" + "\n".join(lines))
    (name, samples), *others = find_testsets(str(file)).items()
    assert (name, others) == ("mine", [])
    assert sum(listed(samples).values()) == 20
    assert listed(samples)[str(tmp_path / "x/7.png")] == 1
    train, val = training_images(str(file), SPLITS, val_fraction=0.3)
    assert listed(train) | listed(val) == listed(samples)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column path"),
        ("path,name\na,b\n", "has no column label; wants path, label, testset"),
        ("path,label\n", "has no rows"),
        ("path,label\na.png,2\n", "row 2: has label '2'"),
        ("path,label\n,1\n", "row 2: .*wants a path"),
        ("path,label\na.png,1,3\n", "row 2: not 2 cells"),
        ("path,label\na.png,1\na.png,0\n", r"lists a\.png more than once"),
        ("path,label,size\na.png,1,big\n", "size and mtime_ns want whole numbers"),
        ('path,label\n"a.png,1\n', "cannot be read as a manifest"),
        ("path,label,split\na,0,train\nb,1,val\n", "has rows of the splits train, val; .*--split"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_named(
    tmp_path: pathlib.Path, text: str, message: str
) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        find_testsets(str(tmp_path / "m.csv"))


def test_what_is_wrong_with_json_lines_is_named(tmp_path: pathlib.Path) -> None:
    for text, message in (
        ("nonsense\n", "row 1: is no JSON"),
        ('{"path": "a", "label": 1}\n[]\n', 'row 2: wants {"path"'),
        ('{"path": "a"}\n', "row 1: wants"),
    ):
        (tmp_path / "m.jsonl").write_text(text)
        with pytest.raises(UsageError, match=message):
            read_manifest(str(tmp_path / "m.jsonl"))
    (tmp_path / "m.jsonl").write_bytes(b"")
    with pytest.raises(UsageError, match="has no rows"):
        read_manifest(str(tmp_path / "m.jsonl"))


def test_rows_are_written_as_they_are_read(tmp_path: pathlib.Path) -> None:
    row = dict(zip(COLUMNS, ("a\n,.png", 1, "set", "class", "split", 5, 6), strict=True))
    for name in ("m.csv", "m.jsonl"):
        assert write_manifest(str(tmp_path / name), [row]) == 1
    assert list(csv.DictReader((tmp_path / "m.csv").open(newline=""))) == [
        {key: str(value) for key, value in row.items()}
    ]
    assert json.loads((tmp_path / "m.jsonl").read_text()) == row


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Images that can be opened, in each layout."""
    root = tmp_path_factory.mktemp("layouts")
    for number in range(6):
        for split in SPLITS:
            for label, name in (("0_real", "nature"), ("1_fake", "ai")):
                path = root / "ours" / split / label / f"{number}.png"
                write_image(path, 10 * number + len(split) + len(name))
                other = root / "genimage/ADM/sd" / split / name / f"{number}.png"
                other.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, other)
    shutil.copytree(root / "ours/val/0_real", root / "diffusion/laion/0_real")
    shutil.copytree(root / "ours/val/1_fake", root / "diffusion/ldm_200/1_fake")
    shutil.copytree(root / "ours/val/0_real", root / "photos")
    shutil.copytree(root / "ours/val/1_fake", root / "made")
    run_manifest(root / "ours", root / "m.csv")
    return root


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--dataroot", "genimage", "--split", "val"], "ADM"),
        (["--dataroot", "diffusion"], "ldm_200"),
        (["--real", "photos", "--fake", "made"], "made"),
        (["--dataroot", "m.csv", "--split", "val"], "m"),
        (["--dataroot", "ours/val"], "val"),
    ],
)
def test_eval_scores_every_layout_alike(
    layouts: pathlib.Path, tmp_path: pathlib.Path, arguments: list[str], name: str, script: Script
) -> None:
    torch.manual_seed(0)
    state = torchvision.models.resnet18(num_classes=1).state_dict()
    torch.save({"model": state, "arch": "resnet18", "crop_size": 32}, tmp_path / "w.pth")
    flags = ("--num_threads", 0, "--model_path", tmp_path / "w.pth", "--results_dir", tmp_path)
    done = script("eval.py", *arguments, *flags, "--bootstrap", 0, cwd=layouts)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "w/predictions.csv").open()))
    assert {row["testset"] for row in rows} == {name}
    network = torchvision.models.resnet18(num_classes=1)
    network.load_state_dict(state)
    expected = []
    for label, folder in enumerate(("0_real", "1_fake")):
        paths = (layouts / "ours/val" / folder).iterdir()
        plain, exact = plain_logits(network, paths, 32)
        expected += sorted(zip([label] * 6, exact, plain, strict=True))
    logits = sorted((int(row["label"]), float(row["logit"])) for row in rows)
    assert [label for label, _ in logits] == [label for label, _, _ in expected]
    assert_as_exact(
        [logit for _, logit in logits],
        [plain for _, _, plain in expected],
        [exact for _, exact, _ in expected],
    )
    page = (tmp_path / "w/report.html").read_text()
    assert page.count("data:image/") >= 4  # the mistakes' pictures were found, and the figures


def test_train_verify_and_audit_take_them(layouts: pathlib.Path, script: Script) -> None:
    toy = ["--arch", "resnet18", "--init", "scratch", "--loadSize", 40, "--cropSize", 32]
    toy += ["--batch_size", 4]
    for source in (
        ["--dataroot", "genimage/ADM/sd"],
        ["--dataroot", "m.csv"],
        ["--real", "photos", "--fake", "made", "--val_fraction", 0.5],
    ):
        done = script("train.py", *source, *toy, "--dry_run", cwd=layouts)
        assert done.returncode == 0, done.stderr
        assert "real and" in done.stdout.splitlines()[-1]
    for source in (
        ["m.csv"],
        ["genimage", "--split", "val"],
        ["--real", "photos", "--fake", "made"],
    ):
        for command in (
            ["-m", "tools.verify", *source, "--processes", 0],
            ["-m", "tools.audit", *source],
        ):
            done = script(*command, cwd=layouts)
            assert done.returncode == 0, (command, done.stdout, done.stderr)


def test_verify_checks_the_sets_that_are_wanted_of_a_manifest(tmp_path: pathlib.Path) -> None:
    for name in ("one", "two"):
        both(tmp_path, f"data/{name}")
    run_manifest(tmp_path / "data", tmp_path / "m.csv")
    report = check(str(tmp_path / "m.csv"), ("two",), quick=True)
    assert [row.set for row in report.rows] == ["two"]
    with pytest.raises(UsageError, match=r"--sets: no set three in .* it holds one, two"):
        check(str(tmp_path / "m.csv"), ("three",))


def test_wrong_usage(script: Script, tmp_path: pathlib.Path) -> None:
    assert_wrong_usage(script("train.py", "--fake", tmp_path), "--real and --fake go together")
    flags = ("eval.py", "--model_path", "w.pth", "--fake", tmp_path, "--dataroot", tmp_path)
    assert_wrong_usage(script(*flags), "--dataroot has no effect with --fake")
    assert_wrong_usage(
        script(*flags[:-2], "--testsets", "a"), "--testsets has no effect with --fake"
    )
    both_given = ("train.py", "--fake", tmp_path, "--real", tmp_path)
    assert_wrong_usage(
        script(*both_given, "--classes", "cat"),
        "--classes",
        "not with --fake",
    )
    done = script("-m", "tools.manifest", cwd=tmp_path)
    assert_wrong_usage(done, "DATAROOT is needed: a folder or a manifest")
