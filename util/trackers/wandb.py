"""Weights & Biases, https://wandb.ai: online, or offline where WANDB_MODE says so."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from util.trackers.tracker import PROJECT, Picture, PictureFiles, Pixels, Run, Table

# What it would send, print or wait for by itself; who wants that sets W&B's own variable.
QUIET: dict[str, Any] = {
    "silent": True,
    "host": "",
    "console": "off",  # else it sends all that is printed, names of files among it
    "disable_code": True,
    "disable_git": True,
    "disable_job_creation": True,
    "x_disable_stats": True,
    "x_disable_meta": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
    "login_timeout": 60,  # seconds that somebody has to log in
    "finish_timeout": 600,  # seconds that the end of a run waits for a network that is away
}


class WeightsAndBiases:
    """A run of W&B."""

    appends: ClassVar = True

    def __init__(self, run: Run) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read as it is imported
        import wandb  # noqa: PLC0415 (takes a second, and may not be installed)

        self.wandb: Any = wandb
        wandb.Table.MAX_ROWS = wandb.Table.MAX_ARTIFACT_ROWS  # else tables end at row 10,000
        self.splits = list(run.splits)
        self.pictures = PictureFiles()
        folder = os.environ.get("WANDB_DIR") or run.folder
        os.makedirs(folder, exist_ok=True)  # else it takes one that others can read
        settings = {k: v for k, v in QUIET.items() if _variable(k) not in os.environ}
        self.run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            name=run.name,
            id=run.id,
            resume="allow",
            job_type=run.job,
            group=run.group or None,
            dir=folder,
            config=dict(run.config),
            settings=wandb.Settings(**settings),
        )
        for split in filter(None, self.splits):
            self.run.define_metric(f"{split}/*", step_metric="total_steps")
        offline = f"offline; to send it: wandb sync {self.run.settings.sync_dir}"
        self.where = offline if self.run.settings.mode == "offline" else str(self.run.url)

    def scalars(self, split: str, values: Mapping[str, float], step: int) -> None:
        """Add a point to each curve of a split."""
        own = {f"{split}/{name}": value for name, value in values.items()}
        self.run.log({"total_steps": step, **own}, step=self._row(split, step), commit=True)

    def image(self, split: str, name: str, *, pixels: Pixels, step: int) -> None:
        """Show a picture, in the row of the curves that are drawn next."""
        key = f"{split}/{name}" if split else name
        own = {key: self.wandb.Image(pixels)}
        self.run.log(own, step=self._row(split, step) if split else None, commit=not split)

    def notes(self, name: str, values: Mapping[str, str], step: int) -> None:
        """Note facts in the run's summary."""
        self.run.summary.update({f"{name}/{key}": value for key, value in values.items()})

    def bars(self, name: str, values: Mapping[str, float]) -> None:
        """Show a bar for each label, and put the numbers into the run's summary."""
        table = self.wandb.Table(columns=["label", name], data=[[*pair] for pair in values.items()])
        chart = self.wandb.plot.bar(table, "label", name, title=name)
        self.run.log({f"bars/{name}": chart})
        self.run.summary.update({f"{name}/{label}": value for label, value in values.items()})

    def table(self, name: str, table: Table) -> None:
        """Show a table, with its pictures."""
        rows = [[self._cell(cell) for cell in row] for row in table.rows]
        self.run.log({name: self.wandb.Table(columns=list(table.columns), data=rows)})

    def files(self, name: str, paths: Sequence[str]) -> None:
        """Keep files and folders, as an artifact."""
        artifact = self.wandb.Artifact(f"{name}-{self.run.id}", type=name)
        for path in paths:
            if os.path.isdir(path):
                artifact.add_dir(path, name=os.path.basename(path))
            else:
                artifact.add_file(path)
        self.run.log_artifact(artifact)

    def flush(self) -> None:
        """Do nothing: it cannot be told to, and sends all the time."""

    def close(self) -> None:
        """Send what is left, for at most `finish_timeout` seconds."""
        self.run.finish(exit_code=0)
        self.pictures.remove()

    def _row(self, split: str, step: int) -> int:
        """Return the row of the history that a point belongs to: rows count upwards, and the splits
        of one step have one each. So parts of a run that were recorded apart fit together.
        """
        return len(self.splits) * step + self.splits.index(split)

    def _cell(self, cell: Any) -> Any:  # noqa: ANN401
        return self.wandb.Image(self.pictures.write(cell)) if isinstance(cell, Picture) else cell


def _variable(setting: str) -> str:
    """Return the environment variable of one of W&B's settings."""
    return f"WANDB_{setting.removeprefix('x').upper()}"
