"""The project's commands as a user types them, each in a process of its own.

The process is forked from a server that has imported torch and what else takes seconds, once.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import multiprocessing.forkserver
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from typing import NamedTuple

from tests import undrawn

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
    """Start `python <argv>`: a script of this project, or -m and a module. A report's figures are
    drawn where tests/undrawn.py says so.
    """
    start_server()
    folder = tempfile.TemporaryDirectory(prefix="command")
    its = ([str(value) for value in argv], str(cwd), environment or {}, folder.name)
    arguments = (*its, own_group, undrawn.are_drawn())
    process = CONTEXT.Process(target=_be_the_command, args=arguments)
    process.start()
    return Command(process, folder)


def run(
    *argv: object,
    cwd: pathlib.Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> Result:
    """Run `python <argv>` to its end."""
    return start(*argv, cwd=cwd, environment=environment).result()


def run_in_two_processes(*argv: object) -> Result:
    """Run `python <argv>` in two processes at once, told of each other as torchrun tells them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    commands = [
        start(*argv, environment={**shared, "LOCAL_WORLD_SIZE": "2", "RANK": r, "LOCAL_RANK": r})
        for r in ("0", "1")
    ]
    results = [command.result() for command in commands]
    return subprocess.CompletedProcess(
        [],
        next((result.returncode for result in results if result.returncode), 0),
        "".join(result.stdout for result in results),
        "".join(result.stderr for result in results),
    )


def start_server() -> None:
    """Start the server in the folder from which it can import, unless it runs already."""
    before = os.getcwd()
    os.chdir(ROOT)
    CONTEXT.set_forkserver_preload(["tests.preloaded"])
    multiprocessing.forkserver.ensure_running()
    os.chdir(before)


def _be_the_command(
    argv: list[str],
    cwd: str,
    environment: Mapping[str, str],
    folder: str,
    own_group: bool,
    figures: bool,
) -> None:
    for number in (1, 2):
        file = os.open(os.path.join(folder, str(number)), os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    multiprocessing.set_start_method(None, force=True)  # the server's is not a script's
    if own_group:
        os.setsid()
    # a shell lets what it starts in the background, as the whole suite may be, ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if figures:
        undrawn.draw()
    os.chdir(cwd)
    os.environ.update(environment)
    main = types.ModuleType("__main__")
    main.__spec__ = importlib.util.find_spec(argv[1]) if argv[0] == "-m" else None
    path = str(main.__spec__.origin) if main.__spec__ else str(ROOT / argv[0])
    main.__file__, sys.argv = path, [path, *argv[2 if main.__spec__ else 1 :]]
    # by the second name the main module is known to those who unpickle what "spawn" sends
    sys.modules["__main__"] = sys.modules["__mp_main__"] = main
    code: str | int | None = 0
    try:
        exec(compile(pathlib.Path(path).read_bytes(), path, "exec"), main.__dict__)
    except SystemExit as stopped:
        code = stopped.code
    sys.exit(code)  # anew, as from a script: what the first one's frames held is let go before
