"""Trackio, https://github.com/gradio-app/trackio: a database on this machine, and a page of it."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from util.trackers.tracker import PROJECT, Picture, PictureFiles, Pixels, Run, Table


class Trackio:
    """A run of Trackio."""

    appends: ClassVar = True

    def __init__(self, run: Run) -> None:
        import trackio  # noqa: PLC0415 (takes a second, and may not be installed)

        self.trackio: Any = trackio
        self.id = run.id
        self.pictures = PictureFiles()
        self.where = f"trackio show --project {PROJECT}"
        with _strictly():
            self.run: Any = trackio.init(
                project=PROJECT,
                name=f"{run.name}-{run.id}",  # by which it is found again
                group=run.group or run.job,
                resume="allow",
                config=dict(run.config),
                embed=False,
                auto_log_cpu=False,
                auto_log_gpu=False,
            )

    def scalars(self, split: str, values: Mapping[str, float], step: int) -> None:
        """Add a point to each curve of a split."""
        self._log({f"{split}/{name}": value for name, value in values.items()}, step)

    def image(self, split: str, name: str, *, pixels: Pixels, step: int) -> None:
        """Show a picture."""
        self._log({f"{split}/{name}" if split else name: self.trackio.Image(pixels)}, step)

    def notes(self, name: str, values: Mapping[str, str], step: int) -> None:
        """Show facts as a table."""
        rows = [[key, value] for key, value in values.items()]
        self._log({name: self.trackio.Table(columns=["name", "value"], data=rows)}, step)

    def bars(self, name: str, values: Mapping[str, float]) -> None:
        """Show a number for each label as a metric of its own: it draws no bars."""
        self._log({f"{name}/{label}": value for label, value in values.items()}, 0)

    def table(self, name: str, table: Table) -> None:
        """Show a table, with its pictures."""
        rows = [[self._cell(cell) for cell in row] for row in table.rows]
        self._log({name: self.trackio.Table(columns=list(table.columns), data=rows)}, 0)

    def files(self, name: str, paths: Sequence[str]) -> None:
        """Keep files and folders, as an artifact."""
        artifact = self.trackio.Artifact(f"{name}-{self.id}", type=name)
        for path in paths:
            if os.path.isdir(path):
                artifact.add_dir(path, name=os.path.basename(path))
            else:
                artifact.add_file(path)
        with _strictly():
            self.run.log_artifact(artifact)

    def flush(self) -> None:
        """Do nothing: it writes twice a second."""

    def close(self) -> None:
        """Write what is left."""
        with _strictly():
            self.trackio.finish()  # the run of this process, which is this one
        self.pictures.remove()

    def _log(self, values: Mapping[str, Any], step: int) -> None:
        with _strictly():
            self.run.log(dict(values), step=step)

    def _cell(self, cell: Any) -> Any:  # noqa: ANN401
        return self.trackio.Image(self.pictures.write(cell)) if isinstance(cell, Picture) else cell


@contextlib.contextmanager
def _strictly() -> Iterator[None]:
    """Keep what it prints from standard output, and make errors of the warnings that it gives in
    their place.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as told:
        warnings.simplefilter("error", UserWarning)
        yield
    _, failed, message = told.getvalue().partition("* Trackio warning: ")
    if failed:
        raise RuntimeError(message.strip())
