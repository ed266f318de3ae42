"""`python -m tools.download weights NAME`: the licence first, and nothing that is not free."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from networks.detectors import bfree, clipdet, npr, univfd
from networks.detectors.release import Blueprint, Release, State
from networks.input_spec import ANY_INPUT
from networks.timm_models import ModuleMissing
from tests.test_archives import tree
from tests.test_download import Server
from tools import download
from tools.released import fetch
from util import errors

Run = Callable[..., tuple[int, list[str], str]]
LICENCE = "npr: licence: Unlicense"


class Tiny(nn.Module):
    """A linear layer on a frozen one."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(8, 4, device="meta")
        self.head = nn.Linear(4, 1, device="meta")


def blueprint(state: State) -> Blueprint:
    return Blueprint(Tiny(), state, (0, 0, 0), (1, 1, 1), ANY_INPUT)


def state(backbone: bool = True) -> State:
    whole = {"head.weight": torch.ones(1, 4), "head.bias": torch.zeros(1)}
    frozen = {"backbone.weight": torch.ones(4, 8), "backbone.bias": torch.zeros(4)}
    return {**whole, **(frozen if backbone else {})}


@pytest.fixture(name="server")
def local_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    server.files["own.safetensors"] = safetensors.torch.save(state())
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """The exit code, the lines on standard output, and standard error without progress."""

    def run(*argv: str) -> tuple[int, list[str], str]:
        words = ["download.py", *argv, "--checkpoints_dir", str(tmp_path / "weights")]
        monkeypatch.setattr("sys.argv", words)
        monkeypatch.setattr("signal.signal", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            errors.run(download.main)
        out, error = capsys.readouterr()
        told = [line for line in error.splitlines() if line.startswith("download.py: ")]
        return int(str(ended.value.code)), out.splitlines(), "\n".join(told)

    return run


@pytest.fixture
def publish(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Release]:
    """Put a small detector into the place of npr, with what a test says of it."""

    def publish(**changed: Any) -> Release:  # noqa: ANN401
        known: dict[str, Any] = {
            "blueprint": blueprint,
            "paper": "Nobody, 2026",
            "source": "https://example.org/code",
            "licence": "Unlicense",
            "free": True,
            "files": {"own.safetensors": f"{server.url}/own.safetensors"},
        }
        its = Release(**{**known, **changed})
        monkeypatch.setattr(npr, "RELEASE", its)
        return its

    return publish


def test_the_licence_comes_first_and_the_command_last(
    run: Run,
    publish: Callable[..., Release],
    server: Server,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish()
    said: list[str] = []
    monkeypatch.setattr("builtins.print", lambda *words, **_: said.extend(map(str, words)))
    real = fetch.fetch
    monkeypatch.setattr(fetch, "fetch", lambda *a: (said.append("fetching"), real(*a))[1])
    assert run("weights", "npr")[0] == 0
    text = "\n".join(said)
    assert text.index(LICENCE) < text.index(f"from {server.url}") < text.index("fetching")
    assert said[0].startswith("npr: Nobody, 2026; https://example.org/code\n")
    digest = hashlib.sha256(server.files["own.safetensors"]).hexdigest()
    path = tmp_path / "weights/npr/own.safetensors"
    assert f"{path}: fetched, fits npr, 0 kB, SHA-256 {digest}, none is known" in said
    assert said[-2].endswith(f"eval.py --detector npr:{path} --dataroot dataset/test")
    assert tree(tmp_path / "weights") == {"npr/own.safetensors": server.files["own.safetensors"]}


def test_a_name_alone_will_do_and_a_second_time_it_is_checked_only(
    run: Run, publish: Callable[..., Release], server: Server
) -> None:
    digest = hashlib.sha256(server.files["own.safetensors"]).hexdigest()
    publish(sha256={"own.safetensors": digest})
    for word in ("fetched", "there already"):
        code, out, _ = run("npr")
        assert code == 0
        assert any(f": {word}, fits npr" in line and line.endswith("as known") for line in out)
    assert len(server.asked) == 1


def test_a_stopped_download_goes_on(
    run: Run, publish: Callable[..., Release], server: Server, tmp_path: pathlib.Path
) -> None:
    publish()
    server.breaks = [100]
    assert run("weights", "npr")[0] == 0
    assert server.asked == ["", "bytes=100-"]


@pytest.mark.parametrize("wrong", ["hash", "keys", "page"])
def test_what_is_not_the_file_is_set_aside(
    run: Run,
    publish: Callable[..., Release],
    server: Server,
    tmp_path: pathlib.Path,
    wrong: str,
) -> None:
    publish(sha256={"own.safetensors": "0" * 64} if wrong == "hash" else {})
    if wrong == "keys":
        server.files["own.safetensors"] = safetensors.torch.save(state(backbone=False))
    if wrong == "page":
        server.kind = "text/html"
    code, _, error = run("weights", "npr")
    assert (code, error.count("\n")) == (1, 0)
    says = {"hash": "SHA-256", "keys": "missing: backbone.weight", "page": "web page instead"}
    assert says[wrong] in error
    assert f"by way of https://example.org/code and put it into {tmp_path}/weights/npr" in error
    left = {} if wrong == "page" else {"npr/own.safetensors.damaged"}
    assert set(tree(tmp_path / "weights")) == set(left)


def test_a_file_that_lies_there_and_is_another_stays(
    run: Run, publish: Callable[..., Release], server: Server, tmp_path: pathlib.Path
) -> None:
    publish(sha256={"own.safetensors": "0" * 64})
    path = tmp_path / "weights/npr/own.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    code, _, error = run("weights", "npr")
    assert code == 2
    assert "its SHA-256 is" in error
    assert path.read_bytes() == b"mine"
    assert server.asked == []


def test_what_is_not_free_is_fetched_only_by_the_users_word(
    run: Run, publish: Callable[..., Release], server: Server, tmp_path: pathlib.Path
) -> None:
    its = publish(free=False, licence="CC BY-NC 4.0", pages={"b.pth": "https://example.org/b"})
    code, out, error = run("weights", "univfd", "npr")
    assert (code, out, error.count("\n")) == (2, [], 0)
    for words in ("CC BY-NC 4.0", its.files["own.safetensors"], "--accept_licence"):
        assert words in error
    assert server.asked == []  # univfd, which is free, neither
    code, out, _ = run("weights", "npr", "--accept_licence")
    assert code == 0
    assert "npr: b.pth is to be got by hand from https://example.org/b" in out
    assert set(tree(tmp_path / "weights")) == {"npr/own.safetensors"}


@pytest.mark.parametrize("more", [[], ["--accept_licence"]])
def test_a_page_is_named_and_never_fetched(
    run: Run, tmp_path: pathlib.Path, more: list[str]
) -> None:
    code, out, error = run("weights", "bfree", *more)
    assert (code, out, error.count("\n")) == (2, [], 0)
    (page,) = bfree.RELEASE.pages.values()
    for words in ("nonprofit", page, "by hand", str(tmp_path / "weights/bfree")):
        assert words in error
    assert not (tmp_path / "weights").exists()


def test_a_frozen_backbone_is_not_missed_and_the_way_to_it_is_said(
    run: Run, publish: Callable[..., Release], server: Server
) -> None:
    server.files["own.safetensors"] = safetensors.torch.save(state(backbone=False))
    publish(backbone="vit.of.timm")
    code, out, _ = run("weights", "npr")
    assert code == 0
    assert any("timm fetches its frozen backbone, vit.of.timm" in line for line in out)
    publish(backbone="vit.of.timm", backbone_file="https://example.org/clip.bin")
    code, out, _ = run("weights", "npr")
    assert any("to be got from https://example.org/clip.bin" in line for line in out)
    assert "own.safetensors,clip.bin --dataroot" in out[-2]


def test_without_timm_it_is_said_that_the_keys_were_not_checked(
    run: Run, publish: Callable[..., Release]
) -> None:
    def needs_timm(state: State) -> Blueprint:
        raise ModuleMissing("this network needs timm: pip install it")

    publish(blueprint=needs_timm)
    code, out, _ = run("weights", "npr")
    assert code == 0
    assert any("was not checked (this network needs timm: pip install it)" in line for line in out)


def test_weights_alone_are_the_papers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[str] = []
    monkeypatch.setattr(download, "get_weights", got.append)
    monkeypatch.setattr("tools.released.detectors.get_detector", lambda *a: got.append(a[1]))
    assert run("weights")[0] == run("weights", "univfd", "safe")[0] == 0
    assert [pathlib.Path(name).name for name in got] == ["weights", "univfd", "safe"]


def test_the_released_heads_fit_without_their_backbone(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """The shapes of UnivFD's and CLIPDet's own files, with random numbers."""
    pytest.importorskip("timm")
    torch.save({"weight": torch.ones(1, 768), "bias": torch.ones(1)}, tmp_path / "u")
    torch.save({"fc.weight": torch.ones(1, 1024), "fc.bias": torch.ones(1)}, tmp_path / "c")
    server.files |= {"u": (tmp_path / "u").read_bytes(), "c": (tmp_path / "c").read_bytes()}
    for module, file in ((univfd, "u"), (clipdet, "c")):
        its = dataclasses.replace(module.RELEASE, files={file: f"{server.url}/{file}"}, sha256={})
        monkeypatch.setattr(module, "RELEASE", its)
    code, out, error = run("weights", "univfd", "clipdet")
    assert (code, error) == (0, "")
    assert [", fits univfd" in line or ", fits clipdet" in line for line in out].count(True) == 2


def test_wrong_usage_names_what_is_missing(run: Run) -> None:
    code, _, error = run("val", "--accept_licence")
    assert code == 2
    assert "--accept_licence has no effect without the name of a detector" in error
