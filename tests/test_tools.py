"""`python -m tools` lists the commands about data sets and weights."""

from __future__ import annotations

from tests.commands import ROOT, run
from tools.__main__ import COMMANDS


def test_every_command_is_listed_with_a_line() -> None:
    result = run("-m", "tools")
    assert result.returncode == 0, result.stderr
    listed = result.stdout.splitlines()
    commands = {
        path.stem for path in (ROOT / "tools").glob("*.py") if "__main__" in path.read_text()
    } - {"__main__"}
    assert set(COMMANDS) == commands
    for name, line in zip(COMMANDS, listed, strict=False):
        assert line.startswith(f"python -m tools.{name} ")
        assert len(line.split()) > 5
