"""List the commands about data sets and weights: `python -m tools`."""

import ast
import pathlib

COMMANDS = (
    *("download", "verify", "audit", "manifest", "pack", "spectra", "check_detector", "runs"),
    *("reproduce", "serve"),
)


def main() -> None:
    """Print a line for each command: the first of its own docstring."""
    for name in COMMANDS:
        source = pathlib.Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
        summary = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
        print(f"python -m tools.{name:<14} {summary.partition(': `')[0]}")
    print("\neach with --help for its options")


if __name__ == "__main__":
    main()
