"""Print what `make test-interop` installs: the package's requirements without PyTorch and Snakemake, and viewers.

SpatialData and squidpy want other versions of Dask and imagecodecs than requirements.lock has, so they get an
environment of their own; nothing in it computes, so that it needs no PyTorch.
"""

import re
import sys
import tomllib
from pathlib import Path

#: Not needed to export and to view.
LEFT_OUT = ("scikit-learn", "torch", "torchvision")
#: Extras of the package that are tried.
EXTRAS = ("anndata", "h5", "napari", "spatialdata")
#: What reads the exports, and what runs the tests.
READERS = (
    "hypothesis", "ome-zarr", "ome-zarr-models", "pytest", "pytest-qt", "pytest-timeout", "shapely", "squidpy",
    "tree-sitter", "tree-sitter-groovy",
)  # fmt: skip


def requirements() -> list[str]:
    """List them, sorted."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = [line for line in project["dependencies"] if re.split(r"[<>=\[]", line)[0] not in LEFT_OUT]
    extras = [line for extra in EXTRAS for line in project["optional-dependencies"][extra]]
    return sorted({*own, *extras, *READERS})


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements()) + "\n")
