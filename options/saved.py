"""--options: the options of an earlier run, read from the file that it wrote, to start from."""

from __future__ import annotations

import difflib
import json
import os
import types
import typing
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


class SavedIn(NamedTuple):
    """Where a script keeps its options, and which of them each run is to be told anew."""

    file: str  # as --help shows it
    key: str  # under which the file holds them; "": they are all that it holds
    anew: tuple[str, ...]  # are never taken from a file
    needed: tuple[str, ...] = ()  # and have no default beside one


def help_of(saved: SavedIn) -> str:
    """Return the help of --options."""
    told = ", ".join(f"--{name}" for name in saved.anew)
    needed = "".join(f"; --{name} is needed with it" for name in saved.needed)
    return (
        f"start from the options of an earlier run, which its {saved.file} holds; flags override"
        " them (a switch as in --flag=false), and what they make void has its default; never taken"
        f" from it: {told}{needed}"
    )


def read_saved(cls: type, saved: SavedIn, path: str) -> dict[str, Any]:
    """Return the options of `cls` that the file holds, but for those that are to be told anew.

    Raises ValueError, in words for the user, where it is no such file, or holds what is no option
    or a value of another kind. What it lacks, as that of an earlier version may, is left out.
    """
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is damaged, or no JSON ({error})") from error
    if saved.key and isinstance(found, Mapping):
        if saved.key not in found:
            raise ValueError(
                f"holds no {saved.key!r}; the {saved.file} of a run has them, unless an earlier"
                " version wrote it"
            )
        found = found[saved.key]
    if not isinstance(found, Mapping):
        raise ValueError(f"holds no options; give the {saved.file} of a run")
    hints = typing.get_type_hints(cls)
    known = [field.name for field in fields(cls)]
    values = {}
    for name, value in found.items():
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise ValueError(
                f"holds {name!r}, which is no option of this script (the nearest is {nearest!r});"
                f" give the {saved.file} of a run, or a copy without it"
            )
        values[name] = _value(name, value, hints[name])
    return {name: value for name, value in values.items() if name not in saved.anew}


def _value(name: str, value: Any, hint: Any) -> Any:  # noqa: ANN401
    """Return a value of JSON as one of the kind that `hint` says; raise ValueError for another."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):  # `int | None`
        return None if value is None else _value(name, value, typing.get_args(hint)[0])
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{name} is {value!r}, not a list")
        return tuple(_value(name, each, typing.get_args(hint)[0]) for each in value)
    fits = type(value) is hint or (hint is float and type(value) is int)
    if not fits or (hint is str and not _can_be_typed(value)):
        raise ValueError(f"{name} is {value!r}, not {KINDS[hint]}")
    return float(value) if hint is float else value


def _can_be_typed(text: str) -> bool:
    """Return whether a command line could hold `text`."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False
