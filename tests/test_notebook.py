"""The notebook runs from its first cell to its last."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebooks" / "first_model.ipynb"


@pytest.mark.heavy
def test_the_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # it is kept without what a run leaves
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    *_, runs = (cell for cell in notebook.cells if cell.cell_type == "code")
    table = runs.outputs[-1]["data"]["text/plain"]
    assert "transformer" in table
    assert "lstm" in table
