"""Results as viewers open them. `make test-interop` makes them, and the environment that has the viewers' libraries.

In the environment of the gate these libraries are missing (they want other versions of what it has), so that there the
files of this folder hold no tests.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

collect_ignore_glob = [] if find_spec("spatialdata") else ["test_*.py"]


@pytest.fixture(scope="session")
def made() -> Path:
    """Folder that ``tests.interop.make_results`` filled."""
    return Path(os.environ["WSI_SCALE_INTEROP"]).absolute()


@pytest.fixture(scope="session")
def pictures(made: Path) -> Path:
    """Folder for screenshots, which a developer looks at."""
    folder = made / "pictures"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(params=["plain", "dense"])
def results(made: Path, request: pytest.FixtureRequest) -> Path:
    """A slide's folder of results: tile beside tile, and overlapping tiles in regions."""
    return made / str(request.param)
