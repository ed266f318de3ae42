"""Run a notebook: for its test, and to write its outputs anew.

python -m tests.notebooks docs/quickstart.ipynb
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import nbformat
from nbclient import NotebookClient

KEPT = ("text/plain", "text/html", "image/png")  # of what a cell shows


def executed(path: pathlib.Path) -> Any:  # noqa: ANN401 (a NotebookNode)
    """Return the notebook after all its cells ran, in its own folder; raise where one failed.

    What is printed on standard error, as progress, and times are left out.
    """
    notebook = nbformat.read(path, as_version=4)
    metadata = dict(notebook.metadata)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    notebook.metadata = metadata  # without the versions that ran it
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            for output in cell.outputs:
                if "data" in output:
                    output.data = {k: v for k, v in output.data.items() if k in KEPT}
                    output.metadata = {}
    return notebook


if __name__ == "__main__":
    FILE = pathlib.Path(sys.argv[1])
    nbformat.write(executed(FILE), FILE)
