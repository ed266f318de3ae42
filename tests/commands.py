"""The project's commands as a user types them, each in a process of its own.

The process is forked from a server that has imported torch and what else takes seconds, once.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import multiprocessing.forkserver
import os
import pathlib
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parent.parent
CONTEXT = multiprocessing.get_context("forkserver")
Result = subprocess.CompletedProcess[str]


class Command(NamedTuple):
    """A command that runs, or has run."""

    process: ForkServerProcess
    folder: tempfile.TemporaryDirectory[str]  # holds what it prints

    def result(self, timeout: float = 300) -> Result:
        """Wait for its end; output is text with undecodable bytes as surrogates."""
        self.process.join(timeout)
        if self.process.is_alive():
            self.process.kill()
            raise subprocess.TimeoutExpired(self.process.name, timeout)
        told = [
            (pathlib.Path(self.folder.name) / name).read_bytes().decode("utf-8", "surrogateescape")
            for name in ("1", "2")
        ]
        self.folder.cleanup()
        return subprocess.CompletedProcess([], self.process.exitcode or 0, *told)


def start(
    *argv: object,
    cwd: pathlib.Path = ROOT,
    environment: Mapping[str, str] | None = None,
    own_group: bool = False,
) -> Command:
    """Start `python <argv>`: a script of this project, or -m and a module."""
    start_server()
    folder = tempfile.TemporaryDirectory(prefix="command")
    arguments = ([str(value) for value in argv], str(cwd), environment or {}, folder.name)
    process = CONTEXT.Process(target=_be_the_command, args=(*arguments, own_group))
    process.start()
    return Command(process, folder)


def run(
    *argv: object, cwd: pathlib.Path = ROOT, environment: Mapping[str, str] | None = None
) -> Result:
    """Run `python <argv>` to its end."""
    return start(*argv, cwd=cwd, environment=environment).result()


def start_server() -> None:
    """Start the server in the folder from which it can import, unless it runs already."""
    before = os.getcwd()
    os.chdir(ROOT)
    CONTEXT.set_forkserver_preload(["tests.preloaded"])
    multiprocessing.forkserver.ensure_running()
    os.chdir(before)


def _be_the_command(
    argv: list[str], cwd: str, environment: Mapping[str, str], folder: str, own_group: bool
) -> None:
    for number in (1, 2):
        file = os.open(os.path.join(folder, str(number)), os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    if own_group:
        os.setsid()
    os.chdir(cwd)
    os.environ.update(environment)
    main = types.ModuleType("__main__")
    main.__spec__ = importlib.util.find_spec(argv[1]) if argv[0] == "-m" else None
    path = str(main.__spec__.origin) if main.__spec__ else str(ROOT / argv[0])
    main.__file__, sys.argv = path, [path, *argv[2 if main.__spec__ else 1 :]]
    # by the second name the main module is known to those who unpickle what "spawn" sends
    sys.modules["__main__"] = sys.modules["__mp_main__"] = main
    exec(compile(pathlib.Path(path).read_bytes(), path, "exec"), main.__dict__)
