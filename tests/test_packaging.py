"""What pip, docker, GitHub and people who cite the project find here."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.commands import ROOT
from tests.test_house import OURS, SCRIPTS, imported


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """The project's folder as pip sees it, with the packages that it might take."""
    for name in ("pyproject.toml", "setup.py", "hubconf.py"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("data", "networks", "util"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    "argv", [["."], ["--no-build-isolation", "--no-deps", "."], ["--editable", "."]]
)
def test_pip_install_says_in_one_line_how_it_is_used(argv: list[str], folder: pathlib.Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--target", "t", *argv]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    told = result.stdout + result.stderr
    assert told.count("[1 lines of output]") == 1
    (line,) = (line for line in told.splitlines() if "torch.hub.load(" in line)
    assert "not installed but used in its folder: `make setup` there" in line
    assert "Traceback" not in told
    assert not (folder / "t").exists()


def test_the_citation_is_of_this_version_and_names_the_paper() -> None:
    settings = (ROOT / "pyproject.toml").read_text()
    project = dict(re.findall(r'^(\w+) = "(.*)"$', settings, re.MULTILINE))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == project["version"]
    assert citation["title"] == project["name"]
    assert project["description"] in citation["abstract"]
    assert citation["license"] == (ROOT / "LICENSE").read_text().split()[0]
    assert citation["authors"] == [{"name": f"The contributors of {project['name']}"}]
    (paper,) = citation["references"]
    readme = " ".join((ROOT / "README.md").read_text().split())
    for author in paper["authors"]:
        assert author["family-names"] in readme
    assert f'"{paper["title"]}", CVPR {paper["year"]}' in readme


def test_the_workflow_runs_what_ci_runs() -> None:
    (path,) = (ROOT / ".github/workflows").iterdir()
    workflow = yaml.safe_load(path.read_text())
    assert path.name == "ci.yml"
    assert set(workflow[True]) == {"push", "pull_request"}  # YAML 1.1 reads `on` so
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert job["strategy"]["matrix"] == {"command": [".ci/run", "make test-slow"]}
    assert [step["run"] for step in job["steps"] if "run" in step] == ["${{ matrix.command }}"]
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
    (wanted,) = (step["with"]["python-version"] for step in job["steps"] if "setup" in str(step))
    assert f"FROM python:{wanted}-slim\n" in (ROOT / "Dockerfile").read_text()


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, as (word, rest); comments left out, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = filter(None, text.replace("\\\n", " ").split("\n"))
    return [(line.partition(" ")[0], " ".join(line.split()[1:])) for line in lines]


def test_the_image_installs_what_is_required_and_is_nobodys() -> None:
    found = instructions()
    copied = next(rest for word, rest in found if word == "COPY").split()[:-1]
    assert all((ROOT / name).is_file() for name in copied)
    (run,) = (rest for word, rest in found if word == "RUN")
    asked = re.findall(r"-[rc] (\S+)", run)
    assert set(asked) == set(copied)
    for package in ("torch", "torchvision"):  # from the index, before the others
        assert re.search(rf'--index-url "\$TORCH_INDEX" .*\b{package}\b.* && ', run)
        assert (ROOT / "requirements.txt").read_text().count(f"{package}>=") == 1
    assert ("ARG", "TORCH_INDEX=https://download.pytorch.org/whl/cpu") in found
    users = [rest for word, rest in found if word == "USER"]
    assert len(users) == 1
    assert not users[0].startswith(("0", "root"))
    words = [word for word, _ in found]
    assert words.index("USER") > words.index("RUN")
    page = (ROOT / "docs/python.md").read_text()
    assert "--build-arg TORCH_INDEX=" in page
    folder = dict(found)["WORKDIR"]
    for mounted in ("dataset", "checkpoints", "results"):
        assert f":{folder}/{mounted}" in page


def test_the_image_holds_all_that_its_commands_import_and_no_data() -> None:
    """Each line of .dockerignore but the first and the last two lets something through again."""
    first, *lines = (ROOT / ".dockerignore").read_text().split()
    assert first == "*"
    assert [line for line in lines if not line.startswith("!")] == [
        "**/__pycache__",
        "studies/runs",
    ]
    names = [line.removeprefix("!") for line in lines[:-2]]
    let = {path for name in names for path in ROOT.glob(name)}
    assert set(SCRIPTS) <= let
    assert not let & {
        ROOT / name for name in ("dataset", "checkpoints", "results", ".git", ".venv")
    }
    held = {path.stem for path in let}
    for path in let:
        for file in [path] if path.suffix == ".py" else path.rglob("*.py"):
            assert imported(file) & OURS <= held, file
