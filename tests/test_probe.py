"""The last layer fitted on cached features, against plain computations written here."""

from __future__ import annotations

import csv
import pathlib
import re
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import sklearn.metrics
import torch
import torchvision
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

import train
from data.dataset import EpochImages
from data.images import UnreadableImage, decode
from networks.architectures import architecture
from networks.create import build
from networks.detector import as_detector, load_detector
from options.parse import parse
from options.train_options import TrainOptions
from tests import commands
from tests.conftest import TOY_OPTIONS, write_image
from tests.test_options import refused
from tests.tolerances import assert_as_exact
from tests.toy_runs import assert_equal, assert_same_run, load
from training import features, last_layer, shards
from training.features import Features
from training.setup import build_datasets, with_input_size
from util.errors import UsageError, WorkError

ARCH, HEAD = "mobilenet_v3_small", "classifier.3"  # of MobileNetV3, behind 1,024 features
TOY = [*TOY_OPTIONS[: TOY_OPTIONS.index("--loss_freq")]]  # a probe logs no loss of steps
ALONE = ("--freeze", "backbone", "--probe")


@pytest.fixture(scope="module", autouse=True)
def trunk(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights whose features are of a size as trained ones have: drawn ones are some 1e-10."""
    torch.manual_seed(1)
    network = build(ARCH)
    with torch.no_grad():
        network.classifier[0].weight *= 1e9
    path = tmp_path_factory.mktemp("trunk") / "trunk.pth"
    torch.save({"model": network.state_dict(), "arch": ARCH}, path)
    TOY[TOY.index("--init") + 1] = str(path)
    return str(path)


def options_of(toy: pathlib.Path, out: pathlib.Path, *flags: object) -> TrainOptions:
    name = [] if "--name" in flags else ["--name", "run"]
    more = [str(value) for value in flags]
    argv = [*TOY, "--dataroot", str(toy), "--checkpoints_dir", str(out), *name, *more]
    return with_input_size(parse(TrainOptions, argv))


def run(toy: pathlib.Path, out: pathlib.Path, *argv: object) -> pathlib.Path:
    options = options_of(toy, out, *argv)
    train.main(options)
    return out / options.name


def centre(path: pathlib.Path) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))[4:36, 4:36]


def plain_features(state: dict[str, Tensor], images: Tensor, dtype: torch.dtype) -> Any:  # noqa: ANN401
    """(N, 1024) by torchvision's network and a hook, as anyone would write it."""
    network = torchvision.models.mobilenet_v3_small(num_classes=1).eval()
    network.load_state_dict(state)
    network.to(dtype)
    caught = []
    network.classifier[3].register_forward_hook(lambda module, args, out: caught.append(args[0]))
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=dtype).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225], dtype=dtype).view(3, 1, 1)
    with torch.no_grad():
        network((images.to(dtype) / 255 - mean) / std)
    return caught[0].numpy()


def plain_head(values: Any, labels: Any, penalty: float) -> Any:  # noqa: ANN401
    """(1025,) weight and bias of scikit-learn's regression, for features as they are."""
    scaler = StandardScaler().fit(values)
    model = LogisticRegression(C=penalty, max_iter=1000).fit(scaler.transform(values), labels)
    weight = model.coef_[0] / scaler.scale_
    return np.append(weight, model.intercept_[0] - weight @ scaler.mean_)


class Opened:
    """Counts the images that are decoded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        monkeypatch.setattr("data.samples.decode", self.decode)

    def decode(self, content: bytes, path: str, most: int) -> Any:  # noqa: ANN401
        self.paths.append(path)
        return decode(content, path, most)


def test_a_probe_is_what_scikit_learn_makes_of_plainly_computed_features(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(toy, tmp_path, *ALONE, "logistic", "--views", 2)
    said = capsys.readouterr().out
    best = load(folder, "best")
    state = best["model"]
    train_set, val_set, _ = build_datasets(options_of(toy, tmp_path), 1)
    items = [train_set[view, i] for view in (0, 1) for i in range(24)]
    assert not torch.equal(items[0].pixels, items[24].pixels)  # two views
    labels = np.array([item.label for item in items])
    seen = torch.stack([item.pixels for item in items])
    penalty = float(re.search(r"logistic regression, C (\S+) of", said)[1])
    plain, exact = (
        plain_head(plain_features(state, seen, dtype), labels, penalty)
        for dtype in (torch.float32, torch.float64)
    )
    ours = torch.cat([state[f"{HEAD}.weight"][0], state[f"{HEAD}.bias"]])
    assert_as_exact(ours, plain, exact)

    # the checkpoint's logits are its features times its last layer, and history.csv tells of them
    paths = [pathlib.Path(val_set.samples.path(i)) for i in range(8)]
    more = [p for p in sorted(toy.glob("test/progan/*/*/*.png"))]
    images = torch.from_numpy(np.stack([centre(p) for p in (*paths, *more)])).permute(0, 3, 1, 2)
    weight, bias = (state[f"{HEAD}.{key}"].numpy() for key in ("weight", "bias"))
    detector = load_detector(str(folder / "model_epoch_best.pth"), device="cpu")
    plain, exact = (
        plain_features(state, images, dtype) @ weight[0].astype(dtype_) + bias[0].astype(dtype_)
        for dtype, dtype_ in ((torch.float32, np.float32), (torch.float64, np.float64))
    )
    assert_as_exact(detector.logits(images), plain, exact)
    (row,) = csv.DictReader((folder / "history.csv").open())
    ap = sklearn.metrics.average_precision_score(val_set.samples.labels, exact[:8])
    assert float(row["val_ap"]) == pytest.approx(ap)
    assert (row["epoch"], row["total_steps"], row["lr"]) == ("1", "0", "0.0")
    assert f"epoch 1: loss {float(row['loss']):.4f}, validation AP {ap:.4f}" in said
    assert "done: " in said
    recorded = load(folder)["trained_on"]["keys"]
    assert len(recorded) == 24  # of the images, whatever the views


@pytest.mark.parametrize("how", ["linear", "logistic"])
def test_a_second_run_opens_no_image_and_ends_in_the_same_bits(
    toy: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    first = run(toy, tmp_path, *ALONE, how)
    opened = Opened(monkeypatch)
    second = run(toy, tmp_path, *ALONE, how, "--name", "second")
    assert opened.paths == []
    assert_same_run(first, second)
    other = run(toy, tmp_path / "elsewhere", *ALONE, how)
    assert len(opened.paths) == 24 + 8
    assert_same_run(first, other)


def test_nothing_but_the_last_layer_changes_and_a_finished_probe_says_so(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = load(run(toy, tmp_path, *ALONE, "linear"))
    other = load(run(toy, tmp_path, *ALONE, "logistic", "--name", "other"))
    assert isinstance(one["model"], dict)
    for key, value in one["model"].items():
        assert torch.equal(value, other["model"][key]) != key.startswith(HEAD), key
    before = (tmp_path / "run/model_epoch_latest.pth").read_bytes()
    capsys.readouterr()
    run(toy, tmp_path, *ALONE, "linear", "--continue_train")
    assert "this run is finished" in capsys.readouterr().out
    assert (tmp_path / "run/model_epoch_latest.pth").read_bytes() == before


def test_a_probe_takes_no_step_whatever_schedule_a_preset_sets(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    preset = ("--preset", "safe", "--classes", "cat,dog")  # a cycle of 20 epochs
    checkpoint = load(run(toy, tmp_path, *preset, *ALONE, "linear"))
    assert checkpoint["arch"] == f"{ARCH}-hh"
    assert checkpoint["made_from"]["options"]["schedule"] == "onecycle"
    assert (checkpoint["total_steps"], len(checkpoint["progress"]["history"])) == (0, 1)


def test_a_killed_pass_goes_on_from_its_shards(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "SHARD", 8)
    whole = run(toy, tmp_path / "whole", *ALONE, "logistic")
    write, written = features.write_shard, []

    def killed(path: str, shard: shards.Shard) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write(path, shard)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(features, "write_shard", killed)
        run(toy, tmp_path, *ALONE, "logistic")
    opened = Opened(monkeypatch)
    with pytest.raises(UsageError, match="holds a run already; add --continue_train"):
        run(toy, tmp_path, *ALONE, "logistic")
    folder = run(toy, tmp_path, *ALONE, "logistic", "--continue_train")
    assert len(opened.paths) == 8 + 8  # the third shard of training, and validation's
    assert_same_run(folder, whole)


def test_a_changed_image_and_a_damaged_shard_are_computed_again(
    toy: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(features, "SHARD", 8)
    data = tmp_path / "data"
    shutil.copytree(toy, data)
    first = run(data, tmp_path, *ALONE, "logistic")
    changed = sorted((data / "train").rglob("*.png"))[0]
    opened = Opened(monkeypatch)
    write_image(changed, 99)
    second = run(data, tmp_path, *ALONE, "logistic", "--name", "second")
    assert len(opened.paths) == 8
    assert str(changed) in opened.paths
    fresh = run(data, tmp_path / "fresh", *ALONE, "logistic")
    assert_same_run(second, fresh)
    weights = [load(folder)["model"][f"{HEAD}.weight"] for folder in (first, second)]
    assert not torch.equal(*weights)
    capsys.readouterr()
    opened.paths.clear()
    damaged = sorted((tmp_path / "fresh/.features").rglob("*.npz"))[:2]
    content = damaged[0].read_bytes()
    damaged[0].write_bytes(content[:5000] + b"\0" * 8 + content[5008:])
    damaged[1].write_bytes(content[:300])
    third = run(data, tmp_path / "fresh", *ALONE, "logistic", "--name", "third")
    assert len(opened.paths) == 16
    assert_same_run(third, fresh)
    told = capsys.readouterr().err
    assert all(f"{path}: is damaged; its features are computed again" in told for path in damaged)


def test_what_features_depend_on_is_in_the_name_of_their_shard(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    def path(change: Callable[[Any], None] = lambda network: None, **other: Any) -> str:  # noqa: ANN401
        argv = [f"--{k}={v}" for k, v in other.items() if k not in ("view", "precision")]
        images, _, _ = build_datasets(options_of(toy, tmp_path, *argv), 1)
        view = EpochImages(images, other.get("view", 0))
        torch.manual_seed(0)
        network = build(ARCH)
        with torch.no_grad():
            change(network)
        detector = as_detector(
            network,
            arch=ARCH,
            device=torch.device("cpu"),
            precision=other.get("precision", "fp32"),
        )
        folder = shards.shards_folder(detector, HEAD, view, where=str(tmp_path))
        every = np.arange(len(images.samples.labels))
        states = shards.file_states(images.samples)
        return shards.shard_path(folder, view, every, states=states)

    plain = path()
    assert path() == plain
    assert path(lambda network: network.classifier[3].weight.add_(1)) == plain  # the last layer
    others = [
        path(lambda network: network.classifier[0].bias[0].add_(1)),
        path(lambda network: network.features[0][1].running_mean[0].add_(1)),
        path(view=1),
        path(seed=1),
        path(precision="bf16"),
        path(jpg_prob=0.5),
        path(cropSize=36),
        path(max_pixels=10**6),
        path(max_images=4),
    ]
    assert len({plain, *others}) == 1 + len(others)


def test_views_are_those_that_epochs_of_training_draw(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    argv = ("--seed", 3, "--pairs", "--jpg_prob", 0.5, "--blur_prob", 0.5, "--blur_sig", "0,3")
    images, _, _ = build_datasets(options_of(toy, tmp_path, *argv), 1)
    for epoch in (0, 4):
        view = EpochImages(images, epoch)
        for index in (0, 7, 23):
            drawn, item = images[epoch, index], view[index, 0, 1]
            assert torch.equal(item.images[0][1], drawn.pixels)
            assert item.seen.content == drawn.content


def some_features(seed: int, count: int, width: int = 30) -> Features:
    """Features of which few say something, on scales that differ, and one that is constant."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 2).astype(np.uint8)
    values = rng.standard_normal((count, width)) + 0.5 * labels[:, None] * (np.arange(width) < 4)
    values = values * np.geomspace(0.01, 100, width) + 3
    values[:, -1] = 2.5
    return Features(values.astype(np.float32), labels, [], [])


def test_c_is_the_one_with_the_highest_validation_ap_and_the_smaller_of_two() -> None:
    chosen = []
    for seed in range(3):
        ours, val = some_features(seed, 60), some_features(100 + seed, 40)
        best, best_ap = 0.0, -1.0
        for exponent in range(-6, 3):
            values = ours.values.astype(np.float64)
            mean, scale = values.mean(axis=0), values.std(axis=0)
            scale[-1] = 1
            model = LogisticRegression(C=10.0**exponent, max_iter=1000)
            model.fit((values - mean) / scale, ours.labels)
            logits = model.decision_function((val.values - mean) / scale)
            ap = sklearn.metrics.average_precision_score(val.labels, logits)
            if ap > best_ap:
                best, best_ap = 10.0**exponent, ap
        line = last_layer.fit(ours, val, how="logistic", seed=0)
        assert line.how.startswith(f"logistic regression, C {best:g} of 1e-06 to 100")
        chosen.append(best)
    assert len(set(chosen)) > 1
    easy = some_features(0, 60)
    easy.values[:, 0] = 10 * easy.labels  # then every C ranks perfectly
    assert ", C 1e-06 of" in last_layer.fit(easy, easy, how="logistic", seed=0).how


def adam(ours: Features, val: Features, dtype: type, seed: int) -> tuple[Any, int]:
    """(D + 1,) weight and bias, and the pass they are of: Adam from a textbook."""
    values = ours.values.astype(dtype)
    mean, scale = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    scale[-1] = 1
    inputs = np.c_[((values - mean) / scale), np.ones(len(values))].astype(dtype)
    theta, m, v = (np.zeros(inputs.shape[1], dtype) for _ in range(3))
    order = torch.Generator().manual_seed(seed)
    best, best_accuracy, best_pass, step = theta, -1.0, 0, 0
    for number in range(1, 101):
        shuffled = torch.randperm(len(inputs), generator=order).numpy()
        for start in range(0, len(inputs), 256):
            rows, step = shuffled[start : start + 256], step + 1
            wrong = 1 / (1 + np.exp(-(inputs[rows] @ theta))) - ours.labels[rows]
            gradient = (inputs[rows].T @ wrong / len(rows)).astype(dtype)
            m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
            theta = theta - 1e-3 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
            theta = theta.astype(dtype)
        weight = theta[:-1] / scale
        line = np.append(weight, theta[-1] - weight @ mean)
        right = float(np.mean((val.values @ line[:-1] + line[-1] > 0) == val.labels))
        if right > best_accuracy:
            best, best_accuracy, best_pass = line, right, number
        elif number - best_pass >= 10:
            break
    return best, best_pass


def test_linear_is_adam_until_validation_is_right_no_more_often() -> None:
    ours, val = some_features(0, 300), some_features(1, 100)
    line = last_layer.fit(ours, val, how="linear", seed=7)
    plain, its_pass = adam(ours, val, np.float32, 7)
    exact, _ = adam(ours, val, np.float64, 7)
    assert line.how == f"linear, by Adam at 0.001, after {its_pass} of at most 100 passes"
    assert 1 < its_pass < 100
    assert_as_exact(np.append(line.weight, line.bias), plain, exact)
    other = last_layer.fit(ours, val, how="linear", seed=8)
    assert not np.array_equal(other.weight, line.weight)


def test_a_feature_that_varies_in_its_last_digits_alone_has_no_weight() -> None:
    ours, val = some_features(0, 60), some_features(1, 40)
    ours.values[:, 5] = 1000 + 1e-3 * ours.labels  # it would tell all, and be lost in rounding
    for how in ("linear", "logistic"):
        line = last_layer.fit(ours, val, how=how, seed=0)
        assert line.weight[5] == 0
        assert np.count_nonzero(line.weight) == 28  # of 30: one is constant


def test_one_label_alone_cannot_be_fitted() -> None:
    ours = some_features(0, 20)
    reals = ours._replace(labels=np.zeros(20, np.uint8))
    for how in ("linear", "logistic"):
        with pytest.raises(WorkError, match="no training image of one of the labels"):
            last_layer.fit(reals, ours, how=how, seed=0)
        with pytest.raises(WorkError, match="no validation image of one of the labels"):
            last_layer.fit(ours, reals, how=how, seed=0)


def test_probe_then_fine_tune_begins_from_the_probed_layer_and_resumes_to_the_bit(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = load(run(toy, tmp_path, *ALONE, "logistic"))["model"]
    fine = ("--probe", "logistic", "--freeze", "stages:13", "--name", "fine", "--lr", 1e-3)
    begun: list[Tensor] = []
    probes: list[object] = []
    original = train.probe

    def spy(options: TrainOptions, state: Any, **more: Any) -> None:  # noqa: ANN401
        probes.append(options)
        original(options, state, **more)
        for network in {state.network, state.in_use()}:  # with --ema an average of its own
            head = network.get_submodule(HEAD)
            assert torch.equal(head.weight, alone[f"{HEAD}.weight"])
            head.register_forward_pre_hook(
                lambda module, args: begun.append(module.weight.detach().clone())
            )

    monkeypatch.setattr(train, "probe", spy)
    whole = run(toy, tmp_path / "whole", *fine, "--niter", 2)
    assert torch.equal(begun[0], alone[f"{HEAD}.weight"])
    assert not torch.equal(begun[1], begun[0])  # after a step
    assert len(probes) == 1
    first = run(toy, tmp_path, *fine, "--niter", 1)
    assert len(probes) == 2
    assert load(first)["total_steps"] == 3
    run(toy, tmp_path, *fine, "--niter", 2, "--continue_train")
    assert len(probes) == 2  # the checkpoint has the head
    assert_same_run(first, whole)
    begun.clear()
    run(toy, tmp_path, *fine[:-4], "--name", "ema", "--ema", 0.9, "--max_steps", 1)
    assert torch.equal(begun[0], alone[f"{HEAD}.weight"])


def test_eval_scores_a_probe(toy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder = run(toy, tmp_path, *ALONE, "linear", "--precision", "bf16")
    result = commands.run(
        *("eval.py", "--model_path", folder / "model_epoch_best.pth", "--dataroot", toy / "val"),
        *("--results_dir", tmp_path / "results", "--device", "cpu", "--bootstrap", 0),
        *("--precision", "bf16", "--num_threads", 0),
    )
    assert result.returncode == 0, result.stderr
    assert "are among those that the network was trained on" not in result.stderr
    rows = list(csv.DictReader((tmp_path / "results/run-best/table.csv").open()))
    (told,) = csv.DictReader((folder / "history.csv").open())
    by_set = {row["testset"]: row for row in rows}
    assert by_set  # each class of val is a set of its own
    accuracies = [float(row["accuracy"]) for name, row in by_set.items() if name != "mean"]
    assert np.mean(accuracies) == pytest.approx(float(told["val_accuracy"]))


def test_images_that_cannot_be_read_are_left_out_named_and_counted(
    toy: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = tmp_path / "data"
    shutil.copytree(toy, data)
    bad = [sorted((data / split).rglob("*.png"))[-1] for split in ("train", "val")]
    bad[0].write_bytes(b"no image")
    bad[1].write_bytes(bad[1].read_bytes()[:900])
    with pytest.raises(WorkError, match=r"1 of \d+ images could not be read, more than --max_bad"):
        run(data, tmp_path, *ALONE, "logistic", "--views", 2)
    capsys.readouterr()
    flags = (*ALONE, "logistic", "--views", 2, "--continue_train", "--max_bad_fraction", 0.5)
    folder = run(data, tmp_path, *flags)
    told = capsys.readouterr()
    assert told.err.count(f"warning: {bad[0]}: ") == 1  # though in both views
    assert told.err.count(f"warning: {bad[1]}: ") == 1
    assert told.err.count("; it is left out") == 2
    assert told.err.count("; it is left out of validation") == 1
    assert "features: 46 of training and 7 of validation, 1024 numbers each; " in told.out
    (row,) = csv.DictReader((folder / "history.csv").open())
    assert row["unreadable"] == "2"

    # what could not be read for a while is not left out for ever
    good = run(toy, tmp_path / "good", *ALONE, "linear")
    again, opened = tmp_path / "again", Opened(monkeypatch)
    decode_it = opened.decode

    def flaky(content: bytes, path: str, most: int) -> Any:  # noqa: ANN401
        if path.endswith("cat/0_real/0.png"):
            raise UnreadableImage(path, "a disk that is away")
        return decode_it(content, path, most)

    with monkeypatch.context() as patched:
        patched.setattr("data.samples.decode", flaky)
        run(toy, again, *ALONE, "linear", "--max_bad_fraction", 0.5, "--name", "first")
    assert_same_run(run(toy, again, *ALONE, "linear"), good)


def test_processes_share_the_shards_and_the_first_has_them_all(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "SHARD", 8)
    images, _, _ = build_datasets(options_of(toy, tmp_path), 1)
    torch.manual_seed(0)
    network, device = build(ARCH), torch.device("cpu")
    detector = as_detector(network, arch=ARCH, device=device, precision="fp32")

    def read(where: str, rank: int, world_size: int) -> Features | None:
        monkeypatch.setattr(features.distributed, "rank", lambda: rank)
        monkeypatch.setattr(features.distributed, "world_size", lambda: world_size)
        states = shards.file_states(images.samples)
        return features.read_features(
            *(detector, HEAD, EpochImages(images, 0)),
            states=states,
            where=str(tmp_path / where),
            batch_size=8 * world_size,
        )

    opened = Opened(monkeypatch)
    one = read("one", 0, 1)
    assert len(opened.paths) == 24
    assert read("two", 1, 2) is None
    assert len(opened.paths) == 24 + 8
    two = read("two", 0, 2)
    assert len(opened.paths) == 24 + 24
    np.testing.assert_array_equal(one.values, two.values)
    assert one.contents == two.contents
    assert one.labels.tolist() == images.samples.labels.tolist()


def test_two_processes_probe_as_one(toy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    base = ("train.py", *TOY, "--dataroot", toy, "--checkpoints_dir", tmp_path)
    flags = (*ALONE, "linear", "--batch_size", 16)  # so that each takes 8 at a time
    result = commands.run_in_two_processes(*base, "--name", "two", *flags)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("probe: linear") == 1
    one = load(run(toy, tmp_path / "one", *ALONE, "linear"))
    two = load(tmp_path / "two")
    assert_equal(one["model"], two["model"])


def test_features_that_are_not_finite_and_files_that_change_end_the_pass(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    shutil.copytree(toy, data)
    init = run(data, tmp_path, *ALONE, "logistic", "--name", "init") / "model_epoch_best.pth"
    spoilt = torch.load(init, weights_only=True)
    spoilt["model"]["classifier.0.bias"][3] = 3e38
    spoilt["model"]["classifier.0.weight"][3] = 3e38
    torch.save(spoilt, tmp_path / "spoilt.pth")
    with pytest.raises(WorkError, match=r"\.png: its features are not finite numbers; the weights"):
        run(data, tmp_path, *ALONE, "logistic", "--init", tmp_path / "spoilt.pth")
    kept = len(list((tmp_path / ".features").rglob("*.npz")))
    assert kept == 2  # training's and validation's of the first run: nothing is kept of the other

    def change(content: bytes, path: str, most: int) -> Any:  # noqa: ANN401
        write_image(data / "train/dog/1_fake/9.png", 5)  # which is read later
        return decode(content, path, most)

    monkeypatch.setattr("data.samples.decode", change)
    flags = (*ALONE, "logistic", "--seed", 1, "--name", "changing")
    with pytest.raises(WorkError, match=r"\.png: was changed while it was read"):
        run(data, tmp_path, *flags)


@pytest.mark.parametrize(
    "arch",
    [
        *("resnet18", "vgg16", "mobilenet_v2", "efficientnet_b0", "convnext_tiny", "swin_t"),
        *("timm:vit_tiny_patch16_224", "timm:convnext_atto", "timm:resnet10t"),
    ],
)
def test_features_are_what_the_last_layer_is_given(arch: str) -> None:
    """On the meta device, which knows shapes alone."""
    if arch.startswith("timm:"):
        pytest.importorskip("timm")
    with torch.device("meta"):
        network = build(arch)
    its = architecture(arch)
    detector = as_detector(network, arch=arch, device=torch.device("meta"), precision="fp32")
    images = torch.empty(2, 3, its.size, its.size, dtype=torch.uint8, device="meta")
    head = network.get_submodule(its.head)
    assert isinstance(head, nn.Linear)
    assert features.head_input(detector, its.head, images).shape == (2, head.in_features)
    with pytest.raises(UsageError, match="is not given one vector"):
        first = next(name for name, m in network.named_modules() if isinstance(m, nn.Conv2d))
        features.head_input(detector, first, images)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("--views 2", ["--views ", "without --probe"]),
        ("--probe ridge", ["--probe", "linear, logistic", "ridge"]),
        ("--probe linear --views 0", ["--views", "at least 1"]),
        ("--probe linear --replay_root d", ["--replay_root ", "with --probe"]),
        *(
            (f"--probe linear --freeze backbone --{flag}", [f"--{flag.split()[0]} ", "--probe"])
            for flag in (
                *("class_bal", "pairs", "compile", "ema 0.9", "optim adam", "lr 1", "head_lr 1"),
                *("beta1 0.5", "weight_decay 1", "accumulate 2"),
                *("schedule onecycle", "earlystop_epoch 2", "niter 2", "max_steps 2"),
                *("loss_freq 2", "save_latest_freq 2", "save_epoch_freq 2"),
            )
        ),
    ],
)
def test_what_a_probe_makes_void_is_refused(
    argv: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(TrainOptions, argv, capsys)
    for word in words:
        assert word in error


def test_what_serves_the_fine_tuning_after_a_probe_is_not() -> None:
    flags = "--class_bal --ema 0.9 --compile --lr 1 --niter 2 --views 3"
    parse(TrainOptions, ["--probe", "linear", *flags.split()])
    parse(TrainOptions, ["--probe", "linear", "--freeze", "stages:1", "--pairs"])
