from __future__ import annotations

import ast
import dataclasses
import subprocess
import sys
from typing import Any

import pytest

from options.audit_options import AuditOptions
from options.benchmark_options import BenchmarkOptions, BenchOptions, GpuOptions, ListingOptions
from options.check_options import CheckOptions
from options.download_options import DownloadOptions
from options.eval_options import EvalOptions
from options.manifest_options import ManifestOptions
from options.minibench_options import (
    BuildOptions,
    CompareOptions,
    GeneratorOptions,
    ShallowOptions,
    SheetOptions,
    SpreadOptions,
)
from options.pack_options import PackOptions
from options.parse import parse
from options.predict_options import PredictOptions
from options.reproduce_options import ReproduceOptions
from options.runs_options import RunsOptions
from options.scale_options import OnPaperOptions, ScaleOptions
from options.serve_options import ServeOptions
from options.spectra_options import SpectraOptions
from options.studies_options import (
    CompareStudiesOptions,
    ProfileOptions,
    StudiesOptions,
    SubsetOptions,
)
from options.train_options import TrainOptions
from options.verify_options import VerifyOptions
from tests.conftest import ROOT, Script, assert_wrong_usage

SCRIPTS = {"train.py": TrainOptions, "eval.py": EvalOptions, "predict.py": PredictOptions}
BENCHMARKS = ("loading", "training_step", "sweep", "whole_images")
COMMANDS: dict[str, Any] = {
    **SCRIPTS,
    "minibench/build.py": BuildOptions,
    "minibench/train_generators.py": GeneratorOptions,
    "minibench/contact_sheet.py": SheetOptions,
    "minibench/shallow.py": ShallowOptions,
    "minibench/spread.py": SpreadOptions,
    "minibench/compare.py": CompareOptions,
    "tools/spectra.py": SpectraOptions,
    "tools/download.py": DownloadOptions,
    "tools/verify.py": VerifyOptions,
    "tools/audit.py": AuditOptions,
    "tools/manifest.py": ManifestOptions,
    "tools/pack.py": PackOptions,
    "tools/check_detector.py": CheckOptions,
    "tools/reproduce.py": ReproduceOptions,
    "tools/runs.py": RunsOptions,
    "tools/serve.py": ServeOptions,
    **{f"benchmarks/{name}.py": BenchmarkOptions for name in BENCHMARKS},
    "benchmarks/listing.py": ListingOptions,
    "benchmarks/on_paper.py": OnPaperOptions,
    "benchmarks/scale.py": ScaleOptions,
    "benchmarks/gpu.py": GpuOptions,
    "benchmarks/__main__.py": BenchOptions,
    "studies/__main__.py": StudiesOptions,
    "studies/subset.py": SubsetOptions,
    "studies/profile.py": ProfileOptions,
    "studies/compare.py": CompareStudiesOptions,
}


def refused(cls: type, argv: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        parse(cls, argv.split())
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize("prob", ["0.5", "0.1"])
def test_the_reference_training_commands_parse_verbatim(prob: str) -> None:
    classes = (
        "airplane,bird,bicycle,boat,bottle,bus,car,cat,cow,chair,"
        "diningtable,dog,person,pottedplant,motorbike,tvmonitor,train,sheep,sofa,horse"
    )
    command = (
        f"--name blur_jpg_prob{prob} --blur_prob {prob} --blur_sig 0.0,3.0 --jpg_prob {prob}"
        f" --jpg_method cv2,pil --jpg_qual 30,100 --dataroot ./dataset/ --classes {classes}"
    )
    options = parse(TrainOptions, command.split())
    assert options.blur_prob == options.jpg_prob == float(prob)
    assert options.blur_sig == (0.0, 3.0)
    assert options.jpg_qual == (30, 100)
    assert options.jpg_method == ("cv2", "pil")
    assert len(options.classes) == 20
    assert (options.init, options.lr, options.batch_size) == ("imagenet", 1e-4, 64)


@pytest.mark.parametrize("prob", ["0.5", "0.1"])
def test_a_preset_is_the_references_command(prob: str) -> None:
    flags = "--blur_sig 0.0,3.0 --jpg_method cv2,pil --jpg_qual 30,100"
    long = parse(TrainOptions, f"--blur_prob {prob} --jpg_prob {prob} {flags}".split())
    short = parse(TrainOptions, ["--preset", f"blur_jpg_prob{prob}"])
    assert dataclasses.replace(short, preset=()) == long


def test_presets_combine_and_explicit_flags_override_them() -> None:
    options = parse(TrainOptions, ["--blur_prob", "0.2", "--preset", "4class,blur_jpg_prob0.5"])
    assert (options.blur_prob, options.jpg_prob) == (0.2, 0.5)
    assert options.classes == ("airplane", "bird", "bicycle", "boat")
    assert options.earlystop_epoch == 25
    for name, patience in (("2class", 50), ("8class", 13), ("16class", 7)):
        chosen = parse(TrainOptions, ["--preset", name])
        assert (len(chosen.classes), chosen.earlystop_epoch) == (int(name[:-5]), patience)
    mine = parse(TrainOptions, ["--preset", "2class", "--classes", "cat", "--earlystop_epoch", "5"])
    assert (mine.classes, mine.earlystop_epoch) == (("cat",), 5)


def test_options_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse(TrainOptions, []).lr = 1.0


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("--blur_prob 1.5", ["--blur_prob", "between 0 and 1", "1.5"]),
        ("--blur_prob nan", ["--blur_prob"]),
        ("--blur_prob often", ["--blur_prob", "often"]),
        ("--blur_sig 3,0", ["--blur_sig", "smaller first"]),
        ("--blur_sig 0,x", ["--blur_sig", "0,x"]),
        ("--jpg_qual 30,101", ["--jpg_qual", "100"]),
        ("--jpg_method cv2,gif", ["--jpg_method", "cv2, pil"]),
        ("--jpg_method ,", ["--jpg_method"]),
        ("--batch_size 0", ["--batch_size", "at least 1"]),
        ("--lr 0", ["--lr", "above 0"]),
        ("--name a/b", ["--name", "a/b"]),
        ("--stem_stride 3", ["--stem_stride", "1 or 2"]),
        ("--stem_input rbg", ["--stem_input", "rgb, npr, hh"]),
        ("--jpg_passes 0 --jpg_prob 1", ["--jpg_passes", "between 1 and 10"]),
        ("--device gpu", ["--device", "auto"]),
        ("--device cuda:999", ["--device", "cuda:N"]),
        ("--cropSize 300", ["--cropSize 300", "--loadSize 256"]),
        ("--pairs --batch_size 3", ["--batch_size", "even"]),
        ("--pairs --class_bal", ["--class_bal"]),
        ("--continue_train --overwrite", ["--overwrite"]),
        ("--preset best", ["--preset", "blur_jpg_prob0.5"]),
        ("--accumulate 65", ["--accumulate 65", "--batch_size 64"]),
        ("--ema 1", ["--ema", "between 0"]),
        ("--blur_porb 0.5", ["--blur_porb", "--blur_prob"]),
        ("--blur_pro 0.5", ["--blur_pro ", "--blur_prob"]),
        ("--blurprob=0.5", ["--blurprob", "--blur_prob"]),
        ("stray", ["stray"]),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_flag(
    argv: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(TrainOptions, argv, capsys)
    for word in words:
        assert word in error


def test_eval_needs_weights_and_data_or_predictions(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--model_path" in refused(EvalOptions, "", capsys)
    assert "--dataroot" in refused(EvalOptions, "--model_path w.pth", capsys)
    assert "--predictions" in refused(EvalOptions, "--predictions p --model_path w", capsys)
    for flag in ("--robustness", "--gradcam"):
        assert flag in refused(EvalOptions, f"--predictions p {flag}", capsys)
    assert "--target_fpr" in refused(EvalOptions, "--predictions p --target_fpr 0.1", capsys)
    assert "--few_shot" in refused(EvalOptions, "--predictions p --few_shot 1,0", capsys)
    assert "--jpeg_q" in refused(EvalOptions, "--predictions p --jpeg_qualities 0", capsys)
    assert parse(EvalOptions, ["--predictions", "a", "b"]).predictions == ("a", "b")
    assert "--no_crop" in refused(
        EvalOptions, "--model_path w --dataroot d --no_crop --cropSize 9", capsys
    )
    unknown = refused(EvalOptions, "--predictions p --published No_aug", capsys)
    assert "--published" in unknown and "no_aug" in unknown and "cyc_im" in unknown
    assert "PATHS" in refused(PredictOptions, "--model_path w", capsys)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_read_by_its_script(name: str) -> None:
    places = {"train.py": "training/*.py", "eval.py": "evaluation/setup.py"}
    places["tools/reproduce.py"] = "tools/full_scale/*.py"
    files = [ROOT / name, *(ROOT.glob(places[name]) if name in places else [])]
    read = {
        node.attr
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "options"
    }
    fields = dataclasses.fields(COMMANDS[name])
    assert {f.name for f in fields if not f.metadata["presets"]} == read  # those are the parser's


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_names_every_option(name: str, script: Script) -> None:
    result = script(name, "--help")
    assert result.returncode == 0
    for field in dataclasses.fields(SCRIPTS[name]):
        assert (field.name if field.name != "paths" else "PATHS") in result.stdout
    assert "Machine:" in result.stdout


@pytest.mark.parametrize(
    "cls",
    [
        f"{n}_options"
        for n in ("train", "eval", "predict", "minibench", "spectra", "serve", "benchmark")
    ],
)
def test_options_import_the_standard_library_only(cls: str) -> None:
    code = (
        "import sys; before = set(sys.modules); import options.parse, options." + cls + ";"
        "new = {m.split('.')[0] for m in set(sys.modules) - before} - {'options'};"
        "print(*(new - set(sys.stdlib_module_names)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stdout.strip() == ""


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_wrong_flag_ends_a_script_with_2(name: str, script: Script) -> None:
    assert_wrong_usage(script(name, "--batchsize", "3"), "--batchsize", "--batch_size", name)
