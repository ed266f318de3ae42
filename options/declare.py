"""How an option is declared: one field of a frozen dataclass, with its default, help and check."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

LONGEST_NAME = 200  # bytes; file systems take 255, and something is added
Check = Callable[[Any], "str | None"]  # a value -> what is wrong with it, or None


MOST = 2**31 - 1  # of a whole number: nobody means more, and C's integers may end there


class Condition(NamedTuple):
    """What must hold of the other options for one to have an effect."""

    holds: Callable[[Any], bool]  # of the options as a whole
    words: str  # what is missing otherwise: "--momentum has no effect <without --optim sgd>"


def option(
    default: Any,  # noqa: ANN401
    help: str,
    check: Check | None = None,
    *,
    several: bool = False,
    repeated: bool = False,
    positional: bool = False,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    needs: Sequence[Condition] = (),
    metavar: str = "",
) -> Any:  # noqa: ANN401
    """Declare one option. Its flag is the field's name, its type the field's annotation.

    `bool` makes a switch, `tuple[T, ...]` a comma list; `several`, one value per argument, as file
    names want it; `positional`, the same without a flag; `repeated`, one value each time that the
    flag is given. `check` sees the parsed value and answers
    what is wrong with it, as in "must be ...". With `presets` (name -> field -> value) the option
    is a comma list of their names, each of which changes the defaults of other options. `metavar`
    stands for the value in --help: by default N, NUMBER, NAME or (a comma list) LIST.

    `needs` are conditions on the other options without which this one has no effect: given on the
    command line all the same (with whatever value; what a preset sets is not given), it is an error
    that names both.
    """
    metadata = {
        "help": help,
        "check": each(one_of(*presets)) if presets else check,
        "several": several,
        "repeated": repeated,
        "positional": positional,
        "presets": presets or {},
        "needs": tuple(needs),
        "metavar": metavar,
    }
    return dataclasses.field(default=default, metadata=metadata)


def only_with(name: str, *values: Any) -> Condition:  # noqa: ANN401
    """Require that another option has one of `values` or, without them, is given."""
    wanted = f"--{name} {' or '.join(map(str, values))}".strip()
    return Condition(lambda options: _has(options, name, values), f"without {wanted}")


def not_with(name: str, *values: Any) -> Condition:  # noqa: ANN401
    """Require that another option, where the command has it, has none of `values` or, without them,
    is not given.
    """
    barred = f"--{name} {' or '.join(map(str, values))}".strip()
    return Condition(lambda options: not _has(options, name, values), f"with {barred}")


def _has(options: Any, name: str, values: tuple[Any, ...]) -> bool:  # noqa: ANN401
    value = getattr(options, name, None)
    return value in values if values else bool(value)


def between(low: float, high: float) -> Check:
    """Accept values from `low` to `high`, both included; an option left at None passes."""
    wrong = f"must be between {low} and {high}"
    return lambda value: None if value is None or low <= value <= high else wrong


def at_least(low: float) -> Check:
    """Accept values from `low` on, itself included; an option left at None passes."""
    return lambda value: _endless(value) or _fits(value is None or value >= low, f"at least {low}")


def above(low: float) -> Check:
    """Accept values above `low`, itself excluded; an option left at None passes."""
    return lambda value: _endless(value) or _fits(value is None or value > low, f"above {low}")


def _fits(fits: bool, wanted: str) -> str | None:
    return None if fits else f"must be {wanted}"


def _endless(value: float | None) -> str | None:
    if isinstance(value, float):
        return _fits(math.isfinite(value), "a finite number")
    return _fits(value is None or value <= MOST, f"at most {MOST}")


def if_given(check: Check) -> Check:
    """Apply `check` to a text that is not empty."""
    return lambda value: check(value) if value else None


def each(check: Check) -> Check:
    """Apply `check` to every value of a comma list."""
    return lambda values: next((wrong for value in values if (wrong := check(value))), None)


def one_of(*names: str) -> Check:
    """Accept one of `names`, or a comma list of them that is not empty."""

    def check(value: str | tuple[str, ...]) -> str | None:
        values = (value,) if isinstance(value, str) else value
        fits = bool(values) and set(values) <= set(names)
        return None if fits else f"must be one of {', '.join(names)}"

    return check


def span(low: float, high: float) -> Check:
    """Accept one value or a range of two (smallest first), all between `low` and `high`."""

    def check(values: tuple[float, ...]) -> str | None:
        if len(values) not in (1, 2) or list(values) != sorted(values):
            return "must be one value, or two with the smaller first, as in 0,3"
        return between(low, high)(values[0]) or between(low, high)(values[-1])

    return check


def file_name(value: str) -> str | None:
    """Accept a name that stays inside the folder it is joined to, on any system."""
    fits = value.strip() not in ("", ".", "..") and not set(value) & set("/\\\0")
    fits = fits and not re.match("[A-Za-z]:", value)  # a drive of Windows
    fits = fits and len(value.encode("utf-8", "surrogatepass")) <= LONGEST_NAME
    return (
        None
        if fits
        else f"must be a plain folder name: no slashes, no drive, up to {LONGEST_NAME} bytes"
    )
