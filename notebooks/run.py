"""Execute the notebooks in place, outputs included: `make notebooks`.

    python notebooks/run.py [--project SHOP] [--out FOLDER] [NOTEBOOK ...]

One sample shop is built for all of them, unless `--project` names a project that is built already. A cell that fails or
writes a warning stops the run, and nothing is written. The outputs name the hash of the sources that made them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from recsys.storage.artifacts import write_text

HERE = Path(__file__).resolve().parent
PROJECT_VARIABLE = "RECSYS_PROJECT"
"""`recsys.demo.PROJECT_VARIABLE`; the import of that module takes seconds, which a run with `--project` saves."""
TIMEOUT = 600
"""Seconds for one cell."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Execute the notebooks, outputs included.")
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(HERE.glob("*.ipynb")))
    parser.add_argument("--project", type=Path, help="a project that is built (default: the sample shop, built now)")
    parser.add_argument("--out", type=Path, default=HERE, help="where executed notebooks go (default: in place)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        shop = asked.project or _build_sample(Path(name))
        os.environ[PROJECT_VARIABLE] = str(shop.resolve())
        # Times differ from run to run, so bars would never be what is committed.
        os.environ["RECSYS_PROGRESS"] = "off"
        # Python hides some warnings by default; a notebook that people copy from should have none.
        os.environ["PYTHONWARNINGS"] = "default"
        for path in asked.notebooks:
            sys.stdout.write(f"{path.name}\n")
            write_text(asked.out / path.name, executed(path, Path(name)))


def _build_sample(folder: Path) -> Path:
    from recsys.demo import sample_shop

    return sample_shop(folder / "shop", lambda _: None).root


def executed(path: Path, folder: Path) -> str:
    """The notebook at `path`, executed in `folder`, as JSON text; ends the program where a cell warns."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": folder}}
    client = NotebookClient(notebook, timeout=TIMEOUT, record_timing=False, resources=where)
    # Sockets in the folder: none that other people of the machine could listen to.
    manager = client.create_kernel_manager()
    manager.transport, manager.ip = "ipc", str(folder / "kernel")
    client.execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":
                sys.exit(f"{path.name}: a cell writes to stderr:\n{output.text}")
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "sources_sha256": sources_hash(notebook),
    }
    return nbformat.writes(notebook) + "\n"


def sources_hash(notebook: nbformat.NotebookNode) -> str:
    """SHA-256 over the code cells, by which outputs are known to be of these very sources."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


if __name__ == "__main__":
    main()
