"""How far long work has come, on standard error (a bar on a terminal, else lines), and its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import IO, Any, TypeVar

from tqdm import tqdm

from util.console import be_quiet, is_quiet, on_main
from util.errors import one_line

SECONDS = 30.0  # between two lines where standard error is no terminal
BYTE = "B"  # the unit that is scaled: 20.1 GB

Item = TypeVar("Item")


class Progress:
    """A count of what is done. `update` it; what it shows is nobody's business but its own.

    That is a bar of tqdm where standard error is a terminal, elsewhere (a log, a pipe) a line every
    `seconds`, and nothing where the command is to be quiet, in any process but the first, and
    before `delay` seconds have passed.
    """

    def __init__(
        self,
        total: int | None,
        description: str,
        *,
        unit: str,
        initial: int = 0,
        leave: bool = False,
        delay: float = 0.0,
        seconds: float | None = None,
        silent: bool = False,
    ) -> None:
        """Begin at `initial` of `total` units (None: nobody knows); `leave` leaves a bar that is
        full on the terminal.
        """
        self.total, self.description, self.unit = total, description, unit
        self.done, self.remark = initial, ""
        self.silent = silent or is_quiet() or not on_main()
        self.bar: Any = None
        if not self.silent and _is_terminal():
            self.bar = tqdm(
                desc=description or None,
                initial=initial,
                total=total,
                unit=unit,
                unit_scale=unit == BYTE,
                leave=leave,
                delay=delay,
            )
        self.seconds = SECONDS if seconds is None else seconds
        self.said, self.said_at = initial, time.monotonic()  # what the last line told, and when

    def update(self, count: int = 1) -> None:
        """Count `count` more units as done, and show it when it is time to."""
        self.done += count
        if self.bar is not None:
            self.bar.update(count)
        elif not self.silent and time.monotonic() >= self.said_at + self.seconds:
            self._say()

    def tell(self, remark: str) -> None:
        """Show `remark` behind the count from now on."""
        self.remark = remark
        if self.bar is not None:
            self.bar.set_postfix_str(remark, refresh=False)

    def close(self) -> None:
        """End it: nothing is shown any more."""
        self.silent = True
        if self.bar is not None:
            self.bar.close()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _say(self) -> None:
        now = time.monotonic()
        rate = (self.done - self.said) / max(now - self.said_at, 1e-9)
        self.said, self.said_at = self.done, now
        parts = [_count(self.done, self.total, self.unit), _rate(rate, self.unit)]
        if self.total is not None and rate > 0:
            parts.append(f"{duration(max(self.total - self.done, 0) / rate)} left")
        title = f"{self.description}: " if self.description else ""
        remark = f"; {self.remark}" if self.remark else ""
        print(one_line(f"{title}{', '.join(parts)}{remark}"), file=sys.stderr, flush=True)


def progress(
    items: Iterable[Item],
    description: str,
    *,
    unit: str,
    total: int | None = None,
    leave: bool = False,
    delay: float = 0.0,
) -> Iterator[Item]:
    """Yield `items` and count them (`Progress`); `total` where they cannot be counted before."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(total, description, unit=unit, leave=leave, delay=delay) as bar:
        for item in items:
            yield item
            bar.update()


def no_progress() -> Progress:
    """Return one that shows nothing, for what wants to count."""
    return Progress(None, "", unit="", silent=True)


def begin(quiet: bool) -> float:
    """Begin a command that takes long, with --quiet or not; return the time, for `end`."""
    be_quiet(quiet)
    return time.monotonic()


def end(begun: float, next: str = "", file: IO[str] | None = None) -> None:
    """Print the last line of a command: how long it took, and what to do next. It goes to `file`
    [standard output]; a command that is to be quiet has none.
    """
    if on_main() and not is_quiet():
        took = f"took {duration(time.monotonic() - begun)}"
        print(one_line(f"{took}; next: {next}" if next else took), file=file, flush=True)


def pace(done: str, count: int, *, seconds: float, waited: float) -> str:
    """Return in words how fast `count` things (`done` says which) were done, and for how long of
    these seconds images were waited for.
    """
    return (
        f"{count:,} {done} in {duration(seconds)}, {count / seconds:,.3g}/s;"
        f" {waited / seconds:.0%} of the time was waited for images"
    )


def duration(seconds: float) -> str:
    """Format a time: "40 s", "33 minutes", "7.5 hours", "11.7 days"."""
    for size, name in ((86400, "days"), (3600, "hours")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} s"


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def amount(size: float) -> str:
    """`size` bytes, to read: "4 kB", "831 MB", "20.1 GB"."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _count(done: int, total: int | None, unit: str) -> str:
    if unit == BYTE:
        return amount(done) + (f" of {amount(total)}" if total else "")
    whole = f" of {total:,}" if total is not None else ""
    return f"{done:,}{whole} {unit}s"


def _rate(value: float, unit: str) -> str:
    if unit == BYTE:
        return f"{amount(value)}/s"
    return f"{value:,.0f}/s" if value >= 100 else f"{value:.3g}/s"
