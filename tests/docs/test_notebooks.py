"""docs/python.md and docs/tutorial.ipynb, as they stand, on demo slides."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.runs import own_cache, shared
from wsi_scale.synthesis.demo import make_demo

__all__ = ["own_cache", "shared"]

DOCS = Path(__file__).parents[1] / "docs"
NOTEBOOK = DOCS / "tutorial.ipynb"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `make demo` has drawn its slides, smaller ones."""
    place = tmp_path_factory.mktemp("tutorial")
    make_demo(place / "results/demo-slides", seed=7, size_um=500.0)
    return place


def test_the_python_page_runs_as_it_stands(folder: Path, own_cache: Path) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(encoding="utf-8"), re.DOTALL))
    assert "ws.load_result" in code
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "(2000, 1600) 0.25 tiff" in done.stdout


@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq")
def test_the_notebook_runs_and_shows_what_was_planted(folder: Path, own_cache: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in shown if "image/png" in output.get("data", {})]
    assert len(pictures) == 2
    printed = "".join(output.get("text", "") for output in shown)
    assert 1.5 < float(re.findall(r"right half / left half: (\S+)", printed)[0]) < 2.6


def test_the_notebook_is_shipped_with_its_pictures() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    assert not any(output.output_type == "error" for output in outputs)
    assert "/results/demo-slides" not in NOTEBOOK.read_text(encoding="utf-8")  # no folder of one machine
