from __future__ import annotations

import os
import pathlib

import pytest

from data.samples import (
    find_images,
    find_samples,
    fingerprint,
    label_of,
    partner_of,
)
from data.sources import find_testsets
from data.walk import is_image_name
from util.errors import UsageError


def touch(root: pathlib.Path, *paths: str) -> pathlib.Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def names(root: pathlib.Path, **arguments: object) -> list[str]:
    samples = find_samples(str(root), **arguments)
    return [samples.relative(i) for i in range(len(samples.paths))]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.png", True),
        ("a.PNG", True),
        ("a.b.c.JpEg", True),
        ("a b: c.bmp", True),
        ("ü.webp", True),
        ("a.tif", True),
        ("a.tiff", True),
        ("a.ppm", True),
        ("a.jpg", True),
        ("._a.png", False),
        (".hidden.png", False),
        ("a.txt", False),
        ("png", False),
        ("a.png.part", False),
    ],
)
def test_image_names(name: str, expected: bool) -> None:
    assert is_image_name(name) is expected


def test_images_are_found_at_any_depth_sorted_with_their_labels(tmp_path: pathlib.Path) -> None:
    wanted = [
        "b/1_fake/z.bmp",
        "b/0_real/a b: c.d.png",
        "b/0_real/deep/er/ö.JPG",
        "a/x/0_real/1.png",
        "a/x/1_fake/1.png",
    ]
    touch(tmp_path, *wanted, "b/0_real/._a.png", "b/0_real/notes.txt", "b/.git/0_real/n.png")
    samples = find_samples(str(tmp_path))
    found = [samples.relative(i) for i in range(len(samples.paths))]
    assert found == sorted(wanted)
    assert samples.labels.tolist() == [int("1_fake" in path) for path in found]
    assert os.path.exists(samples.path(0))


def test_names_that_are_no_utf8_come_through(tmp_path: pathlib.Path) -> None:
    touch(tmp_path, "0_real/a.png", "1_fake/a.png")
    odd = os.fsencode(tmp_path / "1_fake") + b"/\xff.png"
    with open(odd, "wb"):
        pass
    samples = find_samples(str(tmp_path))
    assert os.fsencode(samples.path(2)) == odd


def test_linked_folders_are_followed(tmp_path: pathlib.Path) -> None:
    touch(tmp_path / "elsewhere", "a.png")
    touch(tmp_path / "set", "1_fake/b.png")
    (tmp_path / "set/0_real").symlink_to(tmp_path / "elsewhere")
    assert names(tmp_path / "set") == ["0_real/a.png", "1_fake/b.png"]


def test_classes_choose_folders(tmp_path: pathlib.Path) -> None:
    touch(tmp_path, *(f"{c}/{label}/1.png" for c in "abc" for label in ("0_real", "1_fake")))
    assert names(tmp_path, classes=("c", "a", "a")) == [
        "a/0_real/1.png",
        "a/1_fake/1.png",
        "c/0_real/1.png",
        "c/1_fake/1.png",
    ]
    assert len(names(tmp_path)) == 6


@pytest.mark.parametrize(
    ("paths", "classes", "words"),
    [
        (["cat/0_real/1.png", "cat/1_fake/1.png"], ["cow"], ["--classes", "cow", "cat"]),
        (["cat/real/1.png", "cat/fake/1.png"], [], ["cat", "0_real", "fake, real"]),
        (["cat/0_real/1.png"], [], ["cat", "1_fake", "0_real"]),
        (["cat/0_real/1.png", "cat/1_fake/1.txt"], [], ["cat/1_fake", "no images"]),
        (["1.png"], [], ["0_real", "no folders"]),
        (
            ["cat/0_real/1.png", "cat/1_fake/1.png", "dog/0_real/1.png", "dog/fake/1.png"],
            [],
            ["dog", "1_fake", "fake"],
        ),
    ],
)
def test_what_is_missing_is_named_with_what_is_there(
    tmp_path: pathlib.Path, paths: list[str], classes: list[str], words: list[str]
) -> None:
    touch(tmp_path, *paths)
    with pytest.raises(UsageError) as error:
        find_samples(str(tmp_path), classes)
    for word in words:
        assert word in str(error.value)


def test_a_missing_folder_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match="nowhere: no such folder"):
        find_samples(str(tmp_path / "nowhere"))


def test_testsets_may_lack_a_label_but_not_images(tmp_path: pathlib.Path) -> None:
    touch(tmp_path, "b/0_real/1.png", "a/c/0_real/1.png", "a/c/1_fake/1.png")
    assert list(find_testsets(str(tmp_path))) == ["a", "b"]
    assert list(find_testsets(str(tmp_path), ["b"])) == ["b"]
    assert list(find_testsets(str(tmp_path / "b"))) == ["b"]
    with pytest.raises(UsageError, match=r"--testsets: d not in .*a, b"):
        find_testsets(str(tmp_path), ["d"])
    (tmp_path / "b/1_fake").mkdir()
    with pytest.raises(UsageError, match=r"b/1_fake: no images"):
        find_testsets(str(tmp_path))


def test_find_images_takes_files_and_folders(tmp_path: pathlib.Path) -> None:
    touch(tmp_path, "f/b.png", "f/a.png", "f/deep/c.png", "plain", "empty/x.txt")

    def found(*paths: str, recursive: bool = False) -> list[str]:
        samples = find_images([str(tmp_path / p) for p in paths], recursive)
        return [os.path.relpath(samples.path(i), tmp_path) for i in range(len(samples.paths))]

    assert found("plain", "f") == ["plain", "f/a.png", "f/b.png"]
    assert found("f", recursive=True) == ["f/a.png", "f/b.png", "f/deep/c.png"]
    with pytest.raises(UsageError, match="empty: no images"):
        found("empty")
    with pytest.raises(UsageError, match="gone: no such file"):
        found("plain", "gone")


def test_label_and_partner() -> None:
    assert label_of("a/1_fake/0_real/x.png") == 1
    assert partner_of("a/1_fake/0_real/x.png") == "a/0_real/0_real/x.png"
    assert partner_of(partner_of("c/0_real/x.png")) == "c/0_real/x.png"


def test_the_fingerprint_tells_names_apart(tmp_path: pathlib.Path) -> None:
    touch(tmp_path, "0_real/1.png", "1_fake/1.png")
    before = fingerprint(find_samples(str(tmp_path)))
    assert fingerprint(find_samples(str(tmp_path))) == before
    touch(tmp_path, "1_fake/2.png")
    assert fingerprint(find_samples(str(tmp_path))) != before
