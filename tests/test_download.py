from __future__ import annotations

import hashlib
import http.server
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torchvision

from options.download_options import DownloadOptions
from options.parse import parse
from tests import commands
from tests.commands import ROOT, Result
from tests.conftest import assert_wrong_usage
from tests.test_archives import Usage, make_7z, make_zip, split, tree
from tools import download
from tools.released import fetch, hub
from util.errors import Interrupted, UsageError, WorkError

FILES = {
    f"progan_val/{name}/{label}/{number}.png": f"{name} {label} {number}".encode() * 900
    for name in ("cat", "dog")
    for label in ("0_real", "1_fake")
    for number in range(3)
}
IMAGES = {name.removeprefix("progan_val/"): content for name, content in FILES.items()}
MARKER = ".unpacked.json"


class Server(http.server.ThreadingHTTPServer):
    """Files by their last name, and what of the hub's API a download asks for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.published: dict[str, bytes] = {}  # what the hub says, where it is not what it sends
        self.breaks: list[int] = []  # bytes after which an answer breaks off, one per answer
        self.status = 200
        self.kind = "application/octet-stream"
        self.ranges = True
        self.asked: list[str] = []  # "bytes=..." of each answer, "" for all
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        assert self.path == "/api/datasets/sywang/CNNDetection/paths-info/main"
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        names = urllib.parse.parse_qs(body)["paths"]
        answer = []
        for name in names:
            if name in self.server.files:
                content = self.server.published.get(name, self.server.files[name])
                sha256, size = hashlib.sha256(content).hexdigest(), len(content)
                lfs = {"oid": sha256, "size": size, "pointerSize": 130}
                answer.append({"type": "file", "path": name, "oid": "0", "size": size, "lfs": lfs})
        self.reply(json.dumps(answer).encode(), "application/json")

    def do_GET(self) -> None:
        content = self.server.files.get(self.path.split("?")[0].split("/")[-1])
        asked = self.headers.get("Range", "")
        if not self.path.startswith("/api/"):  # the hub's library asks for lists of its own
            self.server.asked.append(asked)
        if content is None or self.server.status >= 400:
            self.send_error(self.server.status if self.server.status >= 400 else 404)
            return
        start = int(re.findall(r"\d+", asked)[0]) if asked and self.server.ranges else 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.reply(content[start:], self.server.kind, start, len(content))

    def reply(self, body: bytes, kind: str, start: int = 0, total: int = 0) -> None:
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.end_headers()
        cut = self.server.breaks.pop(0) if total and self.server.breaks else len(body)
        self.wfile.write(body[:cut])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


Run = Any


@pytest.fixture
def run(server: Server, tmp_path: pathlib.Path) -> Run:
    """`python -m tools.download` as a user runs it, with HF_ENDPOINT at the local server."""

    def download(*argv: str, **environment: str) -> Result:
        own = {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "*"}
        command = ["-m", "tools.download", *argv, "--root", tmp_path / "root"]
        return commands.run(*command, environment={**own, **environment})

    return download


def val_zip(tmp_path: pathlib.Path, files: dict[str, bytes] = FILES) -> bytes:
    (path,) = make_zip(tmp_path / "made.zip", files)
    return pathlib.Path(path).read_bytes()


def images(folder: pathlib.Path) -> dict[str, bytes]:
    return {name: content for name, content in tree(folder).items() if name != MARKER}


def last_line(result: Result) -> str:
    return re.split(r"[\n\r]", result.stderr.rstrip())[-1]


# fetch: a file over HTTP


def test_a_download_that_breaks_off_goes_on_where_it_was(
    server: Server, tmp_path: pathlib.Path
) -> None:
    content = random.Random(0).randbytes(3_000_000)
    server.files["x"], server.breaks = content, [500_000] * 5  # as many as end it in a row
    assert len(server.breaks) == fetch.ATTEMPTS
    part = fetch.fetch(f"{server.url}/x", str(tmp_path / "x"), "by hand")
    assert pathlib.Path(part).read_bytes() == content
    assert server.asked == [""] + [f"bytes={n}00000-" for n in (5, 10, 15, 20, 25)]


def test_an_earlier_runs_part_is_continued_and_a_whole_one_is_taken(
    server: Server, tmp_path: pathlib.Path
) -> None:
    content = random.Random(0).randbytes(50_000)
    server.files["x"] = content
    for have in (20_000, 50_000):
        (tmp_path / "x.part").write_bytes(content[:have])
        part = fetch.fetch(f"{server.url}/x", str(tmp_path / "x"), "by hand")
        assert pathlib.Path(part).read_bytes() == content
    assert server.asked == ["bytes=20000-", "bytes=50000-"]


def test_a_part_longer_than_the_file_is_fetched_anew(
    server: Server, tmp_path: pathlib.Path
) -> None:
    server.files["x"] = b"content"
    (tmp_path / "x.part").write_bytes(b"something longer")
    part = fetch.fetch(f"{server.url}/x", str(tmp_path / "x"), "by hand")
    assert pathlib.Path(part).read_bytes() == b"content"


def test_a_server_that_cannot_continue_sends_all_once_more(
    server: Server, tmp_path: pathlib.Path
) -> None:
    content = random.Random(0).randbytes(50_000)
    server.files["x"], server.breaks, server.ranges = content, [20_000], False
    part = fetch.fetch(f"{server.url}/x", str(tmp_path / "x"), "by hand")
    assert pathlib.Path(part).read_bytes() == content


def test_attempts_that_bring_nothing_end(server: Server, tmp_path: pathlib.Path) -> None:
    server.files["x"], server.breaks = b"content", [3] + [0] * 20
    with pytest.raises(WorkError, match=r"no progress \(broke off after 3 of 7 bytes\); by hand"):
        fetch.fetch(f"{server.url}/x", str(tmp_path / "x"), "by hand")
    assert len(server.asked) == fetch.ATTEMPTS
    assert (tmp_path / "x.part").read_bytes() == b"con"


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_dead_link_is_told_at_once(server: Server, tmp_path: pathlib.Path, status: int) -> None:
    server.status = status
    with pytest.raises(WorkError, match=rf"/x: {status} .*; by hand"):
        fetch.fetch(f"{server.url}/x", str(tmp_path / "x"), "by hand")
    assert len(server.asked) == 1


def test_a_server_in_trouble_is_asked_again(server: Server, tmp_path: pathlib.Path) -> None:
    server.status = 503
    with pytest.raises(WorkError, match="Service Unavailable"):
        fetch.fetch(f"{server.url}/x", str(tmp_path / "x"), "by hand")
    assert len(server.asked) == fetch.ATTEMPTS


def test_no_connection_is_told(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", None)  # told at once
    with pytest.raises(WorkError, match=r"no answer .*refused.*; by hand"):
        fetch.fetch("http://127.0.0.1:9/x", str(tmp_path / "x"), "by hand")


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("text/html; charset=utf-8", b"sign in to see this file"),
        ("application/octet-stream", b"\n<!DOCTYPE html><html>sign in</html>"),
    ],
)
def test_a_web_page_is_no_file(
    server: Server, tmp_path: pathlib.Path, kind: str, page: bytes
) -> None:
    server.files["x"], server.kind = page, kind
    with pytest.raises(WorkError, match="web page instead of the file; by hand"):
        fetch.fetch(f"{server.url}/x", str(tmp_path / "x"), "by hand")
    assert not any(tree(tmp_path).values())


# the images


def test_val_is_fetched_checked_and_unpacked_and_the_next_run_has_nothing_to_do(
    server: Server, run: Run, tmp_path: pathlib.Path
) -> None:
    server.files["progan_val.zip"] = val_zip(tmp_path)
    result = run("val")
    assert result.returncode == 0, result.stderr
    root = tmp_path / "root"
    assert images(root / "val") == IMAGES
    assert "size and SHA-256 are the published ones" in result.stdout
    assert "val: 12 files in 2 folders, 0 of them there already" in result.stdout
    assert (root / "archives/progan_val.zip").read_bytes() == server.files["progan_val.zip"]
    assert "the archive has no folder airplane, bicycle" in last_line(result)

    again = run("val", "--delete_archives")
    assert "complete already" in again.stdout
    assert "1 archives deleted" in again.stdout
    assert len(server.asked) == 1
    assert tree(root / "archives") == {}


def test_a_file_that_has_gone_is_unpacked_again(
    server: Server, run: Run, tmp_path: pathlib.Path
) -> None:
    server.files["progan_val.zip"] = val_zip(tmp_path)
    assert run("val").returncode == 0
    os.remove(tmp_path / "root/val/cat/0_real/1.png")
    assert "12 files in 2 folders, 11 of them there already" in run("val").stdout
    assert images(tmp_path / "root/val") == IMAGES
    assert len(server.asked) == 1


@pytest.mark.parametrize("sent", ["other bytes", "too few bytes"])
def test_what_is_not_the_published_file_is_set_aside_and_fetched_again(
    server: Server, run: Run, tmp_path: pathlib.Path, sent: str
) -> None:
    good = val_zip(tmp_path)
    bad = good[:-1] + b"!" if sent == "other bytes" else good[:-1]
    server.files["progan_val.zip"], server.published["progan_val.zip"] = bad, good
    result = run("val")
    assert result.returncode == 1
    wrong = "another SHA-256" if sent == "other bytes" else f"{len(bad):,} bytes instead of"
    assert f"progan_val.zip: damaged: {wrong}" in last_line(result)
    archives = tmp_path / "root/archives"
    assert tree(archives) == {"progan_val.zip.damaged": bad}
    assert not (tmp_path / "root/val").exists()
    server.files["progan_val.zip"] = good
    assert run("val").returncode == 0
    assert images(tmp_path / "root/val") == IMAGES


def test_an_archive_damaged_on_the_disk_is_never_used(
    server: Server, run: Run, tmp_path: pathlib.Path
) -> None:
    server.files["progan_val.zip"] = val_zip(tmp_path)
    archives = tmp_path / "root/archives"
    archives.mkdir(parents=True)
    (archives / "progan_val.zip").write_bytes(val_zip(tmp_path)[:-1] + b"!")
    result = run("val")
    assert result.returncode == 1
    assert "another SHA-256" in last_line(result)
    assert run("val").returncode == 0


def test_train_is_unpacked_when_all_volumes_are_there(
    server: Server, run: Run, tmp_path: pathlib.Path
) -> None:
    make_7z(tmp_path / "progan_train.7z", FILES)
    volumes = split(tmp_path / "progan_train.7z", 7)
    server.files |= {os.path.basename(v): pathlib.Path(v).read_bytes() for v in volumes}
    some = run("train", "--parts", "1,3,4,5,6")
    assert some.returncode == 0, some.stderr
    assert "still to fetch: progan_train.7z.002, progan_train.7z.007" in some.stdout
    assert not (tmp_path / "root/train").exists()
    rest = run("train", "--parts", "2,7", "--delete_archives")
    assert rest.returncode == 0, rest.stderr
    assert images(tmp_path / "root/train") == IMAGES
    assert len(server.asked) == 7
    assert tree(tmp_path / "root/archives") == {}


def test_archives_are_kept_where_their_contents_could_not_be_unpacked(
    server: Server, run: Run, tmp_path: pathlib.Path
) -> None:
    server.files["progan_val.zip"] = val_zip(tmp_path, {**FILES, "../x.png": b"bad"})
    result = run("val", "--delete_archives")
    assert result.returncode == 2
    assert "refused: '../x.png' in the archive" in last_line(result)
    assert set(tree(tmp_path / "root")) == {"archives/progan_val.zip"}


def test_a_dead_hub_and_a_lost_file_are_told(
    server: Server, run: Run, tmp_path: pathlib.Path
) -> None:
    lost = run("val")
    assert lost.returncode == 1
    assert "sywang/CNNDetection has no file progan_val.zip" in last_line(lost)
    dead = run("val", HF_ENDPOINT="http://127.0.0.1:9")
    assert dead.returncode == 1
    assert "http://127.0.0.1:9 cannot be reached" in last_line(dead)
    assert dead.stderr.count("\n") == 1
    assert f"put into {tmp_path}/root/archives" in last_line(dead)


def test_offline_what_is_on_this_machine_is_used_and_said_to_be_unchecked(
    server: Server, run: Run, tmp_path: pathlib.Path
) -> None:
    refused = run("val", HF_HUB_OFFLINE="1")
    assert refused.returncode == 1
    assert "HF_HUB_OFFLINE is set; progan_val.zip can be fetched" in last_line(refused)
    cache = tmp_path / "hf/hub/datasets--sywang--CNNDetection"
    snapshot = cache / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text("0" * 40)
    (snapshot / "progan_val.zip").write_bytes(val_zip(tmp_path))
    result = run("val", "--delete_archives", HF_HUB_OFFLINE="1")
    assert result.returncode == 0, result.stderr
    assert "could not be checked" in result.stderr
    assert images(tmp_path / "root/val") == IMAGES
    assert (snapshot / "progan_val.zip").exists()
    assert server.asked == []


def test_too_small_a_disk_is_told_before_anything_is_fetched(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = {"CNN_synth_testset.zip": hub.Published(20_100_000_000, "0")}
    monkeypatch.setattr(download, "ask_hub", lambda _: published)
    monkeypatch.setattr(download, "find", lambda *_: None)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(30_000_000_000))
    options = parse(DownloadOptions, ["testset", "--root", str(tmp_path / "root")])
    with pytest.raises(UsageError) as refused:
        download.get_split("testset", options)
    for words in ("20.1 GB to fetch", "needs 40.2 GB, and 30.0 GB are free", str(tmp_path)):
        assert words in str(refused.value)
    assert tree(tmp_path) == {}


def test_what_a_stopped_download_has_is_not_asked_of_the_disk_again(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "a.zip.part").write_bytes(bytes(40))
    assert hub.still_to_fetch(("a.zip",), str(tmp_path), {"a.zip": 100.0}) == 60
    (tmp_path / "a.zip").write_bytes(bytes(100))
    assert hub.still_to_fetch(("a.zip",), str(tmp_path), {"a.zip": 100.0}) == 0


def test_the_archives_are_those_that_testsets_json_names() -> None:
    about = json.loads((ROOT / "tools/released/testsets.json").read_bytes())
    for split_name, text in (
        ("testset", about["test"]["archive"]),
        ("val", about["val"]["archive"]),
        ("train", about["train"]["archives"][0]),
    ):
        of = hub.SPLITS[split_name]
        assert text.startswith(of.archives[0])
        assert fetch.amount(of.size).replace(".0", "") in text
        assert len(of.archives) == (int(text.split("..")[1][2:5]) if ".." in text else 1)
    assert {parts for parts in range(9) if not _refused(parts)} == set(range(1, 8))


def _refused(part: int) -> bool:
    try:
        parse(DownloadOptions, ["train", "--parts", str(part)])
    except SystemExit:
        return True
    return False


def test_wrong_usage_is_one_line(run: Run) -> None:
    assert_wrong_usage(run("everything"), "WHAT must be one of testset", "mobilenet_v2")
    assert_wrong_usage(run("val", "--parts", "1"), "--parts has no effect without train")


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["download.py", "val"])
    monkeypatch.setattr(download, "get_split", stop)
    with pytest.raises(Interrupted, match="the same command goes on"):
        download.main()


def test_help_does_not_wait_for_torch_or_the_hub() -> None:
    code = (
        "import sys, tools.download\n"
        "assert not {'torch', 'huggingface_hub', 'py7zr', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# the weights


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    state: dict[str, torch.Tensor] = torchvision.models.resnet50(num_classes=1).state_dict()
    return {key: torch.zeros_like(value) for key, value in state.items()}


@pytest.fixture
def dropbox(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(download, "WEIGHTS_URL", server.url)
    return server


def saved(path: pathlib.Path, content: object) -> bytes:
    torch.save(content, path)
    return path.read_bytes()


def test_weights_are_fetched_checked_and_left_alone_afterwards(
    dropbox: Server,
    tmp_path: pathlib.Path,
    state: dict[str, torch.Tensor],
    capsys: pytest.CaptureFixture[str],
) -> None:
    parallel = {"model": {f"module.{key}": value for key, value in state.items()}, "total_steps": 3}
    dropbox.files["blur_jpg_prob0.5.pth"] = saved(tmp_path / "a", parallel)
    dropbox.files["blur_jpg_prob0.1.pth"] = saved(tmp_path / "b", state)
    dropbox.breaks = [50_000_000]
    folder = tmp_path / "checkpoints"
    for word in ("fetched", "there already"):
        download.get_weights(str(folder))
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 2
        for line, (name, content) in zip(lines, dropbox.files.items(), strict=True):
            digest = hashlib.sha256(content).hexdigest()
            assert line == f"{folder}/{name}: {word}, fits resnet50, 94 MB, SHA-256 {digest}"
    assert dropbox.asked == ["", "bytes=50000000-", ""]
    assert tree(folder) == dropbox.files


def test_weights_that_do_not_fit_are_set_aside(
    dropbox: Server, tmp_path: pathlib.Path, state: dict[str, torch.Tensor]
) -> None:
    content = {**state, "fc.weight": torch.zeros(1000, 2048)}
    dropbox.files["blur_jpg_prob0.5.pth"] = saved(tmp_path / "a", content)
    folder = tmp_path / "checkpoints"
    with pytest.raises(WorkError, match=r"fc.weight \(1000, 2048\) instead of \(1, 2048\)"):
        download.get_weights(str(folder))
    assert set(tree(folder)) == {"blur_jpg_prob0.5.pth.damaged"}


@pytest.mark.parametrize("change", ["less", "more", "bytes"])
def test_what_lies_there_and_does_not_fit_is_refused_and_stays(
    dropbox: Server, tmp_path: pathlib.Path, state: dict[str, torch.Tensor], change: str
) -> None:
    path = tmp_path / "blur_jpg_prob0.5.pth"
    content = {key: value for key, value in state.items() if key != "bn1.bias"}
    saved(path, content if change == "less" else {**state, "extra": torch.zeros(1)})
    if change == "bytes":
        path.write_bytes(b"no weights")
    before = path.read_bytes()
    words = {"less": "missing: bn1.bias", "more": "unexpected: extra", "bytes": "refused"}[change]
    with pytest.raises(UsageError, match=words):
        download.get_weights(str(tmp_path))
    assert path.read_bytes() == before
    assert dropbox.asked == []


def test_a_dead_link_to_weights_names_the_manual_way(
    dropbox: Server, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(WorkError) as failed:
        download.get_weights(str(tmp_path / "checkpoints"))
    for words in ("404", "https://github.com/PeterWang512/CNNDetection", "checkpoints"):
        assert words in str(failed.value)
