"""docs/python.md and the notebooks, as they stand, on demo slides."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs.blocks import ROOT
from tests.runs import own_cache, shared
from wsi_scale.synthesis.demo import make_demo

__all__ = ["own_cache", "shared"]

#: Notebook → how many pictures it shows.
PICTURES = {"archive-audit": 2, "features": 1, "from-python": 2, "small-network": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `make demo` has drawn its slides, smaller ones."""
    place = tmp_path_factory.mktemp("tutorial")
    make_demo(place / "results/demo-slides", seed=7, size_um=500.0)
    return place


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / f"docs/tutorials/{name}.ipynb", as_version=4)


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures(notebook: nbformat.NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


def executed(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Execute a notebook; return what it prints."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    notebook = read(name)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    assert pictures(notebook) == PICTURES[name]
    return "".join(output.get("text", "") for output in outputs(notebook))


def test_the_python_page_runs_as_it_stands(folder: Path, own_cache: Path) -> None:
    page = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    assert "ws.load_result" in code
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "(2000, 1600) 0.25 tiff" in done.stdout


@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq")
@pytest.mark.parametrize(
    ("name", "figure", "lowest", "highest"),
    [
        ("from-python", r"right half / left half: (\S+)", 1.5, 2.6),
        ("archive-audit", r"demo-5_header-2x \| off_2x \| .* from pixels: (\S+)", 0.18, 0.33),
        ("features", r"AUC on the slide that it never saw: (\S+)", 0.8, 1.0),
        ("small-network", r"convolution parameters: .* \((\S+)×\)", 0.3, 0.36),
    ],
)
def test_a_notebook_runs_and_finds_what_was_planted(
    name: str,
    figure: str,
    lowest: float,
    highest: float,
    folder: Path,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert lowest < float(re.findall(figure, executed(name, folder, monkeypatch))[0]) < highest


@pytest.mark.parametrize("name", PICTURES)
def test_a_notebook_is_shipped_with_its_pictures_and_without_folders_of_one_machine(name: str) -> None:
    assert pictures(read(name)) == PICTURES[name]
    assert not any(output.output_type == "error" for output in outputs(read(name)))
    shown = "".join(str(output) for output in outputs(read(name)))
    assert "/results/demo-slides" not in shown
    assert "/tmp/" not in shown
