"""Options that say where images are, when they are not where they are usually."""

from __future__ import annotations

from dataclasses import dataclass

from options.declare import option


@dataclass(frozen=True, kw_only=True)
class PlainFolders:
    """Plain folders."""

    real: str = option(
        "",
        "a folder of real images, at any depth, whatever its folders are called: for --fake, and"
        " for test sets that have none",
    )
    fake: tuple[str, ...] = option((), "folders of generated images, likewise")

    def plain_conflict(self, flag: str, dataroot: str, chosen: dict[str, object]) -> str | None:
        """What is wrong with these beside the data set that `flag` names (or "") and the options
        that choose from it, by name.
        """
        if self.fake and dataroot:
            return f"--fake takes the place of {flag}; give one of them"
        if self.fake and (names := [f"--{name}" for name, value in chosen.items() if value]):
            return f"{names[0]} chooses from {flag}; not with --fake"
        if not self.fake and not dataroot:
            return f"{flag} is needed: a folder or a manifest (or --fake, a plain folder)"
        return None


@dataclass(frozen=True, kw_only=True)
class SourceOptions(PlainFolders):
    """A data set: a folder, a manifest (CSV or .jsonl), or plain folders."""

    dataroot: tuple[str, ...] = option(
        (),
        "a folder that holds train, val and test, or test sets, or one set; or a manifest",
        positional=True,
    )
    split: str = option("", "only images below folders of this name, or rows of this split [all]")

    def conflict(self) -> str | None:
        """What is wrong with the options taken together, or None."""
        if len(self.dataroot) > 1:
            return "DATAROOT must be one folder or one manifest"
        chosen: dict[str, object] = {"split": self.split}
        return self.plain_conflict("DATAROOT", "".join(self.dataroot), chosen)
