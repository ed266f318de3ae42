from __future__ import annotations

import io
import os
import pathlib
import stat
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import py7zr
import pytest

from tools.released import archives
from tools.released.archives import unpack
from tools.released.members import Member, placed
from util.errors import UsageError, WorkError

KNOWN = {"cat", "dog", "train"}
FILES = {
    "progan_val/cat/0_real/a b.png": b"\x89PNG" * 500,
    "progan_val/cat/1_fake/12:30:00.v1.2.png": b"fake" * 700,
    "progan_val/dog/0_real/.hidden": b"",
    "progan_val/dog/0_real/umlaut \u00e4.png": os.urandom(3000),
}


def make_zip(path: pathlib.Path, files: dict[str, bytes]) -> list[str]:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return [str(path)]


def make_7z(path: pathlib.Path, files: dict[str, bytes], volumes: int = 1) -> list[str]:
    with py7zr.SevenZipFile(path, "w") as archive:
        archive._sanitize_archive_arcname = lambda name: name
        for name, content in files.items():
            archive._writestr(content, name)
    return split(path, volumes)


def split(path: pathlib.Path, volumes: int) -> list[str]:
    content = path.read_bytes()
    step = -(-len(content) // volumes)
    names = [f"{path}.{n + 1:03}" for n in range(volumes)]
    for n, name in enumerate(names):
        pathlib.Path(name).write_bytes(content[n * step : (n + 1) * step])
    return names


def tree(folder: pathlib.Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


MAKERS = {
    "zip": lambda folder, files: make_zip(folder / "x.zip", files),
    "7z": lambda folder, files: make_7z(folder / "x.7z", files, 3),
}
Make = Callable[[pathlib.Path, dict[str, bytes]], list[str]]


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Make:
    return MAKERS[request.param]


def test_files_arrive_whole_without_the_common_top_folder(
    make: Make, tmp_path: pathlib.Path
) -> None:
    result = unpack(make(tmp_path, FILES), str(tmp_path / "out"), KNOWN)
    assert result == (4, 4, ("cat", "dog"))
    expected = {name.removeprefix("progan_val/"): content for name, content in FILES.items()}
    assert tree(tmp_path / "out") == expected


@pytest.mark.parametrize(
    "name",
    [
        *("../x.png", "cat/../../x.png", "/etc/x.png", "C:\\x.png", "C:/x.png"),
        *("a\\..\\..\\x.png", "cat/..", "//server/x.png"),
    ],
)
def test_a_member_that_leads_outside_is_refused_with_its_name(
    make: Make, tmp_path: pathlib.Path, name: str
) -> None:
    volumes = make(tmp_path, {"cat/0_real/good.png": b"good", name: b"bad"})
    before = tree(tmp_path)
    with pytest.raises(UsageError, match="leads outside") as refused:
        unpack(volumes, str(tmp_path / "below" / "out"), KNOWN)
    as_py7zr_reads_it = name.replace("\\", "/")
    assert any(repr(n) in str(refused.value) for n in (name, as_py7zr_reads_it))
    assert tree(tmp_path) == before
    assert not (tmp_path / "below").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO])
def test_a_zip_with_a_link_or_a_device_is_refused(tmp_path: pathlib.Path, kind: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("cat/0_real/good.png", b"good")
        info = zipfile.ZipInfo("cat/0_real/bad.png")
        info.create_system, info.external_attr = 3, (kind | 0o644) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UsageError, match=r"'cat/0_real/bad.png' in the archive is a link"):
        unpack([str(tmp_path / "x.zip")], str(tmp_path / "out"), KNOWN)
    assert not (tmp_path / "out").exists()


def test_a_7z_with_a_link_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/good.png").write_bytes(b"good")
    (tmp_path / "src/bad.png").symlink_to("/etc/passwd")
    with py7zr.SevenZipFile(tmp_path / "x.7z", "w") as archive:
        archive.writeall(tmp_path / "src", "cat")
    with pytest.raises(UsageError, match=r"'cat/bad.png' in the archive is a link"):
        unpack([str(tmp_path / "x.7z")], str(tmp_path / "out"), KNOWN)
    assert not (tmp_path / "out").exists()


def test_an_encrypted_member_is_refused(tmp_path: pathlib.Path) -> None:
    (path,) = make_zip(tmp_path / "x.zip", {"cat/secret.png": b"x"})
    content = bytearray(pathlib.Path(path).read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    pathlib.Path(path).write_bytes(content)
    with pytest.raises(UsageError, match=r"'cat/secret.png' in the archive is encrypted"):
        unpack([path], str(tmp_path / "out"), KNOWN)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: pathlib.Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in ("cat/a.png", "cat/./a.png"):
            archive.writestr(name, b"same")
    with pytest.raises(UsageError, match=r"'cat/a.png' twice"):
        unpack([str(tmp_path / "x.zip")], str(tmp_path / "out"), KNOWN)


def test_an_interrupted_unpack_goes_on_and_leaves_finished_files_alone(
    make: Make, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes, out = make(tmp_path, FILES), tmp_path / "out"
    real_write, calls = archives._File.write, []

    def write(self: archives._File, s: bytes) -> int:
        if s and len({*calls, self.path}) == 3:  # in the third file that is not empty, half-way
            self.file.write(s[: len(s) // 2])
            raise KeyboardInterrupt
        calls.append(self.path if s else calls[-1] if calls else self.path)
        return real_write(self, s)

    monkeypatch.setattr(archives._File, "write", write)
    with pytest.raises(KeyboardInterrupt):
        unpack(volumes, str(out), KNOWN)
    monkeypatch.setattr(archives._File, "write", real_write)
    finished = {path: os.stat(path).st_ino for path in out.rglob("*") if path.is_file()}
    assert 2 <= len(finished) < 4
    assert not list(out.rglob("*.part"))

    result = unpack(volumes, str(out), KNOWN)
    assert result.files == 4
    assert result.written == 4 - len(finished)
    assert {path: os.stat(path).st_ino for path in finished} == finished
    assert sorted(tree(out).values()) == sorted(FILES.values())
    assert unpack(volumes, str(out), KNOWN).written == 0


@pytest.mark.parametrize("same_size", [True, False])
def test_a_file_with_other_content_is_not_overwritten(
    make: Make, tmp_path: pathlib.Path, same_size: bool
) -> None:
    mine = tmp_path / "out/cat/1_fake/12:30:00.v1.2.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine" * (700 if same_size else 1))
    before = tree(tmp_path / "out")
    with pytest.raises(UsageError, match=r"12:30:00.v1.2.png is there with other content"):
        unpack(make(tmp_path, FILES), str(tmp_path / "out"), KNOWN)
    assert tree(tmp_path / "out") == before


def test_a_missing_volume_is_named(tmp_path: pathlib.Path) -> None:
    volumes = make_7z(tmp_path / "x.7z", FILES, 4)
    os.remove(volumes[1])
    with pytest.raises(UsageError, match=r"x\.7z\.002: no such volume"):
        unpack(volumes, str(tmp_path / "out"), KNOWN)


@pytest.mark.parametrize("cut", [slice(None, -40), slice(None, 40)])
def test_an_archive_cut_short_is_told(make: Make, tmp_path: pathlib.Path, cut: slice) -> None:
    volumes = make(tmp_path, FILES)
    path = pathlib.Path(volumes[-1])
    path.write_bytes(path.read_bytes()[cut])
    with pytest.raises(WorkError, match="damaged, or cut short"):
        unpack(volumes, str(tmp_path / "out"), KNOWN)


def test_damaged_content_gets_no_name(make: Make, tmp_path: pathlib.Path) -> None:
    """Bytes in the middle are others than at first; what was decoded before them may stay."""
    noise = {f"cat/0_real/{n}.png": os.urandom(9000) for n in range(4)}
    volumes = make(tmp_path, noise)
    path = pathlib.Path(volumes[len(volumes) // 2])
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 9] = bytes(9)
    path.write_bytes(content)
    with pytest.raises(WorkError, match="damaged"):
        unpack(volumes, str(tmp_path / "out"), KNOWN)
    for name, data in tree(tmp_path / "out").items():
        assert data == noise[name]


def test_a_disk_too_small_is_told_before_anything_is_written(
    make: Make, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes = make(tmp_path, {"cat/0_real/a.png": bytes(5_000_000)})
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(2_000_000))
    with pytest.raises(UsageError, match=r"out: unpacking .* needs 5 MB, and 2 MB are free"):
        unpack(volumes, str(tmp_path / "out"), KNOWN)
    assert not (tmp_path / "out").exists()


class Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_disk_that_refuses_is_told_and_the_next_run_goes_on(
    make: Make, tmp_path: pathlib.Path
) -> None:
    volumes, out = make(tmp_path, FILES), tmp_path / "out"
    (out / "dog").mkdir(parents=True)
    (out / "dog/0_real").write_bytes(b"a file where a folder should be")
    with pytest.raises(WorkError, match=r"stopped: .*dog/0_real.* goes on"):
        unpack(volumes, str(out), KNOWN)
    os.remove(out / "dog/0_real")
    assert unpack(volumes, str(out), KNOWN).files == 4


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["top/cat/0_real/a", "top/dog/0_real/a"], ["cat/0_real/a", "dog/0_real/a"]),
        (["top/val/cat/a", "top/val/dog/a"], ["cat/a", "dog/a"]),
        (["cat/0_real/a", "cat/1_fake/a"], ["cat/0_real/a", "cat/1_fake/a"]),
        (["cat/0_real/a", "dog/0_real/a"], ["cat/0_real/a", "dog/0_real/a"]),
        (["train/cat/0_real/a", "train/dog/0_real/a"], ["cat/0_real/a", "dog/0_real/a"]),
        (["train/0_real/a"], ["train/0_real/a"]),
        (["train/train/0_real/a"], ["train/0_real/a"]),
        (["0_real/a", "0_real/b"], ["0_real/a", "0_real/b"]),
        (["./top/cat/a", "top/notes", "README"], ["cat/a", "notes", "README"]),
        (["top/cat/a", "__MACOSX/top/cat/._a", ".DS_Store"], ["cat/a"]),
        (["a", "b"], ["a", "b"]),
    ],
)
def test_the_top_folder_is_left_out_where_it_means_nothing(
    names: Sequence[str], expected: Sequence[str]
) -> None:
    members = [Member(name, name, 1, None) for name in names]
    assert [member.path for member in placed(members, KNOWN)] == expected


def test_volumes_are_read_as_one_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "x").write_bytes(bytes(range(100)))
    joined: Any = io.BufferedReader(archives.Joined(split(tmp_path / "x", 7)), 8)
    assert joined.read() == bytes(range(100))
    for start in (0, 14, 15, 29, 99):
        joined.seek(start)
        assert joined.read(20) == bytes(range(100))[start : start + 20]
    assert joined.seek(-3, os.SEEK_END) == 97
    assert joined.read() == bytes((97, 98, 99))
