"""What tests share: the real data where it is at hand."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of real slides, tissue and weights; tests that need it skip with one line otherwise."""
    named = os.environ.get("WSI_SCALE_DATA")
    if not named:
        pytest.skip("WSI_SCALE_DATA is not set: no real slides or weights here")
    return Path(named).absolute()
