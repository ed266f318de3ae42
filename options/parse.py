"""The command line, derived from the declared options; wrong usage ends in one line and exit 2."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import inspect
import os
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from options.names import VERSION
from options.saved import SavedIn, help_of, read_saved

Options = TypeVar("Options")


def parse(cls: type[Options], argv: Sequence[str] | None = None) -> Options:
    """Read the command line (`sys.argv` where `argv` is None) into a frozen `cls`.

    Wrong usage prints one line that names the flag, and exits with 2. The help ends with the
    `examples` of `cls` and the `page` of the documents that explains it. Where `cls` says where its
    options are kept (`saved`), --options FILE starts from such a file. A flag comes before the
    file, and before a preset.
    """
    kept: SavedIn | None = getattr(cls, "saved", None)
    parser = _Parser(
        description=inspect.getdoc(cls),
        epilog=_epilog(getattr(cls, "examples", ()), getattr(cls, "page", "")),
        allow_abbrev=False,
        formatter_class=_HelpFormatter,
        argument_default=argparse.SUPPRESS,  # the defaults are those of `cls`
    )
    parser.add_argument("--version", action="version", version=f"cnn-detection {VERSION}")
    if kept:
        parser.add_argument("--options", metavar="FILE", help=help_of(kept).replace("%", "%%"))
    hints = typing.get_type_hints(cls)
    for owner in reversed(cls.__mro__[:-1]):  # a group per class that declares options, base first
        declared = [f for f in _fields(cls) if f.name in inspect.get_annotations(owner)]
        titled = owner is not cls  # the docstring of `cls` itself stands at the top
        group = parser.add_argument_group((owner.__doc__ or "").rstrip(".")) if titled else parser
        for field in declared:
            _add(group, field, hints[field.name])
    found, unknown = parser.parse_known_args(argv)
    if unknown:
        known = [f"--{f.name}" for f in _fields(cls)] + (["--options"] if kept else [])
        parser.error(_unknown(unknown[0], known))
    # by the command line alone: the parser itself has no defaults; it makes lists of several values
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in vars(found).items()}
    path: Any = given.pop("options", None) if kept else None
    saved = _saved(parser, cls, path, given=given) if path is not None else {}
    options = cls(**{**saved, **given})
    for field in _fields(cls):
        check, value = field.metadata["check"], getattr(options, field.name)
        if check and (wrong := check(value)):
            from_file = field.name in saved and field.name not in given
            whose = f"--options {path}: {field.name}" if from_file else _flag(field)
            parser.error(f"{whose} {wrong}, not {_shown(value)!r}")
    options = cls(**{**_preset(parser, cls(**given)), **_still_valid(cls, saved, given), **given})
    source = f" (what is not given comes from --options {path})" if saved else ""
    for field in _fields(cls):
        lacking = [need for need in field.metadata["needs"] if not need.holds(options)]
        if field.name in given and lacking:
            flag = _flag(field)
            parser.error(
                f"{flag} has no effect {lacking[0].words}: change that, or leave {flag} out{source}"
            )
    if wrong := getattr(options, "conflict", lambda: None)():
        parser.error(f"{wrong}{source}")
    return options


def _saved(parser: _Parser, cls: type, path: str, *, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file of --options sets, beside what is given."""
    kept: SavedIn = cls.saved  # type: ignore[attr-defined]
    try:
        saved = read_saved(cls, kept, path)
    except ValueError as error:
        parser.error(f"--options {path}: {error}")
    for field in _fields(cls):
        if field.metadata["presets"] and field.name in given:
            parser.error(
                f"{_flag(field)} has no effect with --options, whose file holds every option; leave"
                " one of them out"
            )
        if field.name in kept.needed and field.name not in given:
            parser.error(f"{_flag(field)} is needed with --options: a run has one of its own")
    return saved


def _still_valid(cls: type, saved: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file sets, without what had an effect there and has none beside the flags."""
    alone, valid = cls(**saved), dict(saved)
    needs = {field.name: field.metadata["needs"] for field in _fields(cls)}
    while True:  # what is left out may be what others need
        options = cls(**{**valid, **given})
        void = [
            name
            for name in valid
            if any(need.holds(alone) and not need.holds(options) for need in needs[name])
        ]
        if not void:
            return valid
        valid = {name: value for name, value in valid.items() if name not in void}


def _epilog(examples: Sequence[str], page: str) -> str:
    lines = "".join(f"  {example}\n" for example in examples)
    return f"examples:\n{lines}\nmore: {page}" if examples else ""


def _preset(parser: _Parser, options: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return what the chosen presets set, by option; two that disagree are an error."""
    values: dict[str, Any] = {}
    set_by: dict[str, str] = {}
    for field in _fields(type(options)):
        for preset in getattr(options, field.name) if field.metadata["presets"] else ():
            for name, value in field.metadata["presets"][preset].items():
                if values.setdefault(name, value) != value:
                    parser.error(
                        f"{_flag(field)}: {set_by[name]} and {preset} set --{name} to"
                        f" {_shown(values[name])} and {_shown(value)}; choose one of them"
                    )
                set_by.setdefault(name, preset)
    return values


def _fields(cls: type) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(cls)


def _flag(field: dataclasses.Field[Any]) -> str:
    return field.name.upper() if field.metadata["positional"] else f"--{field.name}"


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _unknown(argument: str, known: list[str]) -> str:
    flag = argument.partition("=")[0]
    if not flag.startswith("-"):
        return f"{flag!r} stands alone: it belongs to no flag (see --help)"
    nearest = difflib.get_close_matches(flag, known, n=1, cutoff=0.0)[0]
    return f"{flag} is not known; the nearest flag is {nearest} (see --help)"


def _add(group: argparse._ActionsContainer, field: dataclasses.Field[Any], hint: Any) -> None:  # noqa: ANN401
    if typing.get_origin(hint) in (types.UnionType, typing.Union):  # `int | None`: an int, if given
        hint = typing.get_args(hint)[0]
    text = field.metadata["help"].replace("%", "%%")
    if hint is bool:
        group.add_argument(f"--{field.name}", action="store_true", help=text)
        off, hidden = f"--{field.name}=false", argparse.SUPPRESS  # of what a file or a preset sets
        group.add_argument(off, dest=field.name, action="store_false", help=hidden)
        return
    is_list = typing.get_origin(hint) is tuple
    kind = typing.get_args(hint)[0] if is_list else hint
    positional = field.metadata["positional"]
    if positional or field.metadata["several"]:
        group.add_argument(
            field.name if positional else f"--{field.name}",
            metavar=_flag(field) if positional else field.metadata["metavar"] or _METAVARS[kind],
            nargs="*" if positional else "+",
            type=kind,
            help=text,
        )
        return
    if field.metadata["repeated"]:
        name = field.metadata["metavar"] or _METAVARS[kind]
        text += "; may be given several times"
        group.add_argument(f"--{field.name}", metavar=name, type=kind, action="append", help=text)
        return
    shown = _shown(field.default)
    if field.default is not None and shown:
        text += f" [{shown}]"
    metavar = field.metadata["metavar"] or ("LIST" if is_list else _METAVARS[kind])
    convert = _comma_list(kind) if is_list else kind
    group.add_argument(f"--{field.name}", type=convert, metavar=metavar, help=text)


_METAVARS = {int: "N", float: "NUMBER", str: "NAME"}  # for a value in --help


def _comma_list(kind: type) -> Any:  # noqa: ANN401
    def convert(text: str) -> tuple[Any, ...]:
        return tuple(kind(part.strip()) for part in text.split(",") if part.strip())

    convert.__name__ = f"comma list of {kind.__name__}"  # argparse names it in its error
    return convert


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):  # the examples stay as they are
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34, width=100)

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any = None) -> None:  # noqa: ANN401
        """Print one line: the flags stand below, each with its help."""
        positional = "".join(f" {a.metavar} ..." for a in actions if not a.option_strings)
        super().add_usage(f"{self._prog} [--flag value ...]{positional}", [], [], prefix)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        message = " ".join(message.removeprefix("argument ").splitlines())
        sys.stderr.write(f"{os.path.basename(sys.argv[0])}: error: {message}\n")
        raise SystemExit(2)
