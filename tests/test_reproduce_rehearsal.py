"""`python -m tools.reproduce` from the download to the verdicts, on a skeleton of the real data.

The names and numbers of test sets and validation are the released ones, the images are tiny, the
hub is a local server. Training and a sweep are killed on the way, and gone on with.
"""

from __future__ import annotations

import csv
import json
import os
import pathlib
import signal
import time
from collections.abc import Callable

import pytest
from PIL import Image

from tests import commands
from tests.conftest import write_image
from tests.test_archives import make_7z, make_zip, split
from tests.test_download import MARKER, Server, server
from tests.test_torchrun import steps_done
from tools import reproduce
from tools.released.counts import published_counts, published_train
from util.errors import WorkError

__all__ = ["server"]  # the fixture
EACH = {"cat": 20, "dog": 20}  # training images of these classes and each label; of others 1
TRAIN = "--arch mobilenet_v3_small --init scratch --loadSize 40 --cropSize 32"
TRAIN += " --classes cat,dog --niter 1 --save_latest_freq 1 --loss_freq 1"  # ten steps
MODELS = ("blur_jpg_prob0.5", "blur_jpg_prob0.1")


class Typist:
    """Runs the commands as a user would, and kills one of them where it is told to."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.kill: tuple[str, Callable[[], bool]] | None = None  # a word of the command; when
        self.told: list[tuple[str, str]] = []  # command, and what it printed

    def __call__(self, command: tuple[str, ...]) -> int:
        started = commands.start(*command, environment=self.environment)
        if self.kill and self.kill[0] in command:
            while started.process.is_alive() and not self.kill[1]():
                time.sleep(0.002)
            assert started.process.pid
            os.kill(started.process.pid, signal.SIGKILL)
        result = started.result()
        self.told.append((" ".join(command), result.stdout + result.stderr))
        return result.returncode

    def output(self, *words: str) -> str:
        """What the last command with all these words printed."""
        return next(text for said, text in reversed(self.told) if all(w in said for w in words))


@pytest.fixture
def root(tmp_path: pathlib.Path, real_skeleton: pathlib.Path, server: Server) -> pathlib.Path:
    """A folder with the test sets unpacked; the archives of the rest are on the server."""
    at = tmp_path / "dataset"
    (at / "test").mkdir(parents=True)
    for testset in real_skeleton.iterdir():
        (at / "test" / testset.name).symlink_to(testset)
    (at / "test" / MARKER).write_text(json.dumps({"archives": [], "files": 0}))  # behind the links
    Image.new("RGB", (4, 4)).save(tmp_path / "val.png")
    tiny = (tmp_path / "val.png").read_bytes()
    names = [
        f"progan_val/{folder}/{number:04}{ending}"
        for (folder, ending), count in published_counts()["val"].items()
        for number in range(count)
    ]
    (val,) = make_zip(tmp_path / "progan_val.zip", dict.fromkeys(names, tiny))
    images = {}
    for seed, name in enumerate(published_train()[0]):
        for label in ("0_real", "1_fake"):
            for number in range(EACH.get(name, 1)):
                path = tmp_path / label / "train.png"
                write_image(path, 100 * seed + number)
                images[f"progan_train/{name}/{label}/{number:05}.png"] = path.read_bytes()
    make_7z(tmp_path / "progan_train.7z", images)
    for archive in (val, *split(tmp_path / "progan_train.7z", 7)):
        server.files[os.path.basename(archive)] = pathlib.Path(archive).read_bytes()
    return at


@pytest.mark.slow
def test_it_is_rehearsed_with_breaks_from_the_download_to_the_verdicts(
    root: pathlib.Path,
    tmp_path: pathlib.Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub = {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "*"}
    typist = Typist(hub)
    runs, results = tmp_path / "checkpoints", tmp_path / "results"
    monkeypatch.setattr(reproduce, "run_command", typist)
    argv = ["--root", root, "--checkpoints_dir", runs, "--results_dir", results]
    argv += ["--device", "cpu", "--num_threads", 0, "--batch_size", 8]
    argv += ["--testsets", "seeingdark,san"]
    argv += ["--train_options", TRAIN]
    monkeypatch.setattr("sys.argv", ["reproduce.py", *map(str, argv)])

    # killed amid the first epoch
    latest = runs / MODELS[0] / "model_epoch_latest.pth"
    typist.kill = (MODELS[0], latest.exists)
    with pytest.raises(WorkError, match=r"step 3 of 8, train .*0\.5: was killed by signal 9.*goes"):
        reproduce.main()
    assert steps_done(latest.parent) in range(1, 10)
    assert not (latest.parent / "model_epoch_best.pth").exists()
    num_train = 2 * (sum(EACH.values()) + 18)
    assert f"{90_329 + 8_000 + num_train:,}" in typist.output("tools.verify")
    assert (root / "val/cat/0_real/0199.png").is_file()
    fetched = list(server.asked)
    assert len(fetched) == 8

    # killed in the second sweep, when one of its two test sets is scored at least
    scores, sweep = results / ".scores", results / f"{MODELS[0]}_no_crop"
    typist.kill = (sweep.name, lambda: len(list(scores.rglob("plain.csv"))) > 2)
    with pytest.raises(WorkError, match=r"step 5 of 8, sweep .*0\.5, whole images: was killed"):
        reproduce.main()
    assert len(list(scores.rglob("plain.csv"))) in (3, 4)
    assert not (sweep / "metrics.json").exists()
    assert "complete already" in typist.output("tools.download")
    assert "continues after" in typist.output("train.py", MODELS[0])
    assert steps_done(latest.parent) == 10
    partial = list(csv.DictReader((results / "table.csv").open()))
    assert {row["verdict"] for row in partial if row["protocol"] == "no_crop"} == {"not scored"}

    # and to its end
    typist.kill = None
    capsys.readouterr()
    reproduce.main()
    assert server.asked == fetched  # nothing is fetched twice
    assert "this run is finished" in typist.output("train.py", MODELS[0])
    assert "nothing was scored anew" in typist.output("eval.py", f"{MODELS[0]}_crop")
    told, last = capsys.readouterr().out.splitlines()[-2:]
    assert last.endswith(f"; next: read {results / 'table.md'}")
    assert "104 cells: no spread known: " in told
    assert told.endswith("not scored: 88")  # of 13 test sets two were asked for

    # the table says what the sweeps measured, beside the published figures
    rows = list(csv.DictReader((results / "table.csv").open()))
    assert len(rows) == 13 * 2 * 2 * 2
    for row in rows:
        sweep = results / f"{row['model']}_{row['protocol']}"
        measured = json.loads((sweep / "metrics.json").read_text())["testsets"]
        ours = measured.get(row["testset"], {}).get(row["metric"])
        assert row["ours"] == ("" if ours is None else f"{100 * ours:.2f}")
        assert (row["low"], row["high"]) == ("", "")
    shown = [row["verdict"] for row in rows if row["testset"] in ("seeingdark", "san")]
    assert {*shown} <= {"no spread known", "undefined"}  # AP, where all scores are the same
    picked = next(r for r in rows if (r["testset"], r["protocol"]) == ("san", "no_crop"))
    assert (picked["metric"], picked["published"]) == ("ap", "62.8")
    picked = next(r for r in rows if r["testset"] == "seeingdark" and r["metric"] == "accuracy")
    assert picked["published"] == "78.3"
    assert float(picked["difference"]) == pytest.approx(float(picked["ours"]) - 78.3)
    text = (results / "table.md").read_text()
    assert text.count("## blur_jpg_prob") == 4
