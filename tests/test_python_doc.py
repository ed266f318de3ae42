"""Every snippet of docs/python.md and of the README runs, as somebody types it in the folder."""

from __future__ import annotations

import pathlib
import re
import sys

import pytest
import torch
import torchvision

from evaluation.predictions import write_predictions
from tests.commands import ROOT
from tests.test_results import save_weights
from tests.test_rows import random_scores

BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in (ROOT / "README.md", ROOT / "docs/python.md")
    for number, block in enumerate(
        re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    )
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, toy: pathlib.Path) -> pathlib.Path:
    """A folder as the documents assume it: weights, the demo's checkpoint, images and results."""
    root = tmp_path_factory.mktemp("clone")
    for name in ("hubconf.py", "minibench"):
        (root / name).symlink_to(ROOT / name)
    save_weights(root / "checkpoints/blur_jpg_prob0.5.pth", crop_size=None)
    torch.manual_seed(0)
    network = torchvision.models.resnet50(num_classes=1)
    (root / "checkpoints/demo").mkdir()
    demo = {"model": network.state_dict(), "arch": "resnet50", "crop_size": 32}
    torch.save(demo, root / "checkpoints/demo/model_epoch_latest.pth")
    (root / "results/demo").mkdir(parents=True)
    write_predictions(str(root / "results/demo/predictions.csv"), {"progan": random_scores(1)})
    for testset, source in (("progan", "progan"), ("stylegan2", "biggan")):
        (root / "dataset/mini/test").mkdir(parents=True, exist_ok=True)
        (root / "dataset/mini/test" / testset).symlink_to(toy / "test" / source)
    return root


@pytest.mark.parametrize("block", BLOCKS)
def test_a_documented_snippet_runs_and_says_what_its_comment_says(
    block: str,
    clone: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(clone)
    monkeypatch.setattr(sys, "path", [*sys.path])
    exec(compile(block, "snippet", "exec"), {"__name__": "__main__"})
    out = capsys.readouterr().out
    assert out or "print(" not in block
    if "the same logit" in block:
        assert len(set(out.strip("[]\n").split(", "))) == 1
    if number := re.search(r"\)  # (0\.\d+),", block):
        assert out.strip() == number[1]
    if "evidence.png" in block:
        assert (clone / "evidence.png").stat().st_size > 1000
        assert 0 < float(out) < 1
